"""What the port of a worker keeps of a run it has read: a cache, rebuilt from the journal where it is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from signoff.service.run_change import tails
from signoff.stores.change import Subject
from signoff.workflow.entry import Entry
from signoff.workflow.projection import refold
from signoff.workflow.view import View


@dataclass(slots=True, eq=False)
class RunCopy:
    """A run as far as the port has read it.

    Attributes:
        subject: its record, as it was claimed, read or written last.
        view: its rows, as of `position`.
        position: the number of entries folded into the view.
        public_tail: the number of rows they came to.
        as_claimed: nobody has looked at the record since the claim.
        writing: an append is under way; the view is ahead of `position` by it.
    """

    subject: Subject
    view: View = field(default_factory=View)
    position: int = 0
    public_tail: int = 0
    as_claimed: bool = False
    writing: bool = False

    @property
    def journal_tail(self) -> int:
        """Return the number of entries the journal has, by the record."""
        return tails(self.subject)[0]

    def follow(self, entries: Sequence[Entry]) -> None:
        """Fold entries that are in the journal."""
        self.public_tail = refold(self.view, entries, self.public_tail)
        self.position += len(entries)

    def begin_anew(self) -> None:
        """Forget what was folded: a part of it is undone."""
        self.view, self.position, self.public_tail = View(), 0, 0

    def continues(self, record: Subject) -> bool:
        """Tell whether a record is a later one of the same run, not of another that took a deleted one's id."""
        return self.subject.sort == record.sort and self.subject.epoch <= record.epoch
