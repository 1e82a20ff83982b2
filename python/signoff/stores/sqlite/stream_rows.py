"""Rows about streams that a transaction is going to write: heads, batches, producers, live rows.

Like everything in `pending.py`, it comes from Changes that were compared, and is kept by what it is about: a stream
that several Changes append to has its head written once, and only what appends move if the rest is there already.
"""

from __future__ import annotations

import sqlite3
from typing import Any
from uuid import uuid4

from signoff.stores.base import Batch, EngineAppend, RowsWrite, StreamDelete
from signoff.stores.parting import batches
from signoff.stores.sqlite.marks import SQL, Marks, StreamEntry, stretched
from signoff.stores.sqlite.statements import write_rows
from signoff.streams import expiry
from signoff.streams.stream import JSON, Head, Write

Row = tuple[Any, ...]
Witness = tuple[str, Row, bytes]
"""A statement, its values, and what it finds if the transaction was kept."""


class StreamRows:
    """Gather what is written about streams, moving the marks on, and flush it into the open transaction."""

    def __init__(self, connection: sqlite3.Connection, marks: Marks) -> None:
        self._connection = connection
        self._marks = marks
        self._created: dict[str, StreamEntry] = {}
        self._heads: dict[int, tuple[StreamEntry, Head]] = {}
        self._appended: dict[int, tuple[StreamEntry, Head]] = {}
        self._moved: dict[int, StreamEntry] = {}
        self._closed: dict[int, StreamEntry] = {}
        self._batches: list[Row] = []
        self._waypoints: list[Row] = []
        self._others: list[tuple[str, Row]] = []
        self.witness: Witness | None = None

    def append(self, append: EngineAppend, appended: dict[str, Batch]) -> None:
        """Gather an append to a stream of the engine."""
        entry = self._marks.streams[append.path]
        if entry is None:
            entry = StreamEntry(self._marks.number(0), 0, 0, False, uuid4().hex)
            self._marks.streams[append.path] = self._created[append.path] = entry
        else:
            self._moved[entry.id] = entry
        batch = Batch(entry.tail, entry.tail + append.count, append.data)
        if append.count:
            self._batch(entry, batch)
        entry.version += 1
        entry.tail = batch.end
        if append.close and not entry.closed:
            entry.closed = True
            self._closed[entry.id] = entry
        appended[append.path] = _joined(appended[append.path], batch) if append.path in appended else batch

    def write(self, write: Write) -> None:
        """Gather a write to a stream of an application."""
        head = write.head
        entry = self._marks.streams[head.path]
        if entry is None:
            entry = StreamEntry(self._marks.number(0), 0, max(head.base, head.own), False, head.incarnation)
            self._marks.streams[head.path] = entry
        if head.tail > entry.tail:
            for batch in batches(write, entry.tail):
                self._batch(entry, batch)
        entry.version, entry.tail, entry.closed, entry.refs = head.version, head.tail, head.closed, head.refs
        fixed = head.properties
        if entry.id in self._heads or not entry.has(fixed):
            entry.fixed = fixed
            self._heads[entry.id] = entry, head
        else:
            self._appended[entry.id] = entry, head
        if write.producer is not None:
            mark = write.producer
            self._others.append(("put_producer", (entry.id, mark.producer_id, mark.epoch, mark.seq)))

    def delete(self, write: StreamDelete) -> None:
        """Take a stream's name away at once; what it held goes later (`purge.py`)."""
        self.flush()
        entry = self._marks.streams[write.path]
        assert entry is not None, "compared before"
        for name in ("doom", "delete_tail", "delete_stream"):
            self._connection.execute(SQL[name], (entry.id,))
        self._marks.streams[write.path] = None

    def write_live_rows(self, write: RowsWrite) -> None:
        """Gather what becomes of live rows; history goes at once."""
        entry, changes = self._marks.streams[write.path], write.changes
        assert entry is not None, "compared before"
        if changes.clear:
            self._others.append(("delete_rows", (entry.id,)))
        self._others += [("drop_row", (entry.id, *name)) for name in changes.gone]
        self._others += [("put_row", (entry.id, row.position, row.type, row.key, row.message)) for row in changes.rows]
        self._others.append(("move_rows", (changes.at, entry.id)))
        entry.rows_at = changes.at
        if write.base is not None:
            self._drop_history(entry, write.base)

    def flush(self) -> None:
        """Write everything gathered so far."""
        for entry_id in self._heads:
            self._appended.pop(entry_id, None)
        heads = [_created_row(path, one) for path, one in self._created.items()]
        heads += [_head_row(entry, head) for entry, head in self._heads.values()]
        tails = [_created_tail(one) for one in self._created.values()]
        tails += [_tail_row(entry, head) for some in (self._heads, self._appended) for entry, head in some.values()]
        ends = [(entry.id, expiry.end(head)) for entry, head in self._appended.values() if head.ttl_s is not None]
        self._write("put_head", heads)
        self._write("put_tail", tails)
        self._write("move_end", ends)
        self._each("move_tail", [_moved_row(one) for one in self._moved.values()])
        self._each("move_closed", [(one.closed, one.id) for one in self._closed.values()])
        if self._batches:
            number, stream, start, *_, data = self._batches[0]
            self.witness = ("find_batch", (number, stream, start), data)
        self._write("put_batch", self._batches)
        self._write("put_waypoint", self._waypoints)
        for name, row in self._others:
            self._connection.execute(SQL[name], row)
        self._empty()

    def clear(self) -> None:
        """Drop what was gathered and not flushed: its Change was undone."""
        self._empty()
        self.witness = None

    def _empty(self) -> None:
        for gathered in (self._created, self._heads, self._appended, self._moved, self._closed):
            gathered.clear()
        for rows in (self._batches, self._waypoints, self._others):
            rows.clear()

    def _batch(self, entry: StreamEntry, batch: Batch) -> None:
        number = self._marks.number(3)
        self._batches.append((number, entry.id, batch.start, batch.end, entry.last_batch, batch.data))
        entry.last_batch = number
        entry.stretch = stretched(entry.stretch, len(batch.data))
        if not entry.stretch:
            self._waypoints.append((entry.id, batch.start, number))

    def _drop_history(self, entry: StreamEntry, base: int) -> None:
        self.flush()
        execute = self._connection.execute
        entry.version += 1
        entry.fixed = None
        if base >= entry.tail:
            entry.last_batch = None
        execute(SQL["drop_history"], {"stream": entry.id, "base": base})
        execute(SQL["drop_waypoints"], (entry.id, base))
        execute(SQL["move_base"], (base, entry.id))
        self._moved[entry.id] = entry

    def _write(self, name: str, rows: list[Row]) -> None:
        if rows:
            write_rows(self._connection, SQL, name, rows)

    def _each(self, name: str, rows: list[Row]) -> None:
        if rows:
            self._connection.executemany(SQL[name], rows)


def _joined(first: Batch, second: Batch) -> Batch:
    return Batch(first.start, second.end, b",".join(data for data in (first.data, second.data) if data))


def _created_row(path: str, one: StreamEntry) -> Row:
    """Return the row of a stream of the engine that is new."""
    unset = (None,) * 9
    return (one.id, path, one.incarnation, 0, JSON, one.closed, True, 0, *unset, 0, 0, 0, None)


def _created_tail(one: StreamEntry) -> Row:
    return (one.id, one.version, one.tail, None, 0, one.last_batch, one.stretch)


def _moved_row(one: StreamEntry) -> Row:
    return (one.version, one.tail, one.last_batch, one.stretch, one.id)


def _tail_row(entry: StreamEntry, head: Head) -> Row:
    return (entry.id, head.version, head.tail, head.last_seq, head.touched_at, entry.last_batch, entry.stretch)


def _head_row(entry: StreamEntry, head: Head) -> Row:
    by = head.closed_by
    closed_by = (by.producer_id, by.epoch, by.seq) if by else (None, None, None)
    fork = (one.path, one.incarnation, one.at, one.depth) if (one := head.fork) else (None, None, None, None)
    return (
        entry.id,
        head.path,
        head.incarnation,
        head.base,
        head.content_type,
        head.closed,
        head.engine,
        head.created_at,
        head.ttl_s,
        head.expires_at,
        *closed_by,
        *fork,
        head.refs,
        head.deleted,
        head.compacted,
        expiry.end(head),
    )
