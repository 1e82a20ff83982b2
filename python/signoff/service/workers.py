"""Who works: each worker announces the workflows it knows, in a record that it renews for as long as it lives.

The worker's heartbeat renews it, too, together with its leases, while a step blocks the loop. A record that is not
renewed counts for nothing after its time. So whoever looks (`forsaken.py`, a cancellation) knows
which workflows nobody can run. Workers of this process count without a look at the store.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Final

import orjson

from signoff.clock import Clock, sleep
from signoff.errors import SignoffError
from signoff.outages import OutageLog
from signoff.service.commit import GroupCommitter
from signoff.service.kinds import Kind, forget_record, free_record, put_record
from signoff.stores.base import Listing, WorkflowStore
from signoff.stores.change import Conflict, Name

log = logging.getLogger(__name__)

PAGE: Final = 1_000
"""Records read, or deleted, at a time."""

LEAVE_S: Final = 1.0
"""Seconds a worker spends at most on taking its announcement back; it ends by itself otherwise."""


class Workers:
    """The workers that live, by their announcements, and the workflows they know.

    Example:
        >>> workers.announce("host:1", ["expense"], lease_ms=15_000)
        >>> await workers.known()
        frozenset({'expense'})
    """

    def __init__(self, store: WorkflowStore, committer: GroupCommitter, clock: Clock) -> None:
        self._store = store
        self._committer = committer
        self._clock = clock
        self._here: dict[str, frozenset[str]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def announce(self, owner: str, workflows: Collection[str], lease_ms: int) -> None:
        """Tell every process from now on, until `leave`, that this worker knows these workflows.

        Args:
            owner: the worker's name, unique.
            workflows: their names.
            lease_ms: how long, in milliseconds, the announcement outlives a worker that dies.
        """
        self._here[owner] = frozenset(workflows)
        task = asyncio.get_running_loop().create_task(self._renew(owner, lease_ms), name="signoff-announcement")
        self._tasks[owner] = task

    @staticmethod
    def announcement(owner: str) -> Name:
        """Return the name of a worker's announcement, for whoever renews it together with leases."""
        return Name(Kind.WORKER, owner)

    async def leave(self, owner: str) -> None:
        """Take the announcement back; other workers' announcements stay."""
        self._here.pop(owner, None)
        task = self._tasks.pop(owner, None)
        if task is None:
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        try:
            async with asyncio.timeout(LEAVE_S):
                loaded = await self._store.load(self.announcement(owner))
                if loaded is not None:
                    await self._committer.commit(forget_record(loaded.subject))
        except (SignoffError, TimeoutError) as error:
            log.warning("the announcement of %s could not be taken back (%s); it ends by itself", owner, error)

    async def close(self) -> None:
        """Take back what is still announced."""
        for owner in list(self._tasks):
            await self.leave(owner)

    async def known(self) -> frozenset[str]:
        """Return the names of all workflows that a living worker knows."""
        names = set().union(*self._here.values())
        for _, workflows, _ in await self.announced():
            names.update(workflows)
        return frozenset(names)

    async def announced(self) -> list[tuple[str, tuple[str, ...], int]]:
        """Return who has announced itself: owner, workflows, and until when (ms) that counts."""
        now = self._clock.now_ms()
        found: list[tuple[str, tuple[str, ...], int]] = []
        cursor = None
        while True:
            page = await self._store.list_subjects(Listing(Kind.WORKER), limit=PAGE, cursor=cursor)
            found += [
                (record.name.id, tuple(orjson.loads(record.state)["workflows"]), record.wake_at)
                for record in page.items
                if record.wake_at is not None and record.wake_at > now
            ]
            cursor = page.cursor
            if cursor is None:
                return found

    async def forget(self) -> None:
        """Delete announcements whose time is over."""
        for record in await self._store.due(Kind.WORKER.agenda, now=self._clock.now_ms(), limit=PAGE):
            await self._committer.commit(forget_record(record))

    async def _renew(self, owner: str, lease_ms: int) -> None:
        state = orjson.dumps({"workflows": sorted(self._here[owner])})
        outage = OutageLog(log, f"the worker {owner} cannot be announced")
        while True:
            try:
                loaded = await self._store.load(self.announcement(owner))
                expect = 0 if loaded is None else loaded.subject.version
                until = self._clock.now_ms() + lease_ms
                record = free_record(Kind.WORKER, owner, state, expect=expect, due_at=until)
                if isinstance(await self._committer.commit(put_record(record, expect)), Conflict):
                    continue  # somebody took us for dead at this moment
                outage.over()
            except Exception as error:  # whatever it is: unannounced, its runs would be taken for forsaken
                outage.failed(error)
            await sleep(self._clock, lease_ms / 3_000, idle=True)
