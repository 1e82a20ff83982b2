"""How requests for input look from outside: a row each, in the run's stream and in the inbox of whoever may answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from signoff.errors import WorkflowError
from signoff.streams import offset
from signoff.streams.state import Operation
from signoff.workflow.approval.remember import with_grant
from signoff.workflow.claim import lease
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input import state
from signoff.workflow.input.audience import forbidden_to, keep_apart, who_decided
from signoff.workflow.input.entries import (
    InputAnswered,
    InputEscalated,
    InputExpired,
    InputRecalled,
    InputReminded,
    InputRequested,
    InputRevised,
    InputWithdrawn,
)
from signoff.workflow.input.state import InputState
from signoff.workflow.projector import Folds, Projector
from signoff.workflow.view import RunFold
from signoff.workflow.vote import count

_WORKFLOW = DecidedBy("workflow")


def withdraw_all(projector: Projector, run: RunFold, at: int, by: DecidedBy, reason: str | None) -> None:
    """Take every pending request back: the run has ended, or is to stop."""
    for id_ in run.inputs:
        decided(projector, state.withdraw(request_of(projector, id_), at, by, reason), at)
    run.inputs = []


def undo(
    projector: Projector, request: InputState, at: int, *, by: DecidedBy, reason: str, txid: str | None = None
) -> None:
    """Take a request back that is undone: whoever still saw it is told, and what is kept of it says so."""
    taken = state.take_back(request, at, by, reason)
    projector.view.inputs[taken.row["id"]] = projector.touched[taken.row["id"]] = taken
    if request.pending:
        decided(projector, taken, at, txid)


def show_again(
    projector: Projector, before: InputState | None, after: InputState, at: int, txid: str | None = None
) -> InputState:
    """Show a request as it is since something was undone, and return it so.

    Args:
        before: as it was shown; None: it was not.
        after: as the journal has it now.
        at: when, in milliseconds.
        txid: of whoever has undone something by an answer.
    """
    if after.pending or before is None:
        revision = after.row["revision"] if before is None else before.row["revision"] + 1
        after = state.reopen(after, revision, next_offset(projector))
    put(projector, after, Operation.INSERT if before is None else Operation.UPDATE, at, txid)
    had = before.to if before is not None and before.pending else ()
    have = after.to if after.pending else ()
    tell(projector, after, Operation.UPDATE, at, [who for who in have if who in had], txid=txid)
    came, left = [who for who in have if who not in had], [who for who in had if who not in have]
    _tell_all(projector, after, at, came=came, left=left, txid=txid)
    return after


def _requested(projector: Projector, run: RunFold, entry: InputRequested) -> None:
    asked = state.ask(entry, run.row["id"], run.row["workflow"], next_offset(projector))
    if entry.id in run.prefilled:
        asked = state.begun(asked, run.prefilled.pop(entry.id))
    asked = _apart(projector, run, asked)
    run.inputs.append(entry.id)
    put(projector, asked, Operation.INSERT, entry.at)
    tell(projector, asked, Operation.INSERT, entry.at, asked.to)


def _revised(projector: Projector, run: RunFold, entry: InputRevised) -> None:
    if entry.id not in run.inputs:
        return
    before = request_of(projector, entry.id)
    moved(projector, before, state.revise(before, entry, next_offset(projector)), entry.at)


def _happened(projector: Projector, run: RunFold, entry: InputReminded | InputEscalated) -> None:
    if entry.id not in run.inputs:
        return
    before = request_of(projector, entry.id)
    after = state.remind(before, entry) if isinstance(entry, InputReminded) else state.escalate(before, entry)
    if after is not before:
        moved(projector, before, after, entry.at)


def _answered(projector: Projector, run: RunFold, entry: InputAnswered) -> None:
    if entry.id not in run.inputs:
        return
    before, txid = request_of(projector, entry.id), projector.txid_of(entry)
    finish(projector, run, entry, lambda request: with_grant(_become(request, entry), entry, run.row), txid)
    people = who_decided(request_of(projector, entry.id))
    for other in before.policy.get("apart", ()):
        if people and other in run.inputs:
            theirs = request_of(projector, other)
            if (after := forbidden_to(theirs, people)) is not theirs:
                moved(projector, theirs, after, entry.at, txid, by=entry.by)


def _become(request: InputState, entry: InputAnswered) -> InputState:
    if count.is_overruled(request, entry.votes, entry.by):
        request = state.noted(request, "overruled", entry.at, entry.by)
    return state.answer(request, entry)


def _apart(projector: Projector, run: RunFold, asked: InputState) -> InputState:
    """Return a request that is new, forbidden to who has decided those that are not to be decided by the same people.

    Of those that are pending each remembers the other: whichever is decided first is the one that counts.
    """
    for id_ in asked.policy.get("apart", ()):
        other = projector.view.inputs.get(id_)
        if id_ in run.inputs and other is not None:
            projector.view.inputs[id_] = projector.touched[id_] = keep_apart(other, asked.row["id"])
        elif other is not None and other.row["status"] == "answered":
            asked = forbidden_to(asked, who_decided(other))
    return asked


def _expired(projector: Projector, run: RunFold, entry: InputExpired) -> None:
    finish(projector, run, entry, lambda request: state.expire(request, entry))


def _withdrawn(projector: Projector, run: RunFold, entry: InputWithdrawn) -> None:
    by = DecidedBy("workflow")
    finish(projector, run, entry, lambda request: state.withdraw(request, entry.at, by, entry.reason))


def _recalled(projector: Projector, run: RunFold, entry: InputRecalled) -> None:
    finish(projector, run, entry, lambda request: state.withdraw(request, entry.at, entry.by, entry.reason))


def moved(
    projector: Projector,
    before: InputState,
    after: InputState,
    at: int,
    txid: str | None = None,
    *,
    by: DecidedBy = _WORKFLOW,
) -> None:
    """Show a request that is pending as it is now, to whoever is asked now, and no more to whoever was.

    Votes and a claim go that do not hold any more.

    Args:
        before, after: the request.
        at: when, in milliseconds.
        txid: in the headers.
        by: who has changed it.
    """
    after, why = count.kept(before, lease.kept(before, after))
    if why is not None:
        after = state.noted(after, "votes_dropped", at, by, why)
    put(projector, after, Operation.UPDATE, at, txid)
    for key in count.dropped(before, after):
        projector.put(Operation.DELETE, "vote", key, None, at=at, txid=txid)
    tell(projector, after, Operation.UPDATE, at, [who for who in after.to if who in before.to], txid=txid)
    came, left = [who for who in after.to if who not in before.to], [who for who in before.to if who not in after.to]
    _tell_all(projector, after, at, came=came, left=left, txid=txid)


def finish(
    projector: Projector,
    run: RunFold,
    entry: InputAnswered | InputExpired | InputWithdrawn | InputRecalled,
    become: Callable[[InputState], InputState],
    txid: str | None = None,
) -> None:
    """End a request; one that has ended stays as it is."""
    if entry.id in run.inputs:
        run.inputs.remove(entry.id)
        decided(projector, become(request_of(projector, entry.id)), entry.at, txid)


def decided(projector: Projector, request: InputState, at: int, txid: str | None = None) -> None:
    """Show a request that has just ended, and take it out of the inboxes."""
    put(projector, request, Operation.UPDATE, at, txid)
    _tell_all(projector, request, at, left=request.to, txid=txid)


def request_of(projector: Projector, id_: str) -> InputState:
    """Return a request, which has to be loaded.

    Raises:
        WorkflowError: it is not.
    """
    try:
        return projector.view.inputs[id_]
    except KeyError:
        raise WorkflowError(f"The view lacks the pending request {id_}; load it before folding.") from None


def next_offset(projector: Projector) -> str:
    """Return the offset right after the next message of the run's stream."""
    return offset.encode(projector.tail + 1)


def put(projector: Projector, request: InputState, operation: Operation, at: int, txid: str | None = None) -> None:
    """Keep a request as it is now, and show it to whoever may see its run."""
    row = request.row
    keep(projector, request)
    projector.put(operation, "input", row["id"], row, at=at, txid=txid)


def tell(
    projector: Projector,
    request: InputState,
    operation: Operation,
    at: int,
    principals: Sequence[str],
    *,
    txid: str | None = None,
) -> None:
    """Show a request in inboxes."""
    if not principals or not projector.write:
        return
    key = f"{request.row['run_id']}/{request.row['id']}"
    projector.tell(principals, operation, "input", key, request.row | {"id": key}, at=at, txid=txid)


def keep(projector: Projector, request: InputState) -> None:
    """Keep a request as it is now."""
    projector.view.inputs[request.row["id"]] = projector.touched[request.row["id"]] = request


def tell_comment(
    projector: Projector, comment: dict[str, Any], operation: Operation, at: int, principals: Sequence[str]
) -> None:
    """Show a comment in inboxes, beside its request."""
    if principals:
        key = f"{comment['run_id']}/{comment['id']}"
        projector.tell(principals, operation, "comment", key, comment | {"id": key}, at=at)


def _tell_all(
    projector: Projector,
    request: InputState,
    at: int,
    *,
    came: Sequence[str] = (),
    left: Sequence[str] = (),
    txid: str | None,
) -> None:
    """Show a request with its comments in some inboxes, and take both out of others."""
    comments = request.policy.get("comments", ())
    tell(projector, request, Operation.INSERT, at, came, txid=txid)
    for comment in comments:
        tell_comment(projector, comment, Operation.INSERT, at, came)
    for comment in comments:
        tell_comment(projector, comment, Operation.DELETE, at, left)
    tell(projector, request, Operation.DELETE, at, left, txid=txid)


FOLDS: Folds = {
    InputRequested: _requested,
    InputRevised: _revised,
    InputReminded: _happened,
    InputEscalated: _happened,
    InputAnswered: _answered,
    InputExpired: _expired,
    InputWithdrawn: _withdrawn,
    InputRecalled: _recalled,
}
