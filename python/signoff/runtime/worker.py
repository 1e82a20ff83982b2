"""The worker: claims runs, drives them, keeps their leases alive, and lets go of everything when asked to.

A worker needs no HTTP and no other worker. Wake-ups come from the store's bus and are only hints: at the latest after
`poll_ms` it looks for itself.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from collections import OrderedDict
from collections.abc import Mapping

from signoff.errors import StoreError
from signoff.paths import journal_path
from signoff.runtime.driver import RunDriver
from signoff.runtime.fingerprint import fingerprint
from signoff.runtime.heartbeat import Heartbeat
from signoff.runtime.live import Live
from signoff.runtime.parking import MOST_LOST
from signoff.runtime.steps import StepRunner
from signoff.runtime.threads import StepThreads
from signoff.runtime.watchdog import Watchdog, keep_for_ever
from signoff.service.engine import Engine
from signoff.service.kinds import run_name
from signoff.stores.change import Name, Subject
from signoff.workflow.definition import App

log = logging.getLogger("signoff.runtime")


ACTIVATION_S = 2.0
"""Seconds that workflow code may go on without waiting for anything, unless said otherwise."""


TRIAL_S = 1.0
"""Seconds for which a run whose last worker was lost is the only such one here, unless it comes to an entry before."""


class Worker:
    """Run an app's workflows over an engine.

    Args:
        app: the workflows this worker knows; others are left to other workers.
        engine: the opened services.
        owner: who holds the leases; unique per process. Made up if None.
        concurrency: how many runs are driven at a time. A run that waits for a person or a timer is not driven.
        cache: how many suspended runs keep their machine, so that their next step needs no replay.
        threads: how many sync steps run at a time. One that outlives its timeout counts no more.
        activation_s: seconds that workflow code may go on without waiting for anything; then its run is blocked.
            0: for ever, for debuggers.
        lease_ms: how long a lease lasts without a heartbeat; a frozen worker loses its runs after that.
        poll_ms: how often to look for work when no wake-up comes.

    Example:
        >>> worker = Worker(app, engine)
        >>> task = asyncio.create_task(worker.run())
        >>> await worker.drain()
    """

    def __init__(
        self,
        app: App,
        engine: Engine,
        *,
        owner: str | None = None,
        concurrency: int = 128,
        cache: int = 256,
        threads: int = 32,
        activation_s: float = ACTIVATION_S,
        lease_ms: int = 15_000,
        poll_ms: int = 1_000,
    ) -> None:
        self.app = app
        self.engine = engine
        self.owner = owner or f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._threads = StepThreads(threads)
        self.steps = StepRunner(engine.clock, self._threads)
        self.watchdog = Watchdog(activation_s)
        self._activation_s = activation_s
        self._concurrency = concurrency
        self._cache_size = cache
        self._cache: OrderedDict[str, Live] = OrderedDict()
        self._lease_ms = lease_ms
        self._poll_ms = poll_ms
        self._drivers: dict[str, RunDriver] = {}
        self._wake = asyncio.Event()
        self._backlog = False
        self._trial: RunDriver | None = None
        self._heard = False
        self._news_at = 0.0
        self._empty = asyncio.Event()
        self._empty.set()
        self._draining = False
        self._stopping = False
        self._stopped = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop

    async def run(self) -> None:
        """Work until drained; store trouble is waited out, not raised."""
        self.loop = asyncio.get_running_loop()
        subscription = self.engine.store.bus().subscribe("ready", self._hear)
        self.watchdog.start()
        heartbeat = Heartbeat(
            self.engine.store,
            self.engine.clock,
            self.owner,
            self._lease_ms,
            held=lambda: {run_name(id_): driver.epoch for id_, driver in list(self._drivers.items())},
            frozen=lambda: None if (frozen := self.watchdog.frozen) is None else run_name(frozen),
            lost=self._lost,
            along=self.engine.workers.announcement(self.owner),
        )
        heartbeat.start()
        looking: asyncio.Task[None] | None = None
        self.engine.workers.announce(self.owner, self.app.names(), self._lease_ms)
        try:
            while not self._stopping:
                self._wake.clear()
                pause = await self._round()
                looking = looking or self.loop.create_task(self._try_what_was_stuck())  # what can be claimed goes first
                if pause > 0:
                    await self._sleep(pause)
        finally:
            subscription.close()
            if looking is not None:
                looking.cancel()
            for driver in list(self._drivers.values()):
                driver.abandon()
            self._drop_cache()
            await heartbeat.stop()
            self.watchdog.stop()
            self._threads.close()
            await self.engine.workers.leave(self.owner)
            self._stopped.set()

    async def drain(self, timeout_s: float = 10.0) -> None:
        """Take no new runs, finish the attempts under way, give every lease up, then end `run`.

        Args:
            timeout_s: after that, attempts still under way are cancelled; they run again elsewhere.
        """
        self._draining = True
        for driver in list(self._drivers.values()):
            self.loop.call_soon(driver.drain)
        try:
            async with asyncio.timeout(timeout_s):
                await self._empty.wait()
        except TimeoutError:
            log.warning("%d runs did not settle in %.0f s; their steps will run again", len(self._drivers), timeout_s)
            await self._let_go()
        self._stopping = True
        self._wake.set()
        await self._stopped.wait()

    # -- claiming --------------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        self._heard = True
        self._wake.set()

    async def _round(self) -> float:
        """Claim what can be claimed; return for how many seconds nothing is expected."""
        try:
            now = time.monotonic()
            if self._heard or now >= self._news_at:
                self._heard, self._news_at = False, now + self._poll_ms / 1000
                await self._tell_news()
            free = 0 if self._draining else self._concurrency - len(self._drivers)
            if free <= 0:
                return self._poll_ms / 1000
            return await self._claim(free)
        except StoreError as error:
            log.warning("the store cannot be used (%s); trying again", error)
            return self._poll_ms / 1000

    async def _claim(self, free: int) -> float:
        now = self.engine.clock.now_ms()
        names = self.app.names()
        records = await self.engine.store.claim(self.owner, names, now=now, lease_ms=self._lease_ms, limit=free)
        if self._draining:  # asked to stop while the claim was under way
            await self.engine.store.release(self.owner, {record.name: record.epoch for record in records})
            return self._poll_ms / 1000
        sound = [record for record in records if not 0 < record.lost < MOST_LOST]
        suspects = [record for record in records if 0 < record.lost < MOST_LOST]
        for record in sound:
            self._drive(record)
        # One of them may have cost their last worker, and would take the others along again: one at a time.
        if suspects and self._trial is None:
            self._trial = self._drive(suspects.pop(0))
            self.loop.call_later(TRIAL_S, self.survived, self._trial)
        if suspects:
            await self.engine.store.release(self.owner, {record.name: record.epoch for record in suspects})
        self._backlog = len(records) == free  # there may be more; each run that ends makes room for one
        if self._backlog or suspects:
            return self._poll_ms / 1000
        due = await self.engine.store.next_due(names)
        return self._poll_ms / 1000 if due is None else min(max(due - now, 1), self._poll_ms) / 1000

    def _drive(self, record: Subject) -> RunDriver:
        if (old := self._drivers.get(run_id := record.name.id)) is not None:
            old.abandon()  # its lease ran out (a stopped process, a clock that jumped) and the claim was ours again
        self._empty.clear()
        live = self._cache.pop(run_id, None)
        assert record.queue is not None, "it was claimed from the queue of its workflow"
        driver = RunDriver(self, record, self.app.get(record.queue), live)
        self._drivers[run_id] = driver
        self.loop.call_soon(driver.pump)
        return driver

    def finished(self, driver: RunDriver, live: Live | None) -> None:
        """Take a driver off the list and keep its machine, if it may be needed again."""
        del self._drivers[driver.run_id]
        if live is not None and not self._stopping:
            self._cache[driver.run_id] = live
            if len(self._cache) > self._cache_size:
                run_id, oldest = self._cache.popitem(last=False)
                self.watchdog.close(run_id, oldest.machine)
        if not self._drivers:
            self._empty.set()
        self.survived(driver)
        if self._backlog:
            self._wake.set()

    def survived(self, driver: RunDriver) -> None:
        """Learn that a driver's run has not cost this worker, so far; the next suspect may be tried."""
        if self._trial is driver:
            self._trial = None
            self._wake.set()

    async def _tell_news(self) -> None:
        """Tell drivers that wait for a step when somebody else has written to their journal."""
        at = {journal_path(id_): driver for id_, driver in self._drivers.items() if driver.journal_tail is not None}
        if not at:
            return
        for path, found in (await self.engine.store.find_streams(list(at))).items():
            position = at[path].journal_tail
            if position is not None and found.tail > position:
                self.loop.call_soon(at[path].news)

    # -- leases ----------------------------------------------------------------------------------------------------

    def _lost(self, leases: Mapping[Name, int]) -> None:
        for (_, run_id), epoch in leases.items():
            driver = self._drivers.get(run_id)
            if driver is not None and driver.epoch == epoch:
                log.info("run %s: the lease is lost; another worker goes on", run_id)
                driver.abandon()

    async def _try_what_was_stuck(self) -> None:
        """Take up runs that are blocked because other code than this worker's got stuck in them."""
        await asyncio.sleep(0)  # what was claimed reads its journals first
        for name in self.app.names():
            try:
                await self.engine.runs.try_other_code(name, fingerprint(self.app.get(name)))
            except StoreError as error:
                log.warning("runs of %s that were stuck could not be looked up (%s)", name, error)

    async def _let_go(self) -> None:
        held = {run_name(id_): driver.epoch for id_, driver in self._drivers.items()}
        for driver in list(self._drivers.values()):
            driver.abandon()
        try:
            await self.engine.store.release(self.owner, held)
        except StoreError as error:
            log.warning("leases could not be given up (%s); they run out by themselves", error)

    # -- waiting ---------------------------------------------------------------------------------------------------

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _drop_cache(self) -> None:
        give_up = time.monotonic() + 2 * self._activation_s
        while self._cache:
            run_id, live = self._cache.popitem()
            if self._activation_s and time.monotonic() > give_up:
                keep_for_ever(live)  # there is code that resists; the worker ends in time all the same
            else:
                self.watchdog.close(run_id, live.machine)
