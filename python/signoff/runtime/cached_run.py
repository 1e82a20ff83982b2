"""What a worker keeps of a run between two claims, and when a run begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from signoff.workflow.entry import Entry, Notification
from signoff.workflow.machine import Machine
from signoff.workflow.run.entries import CancelRequested, RunDescribed, RunStarted, RunUnblocked

_BEGUN = CancelRequested | RunDescribed | RunUnblocked
"""What a worker writes that takes a run up, and what it is taken up for early. Other notifications can come before."""


@dataclass(slots=True, eq=False)
class CachedRun:
    """A run's machine, and how much of the journal it stands for.

    Attributes:
        created_at: of the run, in milliseconds: another run may take the id of one that was deleted.
        position: the number of entries that are in the journal and in the machine. While an append is under way the
            machine is ahead of that.
    """

    machine: Machine
    created_at: int
    position: int = 0


def begins(entries: Sequence[Entry]) -> int | None:
    """Return when a run that nobody has taken up yet begins; None: it has begun, or begins at once.

    What comes earlier, such as an event, is kept for it. A cancellation does not wait.
    """
    match entries:
        case [RunStarted(start_at=start_at), *rest] if all(map(_comes_before, rest)):
            return start_at
    return None


def _comes_before(entry: Entry) -> bool:
    return isinstance(entry, Notification) and not isinstance(entry, _BEGUN)
