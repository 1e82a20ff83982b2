"""The code of a run: its coroutine is begun, cancelled, and seen to its end."""

from __future__ import annotations

import contextvars
from contextlib import suppress
from typing import Any
from zlib import crc32

from signoff.errors import NonDeterminism, UnsupportedValue, WorkflowError
from signoff.workflow import codec
from signoff.workflow.commands import Commands
from signoff.workflow.context import Context
from signoff.workflow.definition import WorkflowDefinition
from signoff.workflow.determinism import user_frame
from signoff.workflow.entry import SAME, Entry, Error
from signoff.workflow.failure import causes_of, error_of
from signoff.workflow.loop import CancelledError, Halt
from signoff.workflow.offer import Feeds
from signoff.workflow.run.entries import (
    REMARKS,
    CancelRequested,
    RunCancelled,
    RunCompleted,
    RunDescribed,
    RunFailed,
    RunStarted,
    RunTerminated,
)
from signoff.workflow.run.fold import starter
from signoff.workflow.step.ask import cancel_all

RunEnd = RunCompleted | RunFailed | RunCancelled | RunTerminated


class Execution:
    """The coroutine of one run.

    Args:
        commands: what it asks for.
        definition: the workflow.

    Attributes:
        outcome: how the run ended, once it has.
        started: it has been begun.
    """

    def __init__(self, commands: Commands, definition: WorkflowDefinition) -> None:
        self.outcome: RunEnd | None = None
        self.started = False
        self._commands = commands
        self._definition = definition
        self._main: Any = None
        self._ending: Any = None
        self._cancel: CancelRequested | None = None
        self._closed = False
        self._exposed = "output" in definition.expose
        commands.execution = self

    def begin(self, started: RunStarted) -> None:
        """Begin to run the code; the run fails if its input does not fit.

        Raises:
            WorkflowError: it has been begun before.
        """
        if self.started:
            raise WorkflowError("A journal has run.started once, at its beginning.")
        self.started = True
        self._exposed |= "output" in started.expose
        commands, definition = self._commands, self._definition
        commands.now_ms = max(commands.now_ms, started.start_at or 0)
        commands.run_id, commands.seed = started.run_id, started.seed
        commands.started_by = starter(started)
        commands.loop.salt = crc32(started.seed.encode())
        commands.loop.legacy = started.python is None
        try:
            arguments = definition.arguments(started.input, again=commands.replaying)
        except Exception as error:  # reading a type may run anybody's code
            why = error.detail if isinstance(error, UnsupportedValue) else error_of(error).message
            what = f"The input does not fit the workflow: {why}"
            self._finish(RunFailed, Error("invalid_input", what, "signoff.errors.InvalidInput"), ())
            return
        # An empty context: what the host has set (a logger's fields, a decimal precision) differs between replays.
        self._main = contextvars.Context().run(
            lambda: commands.loop.create_task(definition.fn(Context(commands), *arguments), name=definition.name)
        )

    def describe(self, entry: RunDescribed) -> None:
        """Take note of what browsers may see of the run."""
        self._exposed |= "output" in entry.expose

    def cancel(self, entry: CancelRequested) -> None:
        """Ask the code to stop; its cleanup still runs."""
        if self._cancel is not None or self._main is None:
            return
        self._cancel = entry
        self._main.cancel()
        self._commands.loop.cancel_endings()
        # The rows were withdrawn with the cancellation; what the code asked for meanwhile must not stay open either.
        for request in list(self._commands.inputs.values()):
            request.withdraw("cancelled")

    def terminate(self, entry: RunTerminated) -> None:
        """Take note of the end without running the code up to it: it may be the very code that never comes back."""
        commands = self._commands
        self.outcome = entry
        commands.recorded.queue.clear()
        commands.close_all()
        self.close()

    def go_on(self) -> None:
        """Run the code until it is idle; see the run to its end if that was the code's.

        Raises:
            NonDeterminism: code and journal disagree.
        """
        if self._main is None:
            return
        commands = self._commands
        commands.loop.drain(self._ending or self._main)
        if commands.announced is not None and commands.loop.failure is None and not self._main.done():
            with suppress(Halt):  # where code and journal disagree; the failure says so
                commands.announced.tell()
        failure = commands.loop.failure
        if failure is not None:
            if isinstance(failure, NonDeterminism):
                raise failure
            self._end(failure)
        elif (self._main.done() and self._over()) or (not commands.steps and commands.idle()):
            self._end(None)

    def close(self) -> None:
        """Drop the coroutine; its cleanup code issues no commands."""
        if not self._closed:
            self._closed = True
            self._main = self._ending = None
            self._commands.forget()
            self._commands.loop.close()

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
            cancel_all(commands)
            if self._cancel is not None:
                self._finish(RunCancelled, self._cancel.reason, error)
            elif error is not None:
                self._finish(RunFailed, error, causes_of(failure or self._raised()))
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

    def _raised(self) -> BaseException | None:
        main = self._main
        raised: BaseException | None = main.exception() if main.done() and not main.cancelled() else None
        return raised

    def _place(self) -> str:
        frame = user_frame(self._main.get_coro())
        return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else self._definition.name

    def _finish(self, kind: type[RunCompleted | RunFailed | RunCancelled], *members: Any) -> None:
        commands = self._commands
        self.outcome = commands.issue(kind, "", *members)
        commands.close_all()
        self.close()


def _only_cancelled(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_only_cancelled(inner) for inner in error.exceptions)
    return isinstance(error, CancelledError)


def _started(commands: Commands, entry: RunStarted) -> None:
    commands.execution.begin(entry)


def _described(commands: Commands, entry: RunDescribed) -> None:
    commands.execution.describe(entry)


def _cancel_requested(commands: Commands, entry: CancelRequested) -> None:
    commands.execution.cancel(entry)


def _terminated(commands: Commands, entry: RunTerminated) -> None:
    commands.execution.terminate(entry)


def _pass_over(_commands: Commands, _entry: Entry) -> None:
    """Replay has no interest in this entry."""


FEEDS: Feeds = dict.fromkeys(REMARKS, _pass_over) | {
    RunStarted: _started,
    RunDescribed: _described,
    CancelRequested: _cancel_requested,
    RunTerminated: _terminated,
}
