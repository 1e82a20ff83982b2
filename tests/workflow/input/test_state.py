from __future__ import annotations

from typing import Any

import pytest

from signoff.streams import offset
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.decide import Accept, Who, decide_answer
from signoff.workflow.input.entries import InputEscalated, InputExpired, InputReminded, InputRevised
from signoff.workflow.input.state import (
    TRANSITIONS,
    UNDECIDED,
    InputState,
    RequestMove,
    escalate,
    expire,
    remind,
    revise,
    withdraw,
)
from signoff.workflow.validation.entries import InputRefused, InputReturned
from signoff.workflow.validation.state import give_back, refuse, submit
from tests.workflow.input.requests import SCHEMA, STATES, SUBMITTED, answered, given_answer, pending


@pytest.mark.parametrize("status", STATES)
def test_states_are_what_they_are_called(status: str) -> None:
    assert STATES[status].row["status"] == status
    assert STATES[status].pending == (status in UNDECIDED)
    assert InputState.loads(STATES[status].dumps()) == STATES[status]


@pytest.mark.parametrize("status", STATES)
@pytest.mark.parametrize("verb", list(RequestMove))
def test_what_is_not_in_the_table_has_no_effect(status: str, verb: RequestMove) -> None:
    state = STATES[status]
    moves = {
        RequestMove.REVISE: lambda: revise(state, InputRevised(3_000, "approve:0", {"title": "New"}), offset.encode(9)),
        RequestMove.ANSWER: lambda: answered(state),
        RequestMove.REMIND: lambda: remind(state, InputReminded(3_000, "approve:0", 0)),
        RequestMove.ESCALATE: lambda: escalate(state, InputEscalated(3_000, "approve:0", 1, ("group:directors",))),
        RequestMove.EXPIRE: lambda: expire(state, InputExpired(3_000, "approve:0")),
        RequestMove.WITHDRAW: lambda: withdraw(state, 3_000, DecidedBy("workflow"), None),
        RequestMove.SUBMIT: lambda: submit(state, SUBMITTED),
        RequestMove.REFUSE: lambda: refuse(state, InputRefused(3_000, "approve:0", "s1", "d", [])),
        RequestMove.RETURN: lambda: give_back(state, InputReturned(3_000, "approve:0", "s1")),
    }
    before = state.dumps()
    after = moves[verb]()
    if (status, verb) in TRANSITIONS:
        assert after.row["status"] == TRANSITIONS[status, verb]
    else:
        assert after is state
    assert state.dumps() == before


def test_a_revision_counts_and_moves_the_offset() -> None:
    changes = {"title": "New", "show": {"n": 1}, "actions": ["ok"], "to": ["user:bob"], "deadline": 9_000, "ui": None}
    state = revise(pending(), InputRevised(3_000, "approve:0", changes), offset.encode(9))
    assert (state.row["revision"], state.row["revised"]) == (1, offset.encode(9))
    assert (state.row["title"], state.row["show"], state.row["actions"]) == ("New", {"n": 1}, ["ok"])
    assert (state.to, state.row["audience"], state.row["ui"]) == (("user:bob",), ["user:bob"], {})
    assert (state.deadline_ms, state.row["deadline"]) == (9_000, "1970-01-01T00:00:09.000Z")
    assert state.row["schema"] == SCHEMA


def test_the_value_is_shown_only_where_it_is_exposed() -> None:
    assert "value" not in answered(pending()).row
    assert answered(pending(expose=True)).row["value"] == {"ok": True}


def test_who_is_asked_and_until_when_is_not_what_is_seen() -> None:
    state = revise(
        pending(), InputRevised(3_000, "approve:0", {"to": ["user:bob"], "deadline": 9_000}), offset.encode(9)
    )
    assert (state.row["revision"], state.row["revised"]) == (1, offset.encode(5))
    assert (state.row["audience"], state.deadline_ms) == (["user:bob"], 9_000)
    bob = Who(frozenset({"user:bob"}), DecidedBy("person", "user:bob"))
    assert decide_answer(state, given_answer(), bob, 4_000) == Accept()


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("title", "New"),
        ("description", "new"),
        ("schema", {"type": "object"}),
        ("ui", {"order": ["ok"]}),
        ("show", {"n": 1}),
        ("initial", {"ok": True}),
        ("actions", ["approve"]),
    ],
)
def test_what_is_seen_moves_the_offset_if_it_is_another(member: str, value: Any) -> None:
    once = revise(pending(), InputRevised(3_000, "approve:0", {member: value}), offset.encode(9))
    assert once.row["revised"] == offset.encode(9)
    again = revise(once, InputRevised(4_000, "approve:0", {member: value, "to": ["user:bob"]}), offset.encode(11))
    assert (again.row["revision"], again.row["revised"]) == (2, offset.encode(9))


def test_one_and_true_are_not_the_same_to_look_at() -> None:
    state = revise(pending(), InputRevised(3_000, "approve:0", {"show": {"n": 1}}), offset.encode(9))
    assert revise(state, InputRevised(4_000, "approve:0", {"show": {"n": True}}), offset.encode(11)).row[
        "revised"
    ] == offset.encode(11)
