"""Delete runs that ended long ago, a bounded number at a time: when somebody asks, and in the background (retention).

Listings are in the order of creation, and a run ends after it was created: what was created after the bound cannot have
ended before it. Of the others each is looked at once a pass; those that ended later are passed over.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Final

from signoff.clock import Clock
from signoff.counts import counted
from signoff.errors import NotEnded, RunNotFound, SignoffError
from signoff.outages import OutageLog
from signoff.service.act import Actor
from signoff.service.commit import GroupCommitter
from signoff.service.kinds import RunFilter, run_name
from signoff.stores.base import Page, WorkflowStore
from signoff.stores.change import Subject
from signoff.workflow.decision import AlreadyDone, Decision, DeleteRun, Loaded
from signoff.workflow.entry import DecidedBy
from signoff.workflow.run import decide
from signoff.workflow.run.status import ENDED, FINAL
from signoff.workflow.run.undo import RunRow
from signoff.workflow.view import RunFold

log = logging.getLogger(__name__)

PIECE: Final = 100
"""Runs looked at in one piece."""

AT_ONCE: Final = 16
"""Runs deleted at a time."""

_POLICY: Final = DecidedBy("policy")

EVERY_S: Final = 60.0
"""Seconds between two passes of the retention, a third more or less."""

PAUSE: Final = 3.0
LEAST_PAUSE_S: Final = 0.02
"""How long a pause is between two pieces: so many times as long as the piece took, but no shorter than this."""


@dataclass(frozen=True, slots=True)
class PruneFilter:
    """Which runs go.

    Attributes:
        ended_before: milliseconds; those that ended later stay.
        statuses: of those that have ended; failed runs could still be taken up again, so they must be named.
        workflow: of this one; None: of any.
        tags: with all of these.
    """

    ended_before: int
    statuses: tuple[str, ...] = tuple(sorted(FINAL))
    workflow: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def candidates(self) -> RunFilter:
        """Return what to list: all that go are among them."""
        return RunFilter(self.workflow, self.statuses, self.tags, created_before=self.ended_before, oldest_first=True)

    def takes(self, run: RunFold) -> bool:
        """Tell whether a run goes."""
        row = run.row
        return (
            row["status"] in ENDED.intersection(self.statuses)
            and run.last_at < self.ended_before
            and (self.workflow is None or row["workflow"] == self.workflow)
            and set(self.tags) <= set(row["tags"])
        )


class Pruner:
    """The deletion of runs that ended long ago.

    Example:
        >>> page = await pruner.prune(PruneFilter(ended_before=clock.now_ms() - 30 * 86_400_000))
        >>> len(page.items), page.cursor is None
        (3, True)
    """

    def __init__(self, store: WorkflowStore, committer: GroupCommitter, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._actor = Actor(store, committer, clock)
        self._task: asyncio.Task[None] | None = None

    def before_delete(self, clear: Callable[[str], Awaitable[None]]) -> None:
        """Have this done before a run is deleted, given its id."""
        self._actor.before_delete.append(clear)

    async def prune(
        self, where: PruneFilter, limit: int = PIECE, cursor: str | None = None, *, dry_run: bool = False
    ) -> Page[RunRow]:
        """Look at up to `limit` runs, and delete those that go; return their rows, and where to go on.

        Args:
            dry_run: delete nothing, return what would be deleted.

        Raises:
            BadRequest: the cursor is malformed.
        """
        page = await self._store.list_subjects(where.candidates.listing, limit=limit, cursor=cursor)
        return Page(await self._deleted(where, page.items, dry_run=dry_run), page.cursor)

    async def prune_these(self, where: PruneFilter, run_ids: Collection[str], *, dry_run: bool = False) -> Page[RunRow]:
        """Delete those of these runs that go; others, and what is gone already, are left out of the rows returned."""
        found = [await self._store.load(run_name(run_id)) for run_id in dict.fromkeys(run_ids)]
        records = [loaded.subject for loaded in found if loaded is not None]
        return Page(await self._deleted(where, records, dry_run=dry_run), None)

    async def _deleted(self, where: PruneFilter, records: Collection[Subject], *, dry_run: bool) -> tuple[RunRow, ...]:
        folds = [RunFold.loads(record.state) for record in records]
        rows = [fold.row for fold in folds if where.takes(fold)]
        if dry_run:
            return tuple(rows)
        turns = asyncio.Semaphore(AT_ONCE)

        async def delete(run_id: str) -> RunRow | None:
            async with turns:
                return await self._delete(where, run_id)

        done = await asyncio.gather(*(delete(row["id"]) for row in rows))
        return tuple(row for row in done if row is not None)

    async def _delete(self, where: PruneFilter, run_id: str) -> RunRow | None:
        def decided(run: Loaded, now: int) -> Decision[RunRow | None]:
            if not where.takes(run.run):  # it was taken up again, or another has its id now
                return AlreadyDone(None)
            decision = decide.delete(run, {}, _POLICY, now)
            return DeleteRun(decision.reply, decision.at)

        try:
            return await self._actor.act(run_id, decided)
        except (RunNotFound, NotEnded):  # somebody was faster
            return None

    # -- retention -------------------------------------------------------------------------------------------------

    def retain(self, retention_ms: int) -> None:
        """Delete from now on, until `close`, whatever ended longer ago than this, failed runs too.

        Several processes may do so: who comes second finds nothing.
        """
        self._task = asyncio.get_running_loop().create_task(self._retain(retention_ms), name="signoff-retention")

    async def close(self) -> None:
        """Stop deleting."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def sweep(self, retention_ms: int) -> int:
        """Delete what ended longer ago, in pieces with pauses; return how many runs that were."""
        loop = asyncio.get_running_loop()
        where = PruneFilter(self._clock.now_ms() - retention_ms, tuple(sorted(ENDED)))
        count, cursor = 0, None
        while True:
            began = loop.time()
            page = await self.prune(where, PIECE, cursor)
            count, cursor = count + len(page.items), page.cursor
            if cursor is None:
                return count
            await asyncio.sleep(max(PAUSE * (loop.time() - began), LEAST_PAUSE_S))

    async def _retain(self, retention_ms: int) -> None:
        outage = OutageLog(log, "cannot delete runs that ended long ago")
        while True:
            try:
                if count := await self.sweep(retention_ms):
                    log.info("deleted %s that ended longer ago than they are kept", counted(count, "run"))
                outage.over()
            except SignoffError as error:
                outage.failed(error)
            await asyncio.sleep(EVERY_S * random.uniform(2 / 3, 4 / 3))  # noqa: S311 - apart, not hard to guess
