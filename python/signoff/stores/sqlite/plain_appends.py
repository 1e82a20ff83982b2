"""The short way to write appends: one statement that is a whole transaction (`plain_appends.sql`).

Between two statements a thread lets go of the interpreter and has to wait for it again, for as long as a busy event
loop keeps it; so a transaction of one statement is several times as fast as one of eight. It is for Changes that append
to streams this thread knows, and do nothing else. They are compared in memory, as always, and once more by the
statement, which looks at the versions of all heads: what another process wrote meanwhile makes it fail, with no effect,
and then the long way finds out what is true.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final, cast

from signoff.stores.change import Change, Committed, FamilyWrite
from signoff.stores.parting import TOGETHER
from signoff.stores.sqlite.cache import BATCHES, CachedStream, WriterCache, next_distance
from signoff.stores.sqlite.statements import Statements
from signoff.streams import expiry
from signoff.streams.stream import ProducerMark, Write

SQL: Final = Statements("plain_appends.sql")

SIZES: Final = (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128, 192, 256)
"""Rows of the statements there are; what is missing to the next size is filled up with empty ones."""

_COLUMNS: Final = 13
_NOBODY: Final = (None, None, None)
_DONE: Final = Committed()


class PlainAppends:
    """The short way to write, for Changes that are nothing but appends.

    Args:
        connection: the writer's; it gets temporary views.
        cache: what the writer knows. It is moved on while Changes are taken: who does not write them has to forget.
    """

    def __init__(self, connection: sqlite3.Connection, cache: WriterCache) -> None:
        self._connection = connection
        self._cache = cache
        self._count = 0
        self._values: list[Any] = []
        self._producers: dict[int, ProducerMark] = {}
        for name in ("appends", "append_trigger", "end_trigger", "produced", "produced_trigger"):
            connection.execute(SQL[name])

    def fit(self, changes: Sequence[Change]) -> bool:
        """Tell whether Changes are plain appends to streams that are known."""
        return len(changes) <= SIZES[-1] and all(map(self._fits, changes))

    def _fits(self, change: Change) -> bool:
        family, posts, _ = change
        if type(family) is not FamilyWrite or posts or len(family.streams) != 1:
            return False
        write = family.streams[0]
        if type(write) is not Write:
            return False
        data, properties = write.data, write.head.properties
        stream = self._cache.streams.get(properties.path)
        if stream is None or stream.engine or type(data) is not bytes or len(data) > TOGETHER:
            return False
        return stream.properties is properties or stream.has(properties)

    def take(self, changes: Sequence[Change]) -> list[Committed] | None:
        """Take Changes that fit, in place of what was taken before; return what to answer once they are written.

        None: one of them conflicts, or another process has written.

        Values are of the types that the `sqlite3` module binds without asking for an adapter first, which takes ten
        times as long: neither None nor `bytes` is one of them.
        """
        self._count = 0
        self._values.clear()
        self._producers.clear()
        known = self._cache.streams
        values = self._values
        for number, change in enumerate(changes, self._cache.number(BATCHES, len(changes))):
            (write,) = cast("FamilyWrite", change[0]).streams
            head, expect, _, data, producer, _, _ = cast("Write", write)
            properties, version, end, seq, touched_at = head
            stream = cast("CachedStream", known[properties.path])
            start = stream.tail
            if expect != stream.version or end <= start:
                return None
            distance = next_distance(stream.distance, len(data))
            values += (
                number, stream.id, start, end, stream.last_batch, bytearray(data), expect, version,
                0 if seq is None else seq, touched_at, distance,
                0 if properties.ttl_s is None else expiry.end(head) or 0, change[2],
            )  # fmt: skip
            if producer is not None:
                self._producers[self._count] = producer
            self._count += 1
            stream.version, stream.tail, stream.last_batch, stream.distance = version, end, number, distance
        return [_DONE] * len(changes)

    def write(self) -> None:
        """Write what was taken.

        Raises:
            sqlite3.IntegrityError: another process has written to one of the streams; nothing was written.
            sqlite3.Error: the file cannot be used.
        """
        count = self._count
        size = next(size for size in SIZES if size >= count)
        name, values, columns = "append", self._values, _COLUMNS
        if self._producers:
            name, values, columns = "append_produced", self._with_producers(), _COLUMNS + len(_NOBODY)
        self._connection.execute(SQL.rows(name, size), values + [0] * (columns * (size - count)))

    def _with_producers(self) -> list[Any]:
        values: list[Any] = []
        for index in range(self._count):
            values += self._values[index * _COLUMNS : (index + 1) * _COLUMNS]
            values += self._producers.get(index, _NOBODY)
        return values
