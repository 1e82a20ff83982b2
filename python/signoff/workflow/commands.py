"""Everything the code can ask for: each request becomes a command, checked against the journal, and a future.

This is the inner side of the context. It owns what is open: steps, timers, waits for events, requests for input.
"""

from __future__ import annotations

import logging
import random
import sys
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from signoff.errors import EventTimedOut, NonDeterminism, NotAllowedInWorkflow, SignoffError, UnsupportedValue
from signoff.names import check_name
from signoff.workflow import codec
from signoff.workflow.determinism import Recorded
from signoff.workflow.entry import Command
from signoff.workflow.event.entries import EventAbandoned, EventAwaited, EventReceived
from signoff.workflow.futures import Asked, Pending, TimerHandle
from signoff.workflow.input.ask import InputRequest
from signoff.workflow.input.entries import InputRequested, InputRevised, InputWithdrawn
from signoff.workflow.loop import MOST_HALTS, Halt, new_loop
from signoff.workflow.patch.entries import PatchMarked
from signoff.workflow.row.entries import RowPublished
from signoff.workflow.step.ask import StepCall
from signoff.workflow.step.entries import StepCancelled, StepScheduled
from signoff.workflow.step.options import StepOptions
from signoff.workflow.step.retry import DEFAULT
from signoff.workflow.timer.entries import TimerCancelled, TimerStarted

log = logging.getLogger("signoff.workflow")

T = TypeVar("T")
C = TypeVar("C", bound=Command)


@dataclass(slots=True, eq=False)
class Wait:
    """Hold an open wait for an event."""

    topic: str
    key: str | None
    timeout_at: int | None
    type: Any
    future: Asked[Any]


_told: set[tuple[str, int]] = set()
"""Where something is asked for and never awaited: each place is told once a process."""


class Commands:
    """Turn what the code asks for into commands.

    Attributes:
        now_ms: the machine's time: that of the latest notification it was fed.
        new: commands beyond the journal.
        steps, timers, inputs, waits: what is open, by id, oldest first.
        forever: how many waits there are that only a cancellation ends.
        unawaited: what is done and was not awaited until then.
        run_id, seed: of the run.
    """

    def __init__(self) -> None:
        self.now_ms = 0
        self.run_id = ""
        self.seed = ""
        self.recorded = Recorded()
        self.new: list[Command] = []
        self.steps: dict[str, StepCall] = {}
        self.timers: dict[str, tuple[int, TimerHandle | Asked[None]]] = {}
        self.inputs: dict[str, tuple[int | None, InputRequest[Any]]] = {}
        self.waits: dict[str, Wait] = {}
        self.forever = 0
        self.unawaited: list[Asked[Any]] = []
        self.loop = new_loop(self)
        self._uses: dict[str, int] = {}
        self._events: dict[str, list[EventReceived]] = {}
        self._seen: set[tuple[str, str]] = set()
        self._rows: set[tuple[str, str]] = set()
        self._patches: dict[str, bool] = {}

    # -- the one way a command comes about -------------------------------------------------------------------------

    def issue(self, kind: type[C], name: str, *members: Any) -> C:
        """Match a command with the journal, or add it as new; return the one that counts.

        Args:
            kind: the command's class.
            name: what identifies it among others of its kind.
            members: what follows `at`; only used if the command is new.

        Raises:
            Halt: the machine has stopped, or stops now because code and journal disagree.
        """
        if not self.loop.active or self.loop.failure is not None:  # `_over`, without the call: this is for every step
            raise self._refusal()
        try:
            found = self.recorded.take(kind, name)
        except NonDeterminism as error:
            self.loop.fail(error)
            raise Halt from None
        if found is not None:
            return found  # type: ignore[return-value]  # `take` compares the kind
        make: Callable[..., C] = kind
        command = make(self.now_ms, *members)
        self.new.append(command)
        return command

    def _over(self) -> bool:
        return not self.loop.active or self.loop.failure is not None

    def _refusal(self) -> BaseException:
        if self.loop.is_closed() or self.loop.failure is not None:
            self.loop.halts += 1
            return Halt()
        return NotAllowedInWorkflow("The context can be used by the workflow's own code only, not inside a step.")

    def _deaf(self) -> bool:
        """Tell whether the code swallows the end of the machine: it is given what never comes, and so suspended."""
        return self.loop.halts >= MOST_HALTS and self._over()

    def _ask(self, id_: str, given_up: Callable[[Pending[Any]], None]) -> Asked[Any]:
        frame = sys._getframe(3)  # of who called the context
        return self.loop.asked(id_, given_up, (frame.f_code, frame.f_lasti))

    def _never(self) -> Asked[Any]:
        return self.loop.asked("", _ignore, None)

    def tell_unawaited(self) -> None:
        """Log what the code asked for and never awaited; call it when it has returned."""
        open_now = [call.future for call in self.steps.values()] + [wait.future for wait in self.waits.values()]
        open_now += [timer for _, timer in self.timers.values() if isinstance(timer, Asked)]
        for future in self.unawaited + open_now:
            if not future.awaited and future.place not in _told:
                _told.add(future.place)
                log.warning(
                    "%s:%d: RuntimeWarning: %s was never awaited (run %s): without `await` the code does not wait for "
                    "it and does not see how it ends.",
                    *future.place,
                    future.id,
                    self.run_id,
                )

    def forget(self) -> None:
        """Forget what is open: the machine is dropped."""
        self.steps, self.timers, self.inputs, self.waits = {}, {}, {}, {}
        self._events, self.unawaited = {}, []

    def _next_id(self, name: str, what: str) -> tuple[str, int]:
        uses = self._uses.get(name)
        if uses is None:
            uses = 0
            check_name(name, what)
        self._uses[name] = uses + 1
        return f"{name}:{uses}", uses

    def pending(self, id_: str, given_up: Callable[[Pending[Any]], None]) -> Pending[Any]:
        """Return a future that tells when it is cancelled."""
        if self._deaf():
            return self._never()
        if self._over():
            raise self._refusal()
        return self.loop.pending(id_, given_up)

    # -- steps -----------------------------------------------------------------------------------------------------

    def step(
        self, name: str, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], options: StepOptions
    ) -> Asked[Any]:
        """Ask for a step. It sees the context variables that the code has set by now."""
        if not callable(fn):
            raise TypeError(f"ctx.step({name!r}, …) takes a function and its arguments, not {type(fn).__name__}.")
        if self.loop.halts and self._deaf():
            return self._never()
        if (defaults := getattr(fn, "__signoff_step__", None)) is not None:
            options = options.over(defaults)
        id_, n = self._next_id(name, "step name")
        asked = self.issue(StepScheduled, id_, id_, options.label, options.expose or False)
        future = self._ask(id_, self._step_given_up)
        retry = options.retry or DEFAULT
        self.steps[id_] = StepCall(
            id_, name, n, fn, args, kwargs, retry, options.timeout_ms, future, copy_context(), asked.expose
        )
        return future

    def _step_given_up(self, future: Pending[Any]) -> None:
        if self.steps.pop(future.id, None) is not None and not self._over():
            self.issue(StepCancelled, future.id, future.id)

    def cancel_steps(self) -> None:
        """Give all open steps up: the run has ended."""
        for id_ in list(self.steps):
            del self.steps[id_]
            self.issue(StepCancelled, id_, id_)

    # -- time ------------------------------------------------------------------------------------------------------

    def sleep(self, ms: int) -> Asked[None]:
        """Ask to be woken after `ms` milliseconds."""
        if self._deaf():
            return self._never()
        id_, _ = self._next_id("sleep", "name")
        started = self.issue(TimerStarted, id_, id_, self.now_ms + ms)
        future = self._ask(id_, self._sleep_given_up)
        self.timers[id_] = (started.fire_at, future)
        return future

    def _sleep_given_up(self, future: Pending[Any]) -> None:
        self.cancel_timer(future.id)

    def start_timer(self, handle: TimerHandle, fire_at: int) -> str:
        """Ask for a timer of asyncio's."""
        if self._deaf():
            return ""
        id_, _ = self._next_id("timer", "name")
        started = self.issue(TimerStarted, id_, id_, fire_at)
        self.timers[id_] = (started.fire_at, handle)
        return id_

    def cancel_timer(self, id_: str) -> None:
        """Give a timer up."""
        if self.timers.pop(id_, None) is not None and not self._over():
            self.issue(TimerCancelled, id_, id_)

    # -- events ----------------------------------------------------------------------------------------------------

    def await_event(self, topic: str, type_: Any, key: str | None, timeout_ms: int | None) -> Asked[Any]:
        """Wait for an event; one that has come before is taken at once."""
        if self._deaf():
            return self._never()
        id_, _ = self._next_id(topic, "topic")
        timeout_at = None if timeout_ms is None else self.now_ms + timeout_ms
        awaited = self.issue(EventAwaited, id_, id_, topic, key, timeout_at)
        wait = Wait(topic, key, awaited.timeout_at, type_, self._ask(id_, self._wait_given_up))
        kept = self._events.get(topic, [])
        for event in kept:
            if key is None or key == event.key:
                kept.remove(event)
                self._receive(wait.future, event.payload, type_)
                return wait.future
        self.waits[id_] = wait
        return wait.future

    def _wait_given_up(self, future: Pending[Any]) -> None:
        if self.waits.pop(future.id, None) is not None and not self._over():
            self.issue(EventAbandoned, future.id, future.id)

    def event_received(self, event: EventReceived) -> None:
        """Give an event to the oldest wait that takes it, or keep it. A second one with the same id is ignored."""
        known = (event.topic, event.event_id)
        if known in self._seen:
            return
        self._seen.add(known)
        for id_, wait in self.waits.items():
            if wait.topic == event.topic and wait.key in (None, event.key):
                del self.waits[id_]
                self._receive(wait.future, event.payload, wait.type)
                return
        self._events.setdefault(event.topic, []).append(event)

    def _receive(self, future: Asked[Any], encoded: Any, type_: Any) -> None:
        self.done(future)
        _resolve(future, partial(codec.receive, again=self.replaying), encoded, type_)

    def event_timed_out(self, id_: str) -> None:
        """End a wait without an event."""
        wait = self.waits.pop(id_, None)
        if wait is not None and not wait.future.done():
            wait.future.set_exception(EventTimedOut(f"No event came on {wait.topic} in time.", wait=id_))

    # -- requests for input ----------------------------------------------------------------------------------------

    def await_input(
        self,
        name: str,
        type_: Any,
        *,
        spec: dict[str, Any],
        to: tuple[str, ...],
        forbid: tuple[str, ...],
        deadline: int | None,
        expose: bool,
    ) -> InputRequest[Any]:
        """Ask people for an input."""
        if self._deaf():
            return InputRequest(self, "", type_)
        id_, _ = self._next_id(name, "name of a request")
        asked = self.issue(InputRequested, id_, id_, spec, to, forbid, deadline, expose)
        request: InputRequest[Any] = InputRequest(self, id_, type_)
        self.inputs[id_] = (asked.deadline, request)
        return request

    def revise_input(self, id_: str, changes: dict[str, Any]) -> None:
        """Change what people are shown."""
        deadline, request = self.inputs[id_]
        revised = self.issue(InputRevised, id_, id_, changes)
        self.inputs[id_] = (revised.changes.get("deadline", deadline), request)

    def withdraw_input(self, id_: str, reason: str | None) -> None:
        """Take a request back."""
        if self.inputs.pop(id_, None) is not None and not self._over():
            self.issue(InputWithdrawn, id_, id_, reason)

    # -- the rest --------------------------------------------------------------------------------------------------

    def publish(self, row_type: str, key: str, value: dict[str, Any] | None) -> None:
        """Publish a row of the application's, or delete it; deleting what is not there does nothing."""
        known = (row_type, key) in self._rows
        if value is None and not known:
            return
        self.issue(RowPublished, f"{row_type}/{key}", row_type, key, value, known)
        if value is None:
            self._rows.discard((row_type, key))
        else:
            self._rows.add((row_type, key))

    def patched(self, id_: str) -> bool:
        """Tell whether this run takes the new branch of a patch: yes, unless the journal went on without the mark."""
        known = self._patches.get(id_)
        if known is not None:
            return known
        check_name(id_, "patch id")
        if self._over():
            raise self._refusal()
        queue = self.recorded.queue
        marked = not queue or (type(queue[0]) is PatchMarked and queue[0].id == id_)
        self._patches[id_] = marked
        if marked:
            self.issue(PatchMarked, id_, id_)
        return marked

    def rng(self, purpose: str) -> random.Random:
        """Return a generator that gives every replay the same numbers."""
        return random.Random(f"{self.seed}/{purpose}")  # noqa: S311 - reproducible by design

    @property
    def replaying(self) -> bool:
        """Tell whether the journal has commands that the code has not come to yet."""
        return bool(self.recorded.queue)

    def idle(self) -> bool:
        """Tell whether nothing is open that the world could answer."""
        return not (self.steps or self.timers or self.inputs or self.waits or self.forever)

    def done(self, future: Asked[Any]) -> None:
        """Note that a future is done, for the case that nobody ever looks at it."""
        if not future.awaited:
            future.overdue()
            self.unawaited.append(future)

    def settle(self, future: Asked[Any], encoded: Any, type_: Any) -> None:
        """Resolve a future with a recorded value."""
        if not future._callbacks:  # else somebody waits, as nearly always
            self.done(future)
        _resolve(future, codec.decode, encoded, type_)


def _ignore(_future: Pending[Any]) -> None:
    """Do nothing: what was given up had never begun."""


def _resolve(future: Asked[Any], read: Callable[[Any, Any], Any], encoded: Any, type_: Any) -> None:
    if future.done():
        return
    try:
        value = read(encoded, type_)
    except UnsupportedValue as error:
        future.set_exception(error)
    except (TypeError, ValueError, SignoffError) as error:
        future.set_exception(UnsupportedValue(f"A recorded value cannot be read: {error}"))
    else:
        future.set_result(value)
