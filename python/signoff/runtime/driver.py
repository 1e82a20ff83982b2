"""Drive one claimed run: feed the machine, commit what comes out, execute its steps, until nothing is left to do here.

A driver is a state machine of callbacks on the host's loop, not a task: the machine may not run inside a host task, and
every hop saved is latency of a step. `pump` is its one transition. At any time it is either *loading* the journal,
*committing* one Change, or *waiting* for steps, a timer or news. What arrives while it loads or commits is kept in
`_fresh` and taken at the next pump; so notifications that arrive together share a commit.

The journal is the truth: after a lost race or an unknown outcome the machine is dropped, the journal read again, and
what was not written yet is decided anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Protocol

from signoff.clock import Clock
from signoff.errors import SignoffError, StoreError, WorkerLost, WorkflowError, WorkflowStuck
from signoff.runtime.fingerprint import fingerprint
from signoff.runtime.live import Live, begins
from signoff.runtime.parking import BLOCKED_RETRY_MS, MOST_LOST, STUCK_RETRY_MS, Parking, Result, park
from signoff.runtime.report import report
from signoff.runtime.steps import StepRunner
from signoff.runtime.watchdog import Watchdog
from signoff.service.act import read_journal
from signoff.service.engine import Engine
from signoff.service.kinds import run_name
from signoff.service.run_change import RunChange, RunSnapshot
from signoff.stores.change import Committed, Conflict, Outcome, Subject
from signoff.workflow.definition import WorkflowDefinition
from signoff.workflow.entry import Entry, Notification
from signoff.workflow.failure import error_of
from signoff.workflow.machine import Machine
from signoff.workflow.run.cut import holds_cut
from signoff.workflow.run.entries import RunBlocked, RunDescribed, RunStarted, RunUnblocked
from signoff.workflow.step.ask import StepCall
from signoff.workflow.step.entries import StepCompleted, StepFailed
from signoff.workflow.view import View

log = logging.getLogger("signoff.runtime")

MOST_DUE = 1_000
"""How many timers and deadlines fire in one commit, so that a run with very many holds up no other."""


class Host(Protocol):
    """What a driver needs of its worker."""

    engine: Engine
    steps: StepRunner
    watchdog: Watchdog
    loop: asyncio.AbstractEventLoop

    def survived(self, driver: RunDriver) -> None:
        """Learn that the run has come to an entry."""
        ...

    def finished(self, driver: RunDriver, live: Live | None) -> None:
        """Learn that the driver has nothing left to do; `live` may be kept for the next claim."""
        ...


class RunDriver:
    """Drive one claimed run.

    Args:
        host: the worker.
        record: as claimed; its epoch fences every write.
        definition: the workflow's code.
        live: a machine kept from an earlier claim, if any.
    """

    def __init__(self, host: Host, record: Subject, definition: WorkflowDefinition, live: Live | None) -> None:
        self.run_id = record.name.id
        self.epoch = record.epoch
        self._host = host
        self._clock: Clock = host.engine.clock
        self._record = record
        self._definition = definition
        self._live = live
        self._fresh: list[Result] = []
        self._taken: list[Result] = []  # what the machine was fed of it, and is not in the journal yet
        self._unwritten: list[Entry] = []
        self._tasks: dict[str, asyncio.Task[StepCompleted | StepFailed]] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._busy = False
        self._news = True
        self._over = False
        self._draining = False
        self._stale = False  # the record is as it was claimed
        self._failures = 0

    # -- what the outside tells ------------------------------------------------------------------------------------

    @property
    def journal_tail(self) -> int | None:
        """Return the journal position this driver is at; None while it loads or commits."""
        return None if self._busy or self._live is None else self._live.journal_tail

    def news(self) -> None:
        """Hear that somebody else has written to the journal."""
        self._news = self._stale = True
        self.pump()

    def drain(self) -> None:
        """Finish the attempts under way, start no new ones, and give the lease up."""
        self._draining = True
        self.pump()

    def abandon(self) -> None:
        """Stop at once without another write: the lease is gone."""
        self._finish(keep=False)

    # -- the one transition ----------------------------------------------------------------------------------------

    def pump(self) -> None:
        """Take what has arrived, run the code, and commit; or wait, or let go. Call it from a plain callback."""
        if self._over or self._busy:
            return
        if self._news or self._live is None:
            self._load()
            return
        machine = self._live.machine
        try:
            self._settle(self._live, self._host.watchdog.run(self.run_id, machine, lambda: self._advance(machine)))
        except Exception as error:  # the code and the journal disagree, or the code asks for what cannot be written
            self._block(error, [*self._taken, *self._fresh])

    def _advance(self, machine: Machine) -> list[Entry]:
        entries, self._unwritten = self._unwritten, []
        due = islice(machine.due(max(self._clock.now_ms(), machine.now_ms)), MOST_DUE)
        while machine.outcome is None:
            notification = self._next_step_result(machine) or next(due, None)
            if notification is None:
                break
            entries.append(notification)
            entries += machine.advance((notification,))
        return entries

    def _next_step_result(self, machine: Machine) -> Notification | None:
        while self._fresh:
            result = self._fresh.pop(0)
            call = machine.open_steps.get(result.id)
            if call is not None and call.next_attempt == result.attempt:  # else the journal has it already
                taken = result if result.at >= machine.now_ms else replace(result, at=machine.now_ms)
                self._taken.append(taken)
                return taken
        return None

    def _settle(self, live: Live, entries: list[Entry]) -> None:
        machine = live.machine
        now = self._clock.now_ms()
        runnable = [id_ for id_, call in machine.open_steps.items() if call.retry_at is None or call.retry_at <= now]
        if machine.outcome is None and any(id_ in self._tasks or not self._draining for id_ in runnable):
            if entries:
                self._commit(live, entries, release=False)
            else:
                self._execute(machine)
            return
        self._commit(live, entries, release=True, ready=machine.outcome is None and bool(runnable))

    # -- committing ------------------------------------------------------------------------------------------------

    def _commit(
        self,
        live: Live,
        entries: list[Entry],
        *,
        release: bool,
        ready: bool = False,
    ) -> None:
        wake_at = live.machine.wake_at() if live.machine.outcome is None else None
        run = RunSnapshot(self._record, live.view)
        write = RunChange(run, entries, ready=ready, wake_at=wake_at, epoch=self.epoch, release=release)
        self._busy = True
        future = self._host.engine.committer.submit(write.change)
        future.add_done_callback(partial(self._committed, write, entries, release))

    def _committed(
        self, write: RunChange, entries: list[Entry], release: bool, future: asyncio.Future[Outcome]
    ) -> None:
        self._busy = False
        if self._over:
            return
        error = None if future.cancelled() else future.exception()
        if isinstance(error, SignoffError) and not isinstance(error, StoreError):
            self._block(error)  # the store works, and will never take this
            return
        if future.cancelled() or error is not None:
            self._again(entries, f"{error}")
            return
        match future.result():
            case Committed():
                report(self.run_id, entries)
                self._written(write, release)
            case Conflict(what="epoch"):
                log.info("run %s: another worker has taken over; nothing of ours was written", self.run_id)
                self.abandon()
            case Conflict():
                self._fall_back(entries)
                self.pump()

    def _written(self, write: RunChange, release: bool) -> None:
        assert self._live is not None
        self._failures = 0
        self._taken.clear()
        self._host.survived(self)
        self._record = write.after
        run = RunSnapshot(write.after, self._live.view)
        self._live.journal_tail, self._live.public_tail = run.journal_tail, run.public_tail
        if release:
            self._finish(keep=self._live.machine.outcome is None)
            return
        self._execute(self._live.machine)
        if self._fresh or self._news:
            self.pump()

    def _fall_back(self, entries: list[Entry]) -> None:
        """Forget what the machine did beyond the journal, keep the step results it had taken."""
        self._fresh[:0] = [entry for entry in entries if isinstance(entry, StepCompleted | StepFailed)]
        self._taken.clear()
        if entries:
            self._drop()
        self._news = self._stale = True

    def _drop(self) -> None:
        if self._live is not None:
            live, self._live = self._live, None
            self._host.watchdog.close(self.run_id, live.machine)

    def _again(self, entries: list[Entry], reason: str) -> None:
        """After an unknown outcome: wait a little, then look what the journal says."""
        log.warning("run %s: the outcome of a commit is unknown (%s); looking it up", self.run_id, reason)
        self._fall_back(entries)
        self._pump_later()

    def _pump_later(self) -> None:
        self._failures += 1
        self._host.loop.call_later(min(0.05 * 2 ** min(self._failures, 10), 5.0), self.pump)

    # -- parking ---------------------------------------------------------------------------------------------------

    def _block(self, error: Exception, results: Sequence[Result] = ()) -> None:
        """Park the run until a deploy of the right code heals it. Nothing is lost."""
        stuck = isinstance(error, WorkflowStuck | WorkerLost)
        code = fingerprint(self._definition) if stuck else None
        until = self._clock.now_ms() + (STUCK_RETRY_MS if stuck else BLOCKED_RETRY_MS)
        self._leave(Parking(until, RunBlocked(at=0, error=error_of(error), fingerprint=code), results))

    def _refuses(self, view: View) -> bool:
        """Leave the run, without running its code, if that was stuck in it, or costs worker after worker."""
        assert view.run is not None
        if view.run.row["status"] == "blocked" and fingerprint(self._definition) in view.run.stuck:
            self._leave(Parking(self._clock.now_ms() + STUCK_RETRY_MS))
            return True
        if self._record.lost < MOST_LOST:
            return False
        lost = WorkerLost(
            f"{self._record.lost} workers, one after the other, have died or frozen while they had this run, and none "
            "came to its next entry; nothing is lost. Look what their logs say of it. Deploy code that does not do "
            f"that, or let this try again with: signoff retry {self.run_id}."
        )
        self._block(lost, self._fresh)
        return True

    def _leave(self, how: Parking) -> None:
        """Let go of the run, and forget what is not in the journal."""
        self._busy = True
        self._drop()
        self._unwritten, self._fresh, self._taken = [], [], []
        task = self._host.loop.create_task(park(self._host.engine, self.run_id, self.epoch, how))
        task.add_done_callback(self._parked)

    def _parked(self, task: asyncio.Task[Outcome]) -> None:
        self._busy = False
        if self._over or task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._again([], f"{error}")
        elif isinstance(task.result(), Committed) or task.result() == Conflict("epoch", self.run_id):
            self._finish(keep=False)
        else:
            self._fall_back([])
            self.pump()

    # -- loading ---------------------------------------------------------------------------------------------------

    def _load(self) -> None:
        self._busy, self._news = True, False
        task = self._host.loop.create_task(self._read())
        task.add_done_callback(self._loaded)

    async def _read(self) -> list[Entry] | None:
        """Return what the journal has beyond the machine, as far as the record tells; None: the lease is gone."""
        store = self._host.engine.store
        if self._stale:
            loaded = await store.load(run_name(self.run_id))
            if loaded is None or loaded.subject.lease_owner is None or loaded.subject.epoch != self.epoch:
                return None
            self._record, self._stale = loaded.subject, False
        start = 0 if self._live is None else self._live.journal_tail
        entries, _ = await read_journal(store, self.run_id, start)
        return entries[: RunSnapshot(self._record, View()).journal_tail - start]

    def _loaded(self, task: asyncio.Task[list[Entry] | None]) -> None:
        self._busy = False
        if self._over or task.cancelled():
            return
        error = task.exception()
        if isinstance(error, WorkflowError):  # an entry this version cannot read
            self._block(error)
        elif error is not None:
            self._again([], f"{error}")
        elif (entries := task.result()) is None:
            self.abandon()
        elif self._live is not None and holds_cut(entries):
            self._drop()  # what it was fed is undone
            self._load()
        elif (start_at := begins(entries)) is not None and start_at > self._clock.now_ms():
            self._leave(Parking(start_at, begins=True))
        elif self._take_up(entries):
            self.pump()

    def _take_up(self, entries: list[Entry]) -> bool:
        """Feed the machine what the journal has beyond it; return False if that is no use."""
        live = self._live = self._live or Live(self._definition)
        try:
            live.follow(entries)
            if self._refuses(live.view):
                return False
            advance = partial(live.machine.advance, entries)
            self._unwritten += self._host.watchdog.run(self.run_id, live.machine, advance)
            self._unwritten[:0] = self._remarks(live, entries)
        except Exception as blocked:
            self._block(blocked, self._fresh)
            return False
        return True

    def _remarks(self, live: Live, entries: list[Entry]) -> list[Entry]:
        """Return what this worker has to say about the run before it goes on; replay passes over it."""
        now = max(self._clock.now_ms(), live.machine.now_ms)
        remarks: list[Notification] = []
        if live.view.run is not None and live.view.run.row["status"] == "blocked":
            remarks.append(RunUnblocked(at=now))
        if entries and isinstance(entries[0], RunStarted) and not any(type(one) is RunDescribed for one in entries):
            described = self._definition.describe(entries[0], now)
            remarks += [described] if described else []
        live.machine.advance(remarks)  # they move its time, as they will when it is replayed
        return list(remarks)

    # -- executing -------------------------------------------------------------------------------------------------

    def _execute(self, machine: Machine) -> None:
        """Start the attempts the journal asks for, stop those it gave up, set the alarm for what is due later."""
        for id_ in [id_ for id_ in self._tasks if id_ not in machine.open_steps]:
            self._tasks.pop(id_).cancel()
        now = self._clock.now_ms()
        done = {result.id for result in self._fresh}  # while the last commit was under way
        for call in machine.open_steps.values():
            due = call.retry_at is None or call.retry_at <= now
            if due and not self._draining and call.id not in self._tasks and call.id not in done:
                task = self._host.loop.create_task(self._host.steps.attempt(self.run_id, call))
                self._tasks[call.id] = task
                task.add_done_callback(partial(self._attempted, call))
        self._set_alarm(machine.wake_at(machine.open_steps if self._draining else self._tasks), now)

    def _attempted(self, call: StepCall, task: asyncio.Task[StepCompleted | StepFailed]) -> None:
        if self._tasks.get(call.id) is not task:
            return
        del self._tasks[call.id]
        if self._over:
            return
        if task.cancelled():  # not by us, who would have forgotten it first: the step has cancelled its own task
            self._fresh.append(self._host.steps.failed(call, asyncio.CancelledError()))
        elif (error := task.exception()) is not None:  # not the step's, which would be a result
            log.error("run %s: the step %s could not be tried (%s); trying again", self.run_id, call.id, error)
            self._pump_later()
            return
        else:
            self._fresh.append(task.result())
        self.pump()

    def _set_alarm(self, wake_at: int | None, now: int) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if wake_at is not None:
            self._alarm = self._host.loop.call_later(max(wake_at - now, 0) / 1000, self.pump)

    def _finish(self, *, keep: bool) -> None:
        if self._over:
            return
        self._over = True
        self._set_alarm(None, 0)
        for task in self._tasks.values():
            task.cancel()
        live = self._live
        if not keep and live is not None:
            self._host.watchdog.close(self.run_id, live.machine)
            live = None
        self._host.finished(self, live)
