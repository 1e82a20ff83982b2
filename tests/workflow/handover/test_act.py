"""What operators and people may not do about whom a request is asked of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from signoff.errors import AlreadyDecided, BadRequest, Expired, NotInAudience
from signoff.shapes import WrongValue
from signoff.workflow.decision import AlreadyDone, AppendEntries
from signoff.workflow.handover.act import REQUEST_VERBS, delegate, reassign, revise
from signoff.workflow.handover.entries import InputDelegated, InputReassigned
from signoff.workflow.input.entries import InputAnswered, InputExpired, InputRequested
from tests.workflow.input.requests import ALICE, LOCAL, SCHEMA
from tests.workflow.loaded import loaded, written

SPEC = {"title": "Pay?", "schema": SCHEMA, "actions": ["submit"]}
BODIES: dict[Any, dict[str, Any]] = {
    delegate: {"to": "user:bora", "reason": "away"},
    reassign: {"to": ["user:bora"], "reason": "away"},
    revise: {"title": "Pay 7?", "reason": "away"},
}
WHO = {delegate: ALICE, reassign: LOCAL, revise: LOCAL}


def asked(**members: Any) -> InputRequested:
    return InputRequested(1_000, "pay:0", SPEC, **{"to": ("group:finance",)} | members)


@pytest.mark.parametrize("act", BODIES)
def test_what_is_decided_or_late_stays(act: Any) -> None:
    run = loaded(asked(), InputAnswered(1_500, "pay:0", "s1", "d", "submit", {"ok": True}, ALICE.by))
    with pytest.raises(AlreadyDecided):
        act(run, run.view.inputs["pay:0"], BODIES[act], WHO[act], 2_000)
    late = loaded(asked(deadline=2_000))
    decision = act(late, late.view.inputs["pay:0"], BODIES[act], WHO[act], 2_000)
    assert isinstance(decision, AppendEntries)
    assert decision.entries == (InputExpired(2_000, "pay:0"),)
    assert decision.refusal is not None
    assert isinstance(decision.refusal(late.view), Expired)


@pytest.mark.parametrize(
    ("members", "to"),
    [
        ({"to": ("group:finance", "user:bora")}, "user:bora"),
        ({"forbid": ("user:bora",)}, "user:bora"),
        ({}, "user:alice"),
        ({"to": ("group:finance", *(f"user:{n}" for n in range(98)))}, "user:bora"),
    ],
)
def test_a_part_is_not_handed_to_somebody_who_cannot_take_it(members: dict[str, Any], to: str) -> None:
    run = loaded(asked(**members))
    with pytest.raises(BadRequest):
        delegate(run, run.view.inputs["pay:0"], {"to": to, "reason": "away"}, ALICE, 2_000)


def test_who_is_asked_by_name_and_through_a_group_hands_on_both() -> None:
    run = loaded(asked(to=("user:alice", "group:finance")))
    decision = delegate(run, run.view.inputs["pay:0"], BODIES[delegate], ALICE, 2_000)
    assert isinstance(decision, AppendEntries)
    assert decision.entries == (InputDelegated(2_000, "pay:0", "user:bora", "away", ALICE.by, forbid=True),)


@pytest.mark.parametrize("to", ["group:finance", "user:alice"])
def test_a_part_that_is_handed_on_again_after_a_lost_reply_stays_as_it_is(to: str) -> None:
    run = loaded(asked(to=(to,)))
    decision = delegate(run, run.view.inputs["pay:0"], BODIES[delegate], ALICE, 2_000)
    assert isinstance(decision, AppendEntries)
    done = loaded(asked(to=(to,)), *decision.entries)
    request = done.view.inputs["pay:0"]
    assert delegate(done, request, BODIES[delegate], ALICE, 3_000) == AlreadyDone(request.row)
    for other in ({"to": "user:cara", "reason": "away"}, {"to": "user:bora", "reason": "ill"}):
        with pytest.raises(NotInAudience):
            delegate(done, request, other, ALICE, 3_000)


def test_who_has_got_a_part_back_hands_it_on_anew() -> None:
    """Though in the same words to the same person."""
    away, back = (
        InputDelegated(1_100, "pay:0", "user:bora", "away", ALICE.by),
        InputReassigned(1_200, "pay:0", ("user:alice",), "back", LOCAL.by),
    )
    run = loaded(asked(to=("user:alice",)), away, back)
    assert isinstance(delegate(run, run.view.inputs["pay:0"], BODIES[delegate], ALICE, 2_000), AppendEntries)


def test_a_revision_that_changes_nothing_is_none() -> None:
    show = {"title": "Pay?", "description": None, "ui": None, "deadline": datetime.fromtimestamp(9, UTC)}
    run = loaded(asked(deadline=9_000))
    request = run.view.inputs["pay:0"]
    assert revise(run, request, show | {"reason": "r"}, LOCAL, 2_000) == AlreadyDone(request.row)
    for one in ({"title": "Pay 7?"}, {"show": 1}, {"ui": {"a": 1}}, {"deadline": None}):
        assert isinstance(revise(run, request, show | one | {"reason": "r"}, LOCAL, 2_000), AppendEntries)


def test_nobody_hands_on_what_is_not_theirs() -> None:
    run = loaded(asked(to=("user:cara",)))
    for who in (ALICE, LOCAL):
        with pytest.raises(NotInAudience):
            delegate(run, run.view.inputs["pay:0"], BODIES[delegate], who, 2_000)


@pytest.mark.parametrize("body", [{}, {"ui": [1]}, {"show": "x" * 300_000}])
def test_a_revision_says_something_that_can_be_shown(body: dict[str, Any]) -> None:
    run = loaded(asked())
    with pytest.raises(BadRequest):
        revise(run, run.view.inputs["pay:0"], body | {"reason": "away"}, LOCAL, 2_000)


@pytest.mark.parametrize(
    ("verb", "member", "value"),
    [
        ("delegate", "to", "group:board"),
        ("delegate", "to", "bora"),
        ("reassign", "to", []),
        ("reassign", "to", "user:bora"),
        ("revise", "deadline", "soon"),
        ("revise", "deadline", True),
        ("revise", "title", ""),
    ],
)
def test_bodies_are_checked(verb: str, member: str, value: Any) -> None:
    (declared,) = (one for one in REQUEST_VERBS if one.name == verb)
    (check,) = (one.check for one in declared.members if one.name == member)
    with pytest.raises(WrongValue):
        check(value)


def test_who_handed_their_part_on_may_be_asked_again_by_an_operator() -> None:
    """What the code forbids stays, and nobody is asked who all may not answer."""
    handed = InputDelegated(1_500, "pay:0", "user:bora", "away", ALICE.by, True)
    run = loaded(asked(forbid=("user:cara",)), handed)
    assert run.view.inputs["pay:0"].row["forbid"] == ["user:cara", "user:alice"]
    body = {"to": ["user:alice", "user:cara"], "reason": "back"}
    decision = reassign(run, run.view.inputs["pay:0"], body, LOCAL, 2_000)
    assert isinstance(decision, AppendEntries)
    row, _ = written(run, decision)
    assert row["forbid"] == ["user:cara"]
    with pytest.raises(BadRequest, match="nobody could answer"):
        reassign(run, run.view.inputs["pay:0"], {"to": ["user:cara"], "reason": "back"}, LOCAL, 3_000)
