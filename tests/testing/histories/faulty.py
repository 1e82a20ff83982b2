"""Stores that do one thing wrong now and then, for what is to find it out."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from random import Random

from signoff.errors import OutcomeUnknown
from signoff.stores.base import LoadedSubject, PartsWanted
from signoff.stores.change import (
    Batch,
    Change,
    Committed,
    FamilyWrite,
    Name,
    Outcome,
    Post,
    Rejected,
    Subject,
    SubjectDelete,
    SubjectWrite,
)
from signoff.stores.memory import MemoryStore
from signoff.streams.stream import Head, Write


class FaultyStore(MemoryStore):
    """A store that is right; each kind does its own thing wrong, once in so many times, while it is `faulty`."""

    once_in = 10
    faulty = True

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._chance = Random(seed)

    def _now(self) -> bool:
        return self.faulty and self._chance.randrange(self.once_in) == 0


class LostUpdate(FaultyStore):
    """Writes over what somebody else has written meanwhile."""

    async def commit(self, changes: Sequence[Change]) -> list[Outcome | Rejected]:
        return await super().commit([await self._blind(change) for change in changes])

    async def _blind(self, change: Change) -> Change:
        write = change.write
        if not isinstance(write, SubjectWrite) or not self._now():
            return change
        loaded = await super().load(write.subject.name)
        return change._replace(write=replace(write, expect=loaded.subject.version if loaded else 0))


class LostWrite(FaultyStore):
    """Acknowledges what it has not written."""

    async def commit(self, changes: Sequence[Change]) -> list[Outcome | Rejected]:
        if self._now():
            return [Committed() for _ in changes]
        return await super().commit(changes)


class LateWrite(FaultyStore):
    """Acknowledges first and writes a little later."""

    async def commit(self, changes: Sequence[Change]) -> list[Outcome | Rejected]:
        if not self._now():
            return await super().commit(changes)
        self._late = asyncio.ensure_future(self._soon(changes))
        return [Committed() for _ in changes]

    async def _soon(self, changes: Sequence[Change]) -> None:
        for _ in range(4):
            await asyncio.sleep(0)
        await super().commit(changes)


class GhostWrite(FaultyStore):
    """Writes a message of a Change that it refuses."""

    async def commit(self, changes: Sequence[Change]) -> list[Outcome | Rejected]:
        outcomes = await super().commit(changes)
        for change, outcome in zip(changes, outcomes, strict=True):
            write = change.write
            if not isinstance(outcome, Committed) and isinstance(write, SubjectWrite) and self._now():
                loaded = await super().load(write.subject.name)
                if loaded is not None:
                    there = SubjectWrite(loaded.subject, loaded.subject.version, appends=write.appends)
                    await super().commit([Change(there)])
        return outcomes


class DoubledAppend(FaultyStore):
    """Appends to a subject's own stream twice."""

    async def commit(self, changes: Sequence[Change]) -> list[Outcome | Rejected]:
        return await super().commit([self._twice(change) for change in changes])

    def _twice(self, change: Change) -> Change:
        write = change.write
        if not isinstance(write, SubjectWrite) or not self._now():
            return change
        return change._replace(write=replace(write, appends=(*write.appends, *write.appends)))


class DoubledStreamAppend(FaultyStore):
    """Appends to an application's stream twice."""

    async def commit(self, changes: Sequence[Change]) -> list[Outcome | Rejected]:
        return await super().commit([self._twice(change) for change in changes])

    def _twice(self, change: Change) -> Change:
        match change.write:
            case FamilyWrite((Write(head, data=data) as write,)) if data and self._now():
                twice = write._replace(head=head.changed(tail=head.tail + 1), data=b"%b,%b" % (data, data))
                return change._replace(write=FamilyWrite((twice,)))
        return change


class DoubledPost(FaultyStore):
    """Places a post twice."""

    async def commit(self, changes: Sequence[Change]) -> list[Outcome | Rejected]:
        return await super().commit(
            [change._replace(posts=change.posts * 2) if self._now() else change for change in changes]
        )


class LostPost(FaultyStore):
    """Forgets a post."""

    async def commit(self, changes: Sequence[Change]) -> list[Outcome | Rejected]:
        return await super().commit([change._replace(posts=()) if self._now() else change for change in changes])


class TurnedPosts(FaultyStore):
    """Places a post of a sender after its next one."""

    once_in = 4

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._kept: dict[Name, tuple[Post, ...]] = {}

    async def commit(self, changes: Sequence[Change]) -> list[Outcome | Rejected]:
        outcomes = []
        for change in changes:
            assert isinstance(change.write, SubjectWrite | SubjectDelete)
            sender = change.write.subject.name if isinstance(change.write, SubjectWrite) else change.write.name
            keep = change.posts and sender not in self._kept and self._now()
            posts = () if keep else change.posts + self._kept.get(sender, ())
            [outcome] = await super().commit([change._replace(posts=posts)])
            if isinstance(outcome, Committed):
                self._kept.pop(sender, None)
                if keep:
                    self._kept[sender] = change.posts
            outcomes.append(outcome)
        return outcomes


class StaleLoad(FaultyStore):
    """Tells of a record as it was some looks ago."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._seen: dict[Name, LoadedSubject | None] = {}

    async def load(self, name: Name, *wanted: PartsWanted) -> LoadedSubject | None:
        if name in self._seen and self._now():
            return self._seen[name]
        self._seen[name] = found = await super().load(name, *wanted)
        return found


class StaleRead(FaultyStore):
    """Reads a stream as it was some reads ago."""

    once_in = 3

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._seen: dict[str, tuple[Head, list[Batch]] | None] = {}

    async def read(self, path: str, start: int, max_bytes: int) -> tuple[Head, list[Batch]] | None:
        if path in self._seen and self._now():
            return self._seen[path]
        self._seen[path] = found = await super().read(path, start, max_bytes)
        return found


class LeaseTwice(FaultyStore):
    """Gives out a lease that somebody holds."""

    once_in = 3

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._given: dict[Name, Subject] = {}

    async def claim(self, owner: str, queues: Collection[str], *, now: int, lease_ms: int, limit: int) -> list[Subject]:
        if self._given and self._now():
            _, taken = self._given.popitem()
            return [replace(taken, lease_owner=owner)]
        found = await super().claim(owner, queues, now=now, lease_ms=lease_ms, limit=limit)
        self._given |= {one.name: one for one in found}
        return found


class LeaseTaken(FaultyStore):
    """Takes a lease from its holder, who hears nothing of it, for who claims."""

    async def claim(self, owner: str, queues: Collection[str], *, now: int, lease_ms: int, limit: int) -> list[Subject]:
        if self._now():
            now += 2 * lease_ms + 1
        return await super().claim(owner, queues, now=now, lease_ms=lease_ms, limit=limit)


class UnfencedWrite(FaultyStore):
    """Takes the write of one whose lease is another's by now."""

    once_in = 1

    async def commit(self, changes: Sequence[Change]) -> list[Outcome | Rejected]:
        return await super().commit([_unfenced(change) for change in changes])


def _unfenced(change: Change) -> Change:
    write = change.write
    if not isinstance(write, SubjectWrite) or write.release:
        return change
    return change._replace(write=replace(write, epoch=None))


class KeptLease(FaultyStore):
    """Says that a lease is kept which is lost."""

    once_in = 1

    async def renew(
        self, owner: str, leases: Mapping[Name, int], *, until: int, along: Name | None = None
    ) -> set[Name]:
        await super().renew(owner, leases, until=until, along=along)
        return set()


FAULTS = (
    LostUpdate,
    LostWrite,
    LateWrite,
    GhostWrite,
    DoubledAppend,
    DoubledPost,
    LostPost,
    TurnedPosts,
    StaleLoad,
    StaleRead,
    LeaseTwice,
    LeaseTaken,
    UnfencedWrite,
    KeptLease,
)


class CutOff(FaultyStore):
    """Loses its connection in the middle of commits, which are kept or not: nothing that is wrong."""

    once_in = 8

    async def commit(self, changes: Sequence[Change]) -> list[Outcome | Rejected]:
        cut, kept = self._now(), self._chance.random() < 0.5
        if cut and not kept:
            raise OutcomeUnknown("The connection was lost.")
        outcomes = await super().commit(changes)
        if cut:
            raise OutcomeUnknown("The connection was lost.")
        return outcomes

    async def claim(self, owner: str, queues: Collection[str], *, now: int, lease_ms: int, limit: int) -> list[Subject]:
        found = await super().claim(owner, queues, now=now, lease_ms=lease_ms, limit=limit)
        if self._now():
            raise OutcomeUnknown("The connection was lost.")
        return found
