"""Streams over a real store, for tests of writing, reading and the hub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from signoff.clock import ManualClock
from signoff.service.commit import ChangeEnded, GroupCommitter
from signoff.service.streams.compaction import Compactor
from signoff.service.streams.hub import Hub
from signoff.service.streams.streams import StreamService
from signoff.stores.base import WorkflowStore
from signoff.stores.change import Change, FamilyWrite, Outcome, StreamDelete
from signoff.stores.open import open_store
from signoff.streams.stream import Payload, Write

TEXT = Payload("text/plain", b"", 0)
JSON = Payload("application/json", b"", 0)


def text(data: str) -> Payload:
    """Return text to append."""
    return Payload("text/plain", data.encode(), len(data.encode()))


@dataclass(slots=True)
class Counting:
    """Hand Changes on, and count how many were under way at once."""

    committer: GroupCommitter
    under_way: int = 0
    most: int = 0
    changes: list[Change] = field(default_factory=list)

    def hand_in(self, change: Change, reply: ChangeEnded) -> None:
        """Commit a Change."""
        self.changes.append(change)
        self.under_way += 1
        self.most = max(self.most, self.under_way)

        def ended(outcome: Outcome | Exception) -> None:
            self.under_way -= 1
            reply(outcome)

        self.committer.hand_in(change, ended)

    async def commit(self, change: Change) -> Outcome:
        """Commit a Change and wait."""
        return await self.committer.commit(change)


@dataclass(slots=True)
class Process:
    """Be one server process over a store that others may use too."""

    store: WorkflowStore
    clock: ManualClock
    hub: Hub
    committer: Counting
    streams: StreamService
    compactor: Compactor


@asynccontextmanager
async def process(store: WorkflowStore, clock: ManualClock | None = None) -> AsyncIterator[Process]:
    """Run the services of one process over an opened store."""
    clock = clock or ManualClock(1_800_000_000_000)
    hub = Hub(store, clock)
    compactor = Compactor(store)
    committer = GroupCommitter(store, hub.committed, compactor.committed)
    counting = Counting(committer)
    try:
        yield Process(store, clock, hub, counting, StreamService(store, counting, hub, clock, compactor), compactor)
    finally:
        await hub.close()
        await committer.close()
        await compactor.close()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[WorkflowStore]:
    """Open a store and close it."""
    store = open_store(url)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def alone(url: str) -> AsyncIterator[Process]:
    """Run one process over a store of its own."""
    async with opened(url) as store, process(store) as one:
        yield one


def written(change: Change) -> tuple[Write | StreamDelete, ...]:
    """Return what a Change does to streams of applications."""
    return change.write.streams if isinstance(change.write, FamilyWrite) else ()


async def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.002)
