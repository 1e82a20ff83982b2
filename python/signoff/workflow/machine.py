"""The machine: feed it journal entries, get the commands the code issues next.

It is deterministic and does no I/O. Recorded commands are compared with what the code asks for; notifications are fed
one at a time, and the code runs until it is idle after each. What it asks for beyond the journal is new.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from operator import itemgetter

from signoff.errors import NonDeterminism, WorkflowError
from signoff.workflow import nouns
from signoff.workflow.commands import Commands
from signoff.workflow.definition import WorkflowDefinition
from signoff.workflow.determinism import user_frame
from signoff.workflow.entry import Command, Entry, Notification
from signoff.workflow.event.entries import EventTimedOut
from signoff.workflow.input.entries import InputExpired
from signoff.workflow.loop import Halt
from signoff.workflow.run.ask import Execution, RunEnd
from signoff.workflow.run.cut import Cut, effective, is_cut
from signoff.workflow.run.entries import REMARKS, RunDescribed, RunStarted, RunTerminated
from signoff.workflow.step.ask import StepCall
from signoff.workflow.timer.entries import TimerFired
from signoff.workflow.validation.ask import OpenValidation

Timed = TimerFired | InputExpired | EventTimedOut
"""What comes of the time alone."""

_FEEDS = nouns.feeds()
_COMMANDS = frozenset(kind for kind in nouns.entries().values() if issubclass(kind, Command)) - {RunStarted}
_ANSWERS = frozenset(_FEEDS) - REMARKS - {RunStarted, RunTerminated}
"""What is fed to the code and is nothing more than that, as nearly all notifications are."""


class Machine:
    """One workflow's code, run over its journal.

    Args:
        definition: the workflow.

    Attributes:
        fed: how many entries the code was fed, for whoever watches how long each takes.

    Example:
        >>> machine = Machine(app.get("expense"))
        >>> machine.advance([started])
        [StepScheduled(at=0, id='check:0', label=None, expose=False)]
    """

    def __init__(self, definition: WorkflowDefinition) -> None:
        self.fed = 0
        self._commands = Commands()
        self._execution = Execution(self._commands, definition)

    @property
    def outcome(self) -> RunEnd | None:
        """Return how the run ended, once it has."""
        return self._execution.outcome

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
        return {id_: request.deadline_ms for id_, request in self._commands.inputs.items()}

    @property
    def open_validations(self) -> list[OpenValidation]:
        """Return what is to be judged: answers, and requests that a policy may decide before people do."""
        requests = self._commands.inputs
        return [due for one in requests.values() if (due := one.validation) is not None] if requests else []

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
        commands = self._commands
        due = [
            call.retry_at for id_, call in commands.steps.items() if call.retry_at is not None and id_ not in under_way
        ]
        if commands.timers or commands.inputs or commands.waits:
            due += [at for at, _, _ in self._times()]
        return min(due, default=None)

    def due(self, now_ms: int) -> Iterator[Notification]:
        """Yield what is due by `now_ms`, what has been due longest first; feed each before asking for the next.

        What the code gives up or puts off meanwhile is passed over, and what it asks for meanwhile comes last.
        """
        commands = self._commands
        if not (commands.timers or commands.inputs or commands.waits):
            return
        while overdue := sorted((one for one in self._times(now_ms) if one[0] <= now_ms), key=itemgetter(0)):
            for _, kind, id_ in overdue:
                at = self._due_at(kind, id_, now_ms)
                if at is not None and at <= now_ms:
                    yield commands.inputs[id_].due(now_ms) if kind is InputExpired else kind(now_ms, id_)

    def _times(self, now_ms: int | None = None) -> Iterator[tuple[int, type[Timed], str]]:
        commands = self._commands
        for id_, (fire_at, _) in commands.timers.items():
            yield fire_at, TimerFired, id_
        for id_, request in commands.inputs.items():
            if (at := request.due_at(now_ms)) is not None:
                yield at, InputExpired, id_
        for id_, wait in commands.waits.items():
            if wait.timeout_at is not None:
                yield wait.timeout_at, EventTimedOut, id_

    def _due_at(self, kind: type[Timed], id_: str, now_ms: int) -> int | None:
        commands = self._commands
        if kind is EventTimedOut:
            return commands.waits[id_].timeout_at if id_ in commands.waits else None
        if kind is InputExpired:
            return commands.inputs[id_].due_at(now_ms) if id_ in commands.inputs else None
        return commands.timers[id_][0] if id_ in commands.timers else None

    # -- driving ---------------------------------------------------------------------------------------------------

    def advance(self, entries: Sequence[Entry]) -> list[Command]:
        """Feed the next entries of the journal and return the commands that are new.

        Args:
            entries: recorded commands and notifications that were not fed yet, in the journal's order; the very first
                is `run.started`. Commands this machine has returned itself are not fed again. What cuts have undone is
                passed over, so a cut comes with the whole journal before it, to a new machine.

        Raises:
            WorkflowError: there is a cut in what is fed later.
            NonDeterminism: code and journal disagree; the machine is of no use any more and raises it again.
            RuntimeError: this was called inside a task of another event loop.
        """
        commands = self._commands
        loop, recorded = commands.loop, commands.recorded
        if type(loop.failure) is NonDeterminism:
            raise loop.failure
        new = commands.new = []
        notifications: list[Entry] = []
        last_turns: set[int] = set()
        begun = self._execution.started
        for entry in entries if begun else effective(entries):
            kind = type(entry)
            if kind in _ANSWERS:
                notifications.append(entry)
            elif kind in _COMMANDS:
                recorded.queue.append(entry)  # type: ignore[arg-type]
            elif kind is RunTerminated:
                _FEEDS[RunTerminated](commands, entry)
                return new
            else:
                if isinstance(entry, RunStarted) or (isinstance(entry, RunDescribed) and entry.python is not None):
                    recorded.python = entry.python
                elif isinstance(entry, Cut) and is_cut(entry):
                    if begun:
                        raise WorkflowError(f"{entry.type} undoes what was fed; feed a new machine the whole journal.")
                    recorded.queue.append(entry)
                    last_turns.add(_last_turn(notifications))
                notifications.append(entry)
        if notifications:
            with loop.running():
                for n, notification in enumerate(notifications):
                    self._feed(notification, turning=n in last_turns)
        if recorded.queue:
            self._check_left_over()
        return new

    def close(self) -> None:
        """Drop the coroutine; its cleanup code issues no commands."""
        self._execution.close()

    def __del__(self) -> None:
        """Close: a coroutine that is collected would run its cleanup."""
        self.close()

    def _feed(self, notification: Entry, *, turning: bool) -> None:
        commands, execution = self._commands, self._execution
        if execution.outcome is not None:
            return
        self.fed += 1
        commands.now_ms = max(commands.now_ms, notification.at)
        if not execution.started and type(notification) is not RunStarted:
            raise WorkflowError(f"A journal begins with run.started, not with {notification.type}.")
        commands.recorded.turning = turning
        if turning:
            commands.recorded.pass_cuts()
        with suppress(Halt):  # where code and journal disagree about what is asked for here; `go_on` says so
            _FEEDS[type(notification)](commands, notification)
        execution.go_on()

    def _check_left_over(self) -> None:
        frames = [user_frame(task.get_coro()) for task in self._commands.loop.open_tasks()]
        outcome = self._execution.outcome
        ended = None if outcome is None else outcome.type
        waiting = [frame for frame in frames if frame is not None]
        error = self._commands.recorded.left_over(waiting, ended)
        if error is not None:
            self._commands.loop.fail(error)
            raise error


def _last_turn(notifications: Sequence[Entry]) -> int:
    """Return which of them is the last at which the code takes a turn."""
    return max((n for n, one in enumerate(notifications) if type(one) not in REMARKS), default=0)
