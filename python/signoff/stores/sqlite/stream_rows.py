"""Rows about streams that a transaction is going to write: heads, batches, producers, live rows.

They come from Changes that were compared, and are kept by what they are about: a stream that several Changes append to
has its head written once, and only what appends move if the rest is there already. How far a subject's own stream has
grown is written with the subject (`subject_rows.py`).
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from random import Random
from typing import Final

from signoff.stores.change import Batch, OwnAppend, Post, RowsWrite, new_mark
from signoff.stores.parting import batches
from signoff.stores.sqlite.cache import (
    BATCHES,
    SQL,
    STREAMS,
    WAYPOINT_EVERY,
    CachedStream,
    CachedSubject,
    WriterCache,
    next_distance,
)
from signoff.stores.sqlite.rows import Row
from signoff.stores.sqlite.statements import write_rows
from signoff.streams import expiry
from signoff.streams.stream import JSON, Head, Write

_random: Final = Random()  # noqa: S311 - as marks: they must differ, not be hard to guess


@dataclass(slots=True, eq=False)
class _Posted:
    """What is posted to a stream, most of it a row by each of many Changes, to be written as one batch.

    Attributes:
        start: the position of the first of them.
        size: bytes in `data`.
    """

    stream: CachedStream
    start: int
    data: list[bytes] = field(default_factory=list)
    size: int = 0


class StreamRows:
    """What is written about streams, moving the cache on, until it is flushed into the open transaction."""

    def __init__(self, connection: sqlite3.Connection, cache: WriterCache) -> None:
        self._connection = connection
        self._cache = cache
        self._created: list[tuple[CachedStream, int]] = []
        self._heads: dict[int, tuple[CachedStream, Head, int]] = {}
        self._appended: dict[int, tuple[CachedStream, Head]] = {}
        self._posted: dict[int, _Posted] = {}
        self._batches: list[Row] = []
        self._waypoints: list[Row] = []
        self._others: list[tuple[str, Row]] = []

    def append(self, append: OwnAppend, owner: CachedSubject, mark: int, appended: dict[str, Batch]) -> None:
        """Gather an append to a stream of a subject's own."""
        path = append.path
        stream = owner.stream(path)
        if stream is None:
            stream = self._create(path, mark)
            stream.owner = owner
            owner.streams.append(stream)
            self._cache.own(stream)
        start, data = stream.tail, append.data
        end = start + append.count
        if end != start:
            self._batch(stream, start, end, data, mark)
            stream.tail = end
        appended[path] = appended[path].joined(end, data) if path in appended else Batch(start, end, data)
        if append.close:
            stream.closed = True

    def post(self, post: Post, mark: int, appended: dict[str, Batch]) -> None:
        """Place a post."""
        path = post.path
        stream = self._cache.streams[path]
        if stream is None:
            stream = self._cache.streams[path] = self._create(path, mark)
        posted = self._posted.get(stream.id)
        if posted is None:
            posted = self._posted[stream.id] = _Posted(stream, stream.tail)
        start, data = stream.tail, post.data
        end = start + post.count
        if end != start:
            posted.data.append(data)
            posted.size += len(data)
            stream.tail = end
            if posted.size >= WAYPOINT_EVERY:
                self._put_together(posted)
        appended[path] = appended[path].joined(end, data) if path in appended else Batch(start, end, data)

    def _put_together(self, posted: _Posted) -> None:
        """Make one batch of what was posted to a stream. It bears no mark: nobody looks for a Change by its posts."""
        if posted.data:
            end = posted.stream.tail
            self._batch(posted.stream, posted.start, end, b",".join(posted.data), 0)
            posted.start, posted.data, posted.size = end, [], 0

    def _create(self, path: str, mark: int) -> CachedStream:
        number = self._cache.number(STREAMS)
        stream = CachedStream(number, path, new_mark(), 0, False, new_incarnation(), engine=True)
        self._created.append((stream, mark))
        return stream

    def write(self, write: Write, mark: int) -> None:
        """Gather a write to a stream of an application, or of what forks move of one of the engine's."""
        head = write.head
        stream = self._cache.streams[head.path]
        if stream is None:
            start = max(head.base, head.own)
            stream = CachedStream(
                self._cache.number(STREAMS), head.path, head.version, start, head.closed, head.incarnation,
                engine=head.engine,
            )  # fmt: skip
            self._cache.streams[head.path] = stream
        elif stream.engine:
            self._write_engine(stream, head, mark)
            return
        elif (posted := self._posted.get(stream.id)) is not None:
            self._put_together(posted)
        if head.tail > stream.tail:
            for start, end, data in batches(write, stream.tail):
                self._batch(stream, start, end, data, mark)
        stream.version, stream.tail, stream.closed, stream.refs = head.version, head.tail, head.closed, head.refs
        properties = head.properties
        if stream.id in self._heads or not write.data or not stream.has(properties):
            # Without data the head alone bears the mark.
            stream.properties = properties
            self._heads[stream.id] = stream, head, mark
        else:
            self._appended[stream.id] = stream, head
        if write.producer is not None:
            one = write.producer
            self._others.append(("put_producer", (stream.id, one.producer_id, one.epoch, one.seq)))

    def _write_engine(self, stream: CachedStream, head: Head, mark: int) -> None:
        """Write what is not a matter of appends, which go on beside it."""
        self.flush()
        stream.version, stream.refs = head.version, head.refs
        self._connection.execute(SQL["move_refs"], (head.refs, mark, head.version, stream.id))
        self._put_version(stream)

    def _put_version(self, stream: CachedStream) -> None:
        name = "move_version" if stream.owner is None else "move_own_version"
        self._connection.execute(SQL[name], (stream.version, stream.id))

    def delete(self, path: str) -> None:
        """Take a stream's name away at once; what it held goes later (`purge.py`)."""
        self.flush()
        stream = self._cache.streams[path]
        assert stream is not None, "compared before"
        self._doom(stream)

    def disown(self, owner: CachedSubject) -> None:
        """Delete the streams of a subject that goes; those with forks are kept for them."""
        self.flush()
        self._cache.learn_own(owner)
        for stream in owner.streams:
            if not stream.refs:
                self._doom(stream)
                continue
            stream.version += 1
            row = (stream.id, stream.version, stream.tail, None, 0, stream.last_batch, stream.distance)
            self._connection.execute(SQL["put_tail"], row)
            self._connection.execute(SQL["disown"], (stream.closed, stream.id))
            stream.owner = None

    def _doom(self, stream: CachedStream) -> None:
        execute = self._connection.execute
        execute(SQL["doom"], (stream.id, stream.last_batch))
        if stream.owner is None:
            execute(SQL["delete_tail"], (stream.id,))
        execute(SQL["delete_stream"], (stream.id,))
        self._cache.streams[stream.path] = None

    def write_live_rows(self, write: RowsWrite) -> None:
        """Gather what becomes of live rows; history goes at once."""
        stream, changes = self._cache.streams[write.path], write.changes
        assert stream is not None, "compared before"
        if changes.clear:
            self._others.append(("delete_rows", (stream.id,)))
        self._others += [("drop_row", (stream.id, *name)) for name in changes.gone]
        self._others += [("put_row", (stream.id, row.position, row.type, row.key, row.message)) for row in changes.rows]
        self._others.append(("move_rows", (changes.at, stream.id)))
        stream.rows_at = changes.at
        if write.base is not None:
            self._drop_history(stream, write.base)

    def _drop_history(self, stream: CachedStream, base: int) -> None:
        self.flush()
        execute = self._connection.execute
        stream.version += 1
        stream.properties = None
        execute(SQL["drop_history"], {"stream": stream.id, "base": base, "last": stream.last_batch})
        execute(SQL["drop_waypoints"], (stream.id, base))
        execute(SQL["move_base"], (base, stream.id))
        if base >= stream.tail:
            stream.last_batch = None
            self.emptied(stream)
        self._put_version(stream)

    def emptied(self, stream: CachedStream) -> None:
        """Write that a stream has no batch any more."""
        if stream.owner is None:
            self._connection.execute(SQL["move_last_batch"], (None, stream.id))
        else:
            self._connection.execute(SQL["move_streams"], (stream.owner.write_streams(), stream.owner.id))

    def flush(self) -> None:
        """Write everything gathered so far."""
        for posted in self._posted.values():
            self._put_together(posted)
        for stream_id in self._heads:
            self._appended.pop(stream_id, None)
        heads = [_created_row(stream, mark) for stream, mark in self._created]
        heads += [head_row(stream.id, head, mark) for stream, head, mark in self._heads.values()]
        tails = [_tail_row(stream, head) for stream, head, _ in self._heads.values()]
        tails += [_tail_row(stream, head) for stream, head in self._appended.values()]
        tails += [_posted_tail(posted.stream) for posted in self._posted.values()]
        ends = [(stream.id, expiry.end(head)) for stream, head in self._appended.values() if head.ttl_s is not None]
        self._write("put_head", heads)
        self._write("put_tail", tails)
        self._write("move_end", ends)
        self._write("put_batch", self._batches)
        self._write("put_waypoint", self._waypoints)
        for name, row in self._others:
            self._connection.execute(SQL[name], row)
        self.clear()

    def clear(self) -> None:
        """Drop what was gathered and not flushed: it is written, or its Change was undone."""
        for gathered in (self._heads, self._appended, self._posted):
            gathered.clear()
        for rows in (self._created, self._batches, self._waypoints, self._others):
            rows.clear()

    def _batch(self, stream: CachedStream, start: int, end: int, data: bytes, mark: int) -> None:
        number = self._cache.number(BATCHES)
        self._batches.append((number, stream.id, start, end, stream.last_batch, data, mark))
        stream.last_batch = number
        stream.distance = distance = next_distance(stream.distance, len(data))
        if not distance:
            self._waypoints.append((stream.id, start, number))

    def _write(self, name: str, rows: list[Row]) -> None:
        if rows:
            write_rows(self._connection, SQL, name, rows)


def new_incarnation() -> str:
    """Draw the id of a creation. Asking the system for chance (`uuid4`) takes as long as writing the stream does."""
    return f"{_random.getrandbits(128):032x}"


def _created_row(one: CachedStream, mark: int) -> Row:
    """Return the row of a stream of the engine that is new."""
    unset = (None,) * 9
    own = (None, None) if one.owner is None else (one.owner.id, one.version)
    return (one.id, one.path, one.incarnation, 0, JSON, False, True, 0, *unset, 0, 0, 0, None, *own, mark)


def _posted_tail(one: CachedStream) -> Row:
    return (one.id, one.version, one.tail, None, 0, one.last_batch, one.distance)


def _tail_row(stream: CachedStream, head: Head) -> Row:
    return (stream.id, head.version, head.tail, head.last_seq, head.touched_at, stream.last_batch, stream.distance)


def head_row(number: int, head: Head, mark: int, own: tuple[int | None, int | None] = (None, None)) -> Row:
    """Return the row of a head.

    Args:
        number: the stream's.
        mark: of the Change that writes it.
        own: the number of the subject whose own stream it is, and its version; of nobody's own both are None.
    """
    by = head.closed_by
    closed_by = (by.producer_id, by.epoch, by.seq) if by else (None, None, None)
    fork = (one.path, one.incarnation, one.at, one.depth) if (one := head.fork) else (None, None, None, None)
    return (
        number,
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
        *own,
        mark,
    )
