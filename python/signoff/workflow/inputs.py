"""The life of a request for input, as one table.

    pending --revise--> pending      what people see has changed; `revision` grows
    pending --answer--> answered     accepted; nothing changes it any more
    pending --expire--> expired      the deadline passed
    pending --withdraw--> withdrawn  by the workflow, by cancelling the run, or because the run ended

What is not in the table has no effect. An answer is decided on by `decide_answer`: checks in a fixed order, so that
every refusal says the first thing that matters to the person (protocol, section 8.3).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import orjson

from signoff.clock import rfc3339
from signoff.errors import AlreadyDecided, BadRequest, Expired, InvalidAnswer, NotInAudience, Stale, Withdrawn
from signoff.streams import offset
from signoff.workflow import codec
from signoff.workflow.journal import (
    DecidedBy,
    InputAnswered,
    InputExpired,
    InputRequested,
    InputRevised,
)
from signoff.workflow.names import BACK


class Verb(StrEnum):
    """Name what can happen to a request."""

    REVISE = "revise"
    ANSWER = "answer"
    EXPIRE = "expire"
    WITHDRAW = "withdraw"


TRANSITIONS: dict[tuple[str, Verb], str] = {
    ("pending", Verb.REVISE): "pending",
    ("pending", Verb.ANSWER): "answered",
    ("pending", Verb.EXPIRE): "expired",
    ("pending", Verb.WITHDRAW): "withdrawn",
}

FORM_ACTIONS = frozenset({"submit", "approve", "edit", "respond"})
"""Actions whose value must match the schema. With others (`reject`, …) the value may be null."""

MOST_BACK = 64 << 10
"""Bytes that the value of `back` may have as JSON."""

_SEEN = ("title", "description", "schema", "ui", "show", "initial", "actions")
"""What a person sees of a request, and decides about: an answer to another state of it is stale. Who else is asked, and
until when, is not part of that."""


@dataclass(frozen=True, slots=True)
class InputState:
    """Hold a request: its public row and what the rules need beside it.

    Attributes:
        row: the row as browsers see it.
        to, forbid: principals that may, and may not, answer.
        deadline_ms: milliseconds, or None.
        expose: the accepted value may be seen in the row.
        asked_ms: milliseconds.
    """

    row: dict[str, Any]
    to: tuple[str, ...]
    forbid: tuple[str, ...]
    deadline_ms: int | None
    expose: bool
    asked_ms: int

    def dumps(self) -> bytes:
        """Write as JSON, for a store."""
        return orjson.dumps([self.row, self.to, self.forbid, self.deadline_ms, self.expose, self.asked_ms])

    @classmethod
    def loads(cls, data: bytes) -> InputState:
        """Read what `dumps` wrote."""
        row, to, forbid, deadline_ms, expose, asked_ms = orjson.loads(data)
        return cls(row, tuple(to), tuple(forbid), deadline_ms, expose, asked_ms)

    @property
    def pending(self) -> bool:
        """Tell whether it can still be answered."""
        return bool(self.row["status"] == "pending")


# -- transitions -------------------------------------------------------------------------------------------------------


def ask(entry: InputRequested, run_id: str, workflow: str, revised: str) -> InputState:
    """Return the request as it is when it has just been asked.

    Args:
        entry: what the workflow asked for.
        run_id, workflow: of the run that asks.
        revised: offset right after the message that will carry the row.
    """
    name, _, n = entry.id.rpartition(":")
    spec = entry.spec
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
        "quorum": None,
        "votes": [],
        "claim": None,
        "deadline": None if entry.deadline is None else rfc3339(entry.deadline),
        "revision": 0,
        "revised": revised,
        "errors": [],
        "status": "pending",
        "asked_at": rfc3339(entry.at),
        "decided_by": None,
        "decided_at": None,
        "action": None,
        "reason": None,
    }
    return InputState(row, entry.to, entry.forbid, entry.deadline, entry.expose, entry.at)


def revise(state: InputState, entry: InputRevised, revised: str) -> InputState:
    """Return the request with other content and a higher revision; unchanged if it is decided.

    Answers to the former state are stale only if the person sees something else now.
    """
    status = TRANSITIONS.get((state.row["status"], Verb.REVISE))
    if status is None:
        return state
    changes = entry.changes
    row = {**state.row, **{name: changes[name] for name in _SEEN if name in changes}}
    row["ui"] = row["ui"] or {}
    seen = any(_differ(row[name], state.row[name]) for name in _SEEN if name in changes)
    to = tuple(changes.get("to", state.to))
    deadline_ms = changes.get("deadline", state.deadline_ms)
    row |= {
        "audience": list(to),
        "deadline": None if deadline_ms is None else rfc3339(deadline_ms),
        "revision": row["revision"] + 1,
        "revised": revised if seen else row["revised"],
        "errors": [],
        "status": status,
    }
    return replace(state, row=row, to=to, deadline_ms=deadline_ms)


def _differ(one: Any, other: Any) -> bool:
    # As JSON: to Python, 1 and true are equal.
    return orjson.dumps(one, option=orjson.OPT_SORT_KEYS) != orjson.dumps(other, option=orjson.OPT_SORT_KEYS)


def answer(state: InputState, entry: InputAnswered) -> InputState:
    """Return the request as answered; unchanged if it was decided before."""
    decided = _decided(state, Verb.ANSWER, entry.at, entry.by, action=entry.action)
    if decided is not state and state.expose:
        decided.row["value"] = codec.conceal(codec.shown(entry.value), state.row["schema"])
    return decided


def expire(state: InputState, entry: InputExpired) -> InputState:
    """Return the request as expired; unchanged if it was decided before."""
    return _decided(state, Verb.EXPIRE, entry.at, DecidedBy("timeout"))


def withdraw(state: InputState, at: int, by: DecidedBy, reason: str | None) -> InputState:
    """Return the request as taken back; unchanged if it was decided before."""
    return _decided(state, Verb.WITHDRAW, at, by, reason=reason)


def _decided(
    state: InputState, verb: Verb, at: int, by: DecidedBy, *, action: str | None = None, reason: str | None = None
) -> InputState:
    status = TRANSITIONS.get((state.row["status"], verb))
    if status is None:
        return state
    row = state.row | {
        "status": status,
        "errors": [],
        "decided_by": {"kind": by.kind, "id": by.id},
        "decided_at": rfc3339(at),
        "action": action,
        "reason": reason,
    }
    return replace(state, row=row)


# -- the answer --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Who:
    """Hold who answers.

    Attributes:
        principals: `user:{sub}` and `group:{g}` of a person; empty for the local operator.
        by: as it will stand in the row.
        operator: may answer without being asked.
    """

    principals: frozenset[str]
    by: DecidedBy
    operator: bool = False


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """Hold a submission; see the protocol, section 8.1."""

    submission_id: str
    action: str
    value: Any
    seen_offset: str


@dataclass(frozen=True, slots=True)
class Accept:
    """Tell that the answer may be recorded."""


@dataclass(frozen=True, slots=True)
class ExpireNow:
    """Tell that the deadline has passed: record `input.expired`, then refuse with `Expired`."""


_MEMBERS = ("submission_id", "action", "value", "seen_offset")
_DEEPEST = 64


def parse_answer(body: Any) -> AnswerRequest:
    """Read the body of an answer, whatever JSON it is.

    Raises:
        BadRequest: a member is missing, unknown or malformed; the detail names it.
    """
    if not isinstance(body, dict):
        raise BadRequest(f"An answer is a JSON object with the members {', '.join(_MEMBERS)}.")
    missing = [name for name in _MEMBERS if name not in body]
    if missing:
        raise BadRequest(f"The answer lacks the member `{missing[0]}`; nothing was recorded.", member=missing[0])
    unknown = sorted(str(name) for name in body.keys() - set(_MEMBERS))
    if unknown:
        raise BadRequest(f"The answer has the unknown member {unknown[0]!r:.100}; nothing was recorded.")
    submission_id, action, value, seen = (body[name] for name in _MEMBERS)
    if not (isinstance(submission_id, str) and 1 <= len(submission_id) <= 128 and _visible(submission_id)):
        raise _malformed("submission_id", "1 to 128 visible ASCII characters")
    if not (isinstance(action, str) and 1 <= len(action) <= 128 and action.isprintable()):
        raise _malformed("action", "1 to 128 printable characters")
    if not (isinstance(seen, str) and _is_offset(seen)):
        raise _malformed("seen_offset", "the `revised` of the row that was shown, or -1")
    if _too_deep(value):
        raise _malformed("value", f"nested at most {_DEEPEST} deep")
    return AnswerRequest(submission_id, action, value, seen)


def _malformed(member: str, rule: str) -> BadRequest:
    return BadRequest(f"`{member}` of an answer must be {rule}; nothing was recorded.", member=member)


def _visible(text: str) -> bool:
    return all("!" <= character <= "~" for character in text)


def _is_offset(text: str) -> bool:
    return text == offset.START or (len(text) == offset.WIDTH and text.isascii() and text.isdigit())


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True


def decide_answer(state: InputState, request: AnswerRequest, who: Who, now_ms: int) -> Accept | ExpireNow:
    """Decide what becomes of an answer; nothing is changed.

    Args:
        state: the request as it is.
        request: the submission. That its id is new has been checked against the ledger.
        who: the caller.
        now_ms: now, in milliseconds.

    Raises:
        NotInAudience: the caller was not asked, or is forbidden to answer.
        AlreadyDecided, Expired, Withdrawn: it is decided; with the current `row`.
        Stale: it was revised after the person saw it; with the current `row`.
        InvalidAnswer: the action is not offered, or the value does not match the schema; with `errors`.
    """
    check_audience(state, who)
    row = state.row
    if not state.pending:
        raise _already(row)
    if state.deadline_ms is not None and now_ms >= state.deadline_ms:
        return ExpireNow()
    if offset.decode(request.seen_offset) < offset.decode(row["revised"]):
        raise Stale(
            f"The request {row['id']} was revised after you saw it; your answer was not recorded. Look again.",
            row=row,
        )
    errors = _faults(row, request)
    if errors:
        raise InvalidAnswer(
            "The answer does not match what was asked; nothing was recorded and the request is still open.",
            errors=errors,
            row=row,
        )
    return Accept()


def check_audience(state: InputState, who: Who) -> None:
    """Refuse whoever was not asked.

    Raises:
        NotInAudience: the caller was not asked, or is forbidden to answer.
    """
    if not who.principals.isdisjoint(state.forbid):
        raise NotInAudience(f"You may not decide on {state.row['id']} yourself; somebody else must.")
    if not who.operator and who.principals.isdisjoint(state.to):
        raise NotInAudience(f"You are not among those who were asked {state.row['id']}; your answer was not recorded.")


def _already(row: dict[str, Any]) -> AlreadyDecided | Expired | Withdrawn:
    match row["status"]:
        case "expired":
            return Expired(f"The deadline of {row['id']} has passed; your answer was not recorded.", row=row)
        case "withdrawn":
            return Withdrawn(f"The request {row['id']} was taken back; your answer was not recorded.", row=row)
    return AlreadyDecided(f"The request {row['id']} is already decided; your answer was not recorded.", row=row)


def _faults(row: dict[str, Any], request: AnswerRequest) -> list[dict[str, str]]:
    if request.action not in row["actions"]:
        return [{"pointer": "", "message": f"Choose one of: {', '.join(row['actions'])}."}]
    if request.value is None and request.action not in FORM_ACTIONS:
        return []
    if request.action == BACK:
        size = len(orjson.dumps(request.value))
        what = f"Going back takes {MOST_BACK} bytes of what was filled in at most, not {size}."
        return [{"pointer": "", "message": what}] if size > MOST_BACK else []
    from signoff.workflow.complaints import complaints  # noqa: PLC0415 - its library is loaded by the first answer

    return complaints(row["schema"], request.value)
