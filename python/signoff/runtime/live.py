"""What a worker keeps of a run between two claims, and when a run begins."""

from __future__ import annotations

from signoff.workflow.definition import WorkflowDefinition
from signoff.workflow.entry import Entry
from signoff.workflow.event.entries import EventReceived
from signoff.workflow.machine import Machine
from signoff.workflow.projection import refold
from signoff.workflow.run.entries import RunRewound, RunStarted
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


def begins(entries: list[Entry]) -> int | None:
    """Return when a run that nobody has taken up yet begins; None: it has begun, or begins at once.

    An event that comes earlier is kept for it. A cancellation does not wait.
    """
    match entries:
        case [RunStarted(start_at=start_at), *rest] if all(
            isinstance(entry, EventReceived | RunRewound) for entry in rest
        ):
            return start_at
    return None
