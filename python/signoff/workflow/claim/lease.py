"""The rules of a claim: who holds it, who may answer meanwhile, and what ends it beside its time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from signoff.errors import ClaimedByOther, NotClaimed
from signoff.timestamps import rfc3339
from signoff.workflow.durations import Duration, duration_ms
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.audience import still_asked
from signoff.workflow.input.state import InputState

USUAL_MS: Final = 600_000
"""How long a claim lasts that says nothing else, in milliseconds."""

LEAST_MS: Final = 1_000
MOST_MS: Final = 86_400_000
"""How long a claim may last, in milliseconds: a day. It can be renewed."""

_UNTIL: Final = "claimed_until"


def claim_ms(value: Duration) -> int:
    """Return how long a claim shall last, in milliseconds.

    Raises:
        BadRequest: it is no duration.
        ValueError: it is too short or too long.
    """
    ms = duration_ms(value)
    if not LEAST_MS <= ms <= MOST_MS:
        raise ValueError(f"A claim lasts from {LEAST_MS // 1000} s to {MOST_MS // 3_600_000} h, not {value!r:.100}.")
    return ms


def claim_policy(lasts: Duration | None, *, required: bool) -> dict[str, Any]:
    """Return what a request's policy says of claims; nothing where it says what is usual."""
    policy: dict[str, Any] = {} if lasts is None else {"claim": claim_ms(lasts)}
    return policy | ({"claim_required": True} if required else {})


def holder(state: InputState, now_ms: int) -> DecidedBy | None:
    """Return who has claimed a request, and whose time is not over."""
    claim = state.row["claim"]
    return None if claim is None or now_ms >= state.policy[_UNTIL] else DecidedBy(**claim["by"])


def check_claim(state: InputState, by: DecidedBy, now_ms: int) -> None:
    """Refuse whoever wants to answer what somebody else has claimed, or what nobody has and somebody must.

    Raises:
        ClaimedByOther: somebody else has claimed it.
        NotClaimed: nobody has, and it must be.
    """
    held = holder(state, now_ms)
    if held is not None and held != by:
        raise claimed_by_other(state)
    if held is None and state.policy.get("claim_required"):
        row = state.row
        raise NotClaimed(
            f"The request {row['id']} has to be claimed before it is answered; your answer was not recorded. "
            "Claim it, then send the answer again.",
            row=row,
        )


def claimed_by_other(state: InputState) -> ClaimedByOther:
    """Return the refusal of who is not the claimer."""
    row = state.row
    claim = row["claim"]
    return ClaimedByOther(
        f"{claim['by']['id']} has claimed the request {row['id']} until {claim['until']}; nothing was recorded. "
        "Wait, or ask for its release.",
        row=row,
    )


def claim(state: InputState, by: DecidedBy, until: int) -> InputState:
    """Return the request as claimed until then (milliseconds)."""
    row = state.row | {"claim": {"by": {"kind": by.kind, "id": by.id}, "until": rfc3339(until)}}
    return replace(state, row=row, policy=state.policy | {_UNTIL: until})


def release(state: InputState) -> InputState:
    """Return the request as nobody's."""
    policy = {name: value for name, value in state.policy.items() if name != _UNTIL}
    return replace(state, row=state.row | {"claim": None}, policy=policy)


def lapsed(state: InputState, now_ms: int) -> bool:
    """Tell whether the time of the claim that the row shows is over."""
    return state.row["claim"] is not None and holder(state, now_ms) is None


def kept(before: InputState, after: InputState) -> InputState:
    """Return the request without the claim of somebody who is asked no longer."""
    claimed = after.row["claim"]
    if claimed is None or still_asked(claimed["by"]["id"], before, after):
        return after
    return release(after)
