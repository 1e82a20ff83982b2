"""What operators may do to a request for input."""

from __future__ import annotations

from typing import Final

from signoff.errors import AlreadyDecided, Expired, Withdrawn
from signoff.shapes import text
from signoff.workflow.decision import Loaded
from signoff.workflow.input.decide import Who, already_decided
from signoff.workflow.input.entries import InputRecalled
from signoff.workflow.input.state import InputState
from signoff.workflow.input.verb import RequestDecision, RequestVerb, written
from signoff.workflow.verb import OPERATOR, Body, Member

WHY: Final = Member("reason", text(1_000, lines=True), "Why; everybody who sees the request sees it.", required=True)


def withdraw(loaded: Loaded, request: InputState, body: Body, who: Who, now_ms: int) -> RequestDecision:
    """Take a request back; the code that awaits it gets `InputWithdrawn`.

    Raises:
        AlreadyDecided, Expired, Withdrawn: it is decided; with the current `row`.
    """
    if not request.pending:
        raise already_decided(request.row)
    return written(loaded, request, InputRecalled(loaded.time(now_ms), request.row["id"], body["reason"], who.by))


REQUEST_VERBS: Final = (
    RequestVerb(
        "withdraw",
        "Take a request for input back",
        "7.6",
        withdraw,
        OPERATOR,
        (WHY,),
        (AlreadyDecided, Expired, Withdrawn),
    ),
)
