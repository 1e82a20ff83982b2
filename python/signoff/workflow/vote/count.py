"""How votes are counted, and which of them still hold when the request changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from signoff.timestamps import rfc3339
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.audience import still_asked
from signoff.workflow.input.entries import InputAnswered
from signoff.workflow.input.state import InputState
from signoff.workflow.vote.entries import InputVoted
from signoff.workflow.vote.quorum import shown_quorum


def row_key(request: str, who: str | None) -> str:
    """Return the key of somebody's vote."""
    return f"{request}/{who}"


def voted(state: InputState, entry: InputVoted) -> InputState:
    """Return the request with a vote, in the place of an earlier one of the same person."""
    by = {"kind": entry.by.kind, "id": entry.by.id}
    votes = [vote for vote in state.row["votes"] if vote["by"] != by]
    votes.append({"by": by, "action": entry.action, "at": rfc3339(entry.at)})
    ids = {who: id_ for who, id_ in state.policy.get("votes", {}).items() if who != entry.by.id}
    policy = state.policy | {"votes": {**ids, str(entry.by.id): entry.submission_id}}
    return replace(state, row=state.row | {"votes": votes}, policy=policy)


def decisive(state: InputState, action: str) -> bool:
    """Tell whether the votes there are decide for an action: by their number, or because one is a veto."""
    quorum = state.row["quorum"]
    return action in quorum["veto"] or _most(state.row["votes"], action) >= quorum["need"]


def entries_of(state: InputState, answer: InputAnswered, *, asked: bool) -> tuple[InputVoted | InputAnswered, ...]:
    """Return what an answer comes to: itself, or under a quorum a vote, and what the votes come to with it.

    Args:
        state: the request as it is.
        answer: as it would stand if it decided alone.
        asked: whoever sends it was asked; an operator who was not decides alone.
    """
    if state.row["quorum"] is None or not asked:
        return (answer,)
    sent = (answer.at, answer.id, answer.submission_id, answer.digest, answer.action, answer.value, answer.by)
    vote = InputVoted(*sent, evidence=answer.evidence)
    after = voted(state, vote)
    if not decisive(after, answer.action):
        return (vote,)
    return vote, replace(answer, votes=tuple(after.policy["votes"].values()))


def kept(before: InputState, after: InputState) -> tuple[InputState, str | None]:
    """Return a request that has changed with the votes that still hold, and why others do not.

    A vote is about what the person saw, and counts as long as they are asked. What is left never decides by itself: if
    fewer are to agree now, and so many do already, all vote anew.
    """
    row = after.row
    if row["quorum"] is None:
        return after, None
    row = row | {"quorum": shown_quorum(after.policy, after.to)}
    votes, why = row["votes"], None
    if votes and row["revised"] != before.row["revised"]:
        votes, why = [], "they were about what was shown before"
    elif before.to != after.to or before.forbid != after.forbid:
        left = [vote for vote in votes if still_asked(vote["by"]["id"], before, after)]
        if len(left) < len(votes):
            votes, why = left, "who gave them is not asked any more"
        if any(_most(votes, vote["action"]) >= row["quorum"]["need"] for vote in votes):
            votes, why = [], "so many are not needed any more"
    people = {vote["by"]["id"] for vote in votes}
    ids = {who: id_ for who, id_ in after.policy.get("votes", {}).items() if who in people}
    policy = after.policy | {"votes": ids} if ids or "votes" in after.policy else after.policy
    return replace(after, row=row | {"votes": votes}, policy=policy), why


def dropped(before: InputState, after: InputState) -> list[str]:
    """Return the keys of the votes that are gone."""
    left = {vote["by"]["id"] for vote in after.row["votes"]}
    gone = [vote["by"]["id"] for vote in before.row["votes"] if vote["by"]["id"] not in left]
    return [row_key(before.row["id"], who) for who in gone]


def is_overruled(state: InputState, votes: Sequence[str], by: DecidedBy) -> bool:
    """Tell whether a request was decided by one person alone, though several should have."""
    return state.row["quorum"] is not None and not votes and by.kind in {"person", "operator"}


def _most(votes: Sequence[dict[str, Any]], action: str) -> int:
    return Counter(vote["action"] for vote in votes)[action]
