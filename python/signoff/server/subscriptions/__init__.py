"""Subscriptions over HTTP: their endpoints, and the webhooks that are sent to workers.

Here live requests in both directions, and the looking up of names for those that go out.
Never here: what a transition does, or where it is kept.
"""
