"""How a run looks from outside: its own row, in its stream and in the listing of its workflow."""

from __future__ import annotations

from typing import Any

from signoff.streams import state
from signoff.streams.state import Operation
from signoff.workflow import codec, failure
from signoff.workflow.entry import DecidedBy
from signoff.workflow.event.fold import drop_events
from signoff.workflow.input.fold import withdraw_all
from signoff.workflow.projector import Folds, Projector, no_rows, public_error, rfc3339, shown
from signoff.workflow.run.entries import (
    CancelRequested,
    RunBlocked,
    RunCancelled,
    RunCompleted,
    RunDescribed,
    RunFailed,
    RunPaused,
    RunResumed,
    RunRetried,
    RunRewound,
    RunStarted,
    RunTerminated,
    RunUnblocked,
)
from signoff.workflow.run.status import ENDED, FINAL, HELD, status_of
from signoff.workflow.step.fold import cancel_all
from signoff.workflow.view import RunFold

_STUCK_KEPT = 16


def starter(entry: RunStarted) -> str | None:
    """Return the principal of the person who started a run; None: nobody did, or nobody knows."""
    by = entry.by
    return by.id if by is not None and by.kind == "person" else None


def begin(projector: Projector, entry: RunStarted) -> None:
    """Fold the first entry of a run."""
    at = rfc3339(entry.at if entry.forked_from is None else entry.forked_from.at)
    row: dict[str, Any] = {
        "id": entry.run_id,
        "workflow": entry.workflow,
        "version": entry.version,
        "status": "running",
        "created_at": at,
        "updated_at": at,
        "tags": list(entry.tags),
        "parent": entry.parent,
        "started_by": starter(entry),
        "error": None,
    }
    if "input" in entry.expose:
        row["input"] = codec.shown(entry.input)
    if entry.forked_from is not None:
        row["forked_from"] = {"run_id": entry.forked_from.run_id, "keep": entry.forked_from.keep}
    run = RunFold(row, digest=entry.digest, last_at=entry.at, expose=list(entry.expose))
    projector.view.run = run
    put_run(projector, run, Operation.INSERT, entry.at)


def put_run(projector: Projector, run: RunFold, operation: Operation, at: int, txid: str | None = None) -> None:
    """Write the run's row, and what of it stands in the listing."""
    row = run.row
    message = projector.put(operation, "run", row["id"], row, at=at, txid=txid)
    if message is None:
        return
    if "input" in row or "output" in row:
        narrow = {name: value for name, value in row.items() if name not in {"input", "output"}}
        message = state.change(operation, "run", row["id"], narrow, timestamp=rfc3339(at), txid=txid)
    projector.listing.append(message)


def _completed(projector: Projector, run: RunFold, entry: RunCompleted) -> dict[str, Any]:
    changes: dict[str, Any] = {"status": "completed", "error": None}
    if entry.expose or "output" in run.expose:
        changes["output"] = shown(entry.output, entry.shown)
    projector.close = True
    return _ended(projector, run, entry.at, changes)


def _failed(projector: Projector, run: RunFold, entry: RunFailed) -> dict[str, Any]:
    return _ended(projector, run, entry.at, {"status": "failed", "error": public_error(entry.error)})


def _cancelled(projector: Projector, run: RunFold, entry: RunCancelled) -> dict[str, Any]:
    projector.close = True
    error = None if entry.error is None else public_error(entry.error)
    return _ended(projector, run, entry.at, {"status": "cancelled", "error": error})


def _ended(projector: Projector, run: RunFold, at: int, changes: dict[str, Any]) -> dict[str, Any]:
    withdraw_all(projector, run, at, DecidedBy("workflow"), changes["status"])
    drop_events(projector, run)
    run.timers, run.steps, run.paused = [], 0, False
    return changes


def _terminated(projector: Projector, run: RunFold, entry: RunTerminated) -> dict[str, Any] | None:
    if run.row["status"] in FINAL:
        return None
    cancel_all(projector, entry.at)
    withdraw_all(projector, run, entry.at, entry.by, "terminated")
    projector.close = True
    error = {"code": "terminated", "message": None}
    return _ended(projector, run, entry.at, {"status": "cancelled", "error": error})


def _cancel_requested(projector: Projector, run: RunFold, entry: CancelRequested) -> None:
    if run.row["status"] in ENDED:
        return
    run.cancel_requested = True
    withdraw_all(projector, run, entry.at, entry.by, "cancelled")


def _described(_: Projector, run: RunFold, entry: RunDescribed) -> dict[str, Any]:
    run.expose = list(entry.expose)
    tags = run.row["tags"]
    changes: dict[str, Any] = {
        "version": entry.version,
        "tags": [*tags, *(tag for tag in entry.tags if tag not in tags)],
    }
    if "input" in entry.expose:
        changes["input"] = codec.shown(entry.input)
    return changes


def _blocked(_: Projector, run: RunFold, entry: RunBlocked) -> dict[str, Any] | None:
    if run.row["status"] in ENDED:
        return None
    run.blocked = failure.reason(entry.error)
    if entry.fingerprint is not None and entry.fingerprint not in run.stuck:
        run.stuck = [*run.stuck, entry.fingerprint][-_STUCK_KEPT:]
    return {"status": status_of(run), "error": public_error(entry.error)}


def _unblocked(_projector: Projector, run: RunFold, _: RunUnblocked) -> dict[str, Any] | None:
    return _heal(run)


def _retried(projector: Projector, run: RunFold, entry: RunRetried) -> dict[str, Any] | None:
    if entry.keep is not None:
        return _cut(projector, run, entry)
    run.stuck = []
    return _heal(run)


def _heal(run: RunFold) -> dict[str, Any] | None:
    run.blocked = ""
    return {"status": status_of(run), "error": None} if run.row["status"] in HELD else None


def _paused(_projector: Projector, run: RunFold, _: RunPaused) -> dict[str, Any] | None:
    if run.row["status"] in ENDED:
        return None
    run.paused = True
    return {"status": "paused"}


def _resumed(_projector: Projector, run: RunFold, _: RunResumed) -> dict[str, Any] | None:
    if not run.paused:
        return None
    run.paused = False
    return {"status": status_of(run)}


def _cut(_projector: Projector, run: RunFold, entry: RunRetried | RunRewound) -> dict[str, Any]:
    """Fold a cut behind what it has left: the run goes on, and its row tells so even if nothing else in it changes."""
    run.stuck, run.blocked = [], ""
    run.retried_at = (entry.since or entry.at) if isinstance(entry, RunRetried) else 0
    return {"status": status_of(run), "error": None, "updated_at": rfc3339(entry.at)}


FOLDS: Folds = {
    RunStarted: no_rows,
    RunDescribed: _described,
    RunBlocked: _blocked,
    RunUnblocked: _unblocked,
    RunRetried: _retried,
    RunPaused: _paused,
    RunResumed: _resumed,
    RunRewound: _cut,
    CancelRequested: _cancel_requested,
    RunCompleted: _completed,
    RunFailed: _failed,
    RunCancelled: _cancelled,
    RunTerminated: _terminated,
}
