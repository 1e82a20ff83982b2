"""What the journal says of comments."""

from __future__ import annotations

from typing import ClassVar

from signoff.frozen import frozen
from signoff.workflow.entry import DecidedBy, Notification


@frozen
class CommentAdded(Notification):
    """What somebody says about a pending request; it says nothing to the code, and outlives cuts.

    Attributes:
        id: of the request.
        comment_id: chosen by the client; what has it already is the same comment.
        text: plain text, as people see it.
        by: its author.
    """

    type: ClassVar[str] = "comment.added"
    id: str
    comment_id: str
    text: str
    by: DecidedBy
