"""What the journal says of comments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from signoff.frozen import frozen
from signoff.workflow.entry import DecidedBy, Notification


@frozen
class CommentAdded(Notification):
    """What somebody says about a pending request; it says nothing to the code, and outlives cuts.

    Attributes:
        id: of the request.
        comment_id: chosen by the client; what has it already, of the same author, is the same comment.
        text: plain text, as people see it.
        by: its author.
    """

    type: ClassVar[str] = "comment.added"
    id: str
    comment_id: str
    text: str
    by: DecidedBy
    evidence: dict[str, Any] | None = None


def said_already(comments: Iterable[dict[str, Any]], comment_id: str, by: DecidedBy) -> bool:
    """Tell whether somebody's comment is among the rows; clients choose ids, so that others may have the same."""
    author = {"kind": by.kind, "id": by.id}
    return any(one["comment_id"] == comment_id and one["by"] == author for one in comments)
