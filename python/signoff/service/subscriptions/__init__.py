"""Subscriptions over a store: their records, who follows which stream, and the sending of wakes.

Here live the loop of load, decide and commit for subscriptions, and the tasks that wake them.
Never here: what a transition does (that is `signoff.streams.subscriptions`), HTTP, a backend.
"""
