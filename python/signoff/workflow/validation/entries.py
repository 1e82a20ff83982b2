"""What the journal says of answers that are judged: each that came in, and those that were not taken."""

from __future__ import annotations

from typing import Any, ClassVar

from signoff.frozen import frozen
from signoff.workflow.entry import DecidedBy, Encoded, Notification


@frozen
class InputSubmitted(Notification):
    """An answer that a worker is to judge; nothing is decided by it."""

    type: ClassVar[str] = "input.submitted"
    id: str
    submission_id: str
    digest: str
    action: str
    value: Encoded
    by: DecidedBy
    evidence: dict[str, Any] | None = None


@frozen
class InputRefused(Notification):
    """The verdict that an answer is not taken. `errors`: `{pointer, message}` each, for all who see the request."""

    type: ClassVar[str] = "input.refused"
    id: str
    submission_id: str
    digest: str
    errors: list[dict[str, Any]]


@frozen
class InputReturned(Notification):
    """The end of a judgement that came to no verdict; the request is asked of people as before.

    Attributes:
        submission_id: of the answer; None: a policy was asked before anybody had answered.
        reason: why there is no verdict, for operators; None: the policy leaves it to people.
        barred: whoever sent it may not decide the request any more, so it is not judged, or the verdict does not count.
    """

    type: ClassVar[str] = "input.returned"
    id: str
    submission_id: str | None = None
    reason: str | None = None
    barred: bool = False
