"""Clients of a store, who write, claim, renew, release, delete and look at a few subjects all at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import orjson

from signoff.errors import OutcomeUnknown
from signoff.stores.base import WorkflowStore
from signoff.stores.change import (
    Change,
    Committed,
    Conflict,
    Name,
    OwnAppend,
    Post,
    Subject,
    SubjectDelete,
    SubjectWrite,
    new_mark,
)
from signoff.testing.histories.linearizability import check
from signoff.testing.histories.order import AppendCall, faults
from signoff.testing.histories.recording import RecordedCall, Recorder
from signoff.testing.histories.subjects import HeldLease, Look, RecordWrite, SubjectModel

INBOX = "inbox/histories"
QUEUE = "histories"
LEASE_MS = 600_000
"""No lease ends by itself: when one does is for the store's clock, which no client can see."""

CLIENTS, OPERATIONS, SUBJECTS = 6, 50, 3


@dataclass(frozen=True, slots=True)
class StoreHistory:
    """What the clients of a store did and saw.

    Attributes:
        seed: with what it was made.
        operations: on the subjects.
        inbox: what their posts came to, once all were placed.
    """

    seed: int
    operations: list[RecordedCall]
    inbox: list[str]

    def faults(self) -> list[str]:
        """Return what could not have been, in words; empty: nothing."""
        violation = check(self.operations, SubjectModel())
        found = [] if violation is None else [str(violation)]
        writes = [one for one in self.operations if one.name == "write"]
        for subject in sorted({one.subject for one in writes}):
            # Between subjects no order is promised; those of one follow each other as its Changes do.
            own = [_as_append(one) for one in writes if one.subject == subject]
            messages = {one.message for one in own}
            found += [
                f"in {INBOX}: {fault}" for fault in faults(own, [one for one in self._firsts() if one in messages])
            ]
        if [f"{one}+" for one in self._firsts()] != self.inbox[1::2]:
            found.append(f"in {INBOX}: the two messages of a post are not side by side: {self.inbox}")
        strangers = {*self._firsts()} - {one.given.message for one in writes}
        return [*found, *(f"in {INBOX}: {one!r} is there, and nobody sent it" for one in sorted(strangers))]

    def _firsts(self) -> list[str]:
        return self.inbox[::2]


def _as_append(write: RecordedCall) -> AppendCall:
    refused = not write.unknown and write.result != "committed"
    return AppendCall(write.given.message, write.called, write.returned, refused)


async def play(
    stores: Sequence[WorkflowStore],
    seed: int,
    *,
    clients: int = CLIENTS,
    operations: int = OPERATIONS,
    subjects: int = SUBJECTS,
) -> StoreHistory:
    """Have clients use open stores on the same data, and return what they saw.

    Args:
        stores: the clients take turns in choosing one.
        seed: of what each of them does; how that falls together is the machine's affair.
        clients: how many there are at once.
        operations: how many each of them does.
        subjects: about how many different things.

    Example:
        >>> history = await play([one, other], seed=7)
        >>> history.faults()
        []
    """
    recorder = Recorder(unknown=(OutcomeUnknown,))
    await act(stores, recorder, seed, clients=clients, operations=operations, subjects=subjects)
    return await finish(stores, recorder.operations, seed, subjects=subjects)


async def act(
    stores: Sequence[WorkflowStore],
    recorder: Recorder,
    seed: int,
    *,
    name: str = "c",
    clients: int = CLIENTS,
    operations: int = OPERATIONS,
    subjects: int = SUBJECTS,
) -> None:
    """Have clients use stores, as one of several processes that do so at once.

    Args:
        recorder: of what they see.
        name: what their names begin with; another one in each process.
    """
    names = [f"s{number}" for number in range(subjects)]
    all_ = [
        _Client(f"{name}{number}", stores[number % len(stores)], Random(f"{seed} {name}{number}"), names, recorder)  # noqa: S311
        for number in range(clients)
    ]
    await asyncio.gather(*(client.play(operations) for client in all_))


async def finish(
    stores: Sequence[WorkflowStore], operations: Sequence[RecordedCall], seed: int, *, subjects: int = SUBJECTS
) -> StoreHistory:
    """Look at what has become of everything, once nobody uses it any more.

    Args:
        operations: of all processes.
    """
    recorder = Recorder()
    names = [f"s{number}" for number in range(subjects)]
    last = _Client("last", stores[0], Random(seed), names, recorder)  # noqa: S311
    for name in names:
        await last.read(name)
    while await stores[0].place():
        pass
    found = await stores[-1].read(INBOX, 0, 1 << 30)
    joined = b"" if found is None else b",".join(batch.data for batch in found[1])
    calls = sorted([*operations, *recorder.operations], key=lambda one: one.called)
    return StoreHistory(seed, calls, orjson.loads(b"[%b]" % joined))


@dataclass(slots=True)
class _Client:
    """Somebody who uses a store, and remembers what was seen last of each subject."""

    name: str
    store: WorkflowStore
    chance: Random
    subjects: Sequence[str]
    recorder: Recorder
    versions: dict[str, int] = field(default_factory=dict)
    leases: dict[str, int] = field(default_factory=dict)
    written: int = 0

    async def play(self, operations: int) -> None:
        does = (self.write, self.write, self.write, self.load, self.load, self.read)
        leases = (self.claim, self.claim, self.renew, self.release, self.release)
        for _ in range(operations):
            action = self.chance.choice([*does, *does, *leases, *leases, self.delete])
            await action(self.chance.choice(self.subjects))

    async def write(self, subject: str) -> None:
        """RecordWrite a record on the version seen last, mostly; as who holds the lease, if so."""
        if self.chance.random() < 0.7 or subject not in self.versions:
            await self.load(subject)
        expect = self.versions.get(subject, 0)
        epoch = self.leases.get(subject) if self.chance.random() < 0.7 else None
        release = epoch is not None and self.chance.random() < 0.3
        self.written += 1
        # Drawn, so that who comes back to a version that was seen before a deletion finds another one.
        version = self.chance.randrange(1, 1 << 40)
        given = RecordWrite(expect, version, f"{self.name}:{self.written}", epoch, release)
        outcome = await self._call(subject, "write", given, lambda: self._commit(_change(subject, given)))
        if outcome == "committed":
            self.versions[subject] = given.version
        if outcome == "epoch" or (outcome == "committed" and release and self.chance.random() < 0.5):
            self.leases.pop(subject, None)  # else it is used once more, as by a worker that was frozen

    async def delete(self, subject: str) -> None:
        expect = self.versions.get(subject)
        if not expect:
            return
        gone = Change(SubjectDelete(Name("run", subject), expect), mark=new_mark())
        await self._call(subject, "delete", expect, lambda: self._commit(gone))
        self.versions.pop(subject, None)

    async def load(self, subject: str) -> None:
        async def call() -> Look | None:
            loaded = await self.store.load(Name("run", subject))
            if loaded is None:
                return None
            record = loaded.subject
            return Look(record.version, record.epoch, record.lease_owner)

        seen = await self._call(subject, "load", None, call)
        self.versions[subject] = seen.version if seen else 0

    async def read(self, subject: str) -> None:
        async def call() -> tuple[str, ...] | None:
            found = await self.store.read(_stream(subject), 0, 1 << 30)
            if found is None:
                return None
            return tuple(orjson.loads(b"[%b]" % b",".join(batch.data for batch in found[1])))

        await self._call(subject, "read", None, call)

    async def claim(self, _: str) -> None:
        """Claim one or two; which they are is known only from the result, so it begins as a claim of each."""
        begun = {one: self.recorder.begin(self.name, one, "claim", self.name) for one in self.subjects}
        with suppress(OutcomeUnknown):
            await self._turns()
            now = time.time_ns() // 1_000_000
            limit = self.chance.choice((1, 1, 2))
            taken = await self.store.claim(self.name, [QUEUE], now=now, lease_ms=LEASE_MS, limit=limit)
            await self._turns()
            for one in taken:
                self.recorder.end(begun.pop(one.name.id), HeldLease(one.lease_owner or "", one.epoch))
                self.leases[one.name.id] = one.epoch
            for number in begun.values():
                self.recorder.forget(number)

    async def renew(self, subject: str) -> None:
        epoch = self.leases.get(subject)
        if epoch is None:
            return
        name, until = Name("run", subject), time.time_ns() // 1_000_000 + LEASE_MS

        async def call() -> bool:
            return name not in await self.store.renew(self.name, {name: epoch}, until=until)

        if await self._call(subject, "renew", HeldLease(self.name, epoch), call) is False:
            self.leases.pop(subject, None)

    async def release(self, subject: str) -> None:
        """Give a lease up, now and then one that may be somebody else's by now."""
        epoch = self.leases.get(subject)
        if epoch is None:
            return
        leases = {Name("run", subject): epoch}
        await self._call(subject, "release", HeldLease(self.name, epoch), lambda: self.store.release(self.name, leases))
        if self.chance.random() < 0.5:
            self.leases.pop(subject, None)

    async def _commit(self, change: Change) -> str:
        [outcome] = await self.store.commit([change])
        if isinstance(outcome, Committed):
            return "committed"
        assert isinstance(outcome, Conflict), outcome
        return outcome.what

    async def _call(self, subject: str, name: str, given: Any, call: Callable[[], Awaitable[Any]]) -> Any:
        async def in_turn() -> Any:
            await self._turns()
            result = await call()
            await self._turns()
            return result

        return await self.recorder.record(self.name, subject, name, given, in_turn)

    async def _turns(self) -> None:
        """Let others go first for a moment, so that operations overlap also where a store answers at once."""
        for _ in range(self.chance.randrange(3)):
            await asyncio.sleep(0)


def _stream(subject: str) -> str:
    return f"runs/{subject}"


def _change(subject: str, write: RecordWrite) -> Change:
    record = Subject(Name("run", subject), write.version, orjson.dumps(write.message), queue=QUEUE, ready=True)
    message = orjson.dumps(write.message)
    appends = (OwnAppend(_stream(subject), message, 1),)
    post = Post(INBOX, b"%b,%b" % (message, orjson.dumps(f"{write.message}+")), 2)
    change = SubjectWrite(record, write.expect, appends=appends, epoch=write.epoch, release=write.release)
    return Change(change, (post,), new_mark())
