"""How requests look that are handed on, or changed by operators."""

from __future__ import annotations

from dataclasses import replace

from signoff.workflow.handover.entries import InputAmended, InputDelegated, InputReassigned
from signoff.workflow.handover.people import asked_again, delegated
from signoff.workflow.input import state
from signoff.workflow.input.audience import asked_of
from signoff.workflow.input.fold import moved, next_offset, request_of
from signoff.workflow.projector import Folds, Projector
from signoff.workflow.view import RunFold


def _delegated(projector: Projector, run: RunFold, entry: InputDelegated) -> None:
    if entry.id not in run.inputs:
        return
    before = request_of(projector, entry.id)
    who = str(entry.by.id)
    after = asked_of(before, *delegated(before, who, entry.to, forbid=entry.forbid))
    if who in after.forbid and who not in before.forbid:
        handed_on = [*before.policy.get("handed_on", ()), who]
        after = replace(after, policy={**after.policy, "handed_on": handed_on})
    after = state.noted(after, "delegated", entry.at, entry.by, entry.reason, to=[entry.to])
    moved(projector, before, after, entry.at, by=entry.by)


def _reassigned(projector: Projector, run: RunFold, entry: InputReassigned) -> None:
    if entry.id not in run.inputs:
        return
    before = request_of(projector, entry.id)
    after = asked_of(before, entry.to, asked_again(before, entry.to))
    after = state.noted(after, "reassigned", entry.at, entry.by, entry.reason, to=list(entry.to))
    moved(projector, before, after, entry.at, by=entry.by)


def _amended(projector: Projector, run: RunFold, entry: InputAmended) -> None:
    if entry.id not in run.inputs:
        return
    before = request_of(projector, entry.id)
    after = state.revise(before, entry, next_offset(projector))
    after = state.noted(after, "revised", entry.at, entry.by, entry.reason)
    moved(projector, before, after, entry.at, by=entry.by)


FOLDS: Folds = {InputDelegated: _delegated, InputReassigned: _reassigned, InputAmended: _amended}
