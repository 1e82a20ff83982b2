"""All that a file holds, piece by piece, and how it comes into a file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from signoff.stores.change import Batch, Name
from signoff.stores.compare import due_at
from signoff.stores.copies import (
    BatchCopy,
    Dump,
    DumpPlace,
    PartCopy,
    ProducerCopy,
    Record,
    RowCopy,
    StreamCopy,
    SubjectCopy,
    read_cursor,
    size_of,
)
from signoff.stores.sqlite import read_streams
from signoff.stores.sqlite.cache import BATCHES, STREAMS, WriterCache, next_distance
from signoff.stores.sqlite.cache import SQL as WRITE
from signoff.stores.sqlite.rows import HeadRow, Row, part, subject
from signoff.stores.sqlite.statements import Statements, write_rows
from signoff.stores.sqlite.stream_rows import head_row
from signoff.streams.compaction import LiveRow
from signoff.streams.stream import ProducerMark

SQL: Final = Statements("copies.sql")


# -- out of a file -----------------------------------------------------------------------------------------------------


def dump(connection: sqlite3.Connection, after: str, max_bytes: int) -> Dump:
    """Return the records that follow a cursor, of one moment.

    Raises:
        BadRequest: it is not one of ours.
    """
    table, place = read_cursor(after, [begins for _, begins, _ in _TABLES])
    records: list[Record] = []
    size = 0
    with read_streams.snapshot(connection) as execute:
        for number in range(table, len(_TABLES)):
            name, first, read = _TABLES[number]
            if number > table:
                place = first
            with closing(execute(SQL[name], place)) as rows:
                for row in rows:
                    if records and size >= max_bytes:
                        return Dump(tuple(records), orjson.dumps((number, *place)).decode())
                    place, some = read(connection, row)
                    records += some
                    size += sum(map(size_of, some))
    return Dump(tuple(records), None)


def _subject(connection: sqlite3.Connection, row: Row) -> tuple[DumpPlace, list[Record]]:
    record, number, lease_ms = subject(row), row[-2], row[-1]
    found: list[Record] = [SubjectCopy(record, number, lease_ms if record.lease_until is not None else 0)]
    for own in record.streams:
        head = connection.execute(read_streams.SQL["head"], (own.path,)).fetchone()
        found.append(StreamCopy(HeadRow(head).head(), record.name))
    return (number,), found


def _part(_: sqlite3.Connection, row: Row) -> tuple[DumpPlace, list[Record]]:
    kind, name, number = row[-3:]
    return (number,), [PartCopy(Name(kind, name), part(row), number)]


def _stream(_: sqlite3.Connection, row: Row) -> tuple[DumpPlace, list[Record]]:
    found = HeadRow(row)
    return (found.id,), [StreamCopy(found.head())]


def _producer(_: sqlite3.Connection, row: Row) -> tuple[DumpPlace, list[Record]]:
    stream, path, *mark = row
    return (stream, mark[0]), [ProducerCopy(path, ProducerMark(*mark))]


def _row(_: sqlite3.Connection, row: Row) -> tuple[DumpPlace, list[Record]]:
    stream, path, kind, key, position, message = row
    return (stream, position), [RowCopy(path, LiveRow(kind, key, position, message))]


def _batch(_: sqlite3.Connection, row: Row) -> tuple[DumpPlace, list[Record]]:
    number, path, *batch = row
    return (number,), [BatchCopy(path, Batch(*batch))]


_TABLES: Final[
    tuple[tuple[str, DumpPlace, Callable[[sqlite3.Connection, Row], tuple[DumpPlace, list[Record]]]], ...]
] = (
    ("subjects_from", (0,), _subject),
    ("parts_from", (0,), _part),
    ("streams_from", (0,), _stream),
    ("producers_from", (0, ""), _producer),
    ("rows_from", (0, 0), _row),
    ("batches_from", (0,), _batch),
)
"""What is read one after the other: the statement, where it begins, and what its rows are."""

# -- into a file -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Restore:
    """Records of another store's dump, to be written in one transaction."""

    records: Sequence[Record]

    def run(self, connection: sqlite3.Connection, cache: WriterCache) -> None:
        """Write what is not there yet."""
        ends = _StreamEnds(connection, cache)
        for record in self.records:
            match record:
                case SubjectCopy():
                    _restore_subject(connection, record)
                case PartCopy():
                    _restore_part(connection, record)
                case StreamCopy():
                    ends.flush()
                    _restore_stream(connection, cache, record)
                case ProducerCopy(path, mark):
                    connection.execute(SQL["restore_producer"], (*mark, path))
                case BatchCopy(path, batch):
                    ends.add(path, batch)
                case RowCopy(path, row):
                    values = (row.position, row.type, row.key, row.message, path)
                    connection.execute(SQL["restore_row"], values)
        ends.flush()
        cache.forget()


def _restore_subject(connection: sqlite3.Connection, copy: SubjectCopy) -> None:
    one = copy.subject
    due = due_at(one.queue, one.ready, one.wake_at, one.lease_until)
    row = (
        copy.rank,
        *one.name,
        one.version,
        one.sort,
        orjson.dumps(one.terms).decode(),
        one.queue,
        one.ready,
        one.wake_at,
        one.quiet,
        one.updated_at,
        due,
        due or one.updated_at,
        one.epoch,
        one.lease_owner,
        one.lease_until,
        copy.lease_ms,
        one.lost,
        one.state,
    )
    if connection.execute(SQL["restore_subject"], row).rowcount:
        terms = [(one.name.kind, term, one.sort, copy.rank) for term in dict.fromkeys(one.terms)]
        write_rows(connection, WRITE, "add_subject_term", terms)


def _restore_part(connection: sqlite3.Connection, copy: PartCopy) -> None:
    one = copy.part
    terms = orjson.dumps(one.terms).decode()
    row = (copy.rank, one.kind, one.key, one.open, one.sort, terms, one.state, *copy.owner)
    if connection.execute(SQL["restore_part"], row).rowcount:
        found = [(one.kind, term, one.sort, copy.rank) for term in dict.fromkeys(one.terms)]
        write_rows(connection, WRITE, "add_part_term", found)


def _restore_stream(connection: sqlite3.Connection, cache: WriterCache, copy: StreamCopy) -> None:
    head = copy.head
    if connection.execute(SQL["stream_end"], (head.path,)).fetchone() is not None:
        return
    number = cache.number(STREAMS)
    if copy.owner is None:
        connection.execute(WRITE["put_head"], head_row(number, head, 0))
        row = (number, head.version, head.tail, head.last_seq, head.touched_at, None, 0)
        connection.execute(WRITE["put_tail"], row)
    else:
        owner, own = connection.execute(SQL["own_streams"], copy.owner).fetchone()
        streams = [*orjson.loads(own), (number, head.path, head.tail, head.closed, None, 0)]
        connection.execute(SQL["put_own_streams"], (orjson.dumps(streams).decode(), owner))
        connection.execute(WRITE["put_head"], head_row(number, head.changed(closed=False), 0, (owner, head.version)))
    if head.rows_at:
        connection.execute(WRITE["move_rows"], (head.rows_at, number))


@dataclass(slots=True)
class _StreamEnd:
    """Where the batches of a stream end.

    Attributes:
        stop: the position after its last batch; None: it has none.
        own: its subject, and its place in what that knows of its streams.
    """

    stream: int
    last_batch: int | None
    distance: int
    stop: int | None
    own: tuple[int, int] | None = None


@dataclass(slots=True)
class _StreamEnds:
    """Batches that a transaction is going to write, and where streams end with them."""

    connection: sqlite3.Connection
    cache: WriterCache
    _ends: dict[str, _StreamEnd] = field(default_factory=dict)
    _own: dict[int, list[list[Any]]] = field(default_factory=dict)
    _batches: list[Row] = field(default_factory=list)
    _waypoints: list[Row] = field(default_factory=list)

    def add(self, path: str, batch: Batch) -> None:
        """Gather a batch, unless it is there."""
        end = self._ends.get(path)
        if end is None:
            end = self._ends[path] = self._learn(path)
        if end.stop is not None and end.stop >= batch.end:
            return
        number = self.cache.number(BATCHES)
        self._batches.append((number, end.stream, batch.start, batch.end, end.last_batch, batch.data, 0))
        end.distance = next_distance(end.distance, len(batch.data))
        if not end.distance:
            self._waypoints.append((end.stream, batch.start, number))
        end.last_batch, end.stop = number, batch.end

    def _learn(self, path: str) -> _StreamEnd:
        stream, owner, last, distance, streams = self.connection.execute(SQL["stream_end"], (path,)).fetchone()
        own = None
        if owner is not None:
            known = self._own.setdefault(owner, orjson.loads(streams))
            own = owner, next(place for place, one in enumerate(known) if one[0] == stream)
            last, distance = known[own[1]][4:]
        stop = None if last is None else self.connection.execute(SQL["last_stop"], (last,)).fetchone()[0]
        return _StreamEnd(stream, last, distance, stop, own)

    def flush(self) -> None:
        """Write what was gathered."""
        write_rows(self.connection, WRITE, "put_batch", self._batches)
        write_rows(self.connection, WRITE, "put_waypoint", self._waypoints)
        for end in self._ends.values():
            if end.own is None:
                self.connection.execute(SQL["move_end"], (end.last_batch, end.distance, end.stream))
            else:
                owner, place = end.own
                self._own[owner][place][4:] = end.last_batch, end.distance
        for owner, streams in self._own.items():
            self.connection.execute(SQL["put_own_streams"], (orjson.dumps(streams).decode(), owner))
        for gathered in (self._ends, self._own, self._batches, self._waypoints):
            gathered.clear()
