"""The life of a request for input, as one table.

    pending --revise--> pending      what people see has changed; `revision` grows
    pending --remind--> pending      a reminder is due; what people see and may do stays
    pending --escalate--> pending    others are asked
    pending --answer--> answered     accepted, or the default at the deadline; nothing changes it any more
    pending --expire--> expired      the deadline passed
    pending --withdraw--> withdrawn  by the workflow, an operator, by cancelling the run, or because the run ended
    pending --submit--> validating   an answer is judged by the workflow's code; nobody else can answer meanwhile
    validating --refuse--> pending   it is not taken; the errors and a new `revision` are shown
    validating --return--> pending   there was no verdict; the same
    validating --answer--> answered
    validating --revise--> pending   the answer is dropped, if it was to something else; else it stays validating
    validating --withdraw--> withdrawn

What is not in the table has no effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from enum import StrEnum
from typing import Any

import orjson

from signoff.frozen import frozen
from signoff.timestamps import rfc3339
from signoff.workflow.entry import DecidedBy
from signoff.workflow.handover.entries import InputAmended
from signoff.workflow.input.choices import as_shown, with_choices
from signoff.workflow.input.entries import (
    InputAnswered,
    InputEscalated,
    InputExpired,
    InputReminded,
    InputRequested,
    InputRevised,
)
from signoff.workflow.input.schedule import TIMEOUT, Schedule
from signoff.workflow.vote.quorum import shown_quorum

_UNKNOWN = {"kind": "operator", "id": ""}
"""Whose answer is judged, as earlier releases left it."""


class RequestMove(StrEnum):
    """What can happen to a request."""

    REVISE = "revise"
    REMIND = "remind"
    ESCALATE = "escalate"
    ANSWER = "answer"
    EXPIRE = "expire"
    WITHDRAW = "withdraw"
    SUBMIT = "submit"
    REFUSE = "refuse"
    RETURN = "return"


TRANSITIONS: dict[tuple[str, RequestMove], str] = {
    ("pending", RequestMove.REVISE): "pending",
    ("pending", RequestMove.REMIND): "pending",
    ("pending", RequestMove.ESCALATE): "pending",
    ("pending", RequestMove.ANSWER): "answered",
    ("pending", RequestMove.EXPIRE): "expired",
    ("pending", RequestMove.WITHDRAW): "withdrawn",
    ("pending", RequestMove.SUBMIT): "validating",
    ("validating", RequestMove.REFUSE): "pending",
    ("validating", RequestMove.RETURN): "pending",
    ("validating", RequestMove.ANSWER): "answered",
    ("validating", RequestMove.REVISE): "pending",
    ("validating", RequestMove.WITHDRAW): "withdrawn",
}

UNDECIDED = frozenset({"pending", "validating"})
"""The statuses of a request that is still open."""

MOST_HISTORY = 50
"""Lines of what happened to a request that its row keeps."""

_ADDED: dict[str, Any] = {"schedule": [], "wizard": None, "history": []}
"""What rows of earlier releases lack."""

_SEEN = ("title", "description", "schema", "ui", "show", "initial", "actions", "choices")
"""What a person sees of a request, and decides about: an answer to another state of it is stale. Who else is asked, and
until when, is not part of that."""


@frozen
class InputState:
    """A request: its public row and what the rules need beside it.

    Attributes:
        row: the row as browsers see it.
        to, forbid: principals that may, and may not, answer.
        deadline_ms: milliseconds, or None.
        expose: the accepted value may be seen in the row.
        asked_ms: milliseconds.
        policy: the rules it is decided by, and where they have come to, beside what the row shows of them.
    """

    row: dict[str, Any]
    to: tuple[str, ...]
    forbid: tuple[str, ...]
    deadline_ms: int | None
    expose: bool
    asked_ms: int
    policy: dict[str, Any] = field(default_factory=dict)

    def dumps(self) -> bytes:
        """Write as JSON, for a store."""
        return orjson.dumps([self.row, self.to, self.forbid, self.deadline_ms, self.expose, self.asked_ms, self.policy])

    @classmethod
    def loads(cls, data: bytes) -> InputState:
        """Read what `dumps` wrote."""
        row, to, forbid, deadline_ms, expose, asked_ms, *more = orjson.loads(data)
        policy = more[0] if more else {}  # of requests by earlier releases
        row |= {name: value for name, value in _ADDED.items() if name not in row}
        row = row if "choices" in row else with_choices(row, {})
        return cls(row, tuple(to), tuple(forbid), deadline_ms, expose, asked_ms, policy)

    @property
    def schedule(self) -> Schedule:
        """Return what happens to it by itself."""
        return Schedule.of(self.policy, self.deadline_ms)

    @property
    def pending(self) -> bool:
        """Tell whether it is still open: nobody has decided it, though an answer may be judged just now."""
        return self.row["status"] in UNDECIDED

    @property
    def validating(self) -> bool:
        """Tell whether an answer, or the request itself, is judged by the workflow's code just now."""
        return bool(self.row["status"] == "validating")

    @property
    def judging(self) -> str | None:
        """Return the id of the submission that is judged; None: there is none."""
        return self.policy["judged"]["id"] if self.validating and "judged" in self.policy else None


# -- transitions -------------------------------------------------------------------------------------------------------


def next_status(state: InputState, move: RequestMove) -> str | None:
    """Return the status that a move leads to; None: it has no effect."""
    status = TRANSITIONS.get((state.row["status"], move))
    # A policy that was asked first is asked whatever the request looks like.
    return "validating" if move is RequestMove.REVISE and state.validating and state.judging is None else status


def ask(entry: InputRequested, run_id: str, workflow: str, revised: str) -> InputState:
    """Return the request as it is when it has just been asked.

    Args:
        entry: what the workflow asked for.
        run_id, workflow: of the run that asks.
        revised: offset right after the message that will carry the row.
    """
    name, _, n = entry.id.rpartition(":")
    spec, policy = entry.spec, dict(entry.policy or {})
    row = {
        "id": entry.id,
        "run_id": run_id,
        "workflow": workflow,
        "name": name,
        "n": int(n),
        "title": spec["title"],
        "description": spec.get("description"),
        "schema": spec["schema"],
        "ui": spec.get("ui") or {},
        "show": spec.get("show"),
        "initial": spec.get("initial"),
        "actions": list(spec.get("actions") or ("submit",)),
        "audience": list(entry.to),
        "forbid": list(entry.forbid),
        "quorum": shown_quorum(entry.policy, entry.to),
        "votes": [],
        "claim": None,
        "deadline": None if entry.deadline is None else rfc3339(entry.deadline),
        "revision": 0,
        "revised": revised,
        "errors": [],
        "status": "validating" if entry.policy and "decides" in entry.policy else "pending",
        "asked_at": rfc3339(entry.at),
        "decided_by": None,
        "decided_at": None,
        "action": None,
        "reason": None,
        "schedule": Schedule.of(policy, entry.deadline).shown(),
        "wizard": policy.get("wizard"),
        "history": [],
    }
    row = with_choices(row, spec.get("choices"))
    if policy.get("claim_required"):
        row["claim_required"] = True
    if tool := policy.get("tool"):
        row["tool"] = {"name": tool["name"], "call_id": tool["call"]}
    return InputState(row, entry.to, entry.forbid, entry.deadline, entry.expose, entry.at, policy)


def noted(state: InputState, what: str, at: int, by: DecidedBy, reason: str | None = None, **more: Any) -> InputState:
    """Return the request with a line more of what happened to it, for everybody who sees it; the oldest go first.

    Args:
        state: the request.
        what: a verb in the past, e.g. `delegated`.
        at: when, in milliseconds.
        by: who did it.
        reason: why, in their words.
        more: what else is told, JSON.
    """
    line = {"what": what, "at": rfc3339(at), "by": {"kind": by.kind, "id": by.id}, "reason": reason, **more}
    return replace(state, row=state.row | {"history": [*state.row["history"][1 - MOST_HISTORY :], line]})


def revise(state: InputState, entry: InputRevised | InputAmended, revised: str) -> InputState:
    """Return the request with other content and a higher revision; unchanged if it is decided.

    Answers to the former state are stale only if the person sees something else now.
    """
    status = next_status(state, RequestMove.REVISE)
    if status is None:
        return state
    changes = entry.changes
    policy = state.policy
    if state.judging is not None and outlives(DecidedBy(**policy["judged"].get("by", _UNKNOWN)), changes):
        status = "validating"
    else:
        policy = {name: rule for name, rule in policy.items() if name != "judged"}
    row = {**state.row, **{name: changes[name] for name in _SEEN if name in changes}}
    row["ui"] = row["ui"] or {}
    row = with_choices(row, row["choices"])
    seen = any(_differ(row[name], state.row[name]) for name in _SEEN if name in changes)
    if "wizard" in changes:
        row["wizard"] = changes["wizard"]
    to = tuple(changes.get("to", state.to))
    schedule = state.schedule.revised(changes, entry.at)
    deadline_ms = schedule.deadline
    row |= {
        "audience": list(to),
        "deadline": None if deadline_ms is None else rfc3339(deadline_ms),
        "schedule": schedule.shown(),
        "revision": row["revision"] + 1,
        "revised": revised if seen else row["revised"],
        "errors": [],
        "status": status,
    }
    return replace(state, row=row, to=to, deadline_ms=deadline_ms, policy=schedule.into(policy))


def outlives(by: DecidedBy, changes: Mapping[str, Any]) -> bool:
    """Tell whether an answer is judged on when its request is revised.

    Args:
        by: sent it.
        changes: nothing of what is shown, and whoever sent it may still be among those who are asked. With groups that
            cannot be told here: the verdict is only written if it is so.
    """
    if any(name in changes for name in (*_SEEN, "wizard")):
        return False
    to = changes.get("to")
    return to is None or by.kind != "person" or by.id in to or any(one.startswith("group:") for one in to)


def is_revised_so(state: InputState, changes: dict[str, Any]) -> bool:
    """Tell whether a request says all of this already: members that a person sees, and the deadline in milliseconds."""
    if changes.get("deadline", state.deadline_ms) != state.deadline_ms:
        return False
    shown = {"ui": changes["ui"] or {}} if "ui" in changes else {}
    return not any(_differ(one, state.row[name]) for name, one in (changes | shown).items() if name in _SEEN)


def remind(state: InputState, entry: InputReminded) -> InputState:
    """Return the request after a reminder; unchanged if none is to come. Nothing of it is stale by that."""
    if (state.row["status"], RequestMove.REMIND) not in TRANSITIONS or not state.schedule.awaits(entry):
        return state
    return noted(_happened(state, entry), "reminded", entry.at, TIMEOUT)


def escalate(state: InputState, entry: InputEscalated) -> InputState:
    """Return the request as others are asked, too or instead; unchanged if that is not to come."""
    if (state.row["status"], RequestMove.ESCALATE) not in TRANSITIONS or not state.schedule.awaits(entry):
        return state
    after = _happened(state, entry)
    to = tuple(dict.fromkeys((*state.to, *entry.to))) if entry.keep else entry.to
    after = replace(after, row=after.row | {"audience": list(to)}, to=to)
    return noted(after, "escalated", entry.at, TIMEOUT, to=list(entry.to), keep=entry.keep)


def _happened(state: InputState, entry: InputReminded | InputEscalated) -> InputState:
    schedule = state.schedule.happened(entry)
    row = state.row | {"schedule": schedule.shown()}
    return replace(state, row=row, policy=schedule.into(state.policy))


def _differ(one: Any, other: Any) -> bool:
    # As JSON: to Python, 1 and true are equal.
    return orjson.dumps(one, option=orjson.OPT_SORT_KEYS) != orjson.dumps(other, option=orjson.OPT_SORT_KEYS)


def prefilled(state: InputState, value: Any, revised: str) -> InputState:
    """Return a pending request that shows what was filled in of it: that is another thing to decide about."""
    row = state.row | {"initial": value, "revision": state.row["revision"] + 1, "revised": revised}
    return replace(state, row=row)


def begun(state: InputState, value: Any) -> InputState:
    """Return a request that has just been asked, and begins with what was filled in of it before."""
    return replace(state, row=state.row | {"initial": value})


def answer(state: InputState, entry: InputAnswered) -> InputState:
    """Return the request as answered; unchanged if it was decided before."""
    decided = _decided(state, RequestMove.ANSWER, entry.at, entry.by, action=entry.action, reason=entry.reason)
    if decided is not state and entry.by.kind == "timeout":
        decided.row["schedule"] = state.schedule.shown(entry.at)
    if decided is not state and state.expose:
        decided.row["value"] = as_shown(state.row, entry.action, entry.filled_in)
    return decided


def expire(state: InputState, entry: InputExpired) -> InputState:
    """Return the request as expired; unchanged if it was decided before."""
    decided = _decided(state, RequestMove.EXPIRE, entry.at, TIMEOUT)
    if decided is not state:
        decided.row["schedule"] = state.schedule.shown(entry.at)
    return decided


def withdraw(state: InputState, at: int, by: DecidedBy, reason: str | None) -> InputState:
    """Return the request as taken back; unchanged if it was decided before."""
    return _decided(state, RequestMove.WITHDRAW, at, by, reason=reason)


def take_back(state: InputState, at: int, by: DecidedBy, reason: str) -> InputState:
    """Return a request that is undone, whatever had become of it: nobody is asked any more, or was."""
    pending = replace(state, row={**state.row, "status": "pending"})
    pending.row.pop("value", None)
    return withdraw(pending, at, by, reason)


def reopen(state: InputState, revision: int, revised: str) -> InputState:
    """Return a request as it is asked again after what was shown later is undone: answers to that are stale."""
    return replace(state, row={**state.row, "revision": revision, "revised": revised})


def _decided(
    state: InputState,
    move: RequestMove,
    at: int,
    by: DecidedBy,
    *,
    action: str | None = None,
    reason: str | None = None,
) -> InputState:
    status = next_status(state, move)
    if status is None:
        return state
    row = state.row | {
        "status": status,
        "errors": [],
        "claim": None,
        "decided_by": {"kind": by.kind, "id": by.id},
        "decided_at": rfc3339(at),
        "action": action,
        "reason": reason,
    }
    return replace(state, row=row)
