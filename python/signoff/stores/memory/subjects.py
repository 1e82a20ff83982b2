"""Subjects, in memory: records with their leases, parts, and what they are found by."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from heapq import nsmallest
from itertools import islice
from operator import attrgetter

from signoff.stores.base import Listing, LoadedSubject, OwnedPart, Page, PartsWanted
from signoff.stores.change import Name, OwnStream, Part, PartName, Subject, SubjectWrite
from signoff.stores.compare import due_at, is_far
from signoff.stores.copies import PartCopy, SubjectCopy
from signoff.stores.memory.agenda import Agenda
from signoff.stores.memory.index import Index


@dataclass(slots=True, eq=False)
class _KeptPart:
    """A part, and the number that orders it in listings."""

    number: int
    owner: Name
    part: Part

    @property
    def kind(self) -> str:
        """Return the kind of the part."""
        return self.part.kind

    @property
    def sort(self) -> int:
        """Return what orders it."""
        return self.part.sort

    @property
    def terms(self) -> tuple[str, ...]:
        """Return what it is listed by."""
        return self.part.terms


@dataclass(slots=True, eq=False)
class _KeptSubject:
    """A subject's record, the number that orders it in listings, how long its lease is, and its parts."""

    number: int
    record: Subject
    lease_ms: int = 0
    parts: dict[tuple[str, str], _KeptPart] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Return the kind of the subject."""
        return self.record.name.kind

    @property
    def sort(self) -> int:
        """Return what orders it."""
        return self.record.sort

    @property
    def terms(self) -> tuple[str, ...]:
        """Return what it is listed by."""
        return self.record.terms


class KeptSubjects:
    """All subjects of a store, by their names."""

    def __init__(self) -> None:
        self._subjects: dict[Name, _KeptSubject] = {}
        self._listed: Index[_KeptSubject] = Index()
        self._listed_parts: Index[_KeptPart] = Index()
        self._agenda = Agenda()
        self._farthest = 0
        self._numbers = 0

    def record(self, name: Name) -> Subject | None:
        """Return a subject's record; None if there is none."""
        kept = self._subjects.get(name)
        return kept.record if kept else None

    # -- writing ---------------------------------------------------------------------------------------------------

    def write(self, write: SubjectWrite, streams: tuple[OwnStream, ...]) -> None:
        """Replace a record, put and drop parts; what is the store's own in it is `streams` or stays."""
        subject = write.subject
        kept = self._subjects.get(subject.name)
        if kept is None:
            record = replace(subject, streams=streams, epoch=0, lease_owner=None, lease_until=None, lost=0)
            kept = self._subjects[subject.name] = _KeptSubject(self._next(), record)
            self._listed.add(kept)
            self._put(kept, record)
        else:
            old = kept.record
            owner, until = (None, None) if write.release else (old.lease_owner, old.lease_until)
            record = replace(
                subject,
                sort=old.sort,
                streams=streams,
                epoch=old.epoch,
                lease_owner=owner,
                lease_until=until,
                lost=0 if write.appends else old.lost,
            )
            self._put(kept, record)
            self._listed.moved(kept, old.terms)
        for name in write.dropped:
            self._drop_part(kept, name)
        for part in write.parts:
            self._put_part(kept, part)

    def delete(self, name: Name) -> Subject:
        """Delete a subject with its parts; return what its record was."""
        kept = self._subjects.pop(name)
        self._listed.drop(kept)
        for part in kept.parts.values():
            self._listed_parts.drop(part)
        self._agenda.drop(name)
        return kept.record

    def _put(self, kept: _KeptSubject, record: Subject) -> None:
        kept.record = record
        if record.lease_until is not None:
            self._farthest = max(self._farthest, record.lease_until - 2 * kept.lease_ms)
        gate = due_at(record.queue, record.ready, record.wake_at, record.lease_until)
        self._agenda.put(record.name, record.queue, gate, record.updated_at)

    def _put_part(self, kept: _KeptSubject, part: Part) -> None:
        name = part.kind, part.key
        old = kept.parts.get(name)
        if old is None:
            new = kept.parts[name] = _KeptPart(self._next(), kept.record.name, part)
            self._listed_parts.add(new)
        else:
            before, old.part = old.part, replace(part, sort=old.part.sort)
            self._listed_parts.moved(old, before.terms)

    def _drop_part(self, kept: _KeptSubject, name: PartName) -> None:
        part = kept.parts.pop(name, None)
        if part is not None:
            self._listed_parts.drop(part)

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers

    # -- reading ---------------------------------------------------------------------------------------------------

    def load(self, name: Name, wanted: Collection[PartsWanted]) -> LoadedSubject | None:
        """Return a record with some of its parts."""
        kept = self._subjects.get(name)
        if kept is None:
            return None
        if not wanted:
            return LoadedSubject(kept.record)
        some: Iterable[_KeptPart] = kept.parts.values()
        if all(one.key is not None for one in wanted):
            named = {(one.kind, one.key or "") for one in wanted}
            some = [kept.parts[name] for name in named if name in kept.parts]
        # In the order of first putting, which their numbers are; a copy may bring them in another.
        found = sorted(some, key=attrgetter("number"))
        return LoadedSubject(kept.record, tuple(one.part for one in found if _is_wanted(one.part, wanted)))

    def page(self, where: Listing, limit: int, cursor: str | None) -> Page[Subject]:
        """Return a page of a listing of subjects."""
        page = self._listed.page(where, limit, cursor)
        return Page(tuple(kept.record for kept in page.items), page.cursor)

    def page_of_parts(self, where: Listing, limit: int, cursor: str | None) -> Page[OwnedPart]:
        """Return a page of a listing of parts."""
        page = self._listed_parts.page(where, limit, cursor)
        return Page(tuple(OwnedPart(kept.owner, kept.part) for kept in page.items), page.cursor)

    # -- what is due -----------------------------------------------------------------------------------------------

    def claim(self, owner: str, queues: Collection[str], now: int, lease_ms: int, limit: int) -> list[Subject]:
        """Take leases on what is due."""
        taken = self._agenda.take(now, limit, queues)
        if self._farthest > now:
            taken += self._far(now, limit - len(taken), queues)
        return [self._claim(name, owner, now, lease_ms) for name in taken]

    def _claim(self, name: Name, owner: str, now: int, lease_ms: int) -> Subject:
        kept = self._subjects[name]
        old, kept.lease_ms = kept.record, lease_ms
        record = replace(
            old,
            epoch=old.epoch + 1,
            lease_owner=owner,
            lease_until=now + lease_ms,
            lost=old.lost + (old.lease_owner not in (None, owner)),
        )
        self._put(kept, record)
        return record

    def _far(self, now: int, limit: int, queues: Collection[str]) -> list[Name]:
        far = [
            (kept.record.lease_until - 2 * kept.lease_ms, kept.number, name)
            for name, kept in self._subjects.items()
            if kept.record.lease_until is not None
            and is_far(kept.record.lease_until, kept.lease_ms, now)
            and kept.record.queue in queues
        ]
        return [name for _, _, name in nsmallest(limit, far)]

    def renew(self, owner: str, leases: Mapping[Name, int], until: int, along: Name | None) -> set[Name]:
        """Extend leases; return what is lost or given up."""
        lost = set()
        if along is not None and (beside := self._subjects.get(along)):
            self._put(beside, replace(beside.record, wake_at=until))
        for name, epoch in leases.items():
            kept = self._held(owner, name, epoch)
            if kept is None or kept.record.queue is None:
                lost.add(name)
            else:
                self._put(kept, replace(kept.record, lease_until=until))
        return lost

    def release(self, owner: str, leases: Mapping[Name, int]) -> None:
        """Give leases up; each subject is ready at once."""
        for name, epoch in leases.items():
            if kept := self._held(owner, name, epoch):
                self._put(kept, replace(kept.record, ready=True, lease_owner=None, lease_until=None))

    def _held(self, owner: str, name: Name, epoch: int) -> _KeptSubject | None:
        kept = self._subjects.get(name)
        return kept if kept and (kept.record.lease_owner, kept.record.epoch) == (owner, epoch) else None

    def due(self, queue: str, now: int, limit: int) -> list[Subject]:
        """Return what is due in a queue, the earliest first."""
        return [self._subjects[name].record for name in self._agenda.due(now, limit, queue)]

    def next_due(self, queues: Collection[str]) -> int | None:
        """Return the earliest time at which a claim could find something."""
        return self._agenda.earliest(queues)

    def unclaimed(self, kind: str, queues: Collection[str], before: int, limit: int) -> list[Name]:
        """Return what nobody of these queues could have claimed since `before`."""
        found = (self._subjects[name].record for name in self._agenda.others(queues, before) if name.kind == kind)
        return [one.name for one in islice((one for one in found if one.ready or not one.quiet), limit)]

    # -- copies ----------------------------------------------------------------------------------------------------

    def copies(self) -> Iterator[SubjectCopy | PartCopy]:
        """Yield all there is: every record, then every part."""
        for kept in self._subjects.values():
            record = kept.record
            yield SubjectCopy(record, kept.number, kept.lease_ms if record.lease_until is not None else 0)
        for kept in self._subjects.values():
            for part in kept.parts.values():
                yield PartCopy(part.owner, part.part, part.number)

    def restore(self, copy: SubjectCopy | PartCopy) -> None:
        """Take over a record or a part of another store, unless it is there."""
        self._numbers = max(self._numbers, copy.rank)
        if isinstance(copy, SubjectCopy):
            self._restore(copy)
            return
        kept, name = self._subjects[copy.owner], (copy.part.kind, copy.part.key)
        if name not in kept.parts:
            part = kept.parts[name] = _KeptPart(copy.rank, copy.owner, copy.part)
            self._listed_parts.add(part)

    def _restore(self, copy: SubjectCopy) -> None:
        if copy.subject.name not in self._subjects:
            kept = self._subjects[copy.subject.name] = _KeptSubject(copy.rank, copy.subject, copy.lease_ms)
            self._listed.add(kept)
            self._put(kept, copy.subject)


def _is_wanted(part: Part, wanted: Collection[PartsWanted]) -> bool:
    return any(one.kind == part.kind and one.key in (None, part.key) and (part.open or not one.open) for one in wanted)
