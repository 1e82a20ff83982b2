"""Durable streams over HTTP: everything below `/v1/stream/` (Durable Streams §5).

Headers and queries are read and written in `wire.py` alone, appends in `append.py`, reads in `read.py` and `live.py`.
Never here: who may do what (it is asked of `authorize`), a rule of streams (they stand in `signoff.streams`).
"""

from signoff.server.streams.endpoints import StreamEndpoints
from signoff.server.streams.read import Limits

__all__ = ["Limits", "StreamEndpoints"]
