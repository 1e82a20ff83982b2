"""What the writer thread knows of streams and subjects without asking, so that Changes are compared in memory.

It is valid while nobody else commits. `PRAGMA data_version` tells whether another connection has; then everything here
is forgotten.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from signoff.stores.change import Change, FamilyWrite, Name, RowsWrite, StreamDelete, SubjectDelete, SubjectWrite
from signoff.stores.sqlite.rows import terms_of
from signoff.stores.sqlite.statements import Statements, chunks
from signoff.streams.stream import StreamProperties

SQL: Final = Statements("write.sql")

_MOST: Final = 20_000
"""Entries kept; some 300 bytes each."""

STREAMS, SUBJECTS, PARTS, BATCHES = range(4)
"""What has row numbers of its own."""


@dataclass(slots=True, eq=False)
class CachedStream:
    """What is compared and moved of a stream.

    Attributes:
        last_batch: the row number of its last batch.
        distance: how far that is from the last waypoint.
        engine: versions are not moved by appends.
        owner: the subject whose own stream it is; what appends move is in that one's row.
        properties: `Head.properties` as we wrote it last; None: not known.
    """

    id: int
    path: str
    version: int
    tail: int
    closed: bool
    incarnation: str = ""
    rows_at: int = 0
    refs: int = 0
    last_batch: int | None = None
    distance: int = 0
    engine: bool = False
    owner: CachedSubject | None = None
    properties: StreamProperties | None = None

    def has(self, properties: StreamProperties) -> bool:
        """Tell whether the file has this already; then remember this very object, since comparing all members costs."""
        if self.properties is properties:
            return True
        if self.properties != properties:
            return False
        self.properties = properties
        return True


WAYPOINT_EVERY: Final = 64 * 1024
LEAST: Final = 1024
"""A waypoint comes after so many bytes of batches, of which each counts as `LEAST` at least: 64 small ones."""


def next_distance(distance: int, size: int) -> int:
    """Return how far it is from the last waypoint after a batch of `size` bytes; 0: there is one at this batch."""
    distance += max(LEAST, size)
    return 0 if distance >= WAYPOINT_EVERY else distance


@dataclass(slots=True, eq=False)
class CachedSubject:
    """What is compared of a subject, and what its index columns hold.

    Attributes:
        streams_text: what the column `streams` holds.
    """

    id: int
    name: Name
    version: int
    epoch: int
    lease_owner: str | None
    lease_until: int | None
    sort: int
    terms: tuple[str, ...]
    queue: str | None
    due_at: int | None
    due_since: int | None
    lost: int
    streams_text: str = "[]"
    streams: list[CachedStream] = field(default_factory=list)

    def stream(self, path: str) -> CachedStream | None:
        """Return a stream of its own."""
        for one in self.streams:
            if one.path == path:
                return one
        return None

    def write_streams(self) -> str:
        """Return what the column `streams` shall hold, and take it for what it holds."""
        rows = [(one.id, one.path, one.tail, one.closed, one.last_batch, one.distance) for one in self.streams]
        self.streams_text = orjson.dumps(rows).decode()
        return self.streams_text


@dataclass(slots=True)
class WriterCache:
    """What `compare` asks, answered from memory."""

    connection: sqlite3.Connection
    streams: dict[str, CachedStream | None] = field(default_factory=dict)
    subjects: dict[Name, CachedSubject | None] = field(default_factory=dict)
    _own_paths: list[str] = field(default_factory=list)
    _numbers: list[int] = field(default_factory=list)

    def forget(self) -> None:
        """Forget everything: somebody else has written, or our own transaction was undone."""
        self.streams.clear()
        self.subjects.clear()
        self._own_paths.clear()
        self._numbers.clear()

    def learn(self, changes: Sequence[Change]) -> None:
        """Load what these Changes will be compared with and is not known yet, in as few statements as possible."""
        names: dict[Name, None] = {}
        for write, _, _ in changes:
            match write:
                case SubjectWrite():
                    name = write.subject.name
                case SubjectDelete():
                    name = write.name
                case _:
                    continue
            if name not in self.subjects:
                names[name] = None
        if names:
            self._learn_subjects(list(names))
        paths: dict[str, None] = {}
        for change in changes:
            self._note_paths(change, paths)
        if paths:
            self._learn_streams(list(paths))

    def _note_paths(self, change: Change, paths: dict[str, None]) -> None:
        """Note which streams a Change concerns are not known, but for those that its subject has and tells of."""
        streams = self.streams
        write, posts, _ = change
        match write:
            case SubjectWrite():
                known = self.subjects[write.subject.name]
                for append in write.appends:
                    path = append.path
                    if path not in streams and (known is None or known.stream(path) is None):
                        paths[path] = None
            case FamilyWrite():
                for one in write.streams:
                    path = one.path if isinstance(one, StreamDelete) else one.head.path
                    if path not in streams:
                        paths[path] = None
            case RowsWrite():
                if write.path not in streams:
                    paths[write.path] = None
        for post in posts:
            if post.path not in streams:
                paths[post.path] = None

    def learn_own(self, owner: CachedSubject) -> None:
        """Load what is not known yet of a subject's own streams."""
        missing = [one.path for one in owner.streams if one.path not in self.streams]
        if missing:
            self._learn_streams(missing)

    def own(self, stream: CachedStream) -> None:
        """Know a stream of a subject's own by its path, for the rest of the transaction."""
        self.streams[stream.path] = stream
        self._own_paths.append(stream.path)

    def trim(self) -> None:
        """Keep memory bounded. Call between transactions."""
        for path in self._own_paths:  # a subject that is forgotten must not leave one of its streams behind
            self.streams.pop(path, None)
        self._own_paths.clear()
        _halve(self.streams)
        _halve(self.subjects)

    def number(self, kind: int, count: int = 1) -> int:
        """Return the first of `count` free row numbers of a kind (`STREAMS` …)."""
        numbers = self._numbers
        if not numbers:
            row = self.connection.execute(SQL["last_numbers"]).fetchone()
            numbers += [last or 0 for last in row]
        first = numbers[kind] + 1
        numbers[kind] += count
        return first

    # -- what `compare` asks ---------------------------------------------------------------------------------------

    def stream(self, path: str) -> CachedStream | None:
        """Return what is compared of a stream; None if there is no such stream."""
        return self.streams[path]

    def subject(self, name: Name) -> CachedSubject | None:
        """Return what is compared of a subject; None if there is no such subject."""
        return self.subjects[name]

    # -- loading ---------------------------------------------------------------------------------------------------

    def _learn_streams(self, paths: list[str]) -> None:
        self.streams.update(dict.fromkeys(paths))
        for number, path, kind, name, *rest in self._select("known_streams", [(path,) for path in paths]):
            if name is None:
                self.streams[path] = _stream(number, path, *rest)
                continue
            owner = Name(kind, name)
            if owner not in self.subjects:
                self._learn_subjects([owner])
            self._learn_own(self.subjects[owner], path, *rest)

    def _learn_own(self, owner: CachedSubject | None, path: str, *rest: Any) -> None:
        one = owner and owner.stream(path)
        assert one, "a subject's record names its own streams"
        (one.version, _, _, one.incarnation, one.rows_at, one.refs, *_) = rest
        self.own(one)

    def _learn_subjects(self, names: list[Name]) -> None:
        self.subjects.update(dict.fromkeys(names))
        for kind, name, *row in self._select("known_subjects", names):
            number, version, epoch, lease_owner, lease_until, sort, terms, queue, due_at, due_since, lost, own = row
            lease = (epoch, lease_owner, lease_until)
            subject = CachedSubject(
                number, Name(kind, name), version, *lease, sort, terms_of(terms), queue, due_at, due_since, lost, own
            )
            for one, path, tail, closed, last_batch, distance in orjson.loads(own):
                subject.streams.append(
                    CachedStream(
                        one, path, 0, tail, closed,
                        last_batch=last_batch, distance=distance, engine=True, owner=subject,
                    )
                )  # fmt: skip
            self.subjects[subject.name] = subject

    def _select(self, name: str, keys: Sequence[tuple[str, ...]]) -> Iterable[tuple[Any, ...]]:
        start = 0
        for size in chunks(len(keys)):
            values = [part for key in keys[start : start + size] for part in key]
            yield from self.connection.execute(SQL.rows(name, size), values).fetchall()
            start += size


def _stream(number: int, path: str, version: int, tail: int, closed: int, *rest: Any) -> CachedStream:
    incarnation, rows_at, refs, last_batch, distance, engine = rest
    return CachedStream(
        number, path, version, tail, bool(closed), incarnation, rows_at, refs, last_batch, distance, bool(engine)
    )


def _halve(known: dict[Any, Any]) -> None:
    if len(known) > _MOST:
        for key in list(known)[: _MOST // 2]:
            del known[key]
