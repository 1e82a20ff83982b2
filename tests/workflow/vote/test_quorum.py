"""What may be said of a quorum, and what of it is refused when it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from signoff import Context, Quorum
from signoff.workflow.vote.quorum import MOST_VOTES, check_quorum, shown_quorum
from tests.workflow.drive import Drive


@pytest.mark.parametrize("votes", [0, -1, True, 1.5, "2", MOST_VOTES + 1])
def test_what_is_no_number_of_votes_is_refused(votes: Any) -> None:
    with pytest.raises(ValueError, match="A quorum is a whole number"):
        Quorum(votes)


def test_vetoes_are_a_list_of_actions() -> None:
    with pytest.raises(TypeError):
        Quorum(2, veto="reject")
    assert Quorum(2, veto=["reject", "reject"]) == Quorum(2, veto=("reject",))


def test_the_usual_rule_says_nothing() -> None:
    assert Quorum.any().policy() == {}
    assert shown_quorum(None, ["user:alice"]) is None


def test_of_a_group_nobody_knows_how_many_there_are() -> None:
    policy = Quorum(2).policy()
    assert shown_quorum(policy, ["group:board", "user:alice"]) == {"need": 2, "of": None, "veto": []}
    assert shown_quorum(policy, ["user:alice", "user:bora"]) == {"need": 2, "of": 2, "veto": []}


@pytest.mark.parametrize(
    ("quorum", "to", "what"),
    [
        (Quorum.all(), ["group:board", "user:alice"], "counts people, and who belongs to group:board"),
        (Quorum(3), ["user:alice", "user:bora"], "A quorum of 3 cannot be reached by the 2"),
        (Quorum(2), [], "has to be asked of somebody"),
        (Quorum(2, veto=["no"]), ["group:board"], "The veto 'no' is no action"),
    ],
)
def test_what_could_never_be_reached_is_refused(quorum: Quorum, to: Sequence[str], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        check_quorum(quorum.policy(), to, ["approve"])

    async def flow(ctx: Context) -> None:
        await ctx.await_input("pay", bool, title="Pay?", actions=["approve"], to=to, quorum=quorum)

    assert what in Drive(flow).error.message


def test_a_revision_may_not_make_it_so() -> None:
    async def flow(ctx: Context) -> None:
        request = ctx.await_input("pay", bool, title="Pay?", to=["user:alice", "user:bora"], quorum=Quorum(2))
        await request.revise(to=["user:alice"])

    assert "cannot be reached" in Drive(flow).error.message
