"""What the journal says of what people tried and were refused."""

from __future__ import annotations

from typing import Any, ClassVar

from signoff.frozen import frozen
from signoff.workflow.entry import DecidedBy, Notification


@frozen
class InputDenied(Notification):
    """An act on a request that was refused; it changes nothing, and says nothing to the code.

    Attributes:
        id: of the request.
        act: `answer`, or the verb.
        reason: the code of the refusal; `barred` of whoever may not decide this, though they may be among those asked.
        by: who tried.
        action: of an answer, if the request offers it. Neither the value nor any text of theirs is kept.
        evidence: what they said to have seen, and by what they are known (`input/evidence.py`).
    """

    type: ClassVar[str] = "input.denied"
    id: str
    act: str
    reason: str
    by: DecidedBy
    action: str | None = None
    evidence: dict[str, Any] | None = None
