"""What goes wrong in a test, and when: planned, or drawn by a seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from signoff.workflow.durations import Duration, duration_ms
from signoff.workflow.entry import Entry

CommitMoment = int | str
"""Which commit of a worker: its number, from 1 on and counted from now; or what it writes, e.g. `step.completed`, or
`step.completed charge:0`."""

ANSWER: Final = "answer"
"""Not a commit of a worker, but the answer of a person."""

_LONGEST_MS: Final = 5_000
"""Milliseconds that a delay that is drawn takes at most: less than a lease lasts."""


@dataclass(frozen=True, slots=True)
class Crash:
    """The worker dies: before the commit, or when it is durable and the worker does not know it yet."""

    after: bool = False


@dataclass(frozen=True, slots=True)
class LostReply:
    """The worker does not learn what became of the commit, which was written or not."""

    written: bool = True


@dataclass(frozen=True, slots=True)
class Delay:
    """The commit comes to the engine that much later."""

    ms: int


Fault = Crash | LostReply | Delay


@dataclass(frozen=True, slots=True)
class Chaos:
    """Faults that are drawn, the same ones for the same seed and the same run: of each commit of each run.

    What fails is tried again without a fault, and no worker dies before all that the last one had has gone on. So every
    run comes to its end.

    Args:
        seed: another one draws other faults.
        crash, lose_reply, delay: the share of commits that meet such a fault, from 0 to 1; together at most 1.

    Example:
        >>> async with TestEngine(app, chaos=Chaos(seed=7)) as engine: ...
    """

    seed: int
    crash: float = 0.1
    lose_reply: float = 0.1
    delay: float = 0.1

    def draw(self, run_id: str, at: int) -> Fault | None:
        """Draw what becomes of the commit of a run at a position of its journal."""
        random = Random(f"{self.seed}/{run_id}/{at}")  # noqa: S311 - faults are to be the same again
        drawn = random.random()
        if drawn < self.crash:
            return Crash(after=random.random() < 0.5)
        if drawn < self.crash + self.lose_reply:
            return LostReply(written=random.random() < 0.5)
        if drawn < self.crash + self.lose_reply + self.delay:
            return Delay(random.randint(1, _LONGEST_MS))
        return None


@dataclass(slots=True)
class _Planned:
    fault: Fault
    of: CommitMoment


class Faults:
    """The faults of a test: each is met once.

    Args:
        chaos: draws more of them; None: there are those alone that are planned.
    """

    def __init__(self, chaos: Chaos | None = None) -> None:
        self._chaos = chaos
        self._planned: list[_Planned] = []
        self._tried: Counter[tuple[str, int]] = Counter()

    def plan(self, fault: Fault, of: CommitMoment) -> None:
        """Have a fault met.

        Raises:
            ValueError: there is no such commit.
        """
        if isinstance(of, int) and of < 1:
            raise ValueError(f"Commits are counted from 1 on, from now; there is none of the number {of}.")
        self._planned.append(_Planned(fault, of))

    def of_commit(self, run_id: str, at: int, entries: Sequence[Entry], *, spare: bool = False) -> Fault | None:
        """Return what becomes of a commit of a worker, at a position of a run's journal.

        Args:
            spare: draw no death of the worker.
        """
        found: _Planned | None = None
        known = set(_titles(entries))
        for planned in self._planned:
            if isinstance(planned.of, int):
                planned.of -= 1
                met = planned.of == 0
            else:
                met = planned.of in known
            if met and found is None:
                found = planned
        self._planned = [one for one in self._planned if one is not found and one.of != 0]
        self._tried[run_id, at] += 1
        if found is not None:
            return found.fault
        if self._chaos is None or self._tried[run_id, at] > 1:
            return None
        drawn = self._chaos.draw(run_id, at)
        return None if spare and isinstance(drawn, Crash) else drawn

    def of_answer(self) -> Fault | None:
        """Return what becomes of an answer of a person."""
        for planned in self._planned:
            if planned.of == ANSWER:
                self._planned.remove(planned)
                return planned.fault
        return None


def commit_delay(by: Duration) -> Delay:
    """Return a delay of a length of time.

    Raises:
        BadRequest: it is none.
    """
    return Delay(duration_ms(by))


def _titles(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield what a commit may be called by."""
    for entry in entries:
        yield entry.type
        id_ = getattr(entry, "id", None)
        if isinstance(id_, str):
            yield f"{entry.type} {id_}"
            yield f"{entry.type} {id_.rpartition(':')[0]}"
