"""What people decided in a run, and what they were refused, as its journal tells: for those who read evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from signoff.frozen import frozen
from signoff.streams import offset
from signoff.workflow.approval.remember import is_grant
from signoff.workflow.denial.entries import InputDenied
from signoff.workflow.entry import Entry
from signoff.workflow.input.entries import InputAnswered
from signoff.workflow.input.evidence import digest_of, shown_revision
from signoff.workflow.input.state import InputState
from signoff.workflow.projection import project
from signoff.workflow.run.entries import ForkedFrom, RunStarted
from signoff.workflow.validation.entries import InputSubmitted
from signoff.workflow.view import Past, View
from signoff.workflow.vote.entries import InputVoted

_DECISIONS: Final = (InputAnswered, InputVoted, InputSubmitted)

Line = dict[str, Any]


@frozen
class Summary:
    """What the entries of a journal come to, for people.

    Attributes:
        decisions: answers, votes and submissions: who, when, what they saw, by which rules, and by what they are known.
        denials: who was refused, and why.
        grants: of approvals that hold for the next times too: the submission each was given with, by request.
        forked_from: the run whose entries the first ones are copies of; None: none is.
    """

    decisions: list[Line]
    denials: list[Line]
    grants: dict[str, str]
    forked_from: ForkedFrom | None


def summary_of(entries: Sequence[Entry]) -> Summary:
    """Return what people decided, and what they were refused.

    Args:
        entries: the whole journal. What was undone later was decided all the same. What was decided in the run that
            this one is a fork of was seen there, and is shown by the evidence of that run.
    """
    first = entries[0] if entries else None
    forked = first.forked_from if isinstance(first, RunStarted) else None
    copied = forked.keep if forked is not None else 0
    view, tail, shown = View(past=Past()), 0, _Revisions()
    decisions, denials = [], []
    for n, entry in enumerate(entries):
        if isinstance(entry, _DECISIONS) and (state := view.inputs.get(entry.id)) is not None:
            saw = shown_revision(state) if entry.evidence is not None and n >= copied else None
            decisions.append(_decision(n, entry, state, saw))
        elif isinstance(entry, InputDenied) and (state := view.inputs.get(entry.id)) is not None:
            saw = shown.at(entry, tail) if n >= copied else None
            denials.append(_denial(n, entry, state, saw))
        delta = project(view, [entry], tail)
        tail += len(delta.public)
        shown.follow(delta.inputs)
    grants = {id_: state.policy["grant"]["answer"] for id_, state in view.inputs.items() if is_grant(state)}
    return Summary(decisions, denials, grants, forked)


class _Revisions:
    """What each request has shown, by the offset from which on it did."""

    def __init__(self) -> None:
        self._shown: dict[str, list[Line]] = {}

    def follow(self, inputs: dict[str, InputState]) -> None:
        """Keep what has changed."""
        for id_, state in inputs.items():
            shown = self._shown.setdefault(id_, [])
            if not shown or shown[-1]["revised"] != state.row["revised"]:
                shown.append(shown_revision(state))

    def at(self, entry: InputDenied, tail: int) -> Line | None:
        """Return what somebody has seen as they say; None: they do not say, or cannot have."""
        seen = (entry.evidence or {}).get("seen")
        if seen is None or offset.decode(seen) > tail:
            return None
        return next((one for one in reversed(self._shown.get(entry.id, ())) if one["revised"] <= seen), None)


def _decision(n: int, entry: InputAnswered | InputVoted | InputSubmitted, state: InputState, saw: Line | None) -> Line:
    return {
        "n": n,
        "type": entry.type,
        "at": entry.at,
        "id": entry.id,
        "submission_id": entry.submission_id,
        "action": entry.action,
        "value": entry.value,
        "by": {"kind": entry.by.kind, "id": entry.by.id},
        "evidence": entry.evidence,
        "saw": saw,
        "saw_digest": None if saw is None else digest_of(saw),
        "asked": list(state.to),
        "forbidden": list(state.forbid),
        "quorum": state.row["quorum"],
        "votes": list(state.row["votes"]),
        "reason": getattr(entry, "reason", None),
    }


def _denial(n: int, entry: InputDenied, state: InputState, saw: Line | None) -> Line:
    return {
        "n": n,
        "at": entry.at,
        "id": entry.id,
        "act": entry.act,
        "action": entry.action,
        "by": {"kind": entry.by.kind, "id": entry.by.id},
        "reason": entry.reason,
        "evidence": entry.evidence,
        "saw": saw,
        "saw_digest": None if saw is None else digest_of(saw),
        "asked": list(state.to),
        "forbidden": list(state.forbid),
        "status": state.row["status"],
    }
