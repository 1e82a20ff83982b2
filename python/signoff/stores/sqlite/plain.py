"""The short way to write appends: one statement that is a whole transaction (`plain.sql`).

Between two statements a thread lets go of the interpreter and has to wait for it again, for as long as a busy event
loop keeps it; so a transaction of one statement is several times as fast as one of eight. It is for Changes that append
to streams this thread knows, and do nothing else. They are compared in memory, as always, and once more by the
statement, which looks at the versions of all heads: what another process wrote meanwhile makes it fail, with no effect,
and then the long way finds out what is true.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Final

from signoff.stores.base import Batch, Change, Committed, StreamWrite
from signoff.stores.sqlite.marks import Marks, StreamEntry, stretched
from signoff.stores.sqlite.statements import Statements

SQL: Final = Statements("plain.sql")

SIZES: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
"""Rows of the statements there are; what is missing to the next size is filled up with empty ones."""

_COLUMNS: Final = 15
_EXPECT: Final = 6
_VERSION: Final = 7
_STATEMENTS: Final = {size: SQL.rows("append", size) for size in SIZES}
_BEFORE: Final = Change()[:5]
_AFTER: Final = Change()[6:]


class _Stream:
    """Hold a stream as it will be, and the row that moves its head."""

    __slots__ = ("entry", "last_batch", "row", "stretch", "tail", "version")

    def __init__(self, entry: StreamEntry) -> None:
        self.entry = entry
        self.version = entry.version
        self.tail = entry.tail
        self.last_batch = entry.last_batch
        self.stretch = entry.stretch
        self.row: list[Any] | None = None


class PlainAppends:
    """Write Changes that are nothing but appends.

    Args:
        connection: the writer's; it gets a temporary view.
        marks: what the writer knows; moved on by what is written.
    """

    def __init__(self, connection: sqlite3.Connection, marks: Marks) -> None:
        self._connection = connection
        self._marks = marks
        self._streams: dict[str, _Stream] = {}
        self._rows: list[list[Any]] = []
        for name in ("view", "batch", "head", "waypoint", "producer"):
            connection.execute(SQL[name])

    def gather(self, changes: Iterable[Change]) -> list[Committed] | None:
        """Take Changes; return what to answer once they are written, None if one of them has to go the long way."""
        done = []
        for change in changes:
            one = self._gather(change)
            if one is None or len(self._rows) > SIZES[-1]:
                return None
            done.append(one)
        return done

    def write(self) -> None:
        """Write what was taken, and let the marks know.

        Raises:
            sqlite3.IntegrityError: another process has written to one of the streams; nothing was written.
            sqlite3.Error: the file cannot be used.
        """
        count = len(self._rows)
        size = next(size for size in SIZES if size >= count)
        values = [value for row in self._rows for value in row]
        values += [None] * (_COLUMNS * (size - count))
        self._connection.execute(_STATEMENTS[size], values)
        for stream in self._streams.values():
            entry = stream.entry
            entry.version, entry.tail = stream.version, stream.tail
            entry.last_batch, entry.stretch = stream.last_batch, stream.stretch

    @property
    def witness(self) -> tuple[int, int, int, bytes]:
        """Return number, stream, start and data of a batch that was taken."""
        number, stream, start, _, _, data, *_ = self._rows[0]
        return number, stream, start, data

    def clear(self) -> None:
        """Forget what was taken."""
        self._streams.clear()
        self._rows.clear()

    def _gather(self, change: Change) -> Committed | None:
        streams = change.streams
        if len(streams) != 1 or change[:5] != _BEFORE or change[6:] != _AFTER:
            return None
        write = streams[0]
        if not isinstance(write, StreamWrite):
            return None
        head, data = write.head, write.data
        stream = self._streams.get(head.path)
        if stream is None:
            entry = self._marks.streams.get(head.path)
            if entry is None:
                return None
            stream = self._streams[head.path] = _Stream(entry)
        start, end = stream.tail, head.tail
        if (
            write.expect != stream.version
            or stream.entry.fixed != head.fixed
            or end <= start
            or type(data) is not bytes
        ):
            return None
        number = self._marks.number(3)
        stretch = stretched(stream.stretch, len(data))
        before = stream.row
        expect = write.expect
        if before is not None:
            # One row moves the head past all of them.
            expect, before[_VERSION] = before[_EXPECT], None
        producer = write.producer or _NOBODY
        row = [
            number, stream.entry.id, start, end, stream.last_batch, data, expect, head.version, head.last_seq,
            head.touched_at, stretch, not stretch, *producer,
        ]  # fmt: skip
        self._rows.append(row)
        stream.row = row
        stream.version, stream.tail, stream.last_batch, stream.stretch = head.version, end, number, stretch
        return Committed({head.path: Batch(start, end, data)})


_NOBODY: Final = (None, None, None)
