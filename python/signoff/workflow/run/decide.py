"""What outsiders may do to a run: start, cancel, terminate, pause and delete it, and give it up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from signoff.errors import (
    InvalidInput,
    NotEnded,
    NotPaused,
    RunClosed,
    RunConflict,
    UnknownWorkflow,
)
from signoff.streams import offset
from signoff.workflow.decision import AlreadyDone, AppendEntries, DeleteRun, Loaded, run_row
from signoff.workflow.entry import DecidedBy, Entry, Error
from signoff.workflow.run.entries import (
    CancelRequested,
    RunBlocked,
    RunPaused,
    RunResumed,
    RunStarted,
    RunTerminated,
)
from signoff.workflow.run.status import ENDED, FINAL, HELD, OPEN
from signoff.workflow.run.undo import UNDOING, RunRow
from signoff.workflow.verb import REASON, Body, Needs, Verb
from signoff.workflow.view import View

_NOBODY: Final = "no worker that is running knows the workflow, so its cleanup could not run"


@dataclass(frozen=True, slots=True)
class Started:
    """A run that was started, now or before.

    Attributes:
        run: the run row.
        created: False if the run existed already with the same workflow and input.
        offset: position in the run's stream from which `run` is visible.
    """

    run: RunRow
    created: bool
    offset: str


def start(
    loaded: Loaded | None, entry: RunStarted, input_error: InvalidInput | None = None
) -> AppendEntries[Started] | AlreadyDone[Started]:
    """Start a run, or find the one that has this id, workflow and input.

    Args:
        loaded: the run that has this id; None: none has.
        entry: how it is to begin.
        input_error: why the input does not fit the code that is at hand, if it does not. It counts for a new run alone:
            when one that exists was started, the code may have been another.

    Raises:
        RunConflict: the id is taken by another workflow or another input.
        InvalidInput: `input_error`.
    """
    if loaded is None:
        if input_error is not None:
            raise input_error
        return AppendEntries((entry,), _started, ready=entry.start_at is None, wake_at=entry.start_at)
    if loaded.run.digest != entry.digest:
        raise RunConflict(
            f"The run id {entry.run_id!r} is taken by a run of another workflow or with another input; "
            "nothing was started. Use another id, or the same workflow and input to get the existing run."
        )
    return AlreadyDone(Started(loaded.run.row, False, offset.encode(loaded.public_tail)))


def _started(view: View, tail: int) -> Started:
    return Started(run_row(view, tail), True, offset.encode(tail))


def cancel(loaded: Loaded, body: Body, by: DecidedBy, now_ms: int) -> AppendEntries[RunRow] | AlreadyDone[RunRow]:
    """Ask a run to stop; its cleanup code still runs. Asking again changes nothing.

    One that is blocked because no worker knew its workflow is ended, if there still is none: nobody could run its
    cleanup.
    One that is paused is resumed by it, since its cleanup could not run otherwise.

    Args:
        loaded: the run.
        body: `reason`, for people.
        by: who asks.
        now_ms: now, in milliseconds.

    Raises:
        RunClosed: the run has ended.
    """
    reason, forsaken = body.get("reason"), loaded.forsaken and blocked_unknown(loaded)
    _check_open(loaded, "cancel", ENDED)
    asked = loaded.run.cancel_requested
    at = loaded.time(now_ms)
    entries: list[Entry] = [] if asked else [CancelRequested(at, reason, by)]
    if forsaken:
        return AppendEntries((*entries, RunTerminated(at, reason, by)), run_row, ends=True)
    if loaded.run.paused:
        entries.append(RunResumed(at, reason, by))
    if not entries:
        return AlreadyDone(loaded.run.row)
    return AppendEntries(tuple(entries), run_row, wake_at=loaded.wake_at)


def blocked_unknown(loaded: Loaded) -> bool:
    """Tell whether a run is blocked, perhaps paused since, because no worker knew its workflow when somebody looked."""
    error = loaded.run.row["error"]
    return loaded.status in HELD and error is not None and error["code"] == UnknownWorkflow.code


def terminate(loaded: Loaded, body: Body, by: DecidedBy, now_ms: int) -> AppendEntries[RunRow]:
    """End a run now, without running its code, whatever its state. Also ends a failed run for good.

    Its requests are withdrawn, its waits and timers gone, its streams closed. A worker that holds it can write nothing
    more; steps under way may still have their effect on the world.

    Raises:
        RunClosed: it is completed or cancelled.
    """
    _check_open(loaded, "terminate", FINAL)
    return AppendEntries((RunTerminated(loaded.time(now_ms), body.get("reason"), by),), run_row, ends=True)


def pause(loaded: Loaded, body: Body, by: DecidedBy, now_ms: int) -> AppendEntries[RunRow] | AlreadyDone[RunRow]:
    """Have nothing new begun in a run until it is resumed; answers and events are still taken. Again changes nothing.

    What is under way ends, and its results are kept. Neither code nor attempts nor timers begin.

    Raises:
        RunClosed: the run has ended.
    """
    _check_open(loaded, "pause", ENDED)
    if loaded.run.paused:
        return AlreadyDone(loaded.run.row)
    # `ready`, so that the worker that may hold it is woken to let go; nobody can claim it.
    return AppendEntries((RunPaused(loaded.time(now_ms), body.get("reason"), by),), run_row, wake_at=loaded.wake_at)


def resume(loaded: Loaded, body: Body, by: DecidedBy, now_ms: int) -> AppendEntries[RunRow]:
    """Have a paused run go on. What became due meanwhile happens now, what was answered meanwhile counts.

    Raises:
        RunClosed: the run has ended.
        NotPaused: it is not paused.
    """
    _check_open(loaded, "resume", ENDED)
    if not loaded.run.paused:
        hint = " It goes on with other code, or with: signoff retry" if loaded.status == "blocked" else ""
        raise NotPaused(
            f"The run {loaded.run.row['id']!r} is {loaded.status}, not paused; nothing was changed.{hint}",
            run=loaded.run.row,
        )
    return AppendEntries((RunResumed(loaded.time(now_ms), body.get("reason"), by),), run_row, wake_at=loaded.wake_at)


def delete(loaded: Loaded, _body: Body, _by: DecidedBy, now_ms: int) -> DeleteRun[RunRow]:
    """Delete a run that has ended, with all that belongs to it. Its id may be used again.

    What was forked from its streams stays readable. The room it took is free soon after.

    Raises:
        NotEnded: the run goes on.
    """
    if loaded.status not in ENDED:
        run_id = loaded.run.row["id"]
        raise NotEnded(
            f"The run {run_id!r} is {loaded.status}, and only one that has ended can be deleted; nothing was changed. "
            f"To end it first: signoff terminate {run_id}.",
            run=loaded.run.row,
        )
    return DeleteRun(loaded.run.row, loaded.time(now_ms))


def forsake(loaded: Loaded, now_ms: int) -> AppendEntries[bool] | AlreadyDone[bool]:
    """Block a run that no living worker knows, or end it if it was asked to stop; reply whether it is written to.

    That nobody knows it is for the caller to find out. What somebody holds, or has paused or ended meanwhile, is left
    alone, and so is what another process that looks has blocked.
    """
    told = loaded.status == "blocked" and not loaded.ready
    if told or loaded.status in ENDED or loaded.run.paused or (loaded.leased_until or 0) > now_ms:
        return AlreadyDone(False)
    at = loaded.time(now_ms)
    if loaded.run.cancel_requested:
        return AppendEntries((RunTerminated(at, _NOBODY, DecidedBy("policy")),), _written, ends=True)
    what = f"No worker that is running knows the workflow {loaded.run.row['workflow']!r}. Start one that does."
    blocked = () if loaded.status == "blocked" else (RunBlocked(at, Error(UnknownWorkflow.code, what)),)
    # Due, so that a worker that comes finds it at once; not ready, so that it is not found here again.
    return AppendEntries(blocked, _written, ready=False, wake_at=now_ms)


def _written(_view: View, _tail: int) -> bool:
    return True


def _check_open(loaded: Loaded, verb: str, closed: frozenset[str]) -> None:
    if loaded.status in closed:
        row = loaded.run.row
        raise RunClosed(f"The run {row['id']!r} is already {loaded.status}; there is nothing to {verb}.", run=row)


VERBS: Final = (
    Verb(
        "cancel",
        "Ask a run to stop; its cleanup still runs",
        "10.4",
        cancel,
        grant="run:cancel",
        members=(REASON,),
        needs=Needs(inputs=True, workers=True),
        refusals=(RunClosed,),
        said="Run {run} was asked to stop; it is {status}.",
        hints={"blocked": "It is blocked, so its cleanup may never run; to end it without: signoff terminate {run}"},
        statuses=OPEN,
        status=202,
    ),
    Verb(
        "terminate",
        "End a run now, without running its code, whatever its state",
        "10.4",
        terminate,
        grant="run:cancel",
        members=(REASON,),
        needs=Needs(inputs=True),
        refusals=(RunClosed,),
        said="Run {run} is terminated.",
        statuses=(*OPEN, "failed"),
    ),
    Verb(
        "pause",
        "Begin nothing new in a run until it is resumed; answers and events are still taken",
        "10.13",
        pause,
        members=(REASON,),
        refusals=(RunClosed,),
        said="Run {run} is paused; to go on: signoff resume {run}",
        statuses=tuple(status for status in OPEN if status != "paused"),
    ),
    Verb(
        "resume",
        "Let a paused run go on",
        "10.13",
        resume,
        members=(REASON,),
        refusals=(RunClosed, NotPaused),
        said="Run {run} goes on; it is {status}.",
        statuses=("paused",),
    ),
    Verb(
        "delete",
        "Delete a run that has ended, with its history and its streams",
        "10.14",
        delete,
        refusals=(NotEnded,),
        said="Run {run} is deleted.",
        statuses=tuple(sorted(ENDED)),
        question="This deletes the run {run} with its history, and nothing brings it back.",
    ),
    *UNDOING,
)
