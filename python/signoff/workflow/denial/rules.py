"""Which refusals are written down, and how many of them."""

from __future__ import annotations

from typing import Final

from signoff.errors import (
    AlreadyDecided,
    ClaimedByOther,
    Expired,
    NotInAudience,
    SignoffError,
    Stale,
    Withdrawn,
)
from signoff.workflow.denial.entries import InputDenied
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.decide import Who
from signoff.workflow.input.evidence import said_to_have_seen
from signoff.workflow.input.state import InputState
from signoff.workflow.input.submission import AnswerRequest

MOST_DENIALS: Final = 20
"""How many denials a request has at most."""

MOST_BY_STRANGERS: Final = 10
"""How many of them are of people who were not asked, so that those do not take the room of the others."""

DENIED: Final = "denied"
"""The member of a request's policy that has the marks of its denials."""

BARRED: Final = "barred"
ANSWER: Final = "answer"

WATCHED: Final = (NotInAudience, Stale, AlreadyDecided, Expired, Withdrawn, ClaimedByOther)
"""Refusals of answers that may be written down."""

_OF_VERBS: Final = (NotInAudience, ClaimedByOther)
"""The same of what else is done to a request: who wants to claim or hand on what is not theirs."""

Mark = list[str | None]


def mark(state: InputState, act: str, reason: str, by: DecidedBy) -> Mark:
    """Return what is written once: the same act of one person on one revision, refused for one reason."""
    return [by.id, act, reason, state.row["revised"]]


def denial(  # noqa: PLR0917
    state: InputState, act: str, who: Who, at: int, error: SignoffError, tail: int, request: AnswerRequest | None = None
) -> InputDenied | None:
    """Return what is written of a refusal; None: nothing is.

    Args:
        state: the request, as it was decided on.
        act: `answer`, or the verb.
        who: was refused.
        at: of the entry, in milliseconds.
        error: what they are refused with.
        tail: the number of messages in the run's stream.
        request: the answer, if it is one.
    """
    reason = error.code
    if request is None and not isinstance(error, _OF_VERBS):
        return None
    if isinstance(error, NotInAudience):
        if not state.pending:
            return None
        reason = reason if who.principals.isdisjoint(state.forbid) else BARRED
    elif isinstance(error, AlreadyDecided | Expired | Withdrawn) and _had_part(state, who.by):
        return None
    if not _has_room(state, mark(state, act, reason, who.by)):
        return None
    seen = None if request is None else request.seen_offset
    action = None if request is None or request.action not in state.row["actions"] else request.action
    another = request is not None and not request.is_for(state.row)
    evidence = said_to_have_seen(state, seen, tail, who.via, another=another)
    return InputDenied(at, state.row["id"], act, reason, who.by, action, evidence or None)


def _has_room(state: InputState, new: Mark) -> bool:
    marks: list[Mark] = state.policy.get(DENIED, [])
    if not marks:
        return True
    if len(marks) >= MOST_DENIALS or new in marks:
        return False
    stranger = NotInAudience.code
    return new[2] != stranger or sum(one[2] == stranger for one in marks) < MOST_BY_STRANGERS


def _had_part(state: InputState, by: DecidedBy) -> bool:
    """Tell whether somebody has decided the request, or had a vote in it: they know what became of it."""
    row, me = state.row, {"kind": by.kind, "id": by.id}
    return me == row["decided_by"] or any(vote["by"] == me for vote in row["votes"])
