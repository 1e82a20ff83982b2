"""The short way to write appends: one statement that is a whole transaction (`plain.sql`).

Between two statements a thread lets go of the interpreter and has to wait for it again, for as long as a busy event
loop keeps it; so a transaction of one statement is several times as fast as one of eight. It is for Changes that append
to streams this thread knows, and do nothing else. They are compared in memory, as always, and once more by the
statement, which looks at the versions of all heads: what another process wrote meanwhile makes it fail, with no effect,
and then the long way finds out what is true.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final, cast

from signoff.stores.base import NOTHING_ELSE, Change, Committed
from signoff.stores.parting import TOGETHER
from signoff.stores.sqlite.marks import Marks, StreamEntry, stretched
from signoff.stores.sqlite.statements import Statements
from signoff.streams import expiry
from signoff.streams.stream import ProducerMark, Write

SQL: Final = Statements("plain.sql")

SIZES: Final = (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128, 192, 256)
"""Rows of the statements there are; what is missing to the next size is filled up with empty ones."""

_COLUMNS: Final = 12
_NOBODY: Final = (None, None, None)
_DONE: Final = Committed()

Row = tuple[Any, ...]


class PlainAppends:
    """Write Changes that are nothing but appends.

    Args:
        connection: the writer's; it gets temporary views.
        marks: what the writer knows. They are moved on while Changes are taken: who does not write them has to forget.
    """

    def __init__(self, connection: sqlite3.Connection, marks: Marks) -> None:
        self._connection = connection
        self._marks = marks
        self._count = 0
        self._values: list[Any] = []
        self._producers: dict[int, ProducerMark] = {}
        for name in ("appends", "append_trigger", "end_trigger", "produced", "produced_trigger"):
            connection.execute(SQL[name])

    def fit(self, changes: Iterable[Change]) -> bool:
        """Tell whether Changes are plain appends to streams that are known."""
        known = self._marks.streams
        for change in changes:
            streams = change[-1]
            if len(streams) != 1 or change[:-1] != NOTHING_ELSE:
                return False
            write = streams[0]
            if type(write) is not Write:
                return False
            head, _, _, data, _, _, _ = write
            fixed = head[0]
            entry = known.get(fixed.path)
            if entry is None or type(data) is not bytes or len(data) > TOGETHER:
                return False
            if entry.fixed is not fixed and not entry.has(fixed):
                return False
        return True

    def take(self, changes: Sequence[Change]) -> list[Committed] | None:
        """Take Changes that fit, `SIZES[-1]` of them at most; return what to answer once they are written.

        None: one of them conflicts, or another process has written.

        Values are of the types that the `sqlite3` module binds without asking for an adapter first, which takes ten
        times as long: neither None nor `bytes` is one of them.
        """
        known = self._marks.streams
        values = self._values
        for number, change in enumerate(changes, self._marks.number(3, len(changes))):
            head, expect, _, data, producer, _, _ = cast("Write", change[-1][0])
            fixed, version, end, seq, touched_at = head
            entry = cast("StreamEntry", known[fixed.path])
            start = entry.tail
            if expect != entry.version or end <= start:
                return None
            stretch = stretched(entry.stretch, len(data))
            values += (
                number, entry.id, start, end, entry.last_batch, bytearray(data), expect, version,
                0 if seq is None else seq, touched_at, stretch,
                0 if fixed.ttl_s is None else expiry.end(head) or 0,
            )  # fmt: skip
            if producer is not None:
                self._producers[self._count] = producer
            self._count += 1
            entry.version, entry.tail, entry.last_batch, entry.stretch = version, end, number, stretch
        return [_DONE] * len(changes)

    def write(self) -> None:
        """Write what was taken.

        Raises:
            sqlite3.IntegrityError: another process has written to one of the streams; nothing was written.
            sqlite3.Error: the file cannot be used.
        """
        count = self._count
        if not count:
            return
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

    @property
    def witness(self) -> Row:
        """Return number, stream, start and data of a batch that was taken."""
        number, stream, start, _, _, data, *_ = self._values
        return number, stream, start, data

    def clear(self) -> None:
        """Forget what was taken."""
        self._count = 0
        self._values.clear()
        self._producers.clear()
