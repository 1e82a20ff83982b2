"""How steps look from outside: a row each, from when it is asked for until it is done or given up."""

from __future__ import annotations

from typing import Any

from signoff.streams.state import Operation
from signoff.workflow.projector import Folds, Projector, public_error, rfc3339, shown
from signoff.workflow.step.entries import StepCancelled, StepCompleted, StepFailed, StepScheduled
from signoff.workflow.step.state import OpenStep
from signoff.workflow.view import RunFold


def cancel_all(projector: Projector, at: int) -> None:
    """Show every open step as given up: the run has ended, and nobody waits for them any more."""
    for step in projector.view.steps.values():
        _give_up(projector, step, at)
    projector.view.steps.clear()


def _scheduled(projector: Projector, run: RunFold, entry: StepScheduled) -> None:
    run.steps += 1
    step = projector.view.steps[entry.id] = OpenStep(entry)
    if projector.needs_rows:
        _put(projector, _row(step), Operation.INSERT, entry.at)
    else:
        projector.tail += 1


def _completed(projector: Projector, run: RunFold, entry: StepCompleted) -> None:
    step = projector.view.steps.pop(entry.id, None)
    if step is None:
        return
    run.steps -= 1
    if not projector.needs_rows:
        projector.tail += 1
        return
    row = _row(step) | {
        "status": "completed",
        "attempt": entry.attempt,
        "ended_at": rfc3339(entry.at),
        "retry_at": None,
        "error": None,
    }
    if step.asked.expose:
        row["result"] = shown(entry.result, entry.shown)
    _put(projector, row, Operation.UPDATE, entry.at)


def _failed(projector: Projector, run: RunFold, entry: StepFailed) -> None:
    step = projector.view.steps.get(entry.id)
    if step is None:
        return
    failed = projector.view.steps[entry.id] = OpenStep(step.asked, entry)
    if entry.retry_at is None:
        run.steps -= 1
        del projector.view.steps[entry.id]
    _put(projector, _row(failed), Operation.UPDATE, entry.at)


def _cancelled(projector: Projector, run: RunFold, entry: StepCancelled) -> None:
    step = projector.view.steps.pop(entry.id, None)
    if step is None:
        return
    run.steps -= 1
    _give_up(projector, step, entry.at)


def _give_up(projector: Projector, step: OpenStep, at: int) -> None:
    row = _row(step) | {"status": "cancelled", "ended_at": rfc3339(at), "retry_at": None}
    _put(projector, row, Operation.UPDATE, at)


def _row(step: OpenStep) -> dict[str, Any]:
    asked, failed = step.asked, step.failed
    name, _, n = asked.id.rpartition(":")
    row = {
        "id": asked.id,
        "name": name,
        "n": int(n),
        "label": asked.label,
        "status": "running",
        "attempt": 1,
        "started_at": rfc3339(asked.at),
        "ended_at": None,
        "retry_at": None,
        "error": None,
    }
    if failed is not None:
        final = failed.retry_at is None
        row |= {
            "status": "failed" if final else "retrying",
            "attempt": failed.attempt,
            "ended_at": rfc3339(failed.at) if final else None,
            "retry_at": None if failed.retry_at is None else rfc3339(failed.retry_at),
            "error": public_error(failed.error),
        }
    return row


def _put(projector: Projector, row: dict[str, Any], operation: Operation, at: int) -> None:
    projector.put(operation, "step", row["id"], row, at=at)


FOLDS: Folds = {
    StepScheduled: _scheduled,
    StepCompleted: _completed,
    StepFailed: _failed,
    StepCancelled: _cancelled,
}
