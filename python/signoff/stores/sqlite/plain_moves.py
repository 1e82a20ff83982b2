"""The short way to move subjects on: one statement that is a whole transaction (`plain_moves.sql`).

This is the commit of a step. It is short where it puts no part and changes nothing that an index holds, and all it
touches is known: most of them. What is known is compared in memory, as always, and once more by the statement; so what
another process wrote meanwhile makes it fail, with no effect, and then the long way finds out what is true.

Measured without a disk: 48 µs instead of 62 for one Change. From about eight on the long way is as fast.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final, cast

from signoff.stores.change import Batch, Change, Committed, OwnAppend, Post, SubjectWrite
from signoff.stores.compare import due_at
from signoff.stores.sqlite.cache import BATCHES, CachedStream, CachedSubject, WriterCache, next_distance
from signoff.stores.sqlite.statements import Statements

SQL: Final = Statements("plain_moves.sql")

SIZES: Final = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40)
"""Rows of the statements there are; what is missing to the next size is filled up with empty ones."""

_MOST: Final = 8
"""Changes that are looked at whether they fit."""

_COLUMNS: Final = 15
_BATCH, _TAIL, _SUBJECT = 1, 2, 3
_REST_OF_BATCH: Final = (0, 0, 0, 0)
_REST_OF_TAIL: Final = (0,) * 8


class PlainMoves:
    """The short way to write, for Changes that move subjects on and do nothing else.

    Args:
        connection: the writer's; it gets a temporary view.
        cache: what the writer knows. It is moved on while Changes are taken: who does not write them has to forget.
    """

    def __init__(self, connection: sqlite3.Connection, cache: WriterCache) -> None:
        self._connection = connection
        self._cache = cache
        self._values: list[Any] = []
        self._posted: dict[int, tuple[CachedStream, int, int]] = {}
        for name in ("moves", "batch_trigger", "tail_trigger", "subject_trigger"):
            connection.execute(SQL[name])

    def fit(self, changes: Sequence[Change]) -> bool:
        """Tell whether Changes are few, move subjects on, each one another, and do nothing else."""
        if len(changes) > _MOST:
            return False
        subjects, streams = self._cache.subjects, self._cache.streams
        rows = 0
        seen: set[int] = set()
        paths: set[str] = set()
        for write, posts, _ in changes:
            if type(write) is not SubjectWrite or write.parts or write.dropped or write.release:
                return False
            cached = subjects.get(write.subject.name)
            if cached is None or cached.id in seen or not _fits(write, cached):
                return False
            for post in posts:
                stream = streams.get(post.path)
                if stream is None or stream.owner is not None or not stream.engine or type(post.data) is not bytes:
                    return False
                paths.add(post.path)
            seen.add(cached.id)
            rows += 1 + len(write.appends) + len(posts)
        return rows + len(paths) <= SIZES[-1]

    def take(self, changes: Sequence[Change]) -> list[Committed]:
        """Take Changes that fit, in place of what was taken before; return what to answer once they are written."""
        self._values.clear()
        self._posted.clear()
        return [self._take(*change) for change in changes]

    def _take(self, write: Any, posts: tuple[Post, ...], mark: int) -> Committed:
        subject = write.subject
        cached = cast("CachedSubject", self._cache.subjects[subject.name])
        batches: dict[str, Batch] = {}
        for append in write.appends:
            self._add(cast("CachedStream", cached.stream(append.path)), append, mark, batches)
        for post in posts:
            stream = cast("CachedStream", self._cache.streams[post.path])
            if stream.id not in self._posted:
                self._posted[stream.id] = stream, stream.tail, _or(stream.last_batch)
            self._add(stream, post, mark, batches)
        before = cached.streams_text
        after = cached.write_streams() if write.appends else before
        self._values += (
            _SUBJECT, cached.id, write.expect, subject.version, mark, 1 if subject.ready else 0, _or(subject.wake_at),
            1 if subject.quiet else 0, subject.updated_at, after, bytearray(subject.state),
            cached.epoch, _or(cached.lease_until), _or(cached.due_at), before,
        )  # fmt: skip
        cached.version = subject.version
        return Committed(batches)

    def _add(self, stream: CachedStream, append: OwnAppend | Post, mark: int, batches: dict[str, Batch]) -> None:
        path, data, start = append.path, append.data, stream.tail
        end = start + append.count
        known = batches.get(path)
        batches[path] = Batch(start, end, data) if known is None else known.joined(end, data)
        if end == start:
            return
        number = self._cache.number(BATCHES)
        distance = next_distance(stream.distance, len(data))
        self._values += (
            _BATCH, number, stream.id, start, end, _or(stream.last_batch), mark, distance, 0, 0, bytearray(data),
            *_REST_OF_BATCH,
        )  # fmt: skip
        stream.tail, stream.last_batch, stream.distance = end, number, distance

    def write(self) -> None:
        """Write what was taken.

        Raises:
            sqlite3.IntegrityError: another process has written to one of the subjects; nothing was written.
            sqlite3.Error: the file cannot be used.
        """
        for stream, tail, last_batch in self._posted.values():
            self._values += (
                _TAIL, stream.id, stream.tail, _or(stream.last_batch), stream.distance, tail, last_batch, *_REST_OF_TAIL
            )  # fmt: skip
        count = len(self._values) // _COLUMNS
        size = next(size for size in SIZES if size >= count)
        self._connection.execute(SQL.rows("move", size), self._values + [0] * (_COLUMNS * (size - count)))


def _fits(write: SubjectWrite, cached: CachedSubject) -> bool:
    """Tell whether a write moves a subject on as it is known, and changes nothing that an index holds."""
    subject = write.subject
    if cached.version != write.expect or subject.version < 1 or type(subject.state) is not bytes:
        return False
    if write.epoch is not None and (write.epoch != cached.epoch or cached.lease_owner is None):
        return False
    if subject.terms != cached.terms or subject.queue != cached.queue or (cached.lost and write.appends):
        return False
    if due_at(subject.queue, subject.ready, subject.wake_at, cached.lease_until) != cached.due_at:
        return False
    for append in write.appends:
        stream = cached.stream(append.path)
        if stream is None or stream.closed or append.close or type(append.data) is not bytes:
            return False
    return True


def _or(value: int | None) -> int:
    """Return a number that is not negative, or -1 for None."""
    return -1 if value is None else value
