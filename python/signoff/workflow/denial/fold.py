"""How denials look from outside: not at all. The request remembers which of them are written, so that they are few."""

from __future__ import annotations

from dataclasses import replace

from signoff.workflow.denial.entries import InputDenied
from signoff.workflow.denial.rules import DENIED, mark
from signoff.workflow.input.fold import keep
from signoff.workflow.projector import Folds, Projector
from signoff.workflow.view import RunFold


def _denied(projector: Projector, _run: RunFold, entry: InputDenied) -> None:
    request = projector.view.inputs.get(entry.id)
    if request is None:  # it is decided, and this view is not about it
        return
    marks = [*request.policy.get(DENIED, ()), mark(request, entry.act, entry.reason, entry.by)]
    keep(projector, replace(request, policy={**request.policy, DENIED: marks}))


FOLDS: Folds = {InputDenied: _denied}
