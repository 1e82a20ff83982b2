"""Whom a request is asked of: how that changes, and who is still among them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from signoff.workflow.input.state import InputState


def asked_of(state: InputState, to: Sequence[str], forbid: Sequence[str] | None = None) -> InputState:
    """Return the request as asked of others, and forbidden to others unless that stays as it is."""
    asked, forbidden = tuple(dict.fromkeys(to)), state.forbid if forbid is None else tuple(forbid)
    row = state.row | {"audience": list(asked), "forbid": list(forbidden)}
    return replace(state, row=row, to=asked, forbid=forbidden)


def forbidden_to(state: InputState, principals: Iterable[str]) -> InputState:
    """Return the request as forbidden to these as well; the same one if it is already."""
    more = [one for one in dict.fromkeys(principals) if one not in state.forbid]
    return asked_of(state, state.to, (*state.forbid, *more)) if more else state


def still_asked(who: str | None, before: InputState, after: InputState) -> bool:
    """Tell whether a person who was asked is asked still, as far as that can be told without knowing groups.

    Who was asked by name, and is no longer, counts as gone, though a group may be left; who was asked as one of a group
    is asked as long as all groups are.
    """
    if who in after.forbid:
        return False
    if who in after.to:
        return True
    if who in before.to:
        return False
    return {one for one in before.to if one.startswith("group:")} <= set(after.to)


def judged_sender(state: InputState) -> str | None:
    """Return the person whose answer is judged, or was when it was decided; None: there is none that is known."""
    by = state.policy.get("judged", {}).get("by")
    return str(by["id"]) if by is not None and by["kind"] == "person" else None


def sender_barred(state: InputState) -> bool:
    """Tell whether whoever sent the answer that is judged may not decide the request any more."""
    who = judged_sender(state)
    if who is None:
        return False
    before = replace(state, to=tuple(state.policy["judged"]["to"]))
    return not still_asked(who, before, state)


def who_decided(state: InputState) -> list[str]:
    """Return the people who had a part in how a request was decided: who answered, and all who voted.

    Also who sent the answer that a policy decided about.
    """
    row, judged = state.row, state.policy.get("judged", {})
    by = [row["decided_by"], *(vote["by"] for vote in row["votes"]), judged.get("by")]
    return list(dict.fromkeys(one["id"] for one in by if one is not None and one["kind"] == "person"))


def keep_apart(state: InputState, other: str) -> InputState:
    """Return the request as one that is not decided by whoever decides the other."""
    apart = state.policy.get("apart", [])
    return state if other in apart else replace(state, policy=state.policy | {"apart": [*apart, other]})
