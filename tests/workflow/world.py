"""A world that answers workflows: chooses what happens next, keeps the journal, and is itself repeatable."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from signoff.workflow.claim.entries import InputClaimed, InputReleased
from signoff.workflow.definition import WorkflowDefinition
from signoff.workflow.entry import PYTHON, Command, DecidedBy, Entry, Error
from signoff.workflow.event.entries import EventReceived
from signoff.workflow.handover.entries import InputAmended, InputDelegated, InputReassigned
from signoff.workflow.input.entries import InputAnswered, InputExpired, InputReminded
from signoff.workflow.machine import Machine
from signoff.workflow.run.cut import effective
from signoff.workflow.run.entries import CancelRequested, RunBlocked, RunStarted, RunUnblocked
from signoff.workflow.step.entries import StepCompleted, StepFailed
from signoff.workflow.timer.entries import TimerFired
from signoff.workflow.validation.entries import InputReturned
from signoff.workflow.vote.entries import InputVoted

Choose = Callable[[int], int]
"""Given n, choose a number below n."""

POLICIES = {"board:0", "check:0"}
"""Requests of one shape, with which people do more than answer."""

TOOLS = {"tool.read:0": False, "tool.write:0": True, "tool.write:1": True, "tool.write:2": True}
"""Requests of one shape about tools, and whether a policy is asked before people are."""

START = 1_700_000_000_000
ERROR = Error("broken", "it broke", "tests.Broken")


def started(definition: WorkflowDefinition, size: int = 0, seed: str = "seed") -> RunStarted:
    return RunStarted(START, "r1", definition.name, definition.version, size, seed, "digest", python=PYTHON)


def by_chance(seed: int) -> Choose:
    return random.Random(seed).randrange


class World:
    """Drive one run to its end.

    Args:
        definition: the workflow.
        choose: decides everything that could go one way or another.
        size: the run's input.
        cancels: the run may be cancelled at any time.
    """

    def __init__(self, definition: WorkflowDefinition, choose: Choose, size: int = 0, *, cancels: bool = False) -> None:
        self.choose = choose
        self.definition = definition
        self.machine = Machine(definition)
        self.now = START
        self.journal: list[Entry] = []
        self.cancels = cancels
        self.told = 0
        self._feed([started(definition, size)])

    def run(self, most: int = 300) -> list[Entry]:
        """Let things happen until the run has ended; return its journal."""
        for _ in range(most):
            if self.machine.outcome is not None:
                return self.journal
            self.step()
        self._feed([CancelRequested(self.now, "too long")])
        while self.machine.outcome is None:
            self._feed([self._next()])
        return self.journal

    def step(self) -> None:
        """Let one thing happen, or two while no worker looks: a service writes down what comes from outside."""
        self._feed([self._next() for _ in range(1 + (self.choose(4) == 3))])

    def _feed(self, entries: list[Entry]) -> None:
        self.journal += entries
        self.journal += self.machine.advance(entries)

    def _next(self) -> Entry:
        self.now += self.choose(50)
        options: list[Callable[[], Entry]] = [*self._steps(), *self._people(), *self._time()]
        self.told += 1
        if self.choose(8) == 7 or not options:
            options = self._noise()
        return options[self.choose(len(options))]()

    def _steps(self) -> list[Callable[[], Entry]]:
        found: list[Callable[[], Entry]] = []
        for call in self.machine.open_steps.values():
            found += [partial(StepCompleted, self.now, call.id, call.next_attempt, self.told)] * 3
            found.append(partial(StepFailed, self.now, call.id, call.next_attempt, ERROR, self.now + 100))
            found.append(partial(StepFailed, self.now, call.id, call.next_attempt, ERROR))
        return found

    def _people(self) -> list[Callable[[], Entry]]:
        by = DecidedBy("person", "user:alice")
        found: list[Callable[[], Entry]] = []
        for id_ in self.machine.open_inputs:
            if id_ in TOOLS:
                found += self._about_a_tool(id_)
                continue
            sent = (self.now, id_, f"s{self.told}", "d", "submit", self.told % 2 == 0, by)
            found.append(partial(InputAnswered, *sent, votes=self._votes(id_)))
            if id_ in POLICIES:
                found.append(partial(InputVoted, *sent))
                found.append(partial(InputClaimed, self.now, id_, by, self.now + 60_000))
                found.append(partial(InputReleased, self.now, id_, by))
                found.append(partial(InputDelegated, self.now, id_, "user:bora", "away", by))
                found.append(partial(InputReassigned, self.now, id_, ("group:all",), "away", by))
                found.append(partial(InputAmended, self.now, id_, {"deadline": self.now + 90_000}, "late", by))
        return found

    def _about_a_tool(self, id_: str) -> list[Callable[[], Entry]]:
        if TOOLS[id_] and not any(isinstance(one, InputReturned) and one.id == id_ for one in self.journal):
            policy = DecidedBy("policy", "policy")
            decided = partial(InputAnswered, self.now, id_, f"policy:{id_}", "d", "approve", None, policy)
            return [decided, *[partial(InputReturned, self.now, id_)] * 3]
        by = DecidedBy("person", "user:alice")
        said = [("approve", None), ("edit", {"n": self.told}), ("reject", "no"), ("respond", "done")]
        return [partial(InputAnswered, self.now, id_, f"s{self.told}", "d", *one, by) for one in said]

    def _votes(self, id_: str) -> tuple[str, ...]:
        return tuple(
            one.submission_id for one in effective(self.journal) if isinstance(one, InputVoted) and one.id == id_
        )

    def _time(self) -> list[Callable[[], Entry]]:
        machine = self.machine
        at = machine.wake_at(machine.open_steps)
        if at is None:
            return []

        def happen() -> Entry:
            self.now = max(self.now, at)
            return next(machine.due(self.now))

        return [happen]

    def _noise(self) -> list[Callable[[], Entry]]:
        """Things that may come at any time: events, repetitions, answers to nobody's question, a cancellation."""
        key = [None, "eur", "usd"][self.choose(3)]
        found: list[Callable[[], Entry]] = [
            lambda: EventReceived(self.now, "paid", f"e{self.told - self.choose(2)}", self.told, key),
            lambda: EventReceived(self.now, "paid", f"e{self.told}", self.told, key),
            lambda: StepCompleted(self.now, "nobody:0", 1, None),
            lambda: TimerFired(self.now, "timer:99"),
            lambda: InputExpired(self.now, "nobody:0"),
            lambda: RunBlocked(self.now, ERROR),
            lambda: RunUnblocked(self.now),
        ]
        old = [
            entry for entry in self.journal if type(entry) in {StepCompleted, TimerFired, InputAnswered, InputReminded}
        ]
        if old:
            found.append(lambda: old[self.choose(len(old))])
        if self.cancels:
            found += [lambda: CancelRequested(self.now, "no more")] * 4
        return found


def commands(entries: list[Entry]) -> list[Command]:
    return [entry for entry in entries if isinstance(entry, Command) and type(entry) is not RunStarted]
