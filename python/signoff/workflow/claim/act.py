"""What people do about who answers: claim a request, and release it."""

from __future__ import annotations

from typing import Any, Final

from signoff.errors import AlreadyDecided, BadRequest, ClaimedByOther, Expired, Withdrawn
from signoff.shapes import WrongValue, text
from signoff.workflow.claim import lease
from signoff.workflow.claim.entries import InputClaimed, InputReleased
from signoff.workflow.decision import Loaded
from signoff.workflow.entry import DecidedBy, Entry
from signoff.workflow.input.decide import Who, already_decided, check_audience, expire_now, is_late
from signoff.workflow.input.state import InputState
from signoff.workflow.input.verb import RequestDecision, RequestVerb, unchanged, written
from signoff.workflow.verb import Body, Member

_DECIDED: Final = (AlreadyDecided, Expired, Withdrawn)


def claim(loaded: Loaded, request: InputState, body: Body, who: Who, now_ms: int) -> RequestDecision:
    """Claim a request, or renew one's claim: until it ends nobody else answers.

    Raises:
        NotInAudience: this person was not asked.
        AlreadyDecided, Expired, Withdrawn: it is decided; with the current `row`.
        ClaimedByOther: somebody else has claimed it.
    """
    check_audience(request, who)
    if not request.pending:
        raise already_decided(request.row)
    at = loaded.time(now_ms)
    if is_late(request, at):
        return expire_now(loaded, request, at)
    held = lease.holder(request, at)
    if held is not None and held != who.by:
        raise lease.claimed_by_other(request)
    lasts = body.get("for") or request.policy.get("claim", lease.USUAL_MS)
    until = at + lasts if request.deadline_ms is None else min(at + lasts, request.deadline_ms)
    claimed = InputClaimed(at, request.row["id"], who.by, until)
    return written(loaded, request, *_lapsed(request, at), claimed)


def release(loaded: Loaded, request: InputState, body: Body, who: Who, now_ms: int) -> RequestDecision:
    """Give a claim up, or take somebody's away as an operator. What nobody has claimed stays as it is.

    Raises:
        NotInAudience: this person was not asked.
        AlreadyDecided, Expired, Withdrawn: it is decided; with the current `row`.
        ClaimedByOther: somebody else has claimed it.
    """
    if not who.operator:
        check_audience(request, who)
    if not request.pending:
        raise already_decided(request.row)
    at = loaded.time(now_ms)
    held = lease.holder(request, at)
    if held is None:
        lapsed = _lapsed(request, at)
        return written(loaded, request, *lapsed) if lapsed else unchanged(request)
    if held != who.by and not who.operator:
        raise lease.claimed_by_other(request)
    return written(loaded, request, InputReleased(at, request.row["id"], who.by, body.get("reason")))


def _lapsed(request: InputState, at: int) -> tuple[Entry, ...]:
    """Return what is to be said first of a claim whose time is over."""
    if not lease.lapsed(request, at):
        return ()
    return (InputReleased(at, request.row["id"], DecidedBy("timeout"), "expired"),)


def _lasts(value: Any) -> int:
    """Take seconds or a text such as `30m`; return milliseconds."""
    bounds = f"must be from {lease.LEAST_MS // 1000}s to {lease.MOST_MS // 3_600_000}h: seconds, or a text such as 30m"
    try:
        return lease.claim_ms(value)
    except (BadRequest, ValueError) as error:
        raise WrongValue(bounds) from error


REQUEST_VERBS: Final = (
    RequestVerb(
        "claim",
        "Claim a request for input, so that nobody else answers it for a while",
        "7.11",
        claim,
        members=(Member("for", _lasts, "For how long, e.g. 30m; as long as the request says, unless given."),),
        refusals=(*_DECIDED, ClaimedByOther),
        said="The request {key} is claimed by {by} until {until}.",
    ),
    RequestVerb(
        "release",
        "Release a request for input that was claimed",
        "7.11",
        release,
        members=(Member("reason", text(1_000, lines=True), "Why; told where an operator does it."),),
        refusals=(*_DECIDED, ClaimedByOther),
        said="The request {key} is nobody's.",
    ),
)
