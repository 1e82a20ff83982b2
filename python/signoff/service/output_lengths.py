"""How long each output of a run is, and how long it may become.

A stream of messages does not know how many bytes it has. One process at a time writes to an output, so that one counts
along, and reads once what it has not written itself.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

from signoff.errors import PayloadTooLarge
from signoff.service.streams.streams import StreamService
from signoff.streams import offset
from signoff.streams.stream import Head

MOST_BYTES: Final = 64 << 20
"""How many bytes an output has at most, unless said otherwise."""

_KNOWN: Final = 10_000


class _Length(NamedTuple):
    incarnation: str
    tail: int
    size: int


class OutputLengths:
    """The lengths of the outputs that this process writes to.

    Args:
        streams: reads them.
        most: bytes that one may have.
    """

    def __init__(self, streams: StreamService, most: int = MOST_BYTES) -> None:
        self._streams = streams
        self._most = most
        self._known: OrderedDict[str, _Length] = OrderedDict()

    def begun(self, head: Head) -> None:
        """Learn of a session on an output."""
        known = self._known.get(head.path)
        if head.tail == 0:
            self._learn(head, 0)
        elif known is not None and (known.incarnation, known.tail) != (head.incarnation, head.tail):
            del self._known[head.path]

    def grown(self, head: Head, units: int, size: int) -> None:
        """Learn of an append.

        Args:
            head: after it.
            units: appended.
            size: bytes appended.
        """
        known = self._known.get(head.path)
        if known is None:
            return
        if (known.incarnation, known.tail + units) == (head.incarnation, head.tail):
            self._learn(head, known.size + size)
        else:
            del self._known[head.path]

    async def check(self, path: str, more: int) -> None:
        """Refuse to write more than an output may have.

        Args:
            more: bytes to be appended.

        Raises:
            PayloadTooLarge: it would be longer.
            StreamNotFound, StreamDeleted: it is gone.
        """
        known = self._known.get(path)
        size = known.size if known is not None else await self._count(path)
        if size + more > self._most:
            raise PayloadTooLarge(
                f"The output {path} has {size:,} bytes, and one has at most {self._most:,}: {more:,} bytes more were "
                "not written. What it has stays readable. Write less, or go on in another output."
            )

    async def _count(self, path: str) -> int:
        head = await self._streams.head(path)
        size, token = 0, offset.START
        if head.json:
            while head.tail:
                chunk = await self._streams.read(path, token)
                head, token = chunk.head, offset.encode(chunk.end)
                size += len(chunk.data)
                if chunk.up_to_date:
                    break
        else:
            size = head.tail
        self._learn(head, size)
        return size

    def _learn(self, head: Head, size: int) -> None:
        self._known[head.path] = _Length(head.incarnation, head.tail, size)
        self._known.move_to_end(head.path)
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)
