"""How steps look from outside: a row each, from when it is asked for until it is done or given up."""

from __future__ import annotations

from typing import Any, Final

from signoff.streams.state import Operation
from signoff.workflow.projector import Folds, Projector, public_error, rfc3339, shown
from signoff.workflow.step.entries import StepCancelled, StepCompleted, StepFailed, StepScheduled
from signoff.workflow.view import RunFold

_EXPOSE: Final = "$expose"
"""Kept beside a step's row in the view; never written."""


def cancel_all(projector: Projector, at: int) -> None:
    """Show every open step as given up: the run has ended, and nobody waits for them any more."""
    for row in list(projector.view.steps.values()):
        _give_up(projector, row, at)
    projector.view.steps.clear()


def _scheduled(projector: Projector, run: RunFold, entry: StepScheduled) -> None:
    run.steps += 1
    name, _, n = entry.id.rpartition(":")
    row = projector.view.steps[entry.id] = {
        "id": entry.id,
        "name": name,
        "n": int(n),
        "label": entry.label,
        "status": "running",
        "attempt": 1,
        "started_at": rfc3339(entry.at),
        "ended_at": None,
        "retry_at": None,
        "error": None,
        _EXPOSE: entry.expose,
    }
    _put(projector, row, Operation.INSERT, entry.at)


def _completed(projector: Projector, run: RunFold, entry: StepCompleted) -> None:
    row = projector.view.steps.pop(entry.id, None)
    if row is None:
        return
    run.steps -= 1
    row |= {
        "status": "completed",
        "attempt": entry.attempt,
        "ended_at": rfc3339(entry.at),
        "retry_at": None,
        "error": None,
    }
    if row[_EXPOSE]:
        row["result"] = shown(entry.result, entry.shown)
    _put(projector, row, Operation.UPDATE, entry.at)


def _failed(projector: Projector, run: RunFold, entry: StepFailed) -> None:
    row = projector.view.steps.get(entry.id)
    if row is None:
        return
    final = entry.retry_at is None
    row = row | {
        "status": "failed" if final else "retrying",
        "attempt": entry.attempt,
        "ended_at": rfc3339(entry.at) if final else None,
        "retry_at": None if entry.retry_at is None else rfc3339(entry.retry_at),
        "error": public_error(entry.error),
    }
    if final:
        run.steps -= 1
        del projector.view.steps[entry.id]
    else:
        projector.view.steps[entry.id] = row
    _put(projector, row, Operation.UPDATE, entry.at)


def _cancelled(projector: Projector, run: RunFold, entry: StepCancelled) -> None:
    row = projector.view.steps.pop(entry.id, None)
    if row is None:
        return
    run.steps -= 1
    _give_up(projector, row, entry.at)


def _give_up(projector: Projector, row: dict[str, Any], at: int) -> None:
    row |= {"status": "cancelled", "ended_at": rfc3339(at), "retry_at": None}
    _put(projector, row, Operation.UPDATE, at)


def _put(projector: Projector, row: dict[str, Any], operation: Operation, at: int) -> None:
    public = row.copy()
    del public[_EXPOSE]
    projector.put(operation, "step", row["id"], public, at=at)


FOLDS: Folds = {
    StepScheduled: _scheduled,
    StepCompleted: _completed,
    StepFailed: _failed,
    StepCancelled: _cancelled,
}
