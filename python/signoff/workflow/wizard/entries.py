"""What the journal says of wizards: what a page begins with when it comes up again."""

from __future__ import annotations

from typing import ClassVar

from signoff.frozen import frozen
from signoff.workflow.entry import Encoded, Notification


@frozen
class WizardPrefilled(Notification):
    """What somebody had filled in of a page, for when it is shown again: now if it is pending, else when it is asked.

    It says nothing to the code, and outlives the cuts by which people go back further.

    Attributes:
        value: plain JSON, as the page sent it or as it was answered; nobody has checked what was left half done.
        submission_id: of the step back.
    """

    type: ClassVar[str] = "wizard.prefilled"
    id: str
    value: Encoded
    submission_id: str

    @property
    def txid(self) -> str:
        """Return the submission id."""
        return self.submission_id
