"""How claims look from outside: a member of the request's row."""

from __future__ import annotations

from signoff.workflow.claim import lease
from signoff.workflow.claim.entries import InputClaimed, InputReleased
from signoff.workflow.input import state
from signoff.workflow.input.fold import moved, request_of
from signoff.workflow.projector import Folds, Projector
from signoff.workflow.view import RunFold


def _claimed(projector: Projector, run: RunFold, entry: InputClaimed) -> None:
    if entry.id in run.inputs:
        before = request_of(projector, entry.id)
        moved(projector, before, lease.claim(before, entry.by, entry.until), entry.at)


def _released(projector: Projector, run: RunFold, entry: InputReleased) -> None:
    if entry.id not in run.inputs:
        return
    before = request_of(projector, entry.id)
    claim = before.row["claim"]
    late = entry.by.kind == "timeout"
    if claim is None or (late and not lease.lapsed(before, entry.at)):
        return
    after = lease.release(before)
    if not late and claim["by"] != {"kind": entry.by.kind, "id": entry.by.id}:
        after = state.noted(after, "released", entry.at, entry.by, entry.reason)
    moved(projector, before, after, entry.at)


FOLDS: Folds = {InputClaimed: _claimed, InputReleased: _released}
