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

from signoff.stores.base import Batch, Change, Committed, StreamWrite
from signoff.stores.sqlite.marks import Marks, StreamEntry, stretched
from signoff.stores.sqlite.statements import Statements
from signoff.streams.stream import ProducerMark

SQL: Final = Statements("plain.sql")

SIZES: Final = (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128, 192, 256)
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
        self._producers: dict[int, ProducerMark] = {}
        for name in ("appends", "append_trigger", "produced", "produced_trigger"):
            connection.execute(SQL[name])

    def fit(self, changes: Iterable[Change]) -> bool:
        """Tell whether Changes are plain appends to streams that are known."""
        known = self._marks.streams
        for change in changes:
            streams = change.streams
            if len(streams) != 1 or change[:5] != _BEFORE or change[6:] != _AFTER:
                return False
            write = streams[0]
            if not isinstance(write, StreamWrite):
                return False
            entry = known.get(write.head.path)
            if entry is None or entry.fixed != write.head.fixed:
                return False
        return True

    def take(self, changes: Sequence[Change]) -> list[Committed] | None:
        """Take Changes that fit, `SIZES[-1]` of them at most; return what to answer once they are written.

        None: one of them conflicts, or another process has written.
        """
        known = self._marks.streams
        done = []
        for number, change in enumerate(changes, self._marks.number(3, len(changes))):
            head, expect, data, producer = cast("StreamWrite", change.streams[0])
            entry = cast("StreamEntry", known[head.path])
            start, end = entry.tail, head.tail
            if expect != entry.version or end <= start:
                return None
            stretch = stretched(entry.stretch, len(data))
            self._rows.append(
                (number, entry.id, start, end, entry.last_batch, data, expect, head.version, head.last_seq,
                 head.touched_at, stretch)
            )  # fmt: skip
            if producer is not None:
                self._producers[len(self._rows) - 1] = producer
            entry.version, entry.tail, entry.last_batch, entry.stretch = head.version, end, number, stretch
            done.append(Committed({head.path: Batch(start, end, data)}))
        return done

    def write(self) -> None:
        """Write what was taken.

        Raises:
            sqlite3.IntegrityError: another process has written to one of the streams; nothing was written.
            sqlite3.Error: the file cannot be used.
        """
        count = len(self._rows)
        if not count:
            return
        size = next(size for size in SIZES if size >= count)
        name, rows, columns = "append", self._rows, _COLUMNS
        if self._producers:
            name, columns = "append_produced", _COLUMNS + len(_NOBODY)
            rows = [row + self._producers.get(index, _NOBODY) for index, row in enumerate(rows)]
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
        self._producers.clear()
