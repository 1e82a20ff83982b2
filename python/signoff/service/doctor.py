"""Gather the facts about a store and its runs that operators ask for. What they mean is said in `diagnosis.py`."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from signoff.clock import Clock
from signoff.service.commit import GroupCommitter
from signoff.service.diagnosis import FAR_MS, HealthFacts, SeenWorker, ToldTarget, WaitingRun
from signoff.service.kinds import Kind, RunFilter, forget_record, free_record, put_record, run_name
from signoff.service.notify.target import NotifyTarget
from signoff.service.notify.targets import NotifyTargets
from signoff.service.workers import Workers
from signoff.stores.base import WorkflowStore
from signoff.stores.change import Subject, new_mark
from signoff.workflow.view import RunFold

MOST: Final = 1_000
"""Runs that are looked at for one line."""

_PAGE: Final = 250
_SOON_MS: Final = 1_000
"""A run that became ready a moment ago waits for nobody."""


class Doctor:
    """Examine a store and what is in it.

    Example:
        >>> facts = await doctor.examine()
        >>> [finding.check for finding in judge(facts) if finding.level == "wrong"]
        []
    """

    def __init__(
        self,
        store: WorkflowStore,
        committer: GroupCommitter,
        clock: Clock,
        workers: Workers,
        targets: NotifyTargets,
    ) -> None:
        self._store = store
        self._committer = committer
        self._clock = clock
        self._workers = workers
        self._targets = targets

    async def examine(self) -> HealthFacts:
        """Return what there is to see; the work is bounded, whatever the store holds.

        Raises:
            StoreUnavailable: the store cannot be reached.
        """
        described = await self._store.describe()
        commit_ms = await self._time_commit()
        blocked, failed = [await self._reasons(status) for status in ("blocked", "failed")]
        return HealthFacts(
            self._clock.now_ms(),
            described.backend,
            described.schema,
            described.survives,
            commit_ms,
            await self._ready(),
            blocked,
            failed,
            await self._seen(),
            await self._far_leases(),
            await self._store.unplaced(),
            MOST,
            described.wrong,
            tuple([self._told(target) for target, _ in await self._targets.records()]),
        )

    def _told(self, target: NotifyTarget) -> ToldTarget:
        since, why = target.failing() or (None, "")
        return ToldTarget(target.id, target.paused, since, why, len(target.failed))

    async def _time_commit(self) -> float:
        """Write a record and take it back; return how long writing took, in milliseconds."""
        loop = asyncio.get_running_loop()
        record = free_record(Kind.PROBE, f"{new_mark():x}", b"{}")
        began = loop.time()
        await self._committer.commit(put_record(record))
        took = (loop.time() - began) * 1_000
        await self._committer.commit(forget_record(record))
        return took

    async def _runs(self, status: str) -> list[Subject]:
        found: list[Subject] = []
        cursor = None
        while len(found) < MOST:
            where = RunFilter(statuses=(status,)).listing
            page = await self._store.list_subjects(where, limit=_PAGE, cursor=cursor)
            found += page.items
            cursor = page.cursor
            if cursor is None:
                break
        return found

    async def _reasons(self, status: str) -> dict[str, int]:
        errors = [RunFold.loads(record.state).row["error"] for record in await self._runs(status)]
        return dict(Counter("unknown" if error is None else str(error["code"]) for error in errors))

    async def _ready(self) -> tuple[WaitingRun, ...]:
        before = self._clock.now_ms() - _SOON_MS
        names = await self._store.unclaimed(Kind.RUN, (), before=before, limit=MOST)
        found = []
        for name in names:
            loaded = await self._store.load(run_name(name.id))
            if loaded is not None and loaded.subject.queue is not None:
                record = loaded.subject
                since = record.updated_at if record.ready or record.wake_at is None else record.wake_at
                found.append(WaitingRun(name.id, record.queue or "", since))
        return tuple(found)

    async def _seen(self) -> tuple[SeenWorker, ...]:
        return tuple(SeenWorker(owner, workflows, until) for owner, workflows, until in await self._workers.announced())

    async def _far_leases(self) -> tuple[str, ...]:
        far = self._clock.now_ms() + FAR_MS
        held = await self._runs("running")
        return tuple(record.name.id for record in held if record.lease_until is not None and record.lease_until > far)
