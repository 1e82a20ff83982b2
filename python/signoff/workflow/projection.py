"""From journal entries to public rows: a fold that is pure, total and indifferent to how entries were batched.

Each entry is folded by itself (protocol, section 12): first its own row, then the `run` row if a member of it other
than `updated_at` changed. What the fold has to remember of a run is `RunFold`; rows of open steps and pending requests
are beside it in the `View`. A view may be partial: an answer needs only the run and the one request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, cast

import orjson

from signoff import clock
from signoff.errors import WorkflowError
from signoff.streams import offset, state
from signoff.workflow import codec, failure, inputs
from signoff.workflow.inputs import InputState
from signoff.workflow.journal import (
    SAME,
    CancelRequested,
    DecidedBy,
    Entry,
    Error,
    EventAbandoned,
    EventAwaited,
    EventReceived,
    EventTimedOut,
    InputAnswered,
    InputExpired,
    InputRequested,
    InputRevised,
    InputWithdrawn,
    PatchMarked,
    RowPublished,
    RunBlocked,
    RunCancelled,
    RunCompleted,
    RunDescribed,
    RunFailed,
    RunRetried,
    RunStarted,
    RunTerminated,
    RunUnblocked,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepScheduled,
    TimerCancelled,
    TimerFired,
    TimerStarted,
)
from signoff.workflow.view import Delta, RunFold, View

__all__ = ["Delta", "RunFold", "View", "payload_size", "project", "refold"]

_TAKEN_KEPT = 32
_STUCK_KEPT = 16

rfc3339 = lru_cache(maxsize=256)(clock.rfc3339)


def project(view: View, entries: Sequence[Entry], public_tail: int, txid: str | None = None) -> Delta:
    """Fold entries into the view and return the messages they cause.

    Args:
        view: the rows before; changed in place.
        entries: the next entries of the journal.
        public_tail: number of messages in `runs/{run_id}` before.
        txid: stands in the headers of rows that an answer changed; the answer's own submission id if None.

    Raises:
        WorkflowError: the first entry of an empty view is not `run.started`, or the view lacks a request the entries
            decide.
    """
    projector = _Projector(view, public_tail, txid)
    for entry in entries:
        projector.fold(entry)
    return Delta(
        tuple(projector.public),
        tuple(projector.inboxes),
        tuple(projector.listing),
        projector.touched,
        tuple(projector.waits),
        projector.close,
    )


def refold(view: View, entries: Sequence[Entry], public_tail: int = 0) -> int:
    """Fold entries that are committed already into the view, without writing messages; return the public tail.

    The same fold as `project`, at a fraction of its cost: for a worker that picks a run up.
    """
    projector = _Projector(view, public_tail, None, write=False)
    for entry in entries:
        projector.fold(entry)
    return projector.tail


def payload_size(event: EventReceived) -> int:
    """Return how many bytes an event's payload has as JSON."""
    return len(orjson.dumps(event.payload))


def _new_step(entry: StepScheduled) -> dict[str, Any]:
    name, _, n = entry.id.rpartition(":")
    return {
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


_EXPOSE = "$expose"
"""Kept beside a step's row in the view; never written."""


def _failed_step(row: dict[str, Any], entry: StepFailed) -> dict[str, Any]:
    final = entry.retry_at is None
    return row | {
        "status": "failed" if final else "retrying",
        "attempt": entry.attempt,
        "ended_at": rfc3339(entry.at) if final else None,
        "retry_at": None if entry.retry_at is None else rfc3339(entry.retry_at),
        "error": _public_error(entry.error),
    }


def _shown(encoded: Any, apart: Any) -> Any:
    return codec.shown(encoded) if apart is SAME else apart


def _public_error(error: Error) -> dict[str, Any]:
    return {"code": error.code, "message": error.message if error.public else None}


class _Projector:
    __slots__ = ("close", "inboxes", "listing", "public", "tail", "touched", "txid", "view", "waits", "write")

    def __init__(self, view: View, tail: int, txid: str | None, *, write: bool = True) -> None:
        self.write = write
        self.view = view
        self.tail = tail  # number of messages in the run's stream, those made here included
        self.txid = txid
        self.public: list[bytes] = []
        self.inboxes: list[tuple[str, bytes]] = []
        self.listing: list[bytes] = []
        self.touched: dict[str, InputState] = {}
        self.waits: list[tuple[str, str, str | None, bool]] = []
        self.close = False

    def fold(self, entry: Entry) -> None:
        run = self.view.run
        if run is None:
            if type(entry) is not RunStarted:
                raise WorkflowError(f"A journal begins with run.started, not with {entry.type}.")
            self._start(entry)
            return
        run.last_at = max(run.last_at, entry.at)
        changes = _FOLDS[type(entry)](self, run, entry)
        row = run.row
        if changes is None:
            if row["status"] in _SETTLED:
                return
            changes = {"status": _status(run)}
        if any(row.get(name, _ABSENT) != value for name, value in changes.items()):
            run.row = row | changes | {"updated_at": rfc3339(entry.at)}
            txid = self._txid(entry) if type(entry) is InputAnswered else None
            self._run_row(run, state.Operation.UPDATE, entry.at, txid)

    def _txid(self, entry: InputAnswered) -> str:
        return self.txid or entry.submission_id

    # -- the run ---------------------------------------------------------------------------------------------------

    def _start(self, entry: RunStarted) -> None:
        at = rfc3339(entry.at)
        row: dict[str, Any] = {
            "id": entry.run_id,
            "workflow": entry.workflow,
            "version": entry.version,
            "status": "running",
            "created_at": at,
            "updated_at": at,
            "tags": list(entry.tags),
            "parent": entry.parent,
            "error": None,
        }
        if "input" in entry.expose:
            row["input"] = codec.shown(entry.input)
        self.view.run = RunFold(row, digest=entry.digest, last_at=entry.at, expose=list(entry.expose))
        self._run_row(self.view.run, state.Operation.INSERT, entry.at)

    def _run_row(self, run: RunFold, operation: state.Operation, at: int, txid: str | None = None) -> None:
        row = run.row
        self._put(operation, "run", row["id"], row, at=at, txid=txid)
        self._list(operation, row, at, txid)

    def _list(self, operation: state.Operation, row: dict[str, Any], at: int, txid: str | None) -> None:
        if not self.write:
            return
        narrow = {name: value for name, value in row.items() if name not in {"input", "output"}}
        message = state.change(operation, "run", row["id"], narrow, timestamp=rfc3339(at), txid=txid)
        self.listing.append(message)

    def _put(
        self, operation: state.Operation, row_type: str, key: str, row: Any, *, at: int, txid: str | None = None
    ) -> None:
        """Add a message to the run's stream."""
        self.tail += 1
        if self.write:
            self.public.append(state.change(operation, row_type, key, row, timestamp=rfc3339(at), txid=txid))

    def completed(self, run: RunFold, entry: RunCompleted) -> dict[str, Any]:
        changes: dict[str, Any] = {"status": "completed", "error": None}
        if entry.expose or "output" in run.expose:
            changes["output"] = _shown(entry.output, entry.shown)
        self.close = True
        return self._ended(run, entry.at, changes)

    def failed(self, run: RunFold, entry: RunFailed) -> dict[str, Any]:
        return self._ended(run, entry.at, {"status": "failed", "error": _public_error(entry.error)})

    def cancelled(self, run: RunFold, entry: RunCancelled) -> dict[str, Any]:
        self.close = True
        error = None if entry.error is None else _public_error(entry.error)
        return self._ended(run, entry.at, {"status": "cancelled", "error": error})

    def _ended(self, run: RunFold, at: int, changes: dict[str, Any]) -> dict[str, Any]:
        self._withdraw_all(run, at, DecidedBy("workflow"), changes["status"])
        self.waits += [(cast("str", id_), cast("str", topic), key, True) for id_, topic, key in run.waits]
        run.waits, run.events, run.taken, run.timers, run.steps = [], [], [], [], 0
        return changes

    def terminated(self, run: RunFold, entry: RunTerminated) -> dict[str, Any] | None:
        if run.row["status"] in {"completed", "cancelled"}:
            return None
        for row in list(self.view.steps.values()):  # nobody waits for them any more
            self._cancel_step(row, entry.at)
        self.view.steps.clear()
        self._withdraw_all(run, entry.at, entry.by, "terminated")
        self.close = True
        return self._ended(run, entry.at, {"status": "cancelled", "error": {"code": "terminated", "message": None}})

    def cancel_requested(self, run: RunFold, entry: CancelRequested) -> None:
        if run.row["status"] in _ENDED:
            return
        run.cancel_requested = True
        self._withdraw_all(run, entry.at, entry.by, "cancelled")

    def described(self, run: RunFold, entry: RunDescribed) -> dict[str, Any]:
        run.expose = list(entry.expose)
        tags = run.row["tags"]
        changes: dict[str, Any] = {
            "version": entry.version,
            "tags": [*tags, *(tag for tag in entry.tags if tag not in tags)],
        }
        if "input" in entry.expose:
            changes["input"] = codec.shown(entry.input)
        return changes

    def blocked(self, run: RunFold, entry: RunBlocked) -> dict[str, Any] | None:
        if run.row["status"] in _ENDED:
            return None
        run.blocked = failure.reason(entry.error)
        if entry.fingerprint is not None and entry.fingerprint not in run.stuck:
            run.stuck = [*run.stuck, entry.fingerprint][-_STUCK_KEPT:]
        return {"status": "blocked", "error": _public_error(entry.error)}

    def unblocked(self, run: RunFold, _: RunUnblocked) -> dict[str, Any] | None:
        run.blocked = ""
        return {"status": _status(run), "error": None} if run.row["status"] == "blocked" else None

    def retried(self, run: RunFold, _: RunRetried) -> dict[str, Any] | None:
        run.stuck, run.blocked = [], ""
        return {"status": _status(run), "error": None} if run.row["status"] == "blocked" else None

    def nothing(self, run: RunFold, entry: Entry) -> None:
        """Fold an entry that has no rows."""

    # -- steps -----------------------------------------------------------------------------------------------------

    def step_scheduled(self, run: RunFold, entry: StepScheduled) -> None:
        run.steps += 1
        row = self.view.steps[entry.id] = _new_step(entry)
        self._step_row(row, state.Operation.INSERT, entry.at)

    def step_completed(self, run: RunFold, entry: StepCompleted) -> None:
        row = self.view.steps.pop(entry.id, None)
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
            row["result"] = _shown(entry.result, entry.shown)
        self._step_row(row, state.Operation.UPDATE, entry.at)

    def step_failed(self, run: RunFold, entry: StepFailed) -> None:
        row = self.view.steps.get(entry.id)
        if row is None:
            return
        row = _failed_step(row, entry)
        if entry.retry_at is None:
            run.steps -= 1
            del self.view.steps[entry.id]
        else:
            self.view.steps[entry.id] = row
        self._step_row(row, state.Operation.UPDATE, entry.at)

    def step_cancelled(self, run: RunFold, entry: StepCancelled) -> None:
        row = self.view.steps.pop(entry.id, None)
        if row is None:
            return
        run.steps -= 1
        self._cancel_step(row, entry.at)

    def _cancel_step(self, row: dict[str, Any], at: int) -> None:
        row |= {"status": "cancelled", "ended_at": rfc3339(at), "retry_at": None}
        self._step_row(row, state.Operation.UPDATE, at)

    def _step_row(self, row: dict[str, Any], operation: state.Operation, at: int) -> None:
        shown = row.copy()
        del shown[_EXPOSE]
        self._put(operation, "step", row["id"], shown, at=at)

    # -- timers and events -----------------------------------------------------------------------------------------

    def timer_started(self, run: RunFold, entry: TimerStarted) -> None:
        run.timers.append(entry.id)

    def timer_ended(self, run: RunFold, entry: TimerFired | TimerCancelled) -> None:
        if entry.id in run.timers:
            run.timers.remove(entry.id)

    def event_awaited(self, run: RunFold, entry: EventAwaited) -> None:
        for event in run.events:
            if event[1] == entry.topic and entry.key in (None, event[2]):
                run.events.remove(event)
                _remember(run, entry.id, event)
                return
        run.waits.append([entry.id, entry.topic, entry.key])
        self.waits.append((entry.id, entry.topic, entry.key, False))

    def event_received(self, run: RunFold, entry: EventReceived) -> None:
        if run.row["status"] in _ENDED:
            return
        run.event_count += 1
        self._offer(run, [run.event_count, entry.topic, entry.key, payload_size(entry)])

    def _offer(self, run: RunFold, event: list[Any]) -> None:
        for wait in run.waits:
            if wait[1] == event[1] and wait[2] in (None, event[2]):
                run.waits.remove(wait)
                self.waits.append((cast("str", wait[0]), event[1], wait[2], True))
                _remember(run, cast("str", wait[0]), event)
                return
        run.events.append(event)
        run.events.sort(key=lambda kept: kept[0])

    def event_ended(self, run: RunFold, entry: EventAbandoned | EventTimedOut) -> None:
        for wait in run.waits:
            if wait[0] == entry.id:
                run.waits.remove(wait)
                self.waits.append((entry.id, cast("str", wait[1]), wait[2], True))
                return
        if type(entry) is EventAbandoned:
            for taken in run.taken:
                if taken[0] == entry.id:
                    run.taken.remove(taken)
                    self._offer(run, taken[1:])
                    return

    # -- requests --------------------------------------------------------------------------------------------------

    def input_requested(self, run: RunFold, entry: InputRequested) -> None:
        asked = inputs.ask(entry, run.row["id"], run.row["workflow"], self._next_offset())
        run.inputs.append(entry.id)
        self._input(asked, state.Operation.INSERT, entry.at)
        self._inbox(asked, state.Operation.INSERT, entry.at, asked.to)

    def input_revised(self, run: RunFold, entry: InputRevised) -> None:
        if entry.id not in run.inputs:
            return
        before = self._request(entry.id)
        after = inputs.revise(before, entry, self._next_offset())
        self._input(after, state.Operation.UPDATE, entry.at)
        kept = [who for who in after.to if who in before.to]
        self._inbox(after, state.Operation.UPDATE, entry.at, kept)
        self._inbox(after, state.Operation.INSERT, entry.at, [who for who in after.to if who not in before.to])
        self._inbox(after, state.Operation.DELETE, entry.at, [who for who in before.to if who not in after.to])

    def input_answered(self, run: RunFold, entry: InputAnswered) -> None:
        self._decide(run, entry, lambda request: inputs.answer(request, entry), self._txid(entry))

    def input_expired(self, run: RunFold, entry: InputExpired) -> None:
        self._decide(run, entry, lambda request: inputs.expire(request, entry))

    def input_withdrawn(self, run: RunFold, entry: InputWithdrawn) -> None:
        by = DecidedBy("workflow")
        self._decide(run, entry, lambda request: inputs.withdraw(request, entry.at, by, entry.reason))

    def _decide(
        self,
        run: RunFold,
        entry: InputAnswered | InputExpired | InputWithdrawn,
        decide: Callable[[InputState], InputState],
        txid: str | None = None,
    ) -> None:
        if entry.id in run.inputs:
            run.inputs.remove(entry.id)
            self._decided(decide(self._request(entry.id)), entry.at, txid)

    def _withdraw_all(self, run: RunFold, at: int, by: DecidedBy, reason: str | None) -> None:
        for id_ in run.inputs:
            self._decided(inputs.withdraw(self._request(id_), at, by, reason), at)
        run.inputs = []

    def _decided(self, request: InputState, at: int, txid: str | None = None) -> None:
        self._input(request, state.Operation.UPDATE, at, txid)
        self._inbox(request, state.Operation.DELETE, at, request.to, txid)

    def _request(self, id_: str) -> InputState:
        try:
            return self.view.inputs[id_]
        except KeyError:
            raise WorkflowError(f"The view lacks the pending request {id_}; load it before folding.") from None

    def _next_offset(self) -> str:
        return offset.encode(self.tail + 1)

    def _input(self, request: InputState, operation: state.Operation, at: int, txid: str | None = None) -> None:
        row = request.row
        self.view.inputs[row["id"]] = self.touched[row["id"]] = request
        self._put(operation, "input", row["id"], row, at=at, txid=txid)

    def _inbox(
        self,
        request: InputState,
        operation: state.Operation,
        at: int,
        principals: Sequence[str],
        txid: str | None = None,
    ) -> None:
        if not principals or not self.write:
            return
        key = f"{request.row['run_id']}/{request.row['id']}"
        row = request.row | {"id": key}
        message = state.change(operation, "input", key, row, timestamp=rfc3339(at), txid=txid)
        self.inboxes += [(principal, message) for principal in principals]

    # -- the application's own -------------------------------------------------------------------------------------

    def row_published(self, _: RunFold, entry: RowPublished) -> None:
        if entry.value is None:
            self._put(state.Operation.DELETE, entry.row_type, entry.key, None, at=entry.at)
            return
        operation = state.Operation.UPDATE if entry.update else state.Operation.INSERT
        self._put(operation, entry.row_type, entry.key, entry.value | {"id": entry.key}, at=entry.at)


_ENDED = frozenset({"completed", "failed", "cancelled"})
_SETTLED = _ENDED | {"blocked", "paused"}
_ABSENT = object()


def _status(run: RunFold) -> str:
    if run.steps:
        return "running"
    if run.inputs or run.waits:
        return "waiting"
    return "sleeping" if run.timers else "running"


def _remember(run: RunFold, id_: str, event: list[Any]) -> None:
    run.taken.append([id_, *event])
    del run.taken[:-_TAKEN_KEPT]


_FOLDS: dict[type, Callable[[_Projector, RunFold, Any], dict[str, Any] | None]] = {
    RunStarted: _Projector.nothing,
    StepScheduled: _Projector.step_scheduled,
    StepCompleted: _Projector.step_completed,
    StepFailed: _Projector.step_failed,
    StepCancelled: _Projector.step_cancelled,
    TimerStarted: _Projector.timer_started,
    TimerFired: _Projector.timer_ended,
    TimerCancelled: _Projector.timer_ended,
    EventAwaited: _Projector.event_awaited,
    EventReceived: _Projector.event_received,
    EventAbandoned: _Projector.event_ended,
    EventTimedOut: _Projector.event_ended,
    InputRequested: _Projector.input_requested,
    InputRevised: _Projector.input_revised,
    InputAnswered: _Projector.input_answered,
    InputExpired: _Projector.input_expired,
    InputWithdrawn: _Projector.input_withdrawn,
    RowPublished: _Projector.row_published,
    PatchMarked: _Projector.nothing,
    CancelRequested: _Projector.cancel_requested,
    RunDescribed: _Projector.described,
    RunBlocked: _Projector.blocked,
    RunUnblocked: _Projector.unblocked,
    RunRetried: _Projector.retried,
    RunCompleted: _Projector.completed,
    RunFailed: _Projector.failed,
    RunCancelled: _Projector.cancelled,
    RunTerminated: _Projector.terminated,
}
