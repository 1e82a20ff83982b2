"""How votes are counted, and which still hold when the request changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.audience import asked_of
from signoff.workflow.input.entries import InputRequested
from signoff.workflow.input.state import InputState, ask
from signoff.workflow.vote import count
from signoff.workflow.vote.entries import InputVoted
from tests.workflow.input.requests import SCHEMA

SPEC = {"title": "Pay?", "schema": SCHEMA, "actions": ["approve", "reject"]}


def pending(to: Sequence[str], need: int | None, *people: str) -> InputState:
    policy: dict[str, Any] = {"quorum": {"need": need, "veto": []}}
    state = ask(InputRequested(1, "pay:0", SPEC, tuple(to), policy=policy), "r1", "flow", "0" * 16)
    for who in people:
        vote = InputVoted(2, "pay:0", f"s-{who}", "d", "approve", None, DecidedBy("person", f"user:{who}"))
        state = count.voted(state, vote)
    return state


def left(state: InputState) -> list[str]:
    return [vote["by"]["id"].removeprefix("user:") for vote in state.row["votes"]]


@pytest.mark.parametrize(
    ("to", "need", "votes", "then", "forbid", "holds"),
    [
        (["user:a", "user:b", "user:c"], 3, "ab", ["user:a", "user:b", "user:c", "user:d"], [], "ab"),
        (["user:a", "user:b", "user:c"], 3, "ab", ["user:b", "user:c", "user:d"], [], "b"),
        (["user:a", "user:b", "user:c"], None, "ab", ["user:a", "user:b"], [], ""),
        (["group:g"], 3, "ab", ["group:g", "user:c"], [], "ab"),
        (["group:g"], 3, "ab", ["group:g"], ["user:a"], "b"),
        (["group:g", "group:h"], 3, "ab", ["group:g", "user:b"], [], "b"),
        (["group:g", "user:a"], 3, "ab", ["group:g"], [], "b"),
    ],
)
def test_a_vote_holds_as_long_as_its_author_is_asked(
    to: list[str], need: int | None, votes: str, then: list[str], forbid: list[str], holds: str
) -> None:
    before = pending(to, need, *votes)
    after, why = count.kept(before, asked_of(before, then, forbid))
    assert left(after) == list(holds)
    assert (why is None) == (holds == votes)
    assert list(after.policy["votes"]) == [f"user:{who}" for who in holds]
    assert count.dropped(before, after) == [f"pay:0/user:{who}" for who in votes if who not in holds]


def test_all_are_as_many_as_are_asked() -> None:
    before = pending(["user:a", "user:b"], None)
    after, _ = count.kept(before, asked_of(before, ["user:a", "user:b", "user:c"]))
    assert after.row["quorum"] == {"need": 3, "of": 3, "veto": []}
