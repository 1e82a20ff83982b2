"""What outsiders may do to a run: start, cancel, terminate and retry it, and give up one that no worker knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from signoff.errors import InvalidInput, NotBlocked, RunClosed, RunConflict, UnknownWorkflow
from signoff.streams import offset
from signoff.workflow.decision import AlreadyDone, AppendEntries, Loaded, run_row
from signoff.workflow.entry import DecidedBy, Entry, Error
from signoff.workflow.run.entries import CancelRequested, RunBlocked, RunRetried, RunStarted, RunTerminated
from signoff.workflow.run.status import ENDED, FINAL
from signoff.workflow.verb import REASON, Body, Needs, Verb
from signoff.workflow.view import View

Row = dict[str, Any]

_NOBODY: Final = "no worker that is running knows the workflow, so its cleanup could not run"


@dataclass(frozen=True, slots=True)
class Started:
    """A run that was started, now or before.

    Attributes:
        run: the run row.
        created: False if the run existed already with the same workflow and input.
        offset: position in the run's stream from which `run` is visible.
    """

    run: Row
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


def cancel(loaded: Loaded, body: Body, by: DecidedBy, now_ms: int) -> AppendEntries[Row] | AlreadyDone[Row]:
    """Ask a run to stop; its cleanup code still runs. Asking again changes nothing.

    One that is blocked because no worker knew its workflow is ended, if there still is none: nobody could run its
    cleanup.

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
    if asked and not forsaken:
        return AlreadyDone(loaded.run.row)
    at = loaded.time(now_ms)
    entries: list[Entry] = [] if asked else [CancelRequested(at, reason, by)]
    if forsaken:
        return AppendEntries((*entries, RunTerminated(at, reason, by)), run_row, ends=True)
    return AppendEntries(tuple(entries), run_row, wake_at=loaded.wake_at)


def blocked_unknown(loaded: Loaded) -> bool:
    """Tell whether a run is blocked because no worker knew its workflow when somebody looked."""
    return loaded.status == "blocked" and loaded.run.row["error"]["code"] == UnknownWorkflow.code


def terminate(loaded: Loaded, body: Body, by: DecidedBy, now_ms: int) -> AppendEntries[Row]:
    """End a run now, without running its code, whatever its state. Also ends a failed run for good.

    Its requests are withdrawn, its waits and timers gone, its streams closed. A worker that holds it can write nothing
    more; steps under way may still have their effect on the world.

    Raises:
        RunClosed: it is completed or cancelled.
    """
    _check_open(loaded, "terminate", FINAL)
    return AppendEntries((RunTerminated(loaded.time(now_ms), body.get("reason"), by),), run_row, ends=True)


def retry(loaded: Loaded, _body: Body, by: DecidedBy, now_ms: int) -> AppendEntries[Row]:
    """Have a blocked run tried again, with the code that there is; it is blocked again if that is no better.

    Raises:
        NotBlocked: the run is not blocked.
    """
    if loaded.status != "blocked":
        raise NotBlocked(
            f"The run {loaded.run.row['id']!r} is {loaded.status}, and only a blocked one can be tried again; nothing "
            "was changed.",
            run=loaded.run.row,
        )
    return AppendEntries((RunRetried(loaded.time(now_ms), by),), run_row, wake_at=loaded.wake_at)


def forsake(loaded: Loaded, now_ms: int) -> AppendEntries[bool] | AlreadyDone[bool]:
    """Block a run that no living worker knows, or end it if it was asked to stop; reply whether it is written to.

    That nobody knows it is for the caller to find out. What somebody holds or has ended meanwhile is left alone.
    """
    if loaded.status in ENDED or (loaded.leased_until or 0) > now_ms:
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
    ),
    Verb(
        "retry",
        "Have a blocked run tried again, with the code that there is",
        "10.11",
        retry,
        refusals=(NotBlocked,),
        said="Run {run} will be tried again; it is {status}.",
    ),
)
