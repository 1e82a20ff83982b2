"""Runs that no living worker knows: they become `blocked`, and those that were asked to stop are ended.

A run whose workflow nobody knows would wait without a word. Every server and every worker looks for such runs once in a
while; that one comes second does no harm, because each decides on the journal like everybody else. A worker that comes
with the workflow claims a blocked run as any other, and says that it goes on.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from signoff.clock import Clock
from signoff.counts import counted
from signoff.errors import RunNotFound, StoreError
from signoff.outages import OutageLog
from signoff.service.kinds import Kind
from signoff.service.rounds import go_round
from signoff.service.runs import Runs
from signoff.service.workers import Workers
from signoff.stores.base import WorkflowStore

log = logging.getLogger(__name__)

AFTER_MS: Final = 10_000
"""How long a run must have been ready, in milliseconds: a worker that is deployed anew may be away for a moment."""

EVERY_S: Final = 4.0
"""Seconds between two looks, a quarter more or less; with `AFTER_MS` that is no longer than a lease."""

MOST: Final = 200
"""Runs looked at before others' writes come between."""


class Forsaken:
    """The search for runs that are ready and whose workflow no living worker knows.

    Args:
        store: where to look.
        runs: blocks or ends them.
        workers: tells which workflows are known.
        clock: tells since when they have been ready.
    """

    def __init__(self, store: WorkflowStore, runs: Runs, workers: Workers, clock: Clock) -> None:
        self._store = store
        self._runs = runs
        self._workers = workers
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look from now on, until `close`."""
        outage = OutageLog(log, "cannot look for runs that no worker knows")
        rounds = go_round(self._clock, lambda: EVERY_S, self._look, outage)
        self._task = asyncio.get_running_loop().create_task(rounds, name="signoff-forsaken")

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def sweep(self) -> int:
        """Block or end what is forsaken now; return how many runs were written to."""
        count = 0
        await self._workers.forget()
        while True:
            before = self._clock.now_ms() - AFTER_MS
            known = await self._workers.known()
            found = await self._store.unclaimed(Kind.RUN, known, before=before, limit=MOST)
            written = 0
            for name in found:
                written += await self._forsake(name.id)
            count += written
            if len(found) < MOST or not written:
                return count

    async def _forsake(self, run_id: str) -> bool:
        try:
            return await self._runs.forsake(run_id)
        except StoreError:
            raise
        except RunNotFound:  # it has been deleted
            return False
        except Exception as error:  # what is wrong with one run is no other's trouble
            log.warning("the run %s, which no worker knows, cannot be looked at (%s)", run_id, error)
            return False

    async def _look(self) -> None:
        if count := await self.sweep():
            log.warning("%s waiting for workflows that no running worker knows", counted(count, "run"))
