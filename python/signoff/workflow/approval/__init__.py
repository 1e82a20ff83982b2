"""Approvals: people decide about what an agent is about to do, and may say that for the next time too.

Each is a request for input of `input`'s; what is kept of an approval beyond its request is here. Never here: a model, a
framework.
"""
