"""HTTP over the services: `app.py` puts together what the rooms hold.

`http11/` serves sockets, `http/` has what messages are made of, `access/` says who may, `streams/`, `subscriptions/`
and `api/` are the endpoints, `fast/` is the short way for appends.
Never here: rules (they stand in the pure layers), a backend, workflow code.
"""
