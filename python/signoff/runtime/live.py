"""What a worker keeps of a run between two claims, and when a run begins."""

from __future__ import annotations

from signoff.workflow.definition import WorkflowDefinition
from signoff.workflow.entry import Entry, Notification
from signoff.workflow.machine import Machine
from signoff.workflow.projection import refold
from signoff.workflow.run.entries import CancelRequested, RunDescribed, RunStarted, RunUnblocked
from signoff.workflow.view import View


class Live:
    """Hold a run's machine and projection at a journal position: what the cache keeps between two claims."""

    __slots__ = ("journal_tail", "machine", "public_tail", "view")

    def __init__(self, definition: WorkflowDefinition) -> None:
        self.machine = Machine(definition)
        self.view = View()
        self.journal_tail = 0
        self.public_tail = 0

    def follow(self, entries: list[Entry]) -> None:
        """Move view and positions on by entries that are in the journal."""
        self.public_tail = refold(self.view, entries, self.public_tail)
        self.journal_tail += len(entries)


_BEGUN = CancelRequested | RunDescribed | RunUnblocked
"""What a worker writes that takes a run up, and what it is taken up for early. Other notifications can come before."""


def begins(entries: list[Entry]) -> int | None:
    """Return when a run that nobody has taken up yet begins; None: it has begun, or begins at once.

    What comes earlier, such as an event, is kept for it. A cancellation does not wait.
    """
    match entries:
        case [RunStarted(start_at=start_at), *rest] if all(map(_comes_before, rest)):
            return start_at
    return None


def _comes_before(entry: Entry) -> bool:
    return isinstance(entry, Notification) and not isinstance(entry, _BEGUN)
