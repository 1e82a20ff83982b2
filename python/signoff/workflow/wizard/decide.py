"""Going back: the run is rewound to where the page before was asked, and both pages keep what was filled in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from signoff.errors import AlreadyDecided
from signoff.workflow.decision import AppendEntries, Loaded, LoadWhole, Remember
from signoff.workflow.entry import DecidedBy, Entry
from signoff.workflow.input.choices import as_shown
from signoff.workflow.input.entries import InputAnswered
from signoff.workflow.input.state import InputState
from signoff.workflow.input.submission import BACK, AnswerRequest
from signoff.workflow.run.entries import RunRewound
from signoff.workflow.view import View
from signoff.workflow.wizard.entries import WizardPrefilled


def goes_back(state: InputState, request: AnswerRequest) -> str | None:
    """Return the id of the page that an answer leads back to; None: it is an answer like any other."""
    place = state.row["wizard"]
    return None if place is None or request.action != BACK else place["back"]


def go_back(
    loaded: Loaded,
    state: InputState,
    request: AnswerRequest,
    by: DecidedBy,
    at: int,
    *,
    remember: Remember[Any],
    reply: Callable[[View, int], Any],
) -> AppendEntries[Any] | LoadWhole:
    """Rewind a run to the page before the one that is pending.

    Args:
        loaded: the run, with its whole past; else that is asked for.
        state: the page that is pending.
        request: the answer `back`, with what is filled in of that page.
        by: who goes back.
        at: of the entries, in milliseconds.
        remember, reply: as for any answer.

    Raises:
        AlreadyDecided: the page before is undone already.
    """
    if loaded.view.past is None:
        return LoadWhole()
    entries, to, here = loaded.past.entries, state.row["wizard"]["back"], state.row["id"]
    found = [(n, one) for n, one in enumerate(entries) if isinstance(one, InputAnswered) and one.id == to]
    if not found:
        raise AlreadyDecided(f"The page {to} before {here} is undone already; nothing was recorded.", row=state.row)
    keep, answered = found[-1]
    page = loaded.view.inputs[to].row
    written: list[Entry] = [
        RunRewound(at, keep, to, reason=BACK, by=by, anew=(to,), submission_id=request.submission_id),
        WizardPrefilled(at, to, as_shown(page, answered.action, answered.filled_in), request.submission_id),
    ]
    if request.value is not None:
        written.append(WizardPrefilled(at, here, request.value, request.submission_id))
    return AppendEntries(tuple(written), reply, release=True, remember=remember)
