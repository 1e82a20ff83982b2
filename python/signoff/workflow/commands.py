"""What the code asks for becomes a command, checked against the journal, and a future.

This is the inner side of the context. It owns what is open: steps, timers, waits for events, requests for input; how
each is asked for, and what its end means, stands with its noun.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from signoff.errors import NonDeterminism, NotAllowedInWorkflow, SignoffError, UnsupportedValue
from signoff.names import check_name
from signoff.workflow import codec
from signoff.workflow.determinism import Recorded
from signoff.workflow.entry import Command
from signoff.workflow.futures import CallSite, CommandFuture, JournalFuture, TimerHandle, caller
from signoff.workflow.loop import MOST_HALTS, Halt, new_loop
from signoff.workflow.run.cut import Cut
from signoff.workflow.timer import ask as timers

if TYPE_CHECKING:
    from signoff.workflow.event.ask import Wait
    from signoff.workflow.event.entries import EventReceived
    from signoff.workflow.input.announce import Announcements
    from signoff.workflow.input.request import InputRequest
    from signoff.workflow.run.ask import Execution
    from signoff.workflow.step.ask import StepCall

log = logging.getLogger("signoff.workflow")

T = TypeVar("T")
C = TypeVar("C", bound=Command)

_warned: set[tuple[str, int]] = set()
"""Where something is asked for and never awaited: each place is told once a process."""


class Commands:
    """What one run's code has asked for.

    Attributes:
        now_ms: the machine's time: that of the latest notification it was fed.
        new: commands beyond the journal.
        steps, timers, inputs, waits: what is open, by id, oldest first.
        forever: how many waits there are that only a cancellation ends.
        unawaited: what is done and was not awaited until then.
        places: where the code has asked for steps, by name: the first of each.
        events, seen_events: events that nobody has taken yet, by topic, and the topics and ids of all.
        rows: types and keys of the rows that the run has published.
        patches: which branch it takes, by id.
        announced: requests that outputs are still to tell of; None: there were none.
        run_id, seed, started_by: of the run.
        points: how many points of no return it has passed.
        execution: the coroutine that asks.
    """

    execution: Execution

    def __init__(self) -> None:
        self.now_ms = 0
        self.run_id = ""
        self.started_by: str | None = None
        self.seed = ""
        self.points = 0
        self.recorded = Recorded(self._passed)
        self.new: list[Command] = []
        self.steps: dict[str, StepCall] = {}
        self.timers: dict[str, tuple[int, TimerHandle | CommandFuture[None]]] = {}
        self.inputs: dict[str, InputRequest[Any]] = {}
        self.waits: dict[str, Wait] = {}
        self.forever = 0
        self.unawaited: list[CommandFuture[Any]] = []
        self.places: dict[str, CallSite] = {}
        self.events: dict[str, list[EventReceived]] = {}
        self.seen_events: set[tuple[str, str]] = set()
        self.rows: set[tuple[str, str]] = set()
        self.patches: dict[str, bool] = {}
        self.announced: Announcements | None = None
        self.loop = new_loop(self)
        self._uses: dict[str, int] = {}

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
        if not self.loop.active or self.loop.failure is not None:  # `stopped`, without the call: this is for every step
            raise self.refusal()
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

    def recalls(self, kind: type[Command], name: str) -> bool:
        """Tell whether the journal has this command next, so that its members need not be made again."""
        return self.recorded.holds_next(kind, name)

    def _passed(self, cut: Cut) -> None:
        self.now_ms = max(self.now_ms, cut.at)

    def stopped(self) -> bool:
        """Tell whether nothing can be asked for: the code does not run here, or the machine has stopped."""
        return not self.loop.active or self.loop.failure is not None

    def refusal(self) -> BaseException:
        """Return what whoever asks for something then is refused with."""
        if self.loop.another_runs():
            ended = "which has ended" if self.loop.is_closed() else "which does not run now"
            return NotAllowedInWorkflow(
                f"This context is that of the run {self.run_id!r}, {ended}: code of another run has kept it, as in a "
                "global variable. Nothing was asked for. Use the context that the workflow is called with."
            )
        if self.loop.is_closed() or self.loop.failure is not None:
            self.loop.halts += 1
            return Halt()
        return NotAllowedInWorkflow("The context can be used by the workflow's own code only, not inside a step.")

    def swallows_its_end(self) -> bool:
        """Tell whether the code swallows the end of the machine: it is given what never comes, and so suspended."""
        return self.loop.halts >= MOST_HALTS and self.stopped()

    def never_done(self) -> CommandFuture[Any]:
        """Return a future that nothing resolves."""
        return self.loop.asked("", _ignore, caller())

    def tell_unawaited(self) -> None:
        """Log what the code asked for and never awaited; call it when it has returned."""
        open_now = [call.future for call in self.steps.values()] + [wait.future for wait in self.waits.values()]
        open_now += [timer for _, timer in self.timers.values() if isinstance(timer, CommandFuture)]
        for future in self.unawaited + open_now:
            if not future.awaited and future.place not in _warned:
                _warned.add(future.place)
                log.warning(
                    "%s:%d: RuntimeWarning: %s was never awaited (run %s): without `await` the code does not wait for "
                    "it and does not see how it ends.",
                    *future.place,
                    future.id,
                    self.run_id,
                )

    def close_all(self) -> None:
        """Forget what is open: the run has ended."""
        for open_ in (self.steps, self.timers, self.inputs, self.waits):
            open_.clear()

    def forget(self) -> None:
        """Forget what is open: the machine is dropped."""
        self.steps, self.timers, self.inputs, self.waits = {}, {}, {}, {}
        self.events, self.unawaited = {}, []

    def next_id(self, name: str, what: str) -> tuple[str, int]:
        """Return the id for the next use of a name, and the number in it.

        Args:
            name: as the code gives it.
            what: what it names, for the error.

        Raises:
            InvalidName: it is none.
        """
        uses = self._uses.get(name)
        if uses is None:
            uses = 0
            check_name(name, what)
        self._uses[name] = uses + 1
        return f"{name}:{uses}", uses

    def pending(self, id_: str, given_up: Callable[[JournalFuture[Any]], None]) -> JournalFuture[Any]:
        """Return a future that tells when it is cancelled."""
        if self.swallows_its_end():
            return self.never_done()
        if self.stopped():
            raise self.refusal()
        return self.loop.pending(id_, given_up)

    # -- what the loop asks for ------------------------------------------------------------------------------------

    def start_timer(self, handle: TimerHandle, fire_at: int) -> str:
        """Ask for a timer of asyncio's."""
        return timers.start(self, handle, fire_at)

    def cancel_timer(self, id_: str) -> None:
        """Give a timer up."""
        timers.cancel(self, id_)

    # -- the rest --------------------------------------------------------------------------------------------------

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

    def done(self, future: CommandFuture[Any]) -> None:
        """Note that a future is done, for the case that nobody ever looks at it."""
        if not future.awaited:
            future.overdue()
            self.unawaited.append(future)

    def receive(self, future: CommandFuture[Any], encoded: Any, type_: Any) -> None:
        """Resolve a future with a value from outside, which may not fit."""
        self.done(future)
        if future.done():
            return
        try:
            value = codec.receive(encoded, type_, again=self.replaying)
        except (TypeError, ValueError, SignoffError) as error:
            future.set_exception(_unreadable(error))
        else:
            future.set_result(value)

    def settle(self, future: CommandFuture[Any], encoded: Any, type_: Any) -> None:
        """Resolve a future with a recorded value."""
        if not future._callbacks:  # else somebody waits, as nearly always
            self.done(future)
        if future.done():
            return
        try:
            value = codec.decode(encoded, type_)
        except (TypeError, ValueError, SignoffError) as error:
            future.set_exception(_unreadable(error))
        else:
            future.set_result(value)


def _ignore(_future: JournalFuture[Any]) -> None:
    """Do nothing: what was given up had never begun."""


def _unreadable(error: Exception) -> UnsupportedValue:
    if isinstance(error, UnsupportedValue):
        return error
    return UnsupportedValue(f"A recorded value cannot be read: {error}")
