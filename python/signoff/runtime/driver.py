"""Drive one claimed run: feed the machine, append what comes out, execute its steps, until nothing is left to do here.

A driver is a state machine of callbacks on the host's loop, not a task: the machine may not run inside a host task, and
every hop saved is latency of a step. Its states are the `Phase`s:

    phase       what is under way                      what ends it
    WAITING     steps, a timer, or nothing             `pump`, whatever has happened
    LOADING     the journal is read                    `_loaded`
    APPENDING   what the code did is written           `_appended`
    PARKING     the run is given up, with a reason     `_parked`
    OVER        nothing ever again                     -

`pump` is what begins anything, and does so only in WAITING. What arrives meanwhile is kept and taken at the next pump;
so notifications that arrive together share a commit.

The journal is the truth: after a lost race or an unknown outcome the machine is dropped, the journal read again, and
what was not written yet is decided anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from functools import partial
from itertools import islice
from time import perf_counter
from typing import Any, Final, Protocol

from signoff.clock import Alarm, Callback
from signoff.errors import WorkerLost, WorkflowError, WorkflowStuck
from signoff.runtime import telling
from signoff.runtime.attempts import Attempts
from signoff.runtime.cached_run import CachedRun, begins
from signoff.runtime.fingerprint import fingerprint
from signoff.runtime.logs import FAILURES
from signoff.runtime.observe import Observers, RunLost, RunReplayed, StoreTrouble
from signoff.runtime.outputs import AttemptOutputs
from signoff.runtime.port import (
    Appended,
    AppendOutcome,
    BlockReason,
    ClaimedRun,
    JournalAppend,
    JournalPart,
    LostLease,
    LostRace,
    NotTaken,
    Parking,
    RunPort,
)
from signoff.runtime.steps import StepRunner
from signoff.runtime.validations import Validations
from signoff.runtime.validators import ValidatorRunner
from signoff.runtime.watchdog import Watchdog
from signoff.workflow.definition import WorkflowDefinition
from signoff.workflow.entry import Entry, Error, Notification
from signoff.workflow.failure import error_of
from signoff.workflow.machine import Machine
from signoff.workflow.run.cut import holds_cut
from signoff.workflow.run.entries import RunDescribed, RunRetried, RunStarted, RunUnblocked

MOST_DUE: Final = 1_000
"""How many timers and deadlines fire in one commit, so that a run with very many holds up no other."""

BLOCKED_RETRY_MS: Final = 10_000
"""How often a blocked run is tried again, in case the right code has been deployed."""

STUCK_RETRY_MS: Final = 600_000
"""How often to look whether a run that was stuck has come to other code. A worker that starts looks by itself."""

MOST_LOST: Final = 3
"""How many workers a run may cost, one after the other and without an entry in between, before it is blocked."""


class Phase(Enum):
    """The states of a driver."""

    WAITING = "waiting"
    LOADING = "loading"
    APPENDING = "appending"
    PARKING = "parking"
    OVER = "over"

    __hash__ = object.__hash__  # Enum's own is no C, and this is asked four times a step


NEXT: Final = {
    Phase.WAITING: {Phase.LOADING, Phase.APPENDING, Phase.PARKING, Phase.OVER},
    Phase.LOADING: {Phase.WAITING, Phase.OVER},
    Phase.APPENDING: {Phase.WAITING, Phase.OVER},
    Phase.PARKING: {Phase.WAITING, Phase.OVER},
    Phase.OVER: set[Phase](),
}
"""From which phase a driver may come to which."""


class DriverOwner(Protocol):
    """The worker, as its drivers know it.

    Attributes:
        draining: attempts under way are finished, and no others started.
    """

    port: RunPort
    steps: StepRunner
    validators: ValidatorRunner
    watchdog: Watchdog
    observers: Observers
    loop: asyncio.AbstractEventLoop
    draining: bool

    def progressed(self, driver: RunDriver) -> None:
        """Learn that the run has come to an entry."""
        ...

    def recovered(self) -> None:
        """Learn that a run that had trouble with the store has been written again."""
        ...

    def finished(self, driver: RunDriver, execution: CachedRun | None) -> None:
        """Learn that the driver has nothing left to do; the execution may be kept for the next claim."""
        ...


class RunDriver:
    """The driver of one claimed run.

    Args:
        owner: the worker.
        run: as claimed; its lease fences every write.
        definition: the workflow's code.
        execution: kept from an earlier claim, if any.
    """

    def __init__(
        self, owner: DriverOwner, run: ClaimedRun, definition: WorkflowDefinition, execution: CachedRun | None
    ) -> None:
        self.run_id = run.lease.run_id
        self.lease = run.lease
        self._owner = owner
        self._port = owner.port
        self._clock = owner.port.clock
        self._run = run
        self._definition = definition
        self._execution = execution
        self._attempts = Attempts(
            self.run_id,
            run.workflow,
            steps=owner.steps,
            observers=owner.observers,
            hold=self._clock.hold,
            begin=partial(owner.port.transaction, run.lease),
            outputs=partial(AttemptOutputs, owner.port, run.lease),
            ended=self.pump,
            recorded=self.news,
            untried=self._pump_later,
        )
        self._validations = Validations(
            self.run_id, run.lost, runner=owner.validators, hold=self._clock.hold, ended=self.pump
        )
        self._unwritten: list[Entry] = []  # what the code asked for when it was replayed, beyond the journal
        self._paused = False
        self._withheld: list[Entry] = []  # from the machine, because the run is paused
        self._phase = Phase.WAITING
        self._let_go: Callback | None = None
        self._behind = True  # the journal has, or may have, entries that were not read
        self._alarm: Alarm | None = None
        self._failures = 0
        self._again: Alarm | None = None

    # -- what the outside tells ------------------------------------------------------------------------------------

    @property
    def position(self) -> int | None:
        """Return the journal position this driver is at; None while something of the journal is under way."""
        return None if self._phase is not Phase.WAITING or self._execution is None else self._execution.position

    def news(self) -> None:
        """Hear that somebody else has written to the journal."""
        self._behind = True
        self.pump()

    def abandon(self) -> None:
        """Stop at once without another write: the lease is gone, or given up by the worker."""
        self._finish(keep=False)

    # -- the one place where anything begins -----------------------------------------------------------------------

    def pump(self) -> None:
        """Take what has arrived, run the code, and append; or wait, or let go. Call it from a plain callback."""
        if self._phase is not Phase.WAITING:
            return
        if self._behind or self._execution is None:
            self._load()
            return
        if self._paused:
            self._wait_out(self._execution)
            return
        machine = self._execution.machine
        try:
            entries = self._owner.watchdog.run(self.run_id, machine, lambda: self._advance(machine))
        except Exception as error:  # the code and the journal disagree, or the code asks for what cannot be written
            self._take_back()
            self._block(error)
            return
        self._settle(self._execution, entries)

    def _wait_out(self, execution: CachedRun) -> None:
        """Begin nothing, the run is paused: write results as they come, let go when no attempt is under way."""
        self._validations.drop()
        idle = not self._attempts.under_way
        if idle or self._attempts.results:
            at = max(execution.machine.now_ms, *(entry.at for entry in self._withheld))
            self._append(execution, self._attempts.take_all(self._withheld, at), release=idle)

    def _enter(self, phase: Phase) -> None:
        assert phase in NEXT[self._phase], f"a driver that is {self._phase} cannot be {phase}"
        self._phase = phase
        if self._let_go is not None:
            self._let_go()
            self._let_go = None
        if phase is Phase.LOADING or phase is Phase.PARKING:  # while it appends, the committer holds it
            self._let_go = self._clock.hold()

    def _came_back(self, task: asyncio.Task[Any]) -> bool:
        """Go back to waiting, as a task has ended; return False if nobody wants to know how."""
        error = None if task.cancelled() else task.exception()  # one that nobody looks at would be complained of
        if self._phase is Phase.OVER:
            return False
        self._enter(Phase.WAITING)
        return error is not None or not task.cancelled()

    def _advance(self, machine: Machine) -> list[Entry]:
        entries, self._unwritten = self._unwritten, []
        due = islice(machine.due(max(self._clock.now_ms(), machine.now_ms)), MOST_DUE)
        while machine.outcome is None:
            notification: Notification | None = (
                self._attempts.next_result(machine) or self._validations.next_verdict(machine) or next(due, None)
            )
            if notification is None:
                break
            entries.append(notification)
            entries += machine.advance((notification,))
        return entries

    def _settle(self, execution: CachedRun, entries: list[Entry]) -> None:
        """Go on after a turn of the code: with attempts, or by giving the run up until something comes."""
        machine, draining = execution.machine, self._owner.draining
        now = self._clock.now_ms()
        runnable = [id_ for id_, call in machine.open_steps.items() if call.retry_at is None or call.retry_at <= now]
        judged = machine.open_validations
        if draining:
            goes_on = not self._attempts.under_way.keys().isdisjoint(runnable) or self._validations.under_way
        else:
            goes_on = bool(runnable or judged)
        if machine.outcome is not None or not goes_on:
            ready = machine.outcome is None and bool(runnable or judged)
            self._append(execution, entries, release=True, ready=ready)
        elif entries:
            self._append(execution, entries)
        else:
            self._execute(machine)

    # -- appending -------------------------------------------------------------------------------------------------

    def _append(
        self, execution: CachedRun, entries: Sequence[Entry], *, release: bool = False, ready: bool = False
    ) -> None:
        wake_at = execution.machine.wake_at() if execution.machine.outcome is None else None
        request = JournalAppend(self.lease, execution.position, entries, wake_at, ready, release)
        self._enter(Phase.APPENDING)
        self._port.append(request, partial(self._appended, request))

    def _appended(self, request: JournalAppend, outcome: AppendOutcome | Exception) -> None:
        if self._phase is Phase.OVER:
            return
        self._enter(Phase.WAITING)
        match outcome:
            case Appended(entries):
                if entries is not request.entries and entries and isinstance(entries[-1], RunRetried):
                    request = request._replace(entries=entries, ready=True)  # it goes on instead of failing
                self._written(request)
            case LostRace():
                self._fall_back(drop=bool(request.entries))
                self.pump()
            case LostLease():
                self._lose()
            case NotTaken(refused):
                self._take_back()
                self._leave_blocked(refused, None, BLOCKED_RETRY_MS)
            case Exception():
                what = f"a commit failed, or its outcome is unknown ({outcome})"
                self._look_it_up(what, drop=bool(request.entries))

    def _written(self, request: JournalAppend) -> None:
        execution = self._execution
        assert execution is not None
        if self._failures:
            self._failures = 0
            self._owner.recovered()
        self._attempts.fed.clear()
        self._validations.written()
        execution.position += len(request.entries)
        observers = self._owner.observers
        if observers.watched or request.release or not FAILURES.isdisjoint(map(type, request.entries)):
            telling.tell_written(observers, self._run, execution.machine, request)
        self._owner.progressed(self)
        if request.release:
            self._attempts.settle((), execution.machine.open_steps)
            self._finish(keep=execution.machine.outcome is None and not self._paused)
            return
        if self._paused:
            self._withheld += request.entries
        else:
            self._execute(execution.machine)
        if self._attempts.results or self._validations.verdicts or self._behind:
            self.pump()

    def _fall_back(self, *, drop: bool) -> None:
        """Forget what the machine did beyond the journal, keep the step results it had taken."""
        self._take_back()
        if drop:
            self._drop()
        self._behind = True

    def _take_back(self) -> None:
        self._attempts.take_back()
        self._validations.take_back()

    def _drop(self) -> None:
        self._unwritten, self._withheld = [], []
        if self._execution is not None:
            execution, self._execution = self._execution, None
            self._owner.watchdog.close(self.run_id, execution.machine)

    def _look_it_up(self, what: str, *, drop: bool = False) -> None:
        """After an unknown outcome: wait a little, then look what the journal says."""
        self._owner.observers.tell(StoreTrouble(self.run_id, self._run.workflow, what))
        self._fall_back(drop=drop)
        self._pump_later()

    def _pump_later(self) -> None:
        """Pump after a while, longer each time, and once for all that has failed until then."""
        if self._again is None:
            self._failures += 1
            self._again = self._clock.call_later(min(0.05 * 2 ** min(self._failures, 10), 5.0), self._pump_again)

    def _pump_again(self) -> None:
        self._again = None
        self.pump()

    # -- giving the run up, with a reason --------------------------------------------------------------------------

    def _block(self, error: Exception) -> None:
        """Park the run until a deploy of the right code heals it. Nothing is lost."""
        if isinstance(error, WorkflowStuck | WorkerLost):
            self._leave_blocked(error_of(error), fingerprint(self._definition), STUCK_RETRY_MS)
        else:
            self._leave_blocked(error_of(error), None, BLOCKED_RETRY_MS)

    def _leave_blocked(self, error: Error, code: str | None, again_ms: int) -> None:
        self._park(Parking(self._clock.now_ms() + again_ms, BlockReason(error, code)))

    def _refuses(self, part: JournalPart) -> bool:
        """Leave the run, without running its code, if that was stuck in it, or costs worker after worker."""
        if part.blocked and fingerprint(self._definition) in part.stuck:
            self._park(Parking(self._clock.now_ms() + STUCK_RETRY_MS))
            return True
        if self._run.lost < MOST_LOST:
            return False
        lost = WorkerLost(
            f"{self._run.lost} workers, one after the other, have died or frozen while they had this run, and none "
            "came to its next entry; nothing is lost. Look what their logs say of it. Deploy code that does not do "
            f"that, or let this try again with: signoff retry {self.run_id}."
        )
        self._block(lost)
        return True

    def _park(self, how: Parking) -> None:
        """Let go of the run, and forget what is not in the journal; the results of steps go along."""
        self._drop()
        how = replace(how, results=self._attempts.hand_over())
        self._enter(Phase.PARKING)
        task = self._owner.loop.create_task(self._port.park(self.lease, how))
        task.add_done_callback(self._parked)

    def _parked(self, task: asyncio.Task[AppendOutcome]) -> None:
        if not self._came_back(task):
            return
        if (error := task.exception()) is not None:
            self._look_it_up(f"whether it could be given up is unknown ({error})")
            return
        match task.result():
            case Appended(entries):
                telling.tell_parted(self._owner.observers, self._run, entries)
                self._finish(keep=False)
            case LostLease():
                self._finish(keep=False)
            case LostRace():
                self._fall_back(drop=False)
                self.pump()
            case NotTaken(refused):
                self._look_it_up(f"it could not be given up ({refused.message})")

    # -- loading ---------------------------------------------------------------------------------------------------

    def _load(self) -> None:
        self._behind = False
        self._enter(Phase.LOADING)
        since = 0 if self._execution is None else self._execution.position
        task = self._owner.loop.create_task(self._port.load(self.lease, since))
        task.add_done_callback(self._loaded)

    def _loaded(self, task: asyncio.Task[JournalPart | None]) -> None:
        if not self._came_back(task):
            return
        error = task.exception()
        if isinstance(error, WorkflowError):  # an entry this version cannot read
            self._block(error)
        elif error is not None:
            self._look_it_up(f"its journal cannot be read ({error})")
        elif (part := task.result()) is None:
            self._lose()
        elif self._execution is not None and holds_cut(part.entries):
            self._drop()  # what it was fed is undone
            self._load()
        else:
            self._follow(part)

    def _follow(self, part: JournalPart) -> None:
        execution = self._execution
        if execution is None:
            execution = self._execution = CachedRun(Machine(self._definition), self._run.created_at)
        execution.position += len(part.entries)
        self._withheld += part.entries
        self._paused = part.paused
        if part.paused:
            self.pump()
        elif (start_at := begins(self._withheld)) is not None and start_at > self._clock.now_ms():
            self._park(Parking(start_at, begins=True))
        elif not self._refuses(part):
            entries, self._withheld = self._withheld, []
            if self._take_up(execution.machine, entries, blocked=part.blocked):
                self.pump()

    def _take_up(self, machine: Machine, entries: Sequence[Entry], *, blocked: bool) -> bool:
        """Feed the machine what the journal has beyond it; return False if the code and the journal disagree."""
        began = perf_counter()
        try:
            self._unwritten += self._owner.watchdog.run(self.run_id, machine, partial(machine.advance, entries))
            self._unwritten[:0] = self._remarks(machine, entries, blocked=blocked)
        except Exception as error:
            self._block(error)
            return False
        if entries:
            replayed = RunReplayed(self.run_id, self._run.workflow, len(entries), perf_counter() - began)
            self._owner.observers.tell(replayed)
            telling.tell_answers(self._owner.observers, self._run, entries, self._clock.now_ms())
        return True

    def _remarks(self, machine: Machine, entries: Sequence[Entry], *, blocked: bool) -> list[Entry]:
        """Return what this worker has to say about the run before it goes on; replay passes over it."""
        now = max(self._clock.now_ms(), machine.now_ms)
        remarks: list[Notification] = []
        if blocked:
            remarks.append(RunUnblocked(at=now))
        if entries and isinstance(entries[0], RunStarted) and not any(type(one) is RunDescribed for one in entries):
            described = self._definition.describe(entries[0], now)
            remarks += [described] if described else []
        machine.advance(remarks)  # they move its time, as they will when it is replayed
        return list(remarks)

    # -- executing -------------------------------------------------------------------------------------------------

    def _execute(self, machine: Machine) -> None:
        """Start the attempts the journal asks for, stop those it gave up, set the alarm for what is due later."""
        now, draining = self._clock.now_ms(), self._owner.draining
        due = [call for call in machine.open_steps.values() if call.retry_at is None or call.retry_at <= now]
        self._attempts.settle([] if draining else due, machine.open_steps)
        self._validations.settle(machine.open_validations, begin=not draining)
        self._set_alarm(machine.wake_at(machine.open_steps if draining else self._attempts.under_way), now)

    def _set_alarm(self, wake_at: int | None, now: int) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if wake_at is not None:
            self._alarm = self._clock.call_later(max(wake_at - now, 0) / 1000, self.pump)

    # -- the end ---------------------------------------------------------------------------------------------------

    def _lose(self) -> None:
        self._owner.observers.tell(RunLost(self.run_id, self._run.workflow, self.lease.epoch))
        self._finish(keep=False)

    def lose(self) -> None:
        """Hear that the lease is lost: stop at once."""
        if self._phase is not Phase.OVER:
            self._lose()

    def _finish(self, *, keep: bool) -> None:
        if self._phase is Phase.OVER:
            return
        self._enter(Phase.OVER)
        self._set_alarm(None, 0)
        if self._again is not None:
            self._again.cancel()
        self._attempts.stop()
        self._validations.stop()
        execution = self._execution
        if not keep and execution is not None:
            self._owner.watchdog.close(self.run_id, execution.machine)
            execution = None
        self._owner.finished(self, execution)
