"""What a store remembers of rows it has seen or written, so that a Change can be sent without asking first.

Nothing here is relied upon: the server compares anew with what is there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from signoff.stores.change import (
    Change,
    FamilyWrite,
    Name,
    RowsWrite,
    StreamDelete,
    Subject,
    SubjectDelete,
    SubjectWrite,
)
from signoff.stores.postgres.rows import Own, Row, own_of, subject
from signoff.stores.server_clock import ServerClock
from signoff.streams.stream import Head, StreamProperties

SubjectKey = Name | str
"""What two Changes may not share if they are to go side by side: a subject, or the path of a stream."""

_MOST: Final = 20_000
"""Entries kept of each sort; some 500 bytes each."""


@dataclass(slots=True, eq=False)
class KnownSubject:
    """A record as of its version.

    Attributes:
        written: the count of writes at which it was learned from one of ours; 0: it was read.
    """

    id: int
    version: int
    sort: int
    terms: tuple[str, ...]
    queue: str | None
    own: Own
    written: int = 0

    def stream(self, path: str) -> tuple[int, str, int, bool] | None:
        """Return a stream of its own."""
        for one in self.own:
            if one[1] == path:
                return one
        return None


@dataclass(slots=True, eq=False)
class KnownStream:
    """An application's stream, as of its version."""

    id: int
    version: int
    properties: StreamProperties
    written: int = 0

    def has(self, properties: StreamProperties) -> bool:
        """Tell whether these are its properties already; then remember this very object, since comparing costs."""
        mine = self.properties
        if mine is properties:
            return True
        # Where live rows are is not what a head is written with.
        if mine != properties and replace(mine, rows_at=0) != replace(properties, rows_at=0):
            return False
        self.properties = properties
        return True


class Known:
    """The memory of a store."""

    def __init__(self) -> None:
        self.subjects: OrderedDict[Name, KnownSubject] = OrderedDict()
        self.streams: OrderedDict[str, KnownStream] = OrderedDict()
        self.writes = 0
        self.clock = ServerClock()

    def read_subject(self, row: Row, since: int) -> Subject:
        """Return the record of a row, and learn it, unless we have written it after the look that brought it began."""
        own = own_of(row[12])
        record = subject(row, own)
        if record.lease_until is not None and self.clock.shift:
            record = replace(record, lease_until=self.clock.at_home(record.lease_until))
        known = self.subjects.get(record.name)
        if known is None or known.written <= since:
            entry = KnownSubject(row[0], record.version, record.sort, record.terms, record.queue, own)
            self.put_subject(record.name, entry)
        return record

    def put_subject(self, name: Name, entry: KnownSubject) -> None:
        """Remember a record."""
        self.subjects[name] = entry
        if len(self.subjects) > _MOST:
            self.subjects.popitem(last=False)

    def read_stream(self, row: Row, head: Head, since: int) -> None:
        """Learn a head, if it is an application's, unless we have written it after the look that brought it began."""
        known = self.streams.get(head.path)
        if head.engine or (known is not None and known.written > since):
            return
        self.put_stream(head.path, KnownStream(row["id"], head.version, head.properties))

    def put_stream(self, path: str, entry: KnownStream) -> None:
        """Remember a stream."""
        self.streams[path] = entry
        if len(self.streams) > _MOST:
            self.streams.popitem(last=False)

    def forget(self) -> None:
        """Forget everything."""
        self.subjects.clear()
        self.streams.clear()


def keys(change: Change) -> list[SubjectKey]:
    """Return what two Changes may not share if they are to go side by side."""
    match change.write:
        case SubjectWrite(subject=subject):
            return [subject.name]
        case SubjectDelete(name):
            return [name]
        case FamilyWrite(streams):
            return [one.path if isinstance(one, StreamDelete) else one.head.path for one in streams]
        case RowsWrite(path):
            return [path]


def forget(known: Known, changes: Sequence[Change]) -> None:
    """Forget what Changes are about."""
    for change in changes:
        for key in keys(change):
            if isinstance(key, Name):
                known.subjects.pop(key, None)
            else:
                known.streams.pop(key, None)


def fits(write: SubjectWrite, before: KnownSubject | None) -> bool:
    """Tell whether a write may go through, as far as is known."""
    if before is None:
        if write.expect or write.epoch is not None:
            return False
    elif before.version != write.expect or not before.id:
        return False
    closed = {path: shut for _, path, _, shut in before.own} if before else {}
    for append in write.appends:
        if closed.get(append.path):
            return False
        closed[append.path] = append.close
    return True
