"""How a request moves while answers to it are judged (the table is `input/state.py`)."""

from __future__ import annotations

from dataclasses import replace

from signoff.workflow.input.state import InputState, RequestMove, next_status
from signoff.workflow.validation.entries import InputRefused, InputReturned, InputSubmitted

NOT_JUDGED = "The answer could not be checked; nothing was recorded. Please send it again."


def submit(state: InputState, entry: InputSubmitted) -> InputState:
    """Return the request as it is while an answer is judged; unchanged if it takes none now."""
    status = next_status(state, RequestMove.SUBMIT)
    if status is None:
        return state
    by = {"kind": entry.by.kind, "id": entry.by.id}
    judged = {"id": entry.submission_id, "digest": entry.digest, "by": by, "to": list(state.to)}
    return replace(state, row={**state.row, "status": status, "errors": []}, policy={**state.policy, "judged": judged})


def refuse(state: InputState, entry: InputRefused) -> InputState:
    """Return the request as it is asked again, with what was wrong; unchanged if that answer is not being judged."""
    return _asked_again(state, RequestMove.REFUSE, entry.submission_id, entry.errors)


def give_back(state: InputState, entry: InputReturned) -> InputState:
    """Return the request as it is asked again, nobody knowing what is wrong; unchanged if that is not being judged."""
    told = entry.submission_id is not None and not entry.barred
    errors = [{"pointer": "", "message": NOT_JUDGED}] if told else []
    return _asked_again(state, RequestMove.RETURN, entry.submission_id, errors)


def _asked_again(
    state: InputState, move: RequestMove, submission_id: str | None, errors: list[dict[str, str]]
) -> InputState:
    status = next_status(state, move)
    if status is None or state.judging != submission_id:
        return state
    row = {**state.row, "status": status, "errors": errors, "revision": state.row["revision"] + 1}
    return replace(state, row=row, policy={name: rule for name, rule in state.policy.items() if name != "judged"})
