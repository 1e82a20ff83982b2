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
from collections.abc import Collection, Iterable

from signoff.clock import Alarm
from signoff.counts import counted
from signoff.errors import StoreError
from signoff.outages import OutageLog
from signoff.runtime.cached_run import CachedRun
from signoff.runtime.driver import RunDriver
from signoff.runtime.fingerprint import fingerprint
from signoff.runtime.heartbeat import Heartbeat
from signoff.runtime.local import Backing, run_port
from signoff.runtime.logs import LogObserver
from signoff.runtime.observe import Observer, Observers, RunClaimed
from signoff.runtime.port import ClaimedRun, RunLease
from signoff.runtime.steps import StepRunner
from signoff.runtime.threads import StepThreads
from signoff.runtime.trials import Trials, is_suspect
from signoff.runtime.validators import ValidatorRunner
from signoff.runtime.watchdog import Watchdog, keep_for_ever
from signoff.workflow.definition import App

log = logging.getLogger("signoff.runtime")

LEASE_MS = 15_000
"""How long a lease lasts without a heartbeat, in milliseconds, unless said otherwise."""

ACTIVATION_S = 2.0
"""Seconds that workflow code may go on without waiting for anything, unless said otherwise."""


class Worker:
    """A worker for an app's workflows.

    Args:
        app: the workflows this worker knows; others are left to other workers.
        engine: the opened services, or a `RunPort` to services elsewhere.
        owner: who holds the leases; unique per process. Made up if None.
        concurrency: how many runs are driven at a time. A run that waits for a person or a timer is not driven.
        cache: how many suspended runs keep their machine, so that their next step needs no replay.
        threads: how many sync steps run at a time. One that outlives its timeout counts no more.
        activation_s: seconds that workflow code may go on without waiting for anything; then its run is blocked.
            0: for ever, for debuggers.
        lease_ms: how long a lease lasts without a heartbeat; a frozen worker loses its runs after that.
        poll_ms: how often to look for work when no wake-up comes.
        observers: are told what it does, after the log is.

    Example:
        >>> worker = Worker(app, engine)
        >>> task = asyncio.create_task(worker.run())
        >>> await worker.drain()
    """

    def __init__(
        self,
        app: App,
        engine: Backing,
        *,
        owner: str | None = None,
        concurrency: int = 128,
        cache: int = 256,
        threads: int = 32,
        activation_s: float = ACTIVATION_S,
        lease_ms: int = LEASE_MS,
        poll_ms: int = 1_000,
        observers: Iterable[Observer] = (),
    ) -> None:
        self.app = app
        self.port = run_port(engine, concurrency + cache)
        self._log = LogObserver()
        self.observers = Observers(self._log, observers)
        self.draining = False
        self.owner = owner or f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._threads = StepThreads(threads)
        self.steps = StepRunner(self.port.clock, self._threads)
        self.validators = ValidatorRunner(self.port.clock, self._threads, self.port.find_grant)
        self.watchdog = Watchdog(activation_s)
        self._activation_s = activation_s
        self._concurrency = concurrency
        self._cache_size = cache
        self._cache: OrderedDict[str, CachedRun] = OrderedDict()
        self._lease_ms = lease_ms
        self._poll_ms = poll_ms
        self._drivers: dict[str, RunDriver] = {}
        self._wake = asyncio.Event()
        self._backlog = False
        self._trials = Trials(self._wake.set)
        self._heard = False
        self._outage = OutageLog(log, "the store cannot be asked for work")
        self._alarm: Alarm | None = None
        self._polling: Alarm
        self._empty = asyncio.Event()
        self._empty.set()
        self._stopping = False
        self._stopped = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop

    async def run(self) -> None:
        """Work until drained; store trouble is waited out, not raised."""
        self.loop = asyncio.get_running_loop()
        listening = self.port.listen(self._hear)
        self.watchdog.start()
        heartbeat = Heartbeat(
            self.port,
            self.owner,
            self._lease_ms,
            held=lambda: [driver.lease for driver in list(self._drivers.values())],
            frozen=lambda: self.watchdog.frozen,
            lost=self._lost,
        )
        heartbeat.start()
        looking: asyncio.Task[None] | None = None
        self.port.announce(self.owner, self.app.names(), self._lease_ms)
        try:
            self._poll()
            while not self._stopping:
                self._wake.clear()
                await self._round()
                looking = looking or self.loop.create_task(self._try_what_was_stuck())  # what can be claimed goes first
                await self._wake.wait()
        finally:
            self._polling.cancel()
            self._set_alarm(None)
            listening.close()
            if looking is not None:
                looking.cancel()
            for driver in list(self._drivers.values()):
                driver.abandon()
            self._drop_cache()
            await heartbeat.stop()
            self.watchdog.stop()
            self._threads.close()
            await self.port.leave(self.owner)
            self._stopped.set()

    async def drain(self, timeout_s: float = 10.0) -> None:
        """Take no new runs, finish the attempts under way, give every lease up, then end `run`.

        Args:
            timeout_s: after that, attempts still under way are cancelled; they run again elsewhere.
        """
        self.draining = True
        for driver in list(self._drivers.values()):
            self.loop.call_soon(driver.pump)
        try:
            async with asyncio.timeout(timeout_s):
                await self._empty.wait()
        except TimeoutError:
            left = counted(len(self._drivers), "run")
            log.warning("%s did not settle in %.0f s; their steps will run again", left, timeout_s)
            await self._let_go()
        self._stopping = True
        self._wake.set()
        await self._stopped.wait()

    # -- claiming --------------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        self._heard = True
        self._wake.set()

    async def _round(self) -> None:
        """Tell drivers their news, and claim what can be claimed."""
        try:
            if self._heard:
                self._heard = False
                await self._tell_news()
            free = 0 if self.draining else self._concurrency - len(self._drivers)
            if free > 0:
                await self._claim(free)
                self._outage.over()
        except StoreError as error:
            self._outage.failed(error)

    async def _claim(self, free: int) -> None:
        names = self.app.names()
        runs = await self.port.claim(self.owner, names, lease_ms=self._lease_ms, limit=free)
        if self.draining:  # asked to stop while the claim was under way
            await self.port.release(self.owner, [run.lease for run in runs])
            return
        waiting: list[ClaimedRun] = []
        for run in runs:
            if not is_suspect(run):
                self._drive(run)
            elif self._trials.admit(run):
                self._trials.begin(run, self._drive(run))
            else:
                waiting.append(run)
        if waiting:
            await self.port.release(self.owner, [run.lease for run in waiting])
        self._backlog = len(runs) == free  # there may be more; each run that ends makes room for one
        if not (self._backlog or waiting):
            self._set_alarm(await self.port.next_due(names))

    def _drive(self, run: ClaimedRun) -> RunDriver:
        run_id = run.lease.run_id
        if (old := self._drivers.get(run_id)) is not None:
            old.lose()  # its lease ran out (a stopped process, a clock that jumped) and the claim was ours again
        self._empty.clear()
        self.observers.tell(RunClaimed(run_id, run.workflow, run.lease.epoch, run.lost))
        execution = self._cache.pop(run_id, None)
        if execution is not None and execution.created_at != run.created_at:
            self.watchdog.close(run_id, execution.machine)  # of a run that was deleted, and another has its id
            execution = None
        driver = RunDriver(self, run, self.app.get(run.workflow), execution)
        self._drivers[run_id] = driver
        self.loop.call_soon(driver.pump)
        return driver

    def finished(self, driver: RunDriver, execution: CachedRun | None) -> None:
        """Take a driver off the list and keep its machine, if it may be needed again."""
        del self._drivers[driver.run_id]
        if execution is not None and not self._stopping:
            self._cache[driver.run_id] = execution
            if len(self._cache) > self._cache_size:
                run_id, oldest = self._cache.popitem(last=False)
                self.watchdog.close(run_id, oldest.machine)
        if not self._drivers:
            self._empty.set()
        self.progressed(driver)
        if self._backlog:
            self._wake.set()

    def progressed(self, driver: RunDriver) -> None:
        """Learn that a driver's run has come to an entry, and has not cost this worker."""
        self._trials.proven(driver)

    def recovered(self) -> None:
        """Learn that a run that had trouble with the store has been written again."""
        self._log.outage.over()

    async def _tell_news(self) -> None:
        """Tell drivers that wait for a step when somebody else has written to their journal."""
        waiting = {id_: driver for id_, driver in self._drivers.items() if driver.position is not None}
        if not waiting:
            return
        at = {id_: position for id_, driver in waiting.items() if (position := driver.position) is not None}
        for run_id in await self.port.grown(at):
            if waiting[run_id].position == at[run_id]:
                self.loop.call_soon(waiting[run_id].news)

    # -- leases ----------------------------------------------------------------------------------------------------

    def _lost(self, leases: Collection[RunLease]) -> None:
        for lease in leases:
            driver = self._drivers.get(lease.run_id)
            if driver is not None and driver.lease == lease:
                driver.lose()

    async def _try_what_was_stuck(self) -> None:
        """Take up runs that are blocked because other code than this worker's got stuck in them."""
        await asyncio.sleep(0)  # what was claimed reads its journals first
        for name in self.app.names():
            try:
                await self.port.try_other_code(name, fingerprint(self.app.get(name)))
            except StoreError as error:
                log.warning("runs of %s that were stuck could not be looked up (%s)", name, error)

    async def _let_go(self) -> None:
        held = [driver.lease for driver in self._drivers.values()]
        for driver in list(self._drivers.values()):
            driver.abandon()
        try:
            await self.port.release(self.owner, held)
        except StoreError as error:
            log.warning("leases could not be given up (%s); they run out by themselves", error)

    # -- waiting ---------------------------------------------------------------------------------------------------

    def _poll(self) -> None:
        """Look for work and news, whether or not there was a wake-up; and again after a while."""
        self._hear()
        self._polling = self.port.clock.call_later(self._poll_ms / 1000, self._poll, idle=True)

    def _set_alarm(self, due: int | None) -> None:
        """Wake up when something is due (ms)."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if due is not None:
            clock = self.port.clock
            self._alarm = clock.call_later(max(due - clock.now_ms(), 1) / 1000, self._wake.set)

    def _drop_cache(self) -> None:
        give_up = time.monotonic() + 2 * self._activation_s
        while self._cache:
            run_id, execution = self._cache.popitem()
            if self._activation_s and time.monotonic() > give_up:
                keep_for_ever(execution)  # there is code that resists; the worker ends in time all the same
            else:
                self.watchdog.close(run_id, execution.machine)
