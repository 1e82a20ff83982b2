"""The workflow API: one module a noun, one handler an endpoint, each from a `Call` to a `Reply`.

A handler names the grant, checks what came, calls one service and says the outcome; errors become problems above it.
Never here: ASGI, a token, a decision about runs.
"""
