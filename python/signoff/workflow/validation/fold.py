"""How it looks from outside that an answer is judged: the request's row says so, and what was wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from signoff.workflow.input.fold import moved, request_of
from signoff.workflow.input.state import InputState
from signoff.workflow.projector import Folds, Projector
from signoff.workflow.validation import state
from signoff.workflow.validation.entries import InputRefused, InputReturned, InputSubmitted
from signoff.workflow.view import RunFold


def _moves(move: Callable[[InputState, Any], InputState]) -> Callable[[Projector, RunFold, Any], None]:
    def fold(projector: Projector, run: RunFold, entry: Any) -> None:
        if entry.id not in run.inputs:
            return
        before = request_of(projector, entry.id)
        after = move(before, entry)
        if after is not before:
            moved(projector, before, after, entry.at)

    return fold


FOLDS: Folds = {
    InputSubmitted: _moves(state.submit),
    InputRefused: _moves(state.refuse),
    InputReturned: _moves(state.give_back),
}
