"""Which answers are judged, and what their senders are told: at the door, and once there is a verdict."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import orjson

from signoff.errors import InvalidAnswer, NotValidated, SignoffError
from signoff.workflow.entry import Entry
from signoff.workflow.input.audience import sender_barred
from signoff.workflow.input.entries import InputAnswered
from signoff.workflow.input.state import UNDECIDED, InputState
from signoff.workflow.input.submission import BACK, AnswerRequest
from signoff.workflow.validation.entries import InputRefused, InputReturned
from signoff.workflow.view import View

BARRED: Final = "whoever sent it may not decide the request any more"

VALUES: Final = "values"
ALL: Final = "all"
"""Which answers to a request are judged: those with a value, or every one but `back`."""


def is_judged(state: InputState, request: AnswerRequest) -> bool:
    """Tell whether the workflow's own code has to see an answer first. Going back is nothing it could refuse."""
    which = state.policy.get("validated")
    return bool(which) and request.action != BACK and (request.value is not None or which == ALL)


class JudgedAnswer(NamedTuple):
    """What a run remembers of an answer that a worker has judged.

    Attributes:
        submission_id, digest: of the answer.
        outcome: as the ledger keeps it.
    """

    submission_id: str
    digest: str
    outcome: bytes


def refusal(outcome: bytes, row: dict[str, Any]) -> InvalidAnswer | None:
    """Return the refusal that a ledger has kept; None: the answer was accepted."""
    if not outcome.startswith(_REFUSED):
        return None
    return refused(orjson.loads(outcome)["refused"], row)


def refused(errors: list[dict[str, str]], row: dict[str, Any]) -> InvalidAnswer:
    """Return what the sender of an answer is told that was not taken."""
    said = next((one["message"] for one in errors if one["pointer"] == ""), None)
    open_ = row["status"] in UNDECIDED
    what = f"nothing was recorded, and the request is {'still open' if open_ else 'over by now'}."
    detail = f"{said.rstrip('.')}; {what}" if said else f"The answer was refused; {what}"
    return InvalidAnswer(detail, errors=errors, row=row)


_REFUSED: Final = b'{"refused":'


def kept_of_refusal(entry: InputRefused) -> JudgedAnswer:
    """Return what is remembered of a refused answer: what was wrong, and not the row, which goes on changing."""
    return JudgedAnswer(entry.submission_id, entry.digest, orjson.dumps({"refused": entry.errors}))


def judged_by(entries: Iterable[Entry], view: View) -> list[InputAnswered | InputRefused]:
    """Return those verdicts among new entries that are about what is judged as of the view."""
    found = []
    for entry in entries:
        if isinstance(entry, InputAnswered | InputRefused):
            state = view.inputs.get(entry.id)
            if state is not None and state.judging == entry.submission_id:
                found.append(entry)
    return found


def barred_by(verdicts: Iterable[InputAnswered | InputRefused], view: View) -> list[InputReturned]:
    """Return what is to be written in place of verdicts that would count for somebody who may not decide any more.

    Args:
        verdicts: on what was being judged before.
        view: the rows after them.
    """
    return [
        InputReturned(one.at, one.id, one.submission_id, BARRED, barred=True)
        for one in verdicts
        if isinstance(one, InputAnswered) and sender_barred(view.inputs[one.id])
    ]


def dropped(state: InputState, after: InputState, at: int) -> tuple[InputReturned, ...]:
    """Return the end of a judgement whose sender may not decide the request any more, as it is to be; or nothing."""
    if state.judging is None or not sender_barred(after):
        return ()
    return (InputReturned(at, state.row["id"], state.judging, BARRED, barred=True),)


def not_judged(row: dict[str, Any]) -> SignoffError:
    """Return what the sender of an answer is told on which there is no verdict."""
    return NotValidated(
        f"Your answer to {row['id']} could not be checked; nothing was recorded and the request is still open. "
        "Send it again.",
        row=row,
    )
