"""How a request is decided, as its options say it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from signoff.workflow.claim.lease import claim_policy
from signoff.workflow.vote.quorum import Quorum, check_answerable, check_quorum

if TYPE_CHECKING:
    from signoff.workflow.input.options import RequestOptions


def rules_of(
    options: RequestOptions, judged: Mapping[str, Any], actions: Sequence[str], forbid: Collection[str] = ()
) -> dict[str, Any]:
    """Return what a request's policy says of claims and votes, and of how answers are judged.

    Votes are judged by the schema alone: a worker's verdict is about an answer that decides.

    Args:
        options: of the request.
        judged: what the policy would say of judging.
        actions: what may be chosen.
        forbid: who may not, though in `to`; they do not count.

    Raises:
        ValueError: a quorum beside a validator, or a type that has some; a quorum that could not be reached, now or
            after an escalation.
    """
    asked = tuple(options.get("to", ()))
    check_answerable(asked, forbid)
    claims = claim_policy(options.get("claim"), required=options.get("claim_required", False))
    quorum = options.get("quorum", Quorum.any()).policy()
    if not quorum:
        return {**judged, **claims}
    if options.get("validate") is not None:
        raise ValueError("A request with a quorum takes no `validate`: check what was decided in a step behind it.")
    if "validated" in judged:
        raise ValueError(
            "A request with a quorum takes types of which JSON Schema says all: a vote is judged where it arrives, "
            "without your code. Leave out the validators of the type, and check what was decided in a step behind it."
        )
    check_quorum(quorum, _without(asked, forbid), actions)
    if quorum["quorum"]["need"] is None and not set(asked).isdisjoint(forbid):
        quorum["quorum"]["need"] = len(_without(asked, forbid))
    for escalation in options.get("escalate", ()):
        asked = tuple(dict.fromkeys((*asked, *escalation.to) if escalation.keep else escalation.to))
        check_quorum(quorum, _without(asked, forbid))
    return {**judged, **claims, **quorum}


def _without(asked: Sequence[str], forbid: Collection[str]) -> tuple[str, ...]:
    return tuple(one for one in asked if one not in forbid)
