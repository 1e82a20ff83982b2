"""Going back: the run is rewound to where the page before was asked, and both pages keep what was filled in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from signoff.errors import AlreadyDecided, InvalidAnswer
from signoff.workflow import codec
from signoff.workflow.decision import AppendEntries, Loaded, LoadWhole, Remember
from signoff.workflow.entry import DecidedBy, Entry
from signoff.workflow.input.choices import as_begun
from signoff.workflow.input.entries import InputAnswered
from signoff.workflow.input.state import InputState
from signoff.workflow.input.submission import BACK, AnswerRequest
from signoff.workflow.run.entries import RunRewound
from signoff.workflow.view import View
from signoff.workflow.vote.entries import InputVoted
from signoff.workflow.wizard.entries import WizardPrefilled


def goes_back(state: InputState, request: AnswerRequest) -> str | None:
    """Return the id of the page that an answer leads back to; None: it is an answer like any other."""
    place = state.row["wizard"]
    return None if place is None or request.action != BACK else place["back"]


def go_back(
    loaded: Loaded,
    state: InputState,
    request: AnswerRequest,
    at: int,
    *,
    by: DecidedBy,
    may: Callable[[InputState], None],
    evidence: dict[str, Any],
    remember: Remember[Any],
    reply: Callable[[View, int], Any],
) -> AppendEntries[Any] | LoadWhole:
    """Rewind a run to the page before the one that is pending.

    Args:
        loaded: the run, with its whole past; else that is asked for.
        state: the page that is pending.
        request: the answer `back`, with what is filled in of that page.
        at: of the entries, in milliseconds.
        by: who goes back.
        evidence: of what that person saw, and by what they are known.
        may: raises if that person may not answer a request.
        remember, reply: as for any answer.

    Raises:
        AlreadyDecided: the page before is undone already.
        NotInAudience: the page before was not asked of this person.
        InvalidAnswer: it would undo what somebody else has decided.
    """
    if loaded.view.past is None:
        return LoadWhole()
    entries, to, here = loaded.past.entries, state.row["wizard"]["back"], state.row["id"]
    found = [(n, one) for n, one in enumerate(entries) if isinstance(one, InputAnswered) and one.id == to]
    if not found:
        raise AlreadyDecided(f"The page {to} before {here} is undone already; nothing was recorded.", row=state.row)
    keep, answered = found[-1]
    before = loaded.view.inputs[to]
    may(before)
    _undoes_nobody(state, entries[keep:], to, by)
    value = as_begun(before.row, answered.action, codec.shown(answered.filled_in))
    sent = request.submission_id
    written: list[Entry] = [
        RunRewound(at, keep, to, reason=BACK, by=by, anew=(to,), submission_id=sent, evidence=evidence),
        WizardPrefilled(at, to, value, sent),
    ]
    if request.value is not None:
        written.append(WizardPrefilled(at, here, as_begun(state.row, BACK, request.value), sent))
    return AppendEntries(tuple(written), reply, release=True, remember=remember)


def _undoes_nobody(state: InputState, gone: Sequence[Entry], to: str, by: DecidedBy) -> None:
    """Refuse to undo what others have decided since: the whole run goes back, with all that it does side by side."""
    for entry in gone:
        if isinstance(entry, InputAnswered | InputVoted) and entry.id != to and _of_another(entry.by, by):
            what = f"Going back would undo what {entry.by.id or entry.by.kind} has decided since ({entry.id})."
            raise InvalidAnswer(
                f"{what} Nothing was recorded, and this page is still open.",
                errors=[{"pointer": "", "message": what}],
                row=state.row,
            )


def _of_another(decided: DecidedBy, by: DecidedBy) -> bool:
    return decided.kind in {"person", "operator"} and decided != by
