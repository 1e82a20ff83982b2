"""HTTP/1.1 on a socket: connections, parsing, limits of size and time; bytes in, ASGI calls out.

Of the application it knows two things: the ASGI callable, and the port of its fast lane (`fast/`).
Never here: a route, a token, a stream, a problem of the API.
"""
