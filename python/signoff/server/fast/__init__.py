"""The fast lane: requests that need no task, because all there is to wait for is a commit.

What decides stays in the services and what is answered in `streams/`; here is only the shorter way there.
Never here: a rule, a refusal of its own, anything that only some requests get right.
"""
