"""How requests for input look from outside: a row each, in the run's stream and in the inbox of whoever may answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from signoff.errors import WorkflowError
from signoff.streams import offset
from signoff.streams.state import Operation
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input import state
from signoff.workflow.input.entries import (
    InputAnswered,
    InputExpired,
    InputRequested,
    InputRevised,
    InputWithdrawn,
)
from signoff.workflow.input.state import InputState
from signoff.workflow.projector import Folds, Projector
from signoff.workflow.view import RunFold


def withdraw_all(projector: Projector, run: RunFold, at: int, by: DecidedBy, reason: str | None) -> None:
    """Take every pending request back: the run has ended, or is to stop."""
    for id_ in run.inputs:
        _decided(projector, state.withdraw(_request(projector, id_), at, by, reason), at)
    run.inputs = []


def undo(projector: Projector, request: InputState, at: int, by: DecidedBy) -> None:
    """Take a request back that is undone: whoever still saw it is told, and what is kept of it says so."""
    taken = state.take_back(request, at, by, "rewound")
    projector.view.inputs[taken.row["id"]] = projector.touched[taken.row["id"]] = taken
    if request.pending:
        _decided(projector, taken, at)


def show_again(projector: Projector, before: InputState | None, after: InputState, at: int) -> InputState:
    """Show a request as it is since something was undone, and return it so.

    Args:
        before: as it was shown; None: it was not.
        after: as the journal has it now.
        at: when, in milliseconds.
    """
    if after.pending or before is None:
        revision = after.row["revision"] if before is None else before.row["revision"] + 1
        after = state.reopen(after, revision, _next_offset(projector))
    _put(projector, after, Operation.INSERT if before is None else Operation.UPDATE, at)
    had = before.to if before is not None and before.pending else ()
    have = after.to if after.pending else ()
    _tell(projector, after, Operation.UPDATE, at, [who for who in have if who in had])
    _tell(projector, after, Operation.INSERT, at, [who for who in have if who not in had])
    _tell(projector, after, Operation.DELETE, at, [who for who in had if who not in have])
    return after


def _requested(projector: Projector, run: RunFold, entry: InputRequested) -> None:
    asked = state.ask(entry, run.row["id"], run.row["workflow"], _next_offset(projector))
    run.inputs.append(entry.id)
    _put(projector, asked, Operation.INSERT, entry.at)
    _tell(projector, asked, Operation.INSERT, entry.at, asked.to)


def _revised(projector: Projector, run: RunFold, entry: InputRevised) -> None:
    if entry.id not in run.inputs:
        return
    before = _request(projector, entry.id)
    after = state.revise(before, entry, _next_offset(projector))
    _put(projector, after, Operation.UPDATE, entry.at)
    kept = [who for who in after.to if who in before.to]
    _tell(projector, after, Operation.UPDATE, entry.at, kept)
    _tell(projector, after, Operation.INSERT, entry.at, [who for who in after.to if who not in before.to])
    _tell(projector, after, Operation.DELETE, entry.at, [who for who in before.to if who not in after.to])


def _answered(projector: Projector, run: RunFold, entry: InputAnswered) -> None:
    _decide(projector, run, entry, lambda request: state.answer(request, entry), projector.txid_of(entry))


def _expired(projector: Projector, run: RunFold, entry: InputExpired) -> None:
    _decide(projector, run, entry, lambda request: state.expire(request, entry))


def _withdrawn(projector: Projector, run: RunFold, entry: InputWithdrawn) -> None:
    by = DecidedBy("workflow")
    _decide(projector, run, entry, lambda request: state.withdraw(request, entry.at, by, entry.reason))


def _decide(
    projector: Projector,
    run: RunFold,
    entry: InputAnswered | InputExpired | InputWithdrawn,
    decide: Callable[[InputState], InputState],
    txid: str | None = None,
) -> None:
    if entry.id in run.inputs:
        run.inputs.remove(entry.id)
        _decided(projector, decide(_request(projector, entry.id)), entry.at, txid)


def _decided(projector: Projector, request: InputState, at: int, txid: str | None = None) -> None:
    _put(projector, request, Operation.UPDATE, at, txid)
    _tell(projector, request, Operation.DELETE, at, request.to, txid=txid)


def _request(projector: Projector, id_: str) -> InputState:
    try:
        return projector.view.inputs[id_]
    except KeyError:
        raise WorkflowError(f"The view lacks the pending request {id_}; load it before folding.") from None


def _next_offset(projector: Projector) -> str:
    return offset.encode(projector.tail + 1)


def _put(projector: Projector, request: InputState, operation: Operation, at: int, txid: str | None = None) -> None:
    row = request.row
    projector.view.inputs[row["id"]] = projector.touched[row["id"]] = request
    projector.put(operation, "input", row["id"], row, at=at, txid=txid)


def _tell(
    projector: Projector,
    request: InputState,
    operation: Operation,
    at: int,
    principals: Sequence[str],
    *,
    txid: str | None = None,
) -> None:
    if not principals or not projector.write:
        return
    key = f"{request.row['run_id']}/{request.row['id']}"
    projector.tell(principals, operation, "input", key, request.row | {"id": key}, at=at, txid=txid)


FOLDS: Folds = {
    InputRequested: _requested,
    InputRevised: _revised,
    InputAnswered: _answered,
    InputExpired: _expired,
    InputWithdrawn: _withdrawn,
}
