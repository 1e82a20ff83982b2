"""Drive one machine by hand, entry by entry."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from signoff.workflow.definition import define
from signoff.workflow.entry import PYTHON, Command, DecidedBy, Entry, Error
from signoff.workflow.event.entries import EventReceived, EventTimedOut
from signoff.workflow.input.entries import InputAnswered, InputExpired
from signoff.workflow.machine import Machine
from signoff.workflow.run.entries import CancelRequested, RunCompleted, RunFailed, RunStarted
from signoff.workflow.step.entries import StepCompleted, StepFailed
from signoff.workflow.timer.entries import TimerFired

ALICE = DecidedBy("person", "user:alice")


class Drive:
    """A machine with its journal and a clock."""

    def __init__(self, fn: Callable[..., Coroutine[Any, Any, Any]], input_: Any = None, **members: Any) -> None:
        self.definition = define(fn, "flow")
        self.machine = Machine(self.definition)
        self.now = 1_000
        self.journal: list[Entry] = []
        self.tell(RunStarted(self.now, "r1", "flow", "1", input_, "seed", "digest", **{"python": PYTHON} | members))

    def tell(self, *entries: Entry) -> list[Command]:
        """Feed notifications; return what the code asks for."""
        self.journal += entries
        new = self.machine.advance(entries)
        self.journal += new
        return new

    def tick(self, ms: int = 10) -> int:
        self.now += ms
        return self.now

    def done(self, id_: str, result: Any = None) -> list[Command]:
        return self.tell(StepCompleted(self.tick(), id_, 1, result))

    def broken(self, id_: str, retry_at: int | None = None, error: Error | None = None) -> list[Command]:
        call = self.machine.open_steps[id_]
        error = error or Error("broken", "it broke", "tests.Broken")
        return self.tell(StepFailed(self.tick(), id_, call.next_attempt, error, retry_at))

    def fire(self, id_: str) -> list[Command]:
        self.now = max(self.now, self.machine.open_timers[id_])
        return self.tell(TimerFired(self.now, id_))

    def event(self, topic: str, payload: Any = None, key: str | None = None, event_id: str | None = None) -> Any:
        self.tick()
        return self.tell(EventReceived(self.now, topic, event_id or f"e{self.now}", payload, key))

    def timed_out(self, id_: str) -> list[Command]:
        return self.tell(EventTimedOut(self.tick(), id_))

    def answer(self, id_: str, value: Any, action: str = "submit") -> list[Command]:
        return self.tell(InputAnswered(self.tick(), id_, f"s{self.now}", "d", action, value, ALICE))

    def expire(self, id_: str) -> list[Command]:
        return self.tell(InputExpired(self.tick(), id_))

    def cancel(self, reason: str | None = None) -> list[Command]:
        return self.tell(CancelRequested(self.tick(), reason))

    @property
    def output(self) -> Any:
        assert isinstance(self.machine.outcome, RunCompleted), self.machine.outcome
        return self.machine.outcome.output

    @property
    def error(self) -> Error:
        assert isinstance(self.machine.outcome, RunFailed), self.machine.outcome
        return self.machine.outcome.error


def asked(commands: Sequence[Entry]) -> list[str]:
    """Name commands shortly, e.g. `step.scheduled a:0`."""
    return [f"{command.type} {getattr(command, 'id', '')}".rstrip() for command in commands]


def work(value: Any = None) -> Any:
    return value
