"""What a listening socket allows its clients, before any request is looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """The sizes and times of connections.

    Attributes:
        connections: open at a time; one more is answered 503 and closed.
        header_bytes: of request line and headers together, and of trailers; more is answered 431.
        header_s: seconds in which the headers must have arrived once they began; later is answered 408.
        body_s: seconds in which a body must have arrived; later is answered 408.
        keep_alive_s: seconds after which a connection without a request is closed.
        write_s: seconds in which a client must have taken `write_bytes` of what waits for it; else it is cut off.
        write_bytes: what a client must take in `write_s`, or all there is if it is less: a slow one is not cut off.
    """

    connections: int = 10_000
    header_bytes: int = 32 * 1024
    header_s: float = 10.0
    body_s: float = 60.0
    keep_alive_s: float = 75.0
    write_s: float = 30.0
    write_bytes: int = 32 * 1024
