"""Compare what a Change expects with what is committed, and tell when a subject is due: the rules all backends share.

Pure. A backend brings what it knows (`Present`), asks `compare`, and writes only if there is no conflict. One
that compares in SQL or Lua repeats these rules there, and a property test holds its outcomes against this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from signoff.stores.change import (
    Change,
    Conflict,
    FamilyWrite,
    Name,
    RowsWrite,
    StreamDelete,
    SubjectDelete,
    SubjectWrite,
)


class StreamMark(Protocol):
    """What is compared of a stream."""

    @property
    def version(self) -> int:
        """Return how many commits have touched the head."""
        ...

    @property
    def tail(self) -> int:
        """Return the position after the last unit."""
        ...

    @property
    def incarnation(self) -> str:
        """Return the id of this creation of the stream."""
        ...

    @property
    def rows_at(self) -> int:
        """Return the position its live rows are of."""
        ...

    @property
    def refs(self) -> int:
        """Return how many streams are forks of it."""
        ...


class OwnStreamMark(Protocol):
    """What is compared of a stream of a subject's own."""

    @property
    def path(self) -> str:
        """Return its path."""
        ...

    @property
    def closed(self) -> bool:
        """Tell whether it has ended."""
        ...


class SubjectMark(Protocol):
    """What is compared of a subject."""

    @property
    def version(self) -> int:
        """Return the version of its record."""
        ...

    @property
    def epoch(self) -> int:
        """Return the epoch of the last claim."""
        ...

    @property
    def lease_owner(self) -> str | None:
        """Return who holds the lease, live or not."""
        ...

    @property
    def streams(self) -> Sequence[OwnStreamMark]:
        """Return its own streams."""
        ...


class Present(Protocol):
    """What is committed now."""

    def stream(self, path: str) -> StreamMark | None:
        """Return a stream's mark; None if there is no such stream."""
        ...

    def subject(self, name: Name) -> SubjectMark | None:
        """Return a subject's mark; None if there is no such subject."""
        ...


def compare(change: Change, present: Present) -> Conflict | None:
    """Return the first expectation of `change` that does not hold, or None if it may be written."""
    write = change.write
    match write:
        case FamilyWrite():
            return _compare_family(write, present)
        case SubjectWrite():
            mark = present.subject(write.subject.name)
            return _compare_subject(write, mark) or _compare_appends(write, mark, present)
        case SubjectDelete():
            mark = present.subject(write.name)
            return None if mark is not None and mark.version == write.expect else Conflict("version", write.name.id)
        case RowsWrite():
            return _compare_rows(write, present.stream(write.path))


def _compare_subject(write: SubjectWrite, mark: SubjectMark | None) -> Conflict | None:
    if write.epoch is not None and (mark is None or mark.epoch != write.epoch or mark.lease_owner is None):
        return Conflict("epoch", write.subject.name.id)
    if (mark.version if mark else 0) != write.expect:
        return Conflict("version", write.subject.name.id)
    return None


def _compare_appends(write: SubjectWrite, mark: SubjectMark | None, present: Present) -> Conflict | None:
    """Find an append to an own stream that is closed, or that would be new where another stream is.

    One that a deleted subject of this name left for its forks is such another stream.
    """
    closed = {one.path: one.closed for one in mark.streams} if mark else {}
    for append in write.appends:
        known = closed.get(append.path)
        if known or (known is None and present.stream(append.path) is not None):
            return Conflict("version", append.path)
        closed[append.path] = append.close
    return None


def _compare_family(family: FamilyWrite, present: Present) -> Conflict | None:
    versions: dict[str, int] = {}
    for write in family.streams:
        path = write.path if isinstance(write, StreamDelete) else write.head.path
        version = versions.get(path)
        if version is None:
            mark = present.stream(path)
            version = mark.version if mark else 0
        if version != write.expect or (not version and isinstance(write, StreamDelete)):
            return Conflict("version", path)
        versions[path] = 0 if isinstance(write, StreamDelete) else write.head.version
    return None


def _compare_rows(write: RowsWrite, mark: StreamMark | None) -> Conflict | None:
    holds = (
        mark is not None
        and (mark.incarnation, mark.rows_at) == (write.incarnation, write.expect)
        and write.changes.at <= mark.tail
        and (write.base is None or mark.refs == write.refs)
    )
    return None if holds else Conflict("version", write.path)


def is_far(lease_until: int, lease_ms: int, now: int) -> bool:
    """Tell whether a lease is so far ahead that the clock it was reckoned by must have been set back since.

    More than twice its length, so that a small correction of the clock takes no lease from a live worker.
    """
    return lease_until - 2 * lease_ms > now


def due_at(queue: str | None, ready: bool, wake_at: int | None, lease_until: int | None) -> int | None:
    """Return from when on `claim` may find a subject: 0 at once, None never, else milliseconds.

    A lease hides a subject until it ends. One that ended without being given up makes the subject due whatever else is
    due: its owner may have died in the middle of a step.
    """
    if queue is None:
        return None
    if lease_until is not None:
        return lease_until
    return 0 if ready else wake_at
