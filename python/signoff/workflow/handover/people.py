"""Who is asked once a person has handed their part to another."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.state import InputState


def taken_over(asked: Sequence[str], who: str, to: str) -> list[str]:
    """Return who is asked once `to` has taken over the part of `who`, who may be asked through a group."""
    return [to if one == who else one for one in asked] + ([] if who in asked else [to])


def delegated(state: InputState, who: str, to: str, *, forbid: bool) -> tuple[list[str], list[str]]:
    """Return who is asked then, and who is forbidden to answer.

    Args:
        state: the request.
        who: the principal of whoever hands their part on.
        to: the principal that takes it.
        forbid: `who` is asked through a group as well, which stays.
    """
    return taken_over(state.to, who, to), [*state.forbid, *([who] if forbid and who not in state.forbid else [])]


def asked_again(state: InputState, to: Collection[str]) -> list[str]:
    """Return who is forbidden to answer once others are asked: not those who are, and had only handed their part on."""
    return [who for who in state.forbid if who not in to or who not in state.policy.get("handed_on", ())]


def was_handed_on(state: InputState, by: DecidedBy, to: str, reason: str) -> bool:
    """Tell whether somebody has handed their part on in these words before, and has had none since then."""
    if by.id in state.to and by.id not in state.forbid:
        return False
    who = {"kind": by.kind, "id": by.id}
    lines = [line for line in state.row["history"] if line["what"] == "delegated" and line["by"] == who]
    return bool(lines) and (lines[-1]["to"], lines[-1]["reason"]) == ([to], reason)
