"""The fast lane: whole requests served without a parser and a task, because all there is to wait for is a commit.

`port.py` is all that endpoints see of it, `known_heads.py` all that a connection does; `bench/streams.py` tells why.
Never here: a rule, a refusal, an endpoint; what the lane does not take is served as ASGI, with the same answer.
"""
