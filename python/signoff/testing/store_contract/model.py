"""A store as plain as can be, whose outcomes and contents a real one is held against.

It keeps everything in dictionaries, looks at all of it for every question, and asks `compare` what may be written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from signoff.stores.base import Listing, OwnedPart
from signoff.stores.change import (
    Batch,
    Change,
    Committed,
    FamilyWrite,
    Name,
    Outcome,
    OwnAppend,
    OwnStream,
    Part,
    PartName,
    Post,
    RowsWrite,
    StreamDelete,
    Subject,
    SubjectDelete,
    SubjectWrite,
)
from signoff.stores.compare import compare, due_at, is_far
from signoff.streams.compaction import LiveRow
from signoff.streams.stream import JSON, Head, ProducerMark, Write

UNKNOWN: Final = -(2**40)
"""The version of a head that its store draws, until somebody has looked."""


@dataclass
class ModelStream:
    """A stream: its head, its units by their positions, its producers and live rows."""

    head: Head
    units: dict[int, bytes] = field(default_factory=dict)
    producers: dict[str, ProducerMark] = field(default_factory=dict)
    rows: dict[tuple[str, str], LiveRow] = field(default_factory=dict)


@dataclass
class ModelSubject:
    """A subject: its record, its parts, and when it came among all that was first written."""

    number: int
    record: Subject
    parts: dict[PartName, tuple[int, Part]] = field(default_factory=dict)


class Model:
    """What a store should hold.

    Args:
        lease_ms: how long every lease is.
    """

    def __init__(self, lease_ms: int) -> None:
        self.subjects: dict[Name, ModelSubject] = {}
        self.streams: dict[str, ModelStream] = {}
        self._lease_ms = lease_ms
        self._numbers = 0

    # -- what `compare` asks ---------------------------------------------------------------------------------------

    def stream(self, path: str) -> Head | None:
        """Return a stream's head; None if there is none."""
        kept = self.streams.get(path)
        return kept.head if kept else None

    def subject(self, name: Name) -> Subject | None:
        """Return a subject's record; None if there is none."""
        kept = self.subjects.get(name)
        return kept.record if kept else None

    # -- writing ---------------------------------------------------------------------------------------------------

    def commit(self, change: Change) -> Outcome:
        """Write a Change, if what it expects holds; return the batches of the subject's own streams."""
        if conflict := compare(change, self):
            return conflict
        batches: dict[str, Batch] = {}
        match change.write:
            case SubjectWrite() as write:
                self._write(write, batches)
            case SubjectDelete(name):
                self._delete(self.subjects.pop(name).record.streams)
            case FamilyWrite(streams):
                for one in streams:
                    self._write_stream(one)
            case RowsWrite() as rows:
                self._write_rows(rows)
        for post in change.posts:
            self._append(post)
        return Committed(batches)

    def _write(self, write: SubjectWrite, batches: dict[str, Batch]) -> None:
        new = write.subject
        kept = self.subjects.get(new.name)
        if kept is None:
            record = replace(new, streams=(), epoch=0, lease_owner=None, lease_until=None, lost=0)
            kept = self.subjects[new.name] = ModelSubject(self._next(), record)
        else:
            old = kept.record
            owner, until = (None, None) if write.release else (old.lease_owner, old.lease_until)
            lost = 0 if write.appends else old.lost
            record = replace(new, sort=old.sort, streams=old.streams, epoch=old.epoch, lost=lost)
            kept.record = replace(record, lease_owner=owner, lease_until=until)
        own = {one.path: one for one in kept.record.streams}
        for append in write.appends:
            batch = self._append(append, close=append.close)
            own[append.path] = OwnStream(append.path, batch.end, append.close)
            first = batches.get(append.path, Batch(batch.start, batch.start, b""))
            batches[append.path] = first.joined(batch.end, batch.data)
        kept.record = replace(kept.record, streams=tuple(own.values()))
        for name in write.dropped:
            kept.parts.pop(name, None)
        for part in write.parts:
            name = PartName(part.kind, part.key)
            number, first_sort = kept.parts.get(name, (0, part))
            kept.parts[name] = (number or self._next(), replace(part, sort=first_sort.sort))

    def _append(self, append: OwnAppend | Post, *, close: bool = False) -> Batch:
        kept = self.streams.get(append.path)
        if kept is None:
            head = Head.of(append.path, "", UNKNOWN, 0, JSON, engine=True)
            kept = self.streams[append.path] = ModelStream(head)
        start = kept.head.tail
        kept.units |= enumerate(append.data.split(b",") if append.count else (), start)
        kept.head = kept.head.changed(tail=start + append.count, closed=close)
        return Batch(start, start + append.count, append.data)

    def _delete(self, streams: Iterable[OwnStream]) -> None:
        for own in streams:
            kept = self.streams[own.path]
            if kept.head.refs:
                kept.head = kept.head.changed(deleted=True, version=UNKNOWN)
            else:
                del self.streams[own.path]

    def _write_stream(self, write: Write | StreamDelete) -> None:
        if isinstance(write, StreamDelete):
            del self.streams[write.path]
            return
        head = write.head
        kept = self.streams.setdefault(head.path, ModelStream(head))
        if kept.head.engine:
            head = head.changed(tail=kept.head.tail, closed=kept.head.closed)
        kept.units |= enumerate(write.data.split(b",") if write.data else (), write.start)
        kept.head = head.changed(rows_at=kept.head.rows_at)
        if write.producer is not None:
            kept.producers[write.producer.producer_id] = write.producer

    def _write_rows(self, write: RowsWrite) -> None:
        kept = self.streams[write.path]
        if write.changes.clear:
            kept.rows.clear()
        for name in write.changes.gone:
            kept.rows.pop(name, None)
        for row in write.changes.rows:
            position = kept.rows.get((row.type, row.key), row).position
            kept.rows[row.type, row.key] = replace(row, position=position)
        kept.head = kept.head.changed(rows_at=write.changes.at)
        if write.base is not None:
            kept.head = kept.head.changed(base=write.base, version=UNKNOWN)

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers

    # -- listing ---------------------------------------------------------------------------------------------------

    def listed(self, where: Listing) -> list[Subject]:
        """List subjects."""
        found = [
            (kept.record.sort, kept.number, kept.record)
            for name, kept in self.subjects.items()
            if name.kind == where.kind and _fits(kept.record, where)
        ]
        found.sort(key=lambda one: one[:2], reverse=not where.oldest_first)
        return [record for _, _, record in found]

    def listed_parts(self, where: Listing) -> list[OwnedPart]:
        """List parts."""
        found = [
            (part.sort, number, OwnedPart(name, part))
            for name, kept in self.subjects.items()
            for number, part in kept.parts.values()
            if part.kind == where.kind and _fits(part, where)
        ]
        found.sort(key=lambda one: one[:2], reverse=not where.oldest_first)
        return [part for _, _, part in found]

    # -- what is due -----------------------------------------------------------------------------------------------

    def due(self, queue: str, now: int) -> dict[Name, Subject]:
        """Return what is due in a queue."""
        due = {name: _due(kept.record) for name, kept in self.subjects.items() if kept.record.queue == queue}
        return {name: self.subjects[name].record for name, at in due.items() if at is not None and at <= now}

    def next_due(self, queues: Collection[str | None]) -> int | None:
        """Return when something will be due."""
        due = (_due(kept.record) for kept in self.subjects.values() if kept.record.queue in queues)
        return min((at for at in due if at is not None), default=None)

    def claim(self, owner: str, queues: Collection[str | None], now: int) -> dict[Name, Subject]:
        """Take leases on everything that is due, or has a lease far ahead."""
        taken = {}
        for name, kept in self.subjects.items():
            old = kept.record
            at = _due(old)
            far = old.lease_until is not None and is_far(old.lease_until, self._lease_ms, now)
            if old.queue in queues and at is not None and (at <= now or far):
                lost = old.lost + (old.lease_owner not in {None, owner})
                kept.record = replace(
                    old, epoch=old.epoch + 1, lease_owner=owner, lease_until=now + self._lease_ms, lost=lost
                )
                taken[name] = kept.record
        return taken

    def renew(self, owner: str, leases: dict[Name, int], until: int, along: Name | None) -> set[Name]:
        """Extend leases; return those lost."""
        if along in self.subjects:
            beside = self.subjects[along]
            beside.record = replace(beside.record, wake_at=until)
        lost = set()
        for name, epoch in leases.items():
            kept = self._held(owner, name, epoch)
            if kept is None or kept.record.queue is None:
                lost.add(name)
            else:
                kept.record = replace(kept.record, lease_until=until)
        return lost

    def release(self, owner: str, leases: dict[Name, int]) -> None:
        """Give leases up."""
        for name, epoch in leases.items():
            if kept := self._held(owner, name, epoch):
                kept.record = replace(kept.record, ready=True, lease_owner=None, lease_until=None)

    def _held(self, owner: str, name: Name, epoch: int) -> ModelSubject | None:
        kept = self.subjects.get(name)
        return kept if kept and (kept.record.lease_owner, kept.record.epoch) == (owner, epoch) else None


def _due(record: Subject) -> int | None:
    return due_at(record.queue, record.ready, record.wake_at, record.lease_until)


def _fits(one: Subject | Part, where: Listing) -> bool:
    return (where.any_of is None or not set(where.any_of).isdisjoint(one.terms)) and set(where.all_of) <= set(one.terms)
