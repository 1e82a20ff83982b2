"""Requests for input in every state, and answers to them."""

from __future__ import annotations

from typing import Any

from signoff.streams import offset
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.decide import Who
from signoff.workflow.input.entries import InputAnswered, InputExpired, InputRequested
from signoff.workflow.input.state import InputState, answer, ask, expire, withdraw
from signoff.workflow.input.submission import AnswerRequest
from signoff.workflow.validation.entries import InputSubmitted
from signoff.workflow.validation.state import submit

SCHEMA = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
ALICE = Who(frozenset({"user:alice", "group:finance"}), DecidedBy("person", "user:alice"))
LOCAL = Who(frozenset(), DecidedBy("operator", "local"), operator=True)


def pending(**members: Any) -> InputState:
    spec = {"title": "Approve?", "schema": SCHEMA, "actions": ["approve", "reject"]}
    entry = InputRequested(1_000, "approve:0", spec, ("group:finance",), **members)
    return ask(entry, "r1", "expense", offset.encode(5))


def given_answer(value: Any = None, action: str = "approve", seen: int = 5) -> AnswerRequest:
    return AnswerRequest("s1", action, {"ok": True} if value is None else value, offset.encode(seen))


def answered(state: InputState) -> InputState:
    return answer(state, InputAnswered(2_000, "approve:0", "s1", "d", "approve", {"ok": True}, ALICE.by))


SUBMITTED = InputSubmitted(1_500, "approve:0", "s1", "d", "approve", {"ok": True}, ALICE.by)

STATES = {
    "pending": pending(),
    "answered": answered(pending()),
    "expired": expire(pending(), InputExpired(2_000, "approve:0")),
    "withdrawn": withdraw(pending(), 2_000, DecidedBy("workflow"), "moot"),
    "validating": submit(pending(), SUBMITTED),
}
