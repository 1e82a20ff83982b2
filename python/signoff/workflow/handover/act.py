"""What is done about whom a request is asked of, and what it says: delegate, reassign, revise."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from signoff.errors import AlreadyDecided, BadRequest, Expired, NotInAudience, UnsupportedValue, Withdrawn
from signoff.shapes import WrongValue, anything, instant, list_of, maybe, principal, text
from signoff.workflow.decision import Loaded
from signoff.workflow.durations import deadline_ms, duration_ms
from signoff.workflow.handover.entries import InputAmended, InputDelegated, InputReassigned
from signoff.workflow.handover.people import asked_again, delegated, was_handed_on
from signoff.workflow.input.act import WHY
from signoff.workflow.input.audience import asked_of
from signoff.workflow.input.decide import Who, already_decided, check_audience, expire_now, is_late
from signoff.workflow.input.spec import MOST_PRINCIPALS, check_spec
from signoff.workflow.input.state import InputState, is_revised_so
from signoff.workflow.input.verb import RequestDecision, RequestVerb, unchanged, written
from signoff.workflow.validation.decide import dropped
from signoff.workflow.verb import OPERATOR, Body, Member
from signoff.workflow.vote.quorum import check_answerable, check_quorum

_DECIDED: Final = (AlreadyDecided, Expired, Withdrawn)
_SHOWN: Final = ("title", "description", "show", "ui", "initial")


def delegate(loaded: Loaded, request: InputState, body: Body, who: Who, now_ms: int) -> RequestDecision:
    """Hand one's part in a request to another person.

    Whoever was asked by name is asked no longer. Whoever was asked as one of a group may not answer any more, and the
    other person is asked beside the group. The same again, after a reply that was lost, changes nothing.

    Raises:
        NotInAudience: this person was not asked.
        AlreadyDecided, Expired, Withdrawn: it is decided; with the current `row`.
        BadRequest: the other person may not answer, or is asked by name already.
    """
    if was_handed_on(request, who.by, body["to"], body["reason"]):
        return unchanged(request)
    mine = who.principals.intersection(request.to)
    check_audience(request, who)
    if not mine:
        raise NotInAudience(
            f"You are not among those who were asked {request.row['id']}, so there is no part of yours to hand on; "
            "nothing was changed. As an operator you can reassign it."
        )
    if not request.pending:
        raise already_decided(request.row)
    at, to = loaded.time(now_ms), body["to"]
    if is_late(request, at):
        return expire_now(loaded, request, at)
    if to in request.forbid or to == who.by.id:
        raise BadRequest(f"{to} may not answer {request.row['id']} for you; nothing was changed. Choose somebody else.")
    if to in request.to:
        raise BadRequest(f"{to} is asked {request.row['id']} already; nothing was changed. Choose somebody else.")
    through_group = mine != {who.by.id}
    asked, forbidden = delegated(request, str(who.by.id), to, forbid=through_group)
    _check(request, asked, forbidden)
    entry = InputDelegated(at, request.row["id"], to, body["reason"], who.by, through_group)
    return written(loaded, request, *dropped(request, asked_of(request, asked, forbidden), at), entry)


def reassign(loaded: Loaded, request: InputState, body: Body, who: Who, now_ms: int) -> RequestDecision:
    """Ask others in place of those who were asked.

    Raises:
        AlreadyDecided, Expired, Withdrawn: it is decided; with the current `row`.
        BadRequest: a quorum could not be reached by those.
    """
    if not request.pending:
        raise already_decided(request.row)
    at, to = loaded.time(now_ms), tuple(dict.fromkeys(body["to"]))
    if is_late(request, at):
        return expire_now(loaded, request, at)
    if to == request.to:
        return unchanged(request)
    forbidden = asked_again(request, to)
    _check(request, list(to), forbidden)
    entry = InputReassigned(at, request.row["id"], to, body["reason"], who.by)
    return written(loaded, request, *dropped(request, asked_of(request, to, forbidden), at), entry)


def revise(loaded: Loaded, request: InputState, body: Body, who: Who, now_ms: int) -> RequestDecision:
    """Change what a request says, or until when it may be answered; answers to what is no longer shown are stale.

    Where it is so already, nothing is changed.

    Raises:
        AlreadyDecided, Expired, Withdrawn: it is decided; with the current `row`.
        BadRequest: nothing is changed, or it is more than a request may say.
    """
    if not request.pending:
        raise already_decided(request.row)
    at = loaded.time(now_ms)
    if is_late(request, at):
        return expire_now(loaded, request, at)
    changes = {name: body[name] for name in _SHOWN if name in body}
    try:
        check_spec(changes)
    except (TypeError, ValueError, UnsupportedValue) as error:
        raise BadRequest(f"{error} Nothing was changed.") from error
    if "deadline" in body:
        changes["deadline"] = None if body["deadline"] is None else deadline_ms(body["deadline"], at)
    if not changes:
        raise BadRequest(f"Say what to change: one of {', '.join((*_SHOWN, 'deadline'))}. Nothing was changed.")
    if is_revised_so(request, changes):
        return unchanged(request)
    return written(loaded, request, InputAmended(at, request.row["id"], changes, body["reason"], who.by))


def _check(request: InputState, to: list[str], forbid: list[str]) -> None:
    if len(to) + len(forbid) > MOST_PRINCIPALS:
        raise BadRequest(f"A request names {MOST_PRINCIPALS} principals at most; nothing was changed. Ask a group.")
    try:
        check_answerable(to, forbid)
        check_quorum(request.policy, [one for one in to if one not in forbid] or to)
    except ValueError as error:
        raise BadRequest(f"{error} Nothing was changed.") from error


def _person(value: Any) -> str:
    if not principal(value).startswith("user:"):
        raise WrongValue("must be a person, such as user:alice")
    return str(value)


def _some(value: Any) -> list[str]:
    people: list[str] = list_of(principal, MOST_PRINCIPALS)(value)
    if not people:
        raise WrongValue("must name somebody")
    return people


def _either(value: Any) -> timedelta | datetime:
    """Take a time, or a length of time from now."""
    try:
        return timedelta(milliseconds=duration_ms(value))
    except (BadRequest, TypeError):
        pass
    try:
        return datetime.fromtimestamp(instant(value) / 1000, UTC)
    except (WrongValue, OverflowError, ValueError) as error:
        raise WrongValue(
            "must be a time such as 2026-03-01T09:30:00Z, or a length of time from now: 3d, 1h30m"
        ) from error


_deadline: Final[Callable[[Any], Any]] = maybe(_either)

REQUEST_VERBS: Final = (
    RequestVerb(
        "delegate",
        "Hand your part in a request for input to another person",
        "7.13",
        delegate,
        members=(Member("to", _person, "Who takes it over, e.g. user:bora.", required=True), WHY),
        refusals=_DECIDED,
        said="The request {key} is asked of {to}.",
    ),
    RequestVerb(
        "reassign",
        "Ask others for an input, in place of those who were asked",
        "7.13",
        reassign,
        OPERATOR,
        (Member("to", _some, "Who is asked, e.g. group:finance; may be repeated.", required=True, many=True), WHY),
        _DECIDED,
        "The request {key} is asked of {to}.",
    ),
    RequestVerb(
        "revise",
        "Change what a request for input says, or its deadline",
        "7.13",
        revise,
        OPERATOR,
        (
            Member("title", text(500), "The title, plain text."),
            Member("description", maybe(text(20_000, lines=True)), "Markdown."),
            Member("show", anything, "What the person looks at.", json=True),
            Member("ui", maybe(anything), "Hints for rendering: an object.", json=True),
            Member("initial", anything, "What the form starts with.", json=True),
            Member("deadline", _deadline, "A time, or a length of time from now, e.g. 3d."),
            WHY,
        ),
        _DECIDED,
        "The request {key} is revised.",
    ),
)
