"""What the journal says of votes."""

from __future__ import annotations

from typing import Any, ClassVar

from signoff.frozen import frozen
from signoff.workflow.entry import DecidedBy, Encoded, Notification


@frozen
class InputVoted(Notification):
    """A vote; it takes the place of an earlier one of the same person. `submission_id` is the txid of its rows."""

    type: ClassVar[str] = "input.voted"
    id: str
    submission_id: str
    digest: str
    action: str
    value: Encoded
    by: DecidedBy
    evidence: dict[str, Any] | None = None

    @property
    def txid(self) -> str:
        """Return the submission id."""
        return self.submission_id
