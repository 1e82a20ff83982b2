"""HTTP messages as every endpoint sees them: addresses, bodies and their members, replies, problem documents.

Never here: a socket, a route, a grant, a service.
"""
