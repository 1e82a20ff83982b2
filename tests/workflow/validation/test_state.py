from __future__ import annotations

from signoff.streams import offset
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.entries import InputAnswered, InputRequested, InputRevised
from signoff.workflow.input.state import InputState, answer, ask, revise
from signoff.workflow.validation.entries import InputRefused, InputReturned
from signoff.workflow.validation.state import give_back, refuse, submit
from tests.workflow.input.requests import STATES, SUBMITTED, answered, pending

FAULT = [{"pointer": "/ok", "message": "not yet"}]


def asked_of_a_policy() -> InputState:
    spec = {"title": "Approve?", "schema": {}, "actions": ["approve"]}
    return ask(InputRequested(1_000, "approve:0", spec, policy={"decides": True}), "r1", "expense", offset.encode(5))


def test_what_is_judged_is_told_from_what_is_open_and_says_nothing_of_the_answer() -> None:
    state = submit(pending(expose=True), SUBMITTED)
    assert (state.pending, state.validating, state.judging) == (True, True, "s1")
    assert state.row == pending(expose=True).row | {"status": "validating"}


def test_a_refusal_shows_what_is_wrong_and_makes_nobody_stale() -> None:
    state = refuse(submit(pending(), SUBMITTED), InputRefused(2_000, "approve:0", "s1", "d", FAULT))
    assert (state.row["status"], state.row["errors"], state.row["revision"]) == ("pending", FAULT, 1)
    assert state.row["revised"] == pending().row["revised"]
    assert state.policy == pending().policy
    assert submit(state, SUBMITTED).row["errors"] == []
    assert answered(submit(state, SUBMITTED)).row["errors"] == []


def test_a_verdict_on_another_submission_has_no_effect() -> None:
    state = submit(pending(), SUBMITTED)
    assert refuse(state, InputRefused(2_000, "approve:0", "s2", "d", FAULT)) is state
    assert give_back(state, InputReturned(2_000, "approve:0", "s2")) is state
    assert give_back(state, InputReturned(2_000, "approve:0")) is state


def test_what_came_to_no_verdict_says_so_to_people_and_why_to_nobody() -> None:
    state = give_back(submit(pending(), SUBMITTED), InputReturned(2_000, "approve:0", "s1", "db is down: secret"))
    [error] = state.row["errors"]
    assert error["pointer"] == ""
    assert "secret" not in str(state.row)


def test_a_revision_drops_the_answer_and_not_the_question_to_a_policy() -> None:
    revision = InputRevised(2_000, "approve:0", {"title": "New"})
    assert revise(STATES["validating"], revision, offset.encode(9)).row["status"] == "pending"
    first = asked_of_a_policy()
    assert (first.row["status"], first.judging) == ("validating", None)
    revised = revise(first, revision, offset.encode(9))
    assert (revised.row["status"], revised.row["title"]) == ("validating", "New")
    left = give_back(revised, InputReturned(3_000, "approve:0"))
    assert (left.row["status"], left.row["errors"]) == ("pending", [])


def test_a_policys_decision_has_its_reason_in_the_row() -> None:

    by = DecidedBy("policy", "small")
    entry = InputAnswered(2_000, "approve:0", "policy:approve:0", "d", "approve", {"ok": True}, by, reason="small")
    row = answer(asked_of_a_policy(), entry).row
    assert (row["status"], row["reason"], row["decided_by"]) == ("answered", "small", {"kind": "policy", "id": "small"})
