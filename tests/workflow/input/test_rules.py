"""What the options of a request come to in its policy."""

from __future__ import annotations

from typing import Any

import pytest

from signoff import Context, Escalation, Quorum
from signoff.workflow.input.options import RequestOptions
from signoff.workflow.input.rules import rules_of
from tests.workflow.drive import Drive


def test_only_what_is_given_is_said() -> None:
    assert rules_of({}, {}, ["submit"]) == {}
    assert rules_of({"quorum": Quorum.any()}, {"validated": "values"}, ["submit"]) == {"validated": "values"}
    options: RequestOptions = {
        "to": ["group:g"],
        "claim": "1m",
        "claim_required": True,
        "quorum": Quorum(2, veto=["no"]),
    }
    said = rules_of(options, {"decides": True}, ["yes", "no"])
    quorum = {"need": 2, "veto": ["no"]}
    assert said == {"claim": 60_000, "claim_required": True, "quorum": quorum, "decides": True}


def test_votes_are_judged_by_the_schema_alone() -> None:
    """So a type that has rules of its own is refused where it is asked for, not in a run that has been voted on."""
    with pytest.raises(ValueError, match="of which JSON Schema says all"):
        rules_of({"to": ["group:g"], "quorum": Quorum(2)}, {"validated": "values"}, ["submit"])


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"validate": lambda _: None, "quorum": Quorum(2)}, "A request with a quorum takes no `validate`"),
        ({"quorum": Quorum.all(), "escalate": [Escalation("1h", ["group:g"])]}, "counts people"),
        ({"quorum": Quorum(2), "escalate": [Escalation("1h", ["user:cara"], keep=False)]}, "cannot be reached"),
    ],
)
def test_what_cannot_be_together_is_refused(options: dict[str, Any], what: str) -> None:
    async def flow(ctx: Context) -> None:
        await ctx.await_input("pay", bool, title="Pay?", to=["user:alice", "user:bora"], **options)

    assert what in Drive(flow).error.message


@pytest.mark.parametrize("forbid", [[5], ["alice"], [b"user:alice"]])
def test_what_is_no_principal_forbids_nobody_and_is_refused(forbid: list[Any]) -> None:
    async def flow(ctx: Context) -> None:
        await ctx.await_input("pay", bool, title="Pay?", to=["user:alice"], forbid=forbid)

    assert "forbid" in Drive(flow).error.message or "principal" in Drive(flow).error.message


def test_who_is_forbidden_does_not_count() -> None:
    """A request that nobody could answer, or a quorum that is out of reach, is refused where it is asked for."""
    to = ["user:a", "user:b", "user:c"]
    every = rules_of({"to": to, "quorum": Quorum.all()}, {}, ["yes"], ["user:a", "user:z"])
    assert every["quorum"]["need"] == 2
    assert rules_of({"to": to, "quorum": Quorum.all()}, {}, ["yes"], ["user:z"])["quorum"]["need"] is None
    with pytest.raises(ValueError, match="cannot be reached by the 2"):
        rules_of({"to": to, "quorum": Quorum(3)}, {}, ["yes"], ["user:a"])
    with pytest.raises(ValueError, match="nobody could answer"):
        rules_of({"to": ["user:a"]}, {}, ["yes"], ["user:a"])
    assert rules_of({"to": ["user:a", "group:g"]}, {}, ["yes"], ["user:a"]) == {}
