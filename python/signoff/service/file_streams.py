"""The streams that have the bytes of attached files: made by one sending each, and taken away by what made them.

A path is the same for all who send a file under an id, so nothing is done to what merely stands there: a stream is
meant by its incarnation, which is that of the sending that made it.
"""

from __future__ import annotations

from contextlib import suppress

from signoff.errors import StreamDeleted, StreamNotFound
from signoff.service.streams.streams import StreamService
from signoff.streams.stream import Delete


async def standing(streams: StreamService, path: str) -> str | None:
    """Return the incarnation of the stream that is at a path; None: there is none.

    Raises:
        StreamDeleted: it is kept for its forks alone.
    """
    try:
        return (await streams.head(path)).incarnation
    except StreamNotFound:
        return None


async def take_away(streams: StreamService, path: str, incarnation: str | None) -> None:
    """Delete a stream, unless another has taken its place; None: there was none."""
    if incarnation is not None:
        with suppress(StreamNotFound, StreamDeleted):
            await streams.write_output(path, Delete(incarnation))
