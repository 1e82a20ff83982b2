"""What a driver tells observers of what became durable, and of what it read."""

from __future__ import annotations

from collections.abc import Sequence

from signoff.runtime.observe import (
    AnswerReceived,
    EntriesCommitted,
    Observers,
    RunEnded,
    RunIsBlocked,
    RunReleased,
    RunWaiting,
)
from signoff.runtime.port import ClaimedRun, JournalAppend
from signoff.workflow.entry import Entry
from signoff.workflow.event.entries import EventReceived
from signoff.workflow.input.entries import InputAnswered
from signoff.workflow.machine import Machine
from signoff.workflow.run.entries import (
    CancelRequested,
    RunBlocked,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunRetried,
    RunTerminated,
)

_ENDS = {RunCompleted: "completed", RunFailed: "failed", RunCancelled: "cancelled", RunTerminated: "cancelled"}
_FROM_OUTSIDE = InputAnswered | EventReceived | CancelRequested | RunRetried


def tell_written(observers: Observers, run: ClaimedRun, machine: Machine, request: JournalAppend) -> None:
    """Tell what is in the journal now, and what follows from it for the run."""
    run_id, workflow = run.lease.run_id, run.workflow
    if request.entries:
        observers.tell(EntriesCommitted(run_id, workflow, tuple(request.entries)))
    for entry in request.entries:
        if isinstance(entry, InputAnswered) and entry.by.kind != "timeout":  # judged here
            waited_ms = max(machine.now_ms - entry.at, 0)
            observers.tell(AnswerReceived(run_id, workflow, entry.id, entry.action, waited_ms))
    if not request.release:
        return
    outcome = machine.outcome
    if outcome is not None and not request.ready:
        error = outcome.error if isinstance(outcome, RunFailed | RunCancelled) else None
        observers.tell(RunEnded(run_id, workflow, _ENDS[type(outcome)], error))
    elif request.ready:
        observers.tell(RunReleased(run_id, workflow))
    else:
        inputs, events, timers = tuple(machine.open_inputs), tuple(machine.open_events), tuple(machine.open_timers)
        steps = tuple(machine.open_steps)
        observers.tell(RunWaiting(run_id, workflow, inputs, events, timers, steps, request.wake_at))


def tell_parted(observers: Observers, run: ClaimedRun, entries: Sequence[Entry]) -> None:
    """Tell what was written when a run was given up, and why."""
    run_id, workflow = run.lease.run_id, run.workflow
    if entries:
        observers.tell(EntriesCommitted(run_id, workflow, tuple(entries)))
    for entry in entries:
        if isinstance(entry, RunBlocked):
            observers.tell(RunIsBlocked(run_id, workflow, entry.error))


def tell_answers(observers: Observers, run: ClaimedRun, entries: Sequence[Entry], now_ms: int) -> None:
    """Tell the answers at the end of what was read: everything before them a worker has taken note of already."""
    fresh: list[InputAnswered] = []
    for entry in reversed(entries):
        if not isinstance(entry, _FROM_OUTSIDE):
            break
        if isinstance(entry, InputAnswered):
            fresh.append(entry)
    for answer in reversed(fresh):
        observers.tell(
            AnswerReceived(run.lease.run_id, run.workflow, answer.id, answer.action, max(now_ms - answer.at, 0))
        )
