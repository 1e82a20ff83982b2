"""How a page looks that comes up again: it begins with what was filled in."""

from __future__ import annotations

from signoff.workflow.input.fold import moved, next_offset, request_of
from signoff.workflow.input.state import prefilled
from signoff.workflow.projector import Folds, Projector
from signoff.workflow.view import RunFold
from signoff.workflow.wizard.entries import WizardPrefilled


def _prefilled(projector: Projector, run: RunFold, entry: WizardPrefilled) -> None:
    if entry.id not in run.inputs:
        run.prefilled[entry.id] = entry.value
        return
    before = request_of(projector, entry.id)
    after = prefilled(before, entry.value, next_offset(projector))
    moved(projector, before, after, entry.at, projector.txid_of(entry))


FOLDS: Folds = {WizardPrefilled: _prefilled}
