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
from signoff.stores.sqlite.marks import Marks, stretched
from signoff.stores.sqlite.statements import Statements

SQL: Final = Statements("plain.sql")

SIZES: Final = (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128)
"""Rows of the statements there are; what is missing to the next size is filled up with empty ones."""

_COLUMNS: Final = 11
_BEFORE: Final = Change()[:5]
_AFTER: Final = Change()[6:]
_NOBODY: Final = (None, None, None)

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
        self._rows: list[Row] = []
        self._more: list[Row] = []
        self._special = False
        for name in ("appends", "append_trigger", "more_appends", "more_trigger"):
            connection.execute(SQL[name])

    def fit(self, changes: Iterable[Change]) -> bool:
        """Tell whether Changes are plain appends to streams that are known."""
        known = self._marks.streams
        for change in changes:
            streams = change.streams
            if len(streams) != 1 or change[:5] != _BEFORE or change[6:] != _AFTER:
                return False
            write = streams[0]
            if not isinstance(write, StreamWrite) or type(write.data) is not bytes:
                return False
            entry = known.get(write.head.path)
            if entry is None or entry.fixed != write.head.fixed:
                return False
        return True

    def take(self, changes: Iterable[Change]) -> list[Committed] | None:
        """Take Changes that fit; return what to answer once they are written, None if one of them conflicts."""
        done = []
        for change in changes:
            one = self._take(change)
            if one is None or len(self._rows) > SIZES[-1]:
                return None
            done.append(one)
        return done

    def write(self) -> None:
        """Write what was taken.

        Raises:
            sqlite3.IntegrityError: another process has written to one of the streams; nothing was written.
            sqlite3.Error: the file cannot be used.
        """
        count = len(self._rows)
        size = next(size for size in SIZES if size >= count)
        name, rows, columns = "append", self._rows, _COLUMNS
        if self._special:
            name, columns = "append_more", _COLUMNS + 4
            rows = [row + more for row, more in zip(self._rows, self._more, strict=True)]
        values = [value for row in rows for value in row]
        values += [None] * (columns * (size - count))
        self._connection.execute(SQL.rows(name, size), values)

    @property
    def witness(self) -> Row:
        """Return number, stream, start and data of a batch that was taken."""
        number, stream, start, _, _, data, *_ = self._rows[0]
        return number, stream, start, data

    def clear(self) -> None:
        """Forget what was taken."""
        self._rows.clear()
        self._more.clear()
        self._special = False

    def _take(self, change: Change) -> Committed | None:
        [write] = change.streams
        assert isinstance(write, StreamWrite), "it fits"
        head, expect, data, producer = write
        entry = self._marks.streams[head.path]
        assert entry is not None, "it fits"
        start, end = entry.tail, head.tail
        if expect != entry.version or end <= start:
            return None
        number = self._marks.number(3)
        stretch = stretched(entry.stretch, len(data))
        self._rows.append(
            (number, entry.id, start, end, entry.last_batch, data, expect, head.version, head.last_seq, head.touched_at,
             stretch)
        )  # fmt: skip
        self._more.append((not stretch, *(producer or _NOBODY)))
        if producer is not None or not stretch:
            self._special = True
        entry.version, entry.tail, entry.last_batch, entry.stretch = head.version, end, number, stretch
        return Committed({head.path: Batch(start, end, data)})
