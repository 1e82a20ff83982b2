"""Whether a history could have been: one order of its operations that a sequential model goes through.

The search is that of Wing and Gong, with Lowe's memory of what was tried: an operation may come next if it was called
before any of those that are left had returned; what led nowhere once (the same operations done, the same state) is not
tried again. An operation without a reply may have happened at any time after its call, or never.

What a system keeps apart is checked apart: a history is linearizable if that of each of its subjects is.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from signoff.testing.histories.recording import RecordedCall

ModelState = TypeVar("ModelState", bound=Hashable)

MOST_TRIED = 2_000_000
"""Steps of a search after which it is given up; a history of some hundred operations takes some thousand."""


class SequentialModel(Protocol[ModelState]):
    """A sequential system: one operation after another, each at once."""

    @property
    def initial(self) -> ModelState:
        """Return the state in which a subject begins."""
        ...

    def step(self, state: ModelState, operation: RecordedCall) -> Iterable[ModelState]:
        """Return the states an operation may lead to; none if it could not have had its result here.

        One without a reply may have had any result; states in which it has changed nothing may be left out.
        """
        ...


@dataclass(frozen=True, slots=True)
class Violation:
    """Why a history could not have been.

    Attributes:
        subject: what it is about.
        order: the longest order that was possible.
        state: of the model after it.
        stuck: operations of which one should have come next, and none could.
    """

    subject: str
    order: tuple[RecordedCall, ...]
    state: object
    stuck: tuple[RecordedCall, ...]

    def __str__(self) -> str:
        last = "\n".join(f"    {one}" for one in self.order[-12:])
        stuck = "\n".join(f"    {one}" for one in self.stuck)
        return (
            f"{self.subject}: no order of the operations explains what the clients saw.\n"
            f"  In the longest one that does, {len(self.order)} operations, the last are\n{last}\n"
            f"  and the model is in {self.state!r}; then one of these had to come, and none can:\n{stuck}"
        )


class SearchTooLong(AssertionError):
    """The search was given up; a shorter history, or one with fewer lost replies, can be decided."""


def check(operations: Iterable[RecordedCall], model: SequentialModel[ModelState]) -> Violation | None:
    """Return why a history is not linearizable, of the first subject of which it is not; None: it is.

    Raises:
        SearchTooLong: that could not be decided.

    Example:
        >>> check(recorder.operations, SubjectModel())
    """
    subjects: dict[str, list[RecordedCall]] = defaultdict(list)
    for one in sorted(operations, key=lambda one: one.called):
        subjects[one.subject].append(one)
    for subject, own in subjects.items():
        found = _OrderSearch(own, model).violation(subject)
        if found is not None:
            return found
    return None


@dataclass(slots=True)
class _SearchLevel(Generic[ModelState]):
    """A place in the search: what is done, and what is still to be tried from there."""

    done: int
    state: ModelState
    tries: Iterator[tuple[int, ModelState]]
    by: int | None = None


class _OrderSearch(Generic[ModelState]):
    """The search for one order; operations are numbered in the order of their calls."""

    def __init__(self, operations: Sequence[RecordedCall], model: SequentialModel[ModelState]) -> None:
        self._all = operations
        self._model = model
        self._must = sum(1 << number for number, one in enumerate(operations) if not one.unknown)
        self._tried: set[tuple[int, ModelState]] = set()

    def violation(self, subject: str) -> Violation | None:
        levels = [self._level(0, self._model.initial)]
        best: list[int] = []
        best_state: ModelState = self._model.initial
        best_done = 0
        steps = 0
        while levels:
            top = levels[-1]
            if top.done & self._must == self._must:
                return None
            steps += 1
            if steps > MOST_TRIED:
                raise SearchTooLong(f"{subject}: undecided after {steps} steps over {len(self._all)} operations")
            for number, state in top.tries:
                done = top.done | 1 << number
                if (done, state) not in self._tried:
                    self._tried.add((done, state))
                    levels.append(self._level(done, state, number))
                    break
            else:
                levels.pop()
                continue
            if len(levels) > len(best) + 1:
                best = [level.by for level in levels[1:] if level.by is not None]
                best_state, best_done = levels[-1].state, levels[-1].done
        stuck = [self._all[number] for number in self._next(best_done) if not self._all[number].unknown]
        return Violation(subject, tuple(self._all[number] for number in best), best_state, tuple(stuck))

    def _level(self, done: int, state: ModelState, by: int | None = None) -> _SearchLevel[ModelState]:
        return _SearchLevel(done, state, self._tries(done, state), by)

    def _tries(self, done: int, state: ModelState) -> Iterator[tuple[int, ModelState]]:
        """Yield what may come next, in the order of replies; few of those without one have had an effect."""
        for number in sorted(self._next(done), key=self._returned):
            for after in self._model.step(state, self._all[number]):
                yield number, after

    def _returned(self, number: int) -> float:
        returned = self._all[number].returned
        return math.inf if returned is None else returned

    def _next(self, done: int) -> list[int]:
        """Return operations that are left and were called before any that is left had returned."""
        found: list[int] = []
        end: int | None = None
        first = (~done & (done + 1)).bit_length() - 1
        for number in range(first, len(self._all)):
            if done >> number & 1:
                continue
            one = self._all[number]
            if end is not None and one.called > end:
                break
            found.append(number)
            if one.returned is not None and (end is None or one.returned < end):
                end = one.returned
        return [number for number in found if end is None or self._all[number].called <= end]
