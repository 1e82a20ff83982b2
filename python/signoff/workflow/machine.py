"""The machine: feed it journal entries, get the commands the code issues next.

It is deterministic and does no I/O. Recorded commands are compared with what the code asks for; notifications are fed
one at a time, and the code runs until it is idle after each. What it asks for beyond the journal is new.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Container, Iterator, Sequence
from operator import itemgetter
from typing import Any
from zlib import crc32

from signoff.errors import NonDeterminism, UnsupportedValue, WorkflowError
from signoff.errors import StepFailed as StepFailedError
from signoff.workflow import codec
from signoff.workflow.commands import Commands
from signoff.workflow.context import Context
from signoff.workflow.definition import WorkflowDefinition
from signoff.workflow.determinism import user_frame
from signoff.workflow.entry import SAME, Command, Entry, Error, Notification
from signoff.workflow.event.entries import EventReceived, EventTimedOut
from signoff.workflow.failure import error_of
from signoff.workflow.futures import TimerHandle
from signoff.workflow.input.ask import expired
from signoff.workflow.input.entries import InputAnswered, InputExpired
from signoff.workflow.loop import CancelledError
from signoff.workflow.run.entries import (
    CancelRequested,
    RunBlocked,
    RunCancelled,
    RunCompleted,
    RunDescribed,
    RunFailed,
    RunRetried,
    RunStarted,
    RunTerminated,
    RunUnblocked,
)
from signoff.workflow.step.ask import StepCall
from signoff.workflow.step.entries import StepCompleted, StepFailed
from signoff.workflow.timer.entries import TimerFired

__all__ = ["Machine", "StepCall", "error_of"]

Outcome = RunCompleted | RunFailed | RunCancelled | RunTerminated
Due = TimerFired | InputExpired | EventTimedOut


class Machine:
    """Run one workflow's code over its journal.

    Args:
        definition: the workflow.

    Attributes:
        outcome: how the run ended, once it has.
        fed: how many entries the code was fed, for whoever watches how long each takes.

    Example:
        >>> machine = Machine(app.get("expense"))
        >>> machine.advance([started])
        [StepScheduled(at=0, id='check:0', label=None, expose=False)]
    """

    def __init__(self, definition: WorkflowDefinition) -> None:
        self.outcome: Outcome | None = None
        self.fed = 0
        self._definition = definition
        self._commands = Commands()
        self._main: Any = None
        self._ending: Any = None
        self._started = False
        self._cancel: CancelRequested | None = None
        self._closed = False
        self._exposed = "output" in definition.expose

    # -- what is open ----------------------------------------------------------------------------------------------

    @property
    def now_ms(self) -> int:
        """Return the machine's time: the latest `at` it was fed, in milliseconds."""
        return self._commands.now_ms

    @property
    def open_steps(self) -> dict[str, StepCall]:
        """Return the steps that are asked for and not done, by id, oldest first."""
        return self._commands.steps

    @property
    def open_timers(self) -> dict[str, int]:
        """Return when each open timer is due, in milliseconds."""
        return {id_: fire_at for id_, (fire_at, _) in self._commands.timers.items()}

    @property
    def open_inputs(self) -> dict[str, int | None]:
        """Return the deadline of each pending request, in milliseconds, or None."""
        return {id_: deadline for id_, (deadline, _) in self._commands.inputs.items()}

    @property
    def open_events(self) -> dict[str, int | None]:
        """Return when each wait for an event times out, in milliseconds, or None."""
        return {id_: wait.timeout_at for id_, wait in self._commands.waits.items()}

    @property
    def disagreement(self) -> NonDeterminism | None:
        """Return how code and journal disagree, if they do."""
        failure = self._commands.loop.failure
        return failure if isinstance(failure, NonDeterminism) else None

    def wake_at(self, under_way: Container[str] = ()) -> int | None:
        """Return the earliest time (milliseconds) at which something is due: a timer, a deadline, a retry; or None.

        Args:
            under_way: steps whose retry need not be waited for, because it has begun.
        """
        due = [at for at, _, _ in self._times()]
        due += [
            call.retry_at
            for id_, call in self._commands.steps.items()
            if call.retry_at is not None and id_ not in under_way
        ]
        return min(due, default=None)

    def due(self, now_ms: int) -> Iterator[Due]:
        """Yield what is due by `now_ms`, what has been due longest first; feed each before asking for the next.

        What the code gives up or puts off meanwhile is passed over, and what it asks for meanwhile comes last.
        """
        while overdue := sorted((one for one in self._times() if one[0] <= now_ms), key=itemgetter(0)):
            for _, kind, id_ in overdue:
                at = self._due_at(kind, id_)
                if at is not None and at <= now_ms:
                    yield kind(now_ms, id_)

    def _times(self) -> Iterator[tuple[int, type[Due], str]]:
        commands = self._commands
        for id_, (fire_at, _) in commands.timers.items():
            yield fire_at, TimerFired, id_
        for id_, (deadline, _) in commands.inputs.items():
            if deadline is not None:
                yield deadline, InputExpired, id_
        for id_, wait in commands.waits.items():
            if wait.timeout_at is not None:
                yield wait.timeout_at, EventTimedOut, id_

    def _due_at(self, kind: type[Due], id_: str) -> int | None:
        commands = self._commands
        if kind is EventTimedOut:
            return commands.waits[id_].timeout_at if id_ in commands.waits else None
        timed: dict[str, tuple[Any, Any]] = commands.timers if kind is TimerFired else commands.inputs
        return timed[id_][0] if id_ in timed else None

    # -- driving ---------------------------------------------------------------------------------------------------

    def advance(self, entries: Sequence[Entry]) -> list[Command]:
        """Feed the next entries of the journal and return the commands that are new.

        Args:
            entries: recorded commands and notifications that were not fed yet, in the journal's order; the very first
                is `run.started`. Commands this machine has returned itself are not fed again.

        Raises:
            NonDeterminism: code and journal disagree; the machine is of no use any more and raises it again.
            RuntimeError: this was called inside a task of another event loop.
        """
        commands = self._commands
        if isinstance(commands.loop.failure, NonDeterminism):
            raise commands.loop.failure
        new = commands.new = []
        notifications: list[Notification | RunStarted] = []
        for entry in entries:
            if isinstance(entry, Command) and type(entry) is not RunStarted:
                commands.recorded.queue.append(entry)
            elif type(entry) is RunTerminated:
                self._terminated(entry)
                return new
            else:
                notifications.append(entry)  # type: ignore[arg-type]
                if type(entry) is RunStarted or (type(entry) is RunDescribed and entry.python is not None):
                    commands.recorded.python = entry.python
        with commands.loop.running():
            for notification in notifications:
                if self.outcome is None:
                    self._feed(notification)
        self._check_left_over()
        return new

    def close(self) -> None:
        """Drop the coroutine; its cleanup code issues no commands."""
        if not self._closed:
            self._closed = True
            self._main = self._ending = None
            self._commands.forget()
            self._commands.loop.close()

    def __del__(self) -> None:
        """Close: a coroutine that is collected would run its cleanup."""
        self.close()

    def _feed(self, notification: Notification | RunStarted) -> None:
        commands = self._commands
        self.fed += 1
        commands.now_ms = max(commands.now_ms, notification.at)
        if not self._started and type(notification) is not RunStarted:
            raise WorkflowError(f"A journal begins with run.started, not with {notification.type}.")
        _FEEDS[type(notification)](self, notification)
        if self._main is None:
            return
        commands.loop.drain(self._ending or self._main)
        failure = commands.loop.failure
        if failure is not None:
            if isinstance(failure, NonDeterminism):
                raise failure
            self._end(failure)
        elif (self._main.done() and self._over()) or (not commands.steps and commands.idle()):
            self._end(None)

    def _over(self) -> bool:
        """Let the generators of code that has ended run their cleanup; tell whether they have."""
        loop = self._commands.loop
        while self._ending is None or self._ending.done():
            self._ending = loop.ending()
            if self._ending is None:
                return True
            loop.drain(self._ending)
            if loop.failure is not None:
                return True
        return False

    def _check_left_over(self) -> None:
        queue = self._commands.recorded.queue
        if not queue:
            return
        frames = [user_frame(task.get_coro()) for task in self._commands.loop.open_tasks()]
        ended = None if self.outcome is None else self.outcome.type
        waiting = [frame for frame in frames if frame is not None]
        error = self._commands.recorded.left_over(waiting, ended)
        if error is not None:
            self._commands.loop.fail(error)
            raise error

    # -- beginning and end -----------------------------------------------------------------------------------------

    def _start(self, started: RunStarted) -> None:
        if self._started:
            raise WorkflowError("A journal has run.started once, at its beginning.")
        self._started = True
        self._exposed |= "output" in started.expose
        commands, definition = self._commands, self._definition
        commands.now_ms = max(commands.now_ms, started.start_at or 0)
        commands.run_id, commands.seed = started.run_id, started.seed
        commands.loop.salt = crc32(started.seed.encode())
        commands.loop.legacy = started.python is None
        try:
            arguments = definition.arguments(started.input, again=commands.replaying)
        except Exception as error:  # reading a type may run anybody's code
            why = error.detail if isinstance(error, UnsupportedValue) else error_of(error).message
            what = f"The input does not fit the workflow: {why}"
            self._finish(RunFailed, Error("invalid_input", what, "signoff.errors.InvalidInput"))
            return
        # An empty context: what the host has set (a logger's fields, a decimal precision) differs between replays.
        self._main = contextvars.Context().run(
            lambda: commands.loop.create_task(definition.fn(Context(commands), *arguments), name=definition.name)
        )

    def _end(self, failure: BaseException | None) -> None:
        commands = self._commands
        error = None if failure is None else error_of(failure)
        output: tuple[Any, ...] = ()
        if failure is None:
            output, error = self._result()
        if failure is None and error is None and self._cancel is None:
            commands.tell_unawaited()
        commands.loop.failure = None  # the machine itself may still issue what ends the run
        try:
            commands.cancel_steps()
            if self._cancel is not None:
                self._finish(RunCancelled, self._cancel.reason, error)
            elif error is not None:
                self._finish(RunFailed, error)
            else:
                self._finish(RunCompleted, *output)
        except BaseException:
            if isinstance(commands.loop.failure, NonDeterminism):
                raise commands.loop.failure from None
            raise

    def _result(self) -> tuple[tuple[Any, ...], Error | None]:
        """Return what stands in `run.completed` (output, whether it is exposed, how it is shown), and the error."""
        main = self._main
        if not main.done():
            return (), Error("stuck", f"The code waits for something that can never come, in {self._place()}.")
        if main.cancelled():
            return (), None if self._cancel else Error("cancelled_error", "The workflow cancelled itself.")
        raised = main.exception()
        if raised is not None:
            if self._cancel is not None and _only_cancelled(raised):
                return (), None
            return (), error_of(raised)
        try:
            output = codec.encode(main.result())
            shown = codec.shown_apart(main.result(), output) if self._exposed else SAME
        except UnsupportedValue as refused:
            return (), error_of(refused)
        return (output, "output" in self._definition.expose, shown), None

    def _place(self) -> str:
        frame = user_frame(self._main.get_coro())
        return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else self._definition.name

    def _finish(self, kind: type[RunCompleted | RunFailed | RunCancelled], *members: Any) -> None:
        commands = self._commands
        self.outcome = commands.issue(kind, "", *members)
        commands.timers.clear()
        commands.inputs.clear()
        commands.waits.clear()
        self.close()

    def _terminated(self, entry: RunTerminated) -> None:
        """Take note of the end without running the code up to it: it may be the very code that never comes back."""
        commands = self._commands
        self.outcome = entry
        commands.recorded.queue.clear()
        for open_ in (commands.steps, commands.timers, commands.inputs, commands.waits):
            open_.clear()
        self.close()

    # -- notifications ---------------------------------------------------------------------------------------------

    def _step_completed(self, entry: StepCompleted) -> None:
        call = self._commands.steps.pop(entry.id, None)
        if call is not None:
            try:
                type_ = call.return_type
            except TypeError as error:
                call.future.set_exception(UnsupportedValue(str(error)))
            else:
                self._commands.settle(call.future, entry.result, type_)

    def _step_failed(self, entry: StepFailed) -> None:
        call = self._commands.steps.get(entry.id)
        if call is None:
            return
        call.next_attempt = entry.attempt + 1
        call.retry_at = entry.retry_at
        if entry.retry_at is not None:
            return
        del self._commands.steps[entry.id]
        error = entry.error
        times = f"{entry.attempt} attempt{'s' if entry.attempt > 1 else ''}"
        failed = StepFailedError(
            f"The step {entry.id} failed after {times}: {error.message or error.code}",
            step=entry.id,
            error={"code": error.code, "message": error.message, "type": error.type, "public": error.public},
            attempts=entry.attempt,
        )
        self._commands.done(call.future)
        if not call.future.done():
            call.future.set_exception(failed)

    def _timer_fired(self, entry: TimerFired) -> None:
        found = self._commands.timers.pop(entry.id, None)
        if found is None:
            return
        target = found[1]
        if isinstance(target, TimerHandle):
            self._commands.loop.fire(target)
        elif not target.done():
            self._commands.done(target)
            target.set_result(None)

    def _event_received(self, entry: EventReceived) -> None:
        self._commands.event_received(entry)

    def _event_timed_out(self, entry: EventTimedOut) -> None:
        self._commands.event_timed_out(entry.id)

    def _input_answered(self, entry: InputAnswered) -> None:
        found = self._commands.inputs.pop(entry.id, None)
        if found is not None:
            found[1].answered(entry)

    def _input_expired(self, entry: InputExpired) -> None:
        found = self._commands.inputs.pop(entry.id, None)
        if found is not None:
            found[1].fail(expired(entry.id))

    def _cancel_requested(self, entry: CancelRequested) -> None:
        if self._cancel is not None or self._main is None:
            return
        self._cancel = entry
        self._main.cancel()
        self._commands.loop.cancel_endings()
        # The rows were withdrawn with the cancellation; what the code asked for meanwhile must not stay open either.
        for _, request in list(self._commands.inputs.values()):
            request.withdraw("cancelled")

    def _run_described(self, entry: RunDescribed) -> None:
        self._exposed |= "output" in entry.expose

    def _pass_over(self, entry: RunBlocked | RunUnblocked | RunRetried) -> None:
        """Replay has no interest in this entry."""


def _only_cancelled(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_only_cancelled(inner) for inner in error.exceptions)
    return isinstance(error, CancelledError)


_FEEDS: dict[type, Callable[[Machine, Any], None]] = {
    RunStarted: Machine._start,
    StepCompleted: Machine._step_completed,
    StepFailed: Machine._step_failed,
    TimerFired: Machine._timer_fired,
    EventReceived: Machine._event_received,
    EventTimedOut: Machine._event_timed_out,
    InputAnswered: Machine._input_answered,
    InputExpired: Machine._input_expired,
    CancelRequested: Machine._cancel_requested,
    RunBlocked: Machine._pass_over,
    RunUnblocked: Machine._pass_over,
    RunDescribed: Machine._run_described,
    RunRetried: Machine._pass_over,
}
