"""What the journal says of claims."""

from __future__ import annotations

from typing import Any, ClassVar

from signoff.frozen import frozen
from signoff.workflow.entry import DecidedBy, Notification


@frozen
class InputClaimed(Notification):
    """A claim, or its renewal: until then (milliseconds) nobody else answers the request."""

    type: ClassVar[str] = "input.claimed"
    id: str
    by: DecidedBy
    until: int
    evidence: dict[str, Any] | None = None


@frozen
class InputReleased(Notification):
    """The end of a claim; `by` is a timeout if it lapsed, whose reason is `expired`."""

    type: ClassVar[str] = "input.released"
    id: str
    by: DecidedBy
    reason: str | None = None
    evidence: dict[str, Any] | None = None
