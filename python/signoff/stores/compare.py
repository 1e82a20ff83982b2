"""Compare what a Change expects with what is committed, and tell when a run is due: the rules every backend shares.

Pure. A backend brings what it knows (`Known`), asks `compare`, and writes only if there is no conflict.
"""

from __future__ import annotations

from typing import Protocol

from signoff.stores.base import (
    TERMINAL,
    Change,
    Conflict,
    EngineAppend,
    LedgerEntry,
    Record,
    RecordDelete,
    RunWrite,
    StreamDelete,
)

NOT_CLAIMABLE = TERMINAL | {"failed"}
"""Statuses in which a run is nobody's work. A failed run becomes work again by a write that changes its status."""

OPEN_INPUTS = frozenset({"pending", "validating"})
"""Statuses in which a request for input still waits for somebody."""


class StreamMark(Protocol):
    """Be what is compared of a stream."""

    @property
    def version(self) -> int:
        """Return how many commits have touched the head."""
        ...

    @property
    def tail(self) -> int:
        """Return the position after the last unit."""
        ...

    @property
    def closed(self) -> bool:
        """Tell whether the stream has ended."""
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


class RunMark(Protocol):
    """Be what is compared of a run."""

    @property
    def journal_tail(self) -> int:
        """Return the number of journal entries."""
        ...

    @property
    def epoch(self) -> int:
        """Return the epoch of the last claim."""
        ...

    @property
    def lease_owner(self) -> str | None:
        """Return who holds the lease, live or not."""
        ...


class Known(Protocol):
    """Answer what is committed now."""

    def stream(self, path: str) -> StreamMark | None:
        """Return a stream's mark; None if there is no such stream."""
        ...

    def run(self, run_id: str) -> RunMark | None:
        """Return a run's mark; None if there is no such run."""
        ...

    def accepted(self, entry: LedgerEntry) -> bool:
        """Tell whether the ledger has this run, scope and id."""
        ...

    def record_version(self, kind: str, record_id: str) -> int:
        """Return a record's version; 0 if there is none."""
        ...


def compare(change: Change, known: Known) -> Conflict | None:
    """Return the first expectation of `change` that does not hold, or None if it may be written."""
    if change.run is not None and (conflict := _compare_run(change.run, known.run(change.run.record.run_id))):
        return conflict
    moved: dict[str, int] = {}
    for append in change.appends:
        if _refuses(append, known.stream(append.path), moved):
            return Conflict("stream", append.path)
    if change.streams and (conflict := _compare_streams(change, known)):
        return conflict
    if change.records and (conflict := _compare_records(change, known)):
        return conflict
    return (_compare_ledger(change, known) if change.ledger else None) or _compare_rows(change, known)


def _compare_run(write: RunWrite, mark: RunMark | None) -> Conflict | None:
    run_id = write.record.run_id
    if write.epoch is not None and (mark is None or mark.epoch != write.epoch or mark.lease_owner is None):
        return Conflict("epoch", run_id)
    if (mark.journal_tail if mark else None) != write.expect:
        return Conflict("run", run_id)
    return None


def _refuses(append: EngineAppend, mark: StreamMark | None, moved: dict[str, int]) -> bool:
    if mark is not None and mark.closed:
        return True
    tail = moved.get(append.path, mark.tail if mark else 0)
    moved[append.path] = tail + append.count
    return append.at is not None and append.at != tail


def _compare_streams(change: Change, known: Known) -> Conflict | None:
    versions: dict[str, int] = {}
    for write in change.streams:
        path = write.path if isinstance(write, StreamDelete) else write.head.path
        mark = known.stream(path)
        version = versions.get(path, mark.version if mark else 0)
        if version != write.expect or (not version and isinstance(write, StreamDelete)):
            return Conflict("stream", path)
        versions[path] = 0 if isinstance(write, StreamDelete) else write.head.version
    return None


def _compare_records(change: Change, known: Known) -> Conflict | None:
    versions: dict[tuple[str, str], int] = {}
    for write in change.records:
        kind, record_id = (write.kind, write.id) if isinstance(write, RecordDelete) else _name(write.record)
        version = versions.get((kind, record_id))
        if version is None:
            version = known.record_version(kind, record_id)
        if version != write.expect or (not version and isinstance(write, RecordDelete)):
            return Conflict("record", record_id)
        versions[kind, record_id] = 0 if isinstance(write, RecordDelete) else write.record.version
    return None


def _name(record: Record) -> tuple[str, str]:
    return record.kind, record.id


def _compare_rows(change: Change, known: Known) -> Conflict | None:
    for write in change.rows:
        mark = known.stream(write.path)
        if (
            mark is None
            or (mark.incarnation, mark.rows_at) != (write.incarnation, write.expect)
            or write.changes.at > mark.tail
            or (write.base is not None and mark.refs != write.refs)
        ):
            return Conflict("stream", write.path)
    return None


def _compare_ledger(change: Change, known: Known) -> Conflict | None:
    seen = set()
    for entry in change.ledger:
        key = (entry.run_id, entry.scope, entry.id)
        if key in seen or known.accepted(entry):
            return Conflict("ledger", entry.id)
        seen.add(key)
    return None


def is_far(lease_until: int, lease_ms: int, now: int) -> bool:
    """Tell whether a lease is so far ahead that the clock it was reckoned by must have been set back since.

    More than twice its length, so that a small correction of the clock takes no lease from a live worker.
    """
    return lease_until - 2 * lease_ms > now


def due_at(status: str, ready: bool, wake_at: int | None, lease_until: int | None) -> int | None:
    """Return from when on `claim` may find a run: 0 at once, None never, else milliseconds.

    A lease hides a run until it ends. One that ended without being given up makes the run due whatever else is due:
    its owner may have died in the middle of a step.
    """
    if status in NOT_CLAIMABLE:
        return None
    if lease_until is not None:
        return lease_until
    return 0 if ready else wake_at
