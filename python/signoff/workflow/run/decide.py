"""What outsiders may do to a run: start, cancel, terminate, retry, rewind and fork it, and give it up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from signoff.errors import (
    InvalidInput,
    NotBlocked,
    NotEnded,
    NotPaused,
    RunClosed,
    RunConflict,
    UnknownCommand,
    UnknownWorkflow,
)
from signoff.shapes import flag, maybe, name, text
from signoff.streams import offset
from signoff.workflow import codec
from signoff.workflow.decision import AlreadyDone, AppendEntries, DeleteRun, Loaded, StartAnother, run_row
from signoff.workflow.entry import Command, DecidedBy, Entry, Error
from signoff.workflow.event.decide import known
from signoff.workflow.event.entries import EventReceived
from signoff.workflow.run.cut import before_end, cut_of_failure, find_command, id_of
from signoff.workflow.run.entries import (
    CancelRequested,
    ForkedFrom,
    RunBlocked,
    RunPaused,
    RunResumed,
    RunRetried,
    RunRewound,
    RunStarted,
    RunTerminated,
)
from signoff.workflow.run.place import end_of
from signoff.workflow.run.status import ENDED, FINAL, HELD, NOT_FINAL, OPEN, STATUSES
from signoff.workflow.verb import REASON, Body, Member, Needs, Verb
from signoff.workflow.view import View

Row = dict[str, Any]

MOST_ID: Final = 300
"""Characters that the id of a command has at most."""

_NAMED: Final = 5
"""How many ids are named to somebody who names a wrong one."""

_FORK: Final = " Fork it to go on from where it was."

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
    """Have a run tried again, with the code that there is: a blocked one as it is, a failed one where it failed.

    A blocked one is blocked again if the code is no better. If a failed run failed by a step, that step's attempts
    begin anew; else the code is run again from its last turn. What came before is kept, with every answer and result.

    Raises:
        NotBlocked: the run is neither blocked nor failed.
    """
    at = loaded.time(now_ms)
    match loaded.status:
        case "blocked":
            return AppendEntries((RunRetried(at, by),), run_row, wake_at=loaded.wake_at)
        case "failed":
            keep, anew = cut_of_failure(loaded.past.entries)
            return AppendEntries((RunRetried(at, by, keep, anew),), run_row, release=True)
    raise NotBlocked(
        f"The run {loaded.run.row['id']!r} is {loaded.status}, and only a blocked or a failed one can be tried again; "
        f"nothing was changed.{_FORK if loaded.status in FINAL else ''}",
        run=loaded.run.row,
    )


def rewind(loaded: Loaded, body: Body, by: DecidedBy, now_ms: int) -> AppendEntries[Row]:
    """Undo what a run has done from a command on, and have it go on from there with the code that there is.

    Events and the wish that it stop are kept. Steps that had an effect on the world have had it. A worker that holds
    the run lets go of it, and what its attempts come to does not count.

    Args:
        loaded: the run.
        body: `to`, the id of the command, e.g. `pay:1`; `after`: keep it, and how it ended; `reason`, for people.
        by: who asks.
        now_ms: now, in milliseconds.

    Raises:
        RunClosed: the run is completed or cancelled.
        UnknownCommand: the run has not asked for this, or it is undone already.
    """
    if loaded.status in FINAL:
        what = f"The run {loaded.run.row['id']!r} is {loaded.status} and cannot be rewound; nothing was changed.{_FORK}"
        raise RunClosed(what, run=loaded.run.row)
    to, after = body["to"], body.get("after", False)
    cut = RunRewound(loaded.time(now_ms), _place(loaded, to, after=after), to, after, body.get("reason"), by)
    return AppendEntries((cut,), run_row, release=True)


def fork(loaded: Loaded, body: Body, by: DecidedBy, now_ms: int) -> StartAnother[Row]:
    """Start a run that shares the beginning of this one's journal, and goes on from there on its own.

    Args:
        loaded: the run, which may have ended, and is left as it is.
        body: `run_id` of the new run, made up unless given; `at`: the id of the first command that is not shared,
            unless given all but the end and what the code asked for last; `after`: share it, and how it ended.
        by: who asks.
        now_ms: now, in milliseconds.

    Raises:
        UnknownCommand: the run has not asked for this.
        RunConflict: the new id is taken by a run that is not this fork.
    """
    entries = loaded.past.entries
    started = entries[0]
    assert isinstance(started, RunStarted), "the first entry of a run is run.started"
    place, after = body.get("at"), body.get("after", False)
    keep = before_end(entries) if place is None else _place(loaded, place, after=after)
    at = loaded.time(now_ms)
    run_id = body.get("run_id") or codec.digest([started.run_id, keep, at])[:20]
    begin = replace(started, run_id=run_id, forked_from=ForkedFrom(started.run_id, keep, at))
    shared = entries[1:keep]
    # It is the other run that was paused.
    held = next((entry for entry in reversed(shared) if isinstance(entry, RunPaused | RunResumed)), None)
    goes_on = (RunResumed(at, None, by),) if isinstance(held, RunPaused) else ()
    forked = AppendEntries(
        (begin, *shared, RunRewound(at, keep, place, after, body.get("reason"), by), *goes_on),
        run_row,
        known=tuple(known(entry) for entry in shared if isinstance(entry, EventReceived)),
    )

    def decided(taken: Loaded | None) -> AppendEntries[Row] | AlreadyDone[Row]:
        if taken is None:
            return forked
        if taken.run.row.get("forked_from") == {"run_id": started.run_id, "keep": keep}:
            return AlreadyDone(taken.run.row)
        raise RunConflict(
            f"The run id {run_id!r} is taken by another run; nothing was started. Use another id, or none to get one "
            "that is made up."
        )

    return StartAnother(run_id, decided)


def _place(loaded: Loaded, to: str, *, after: bool) -> int:
    entries = loaded.past.entries
    found = end_of(entries, to) if after else find_command(entries, to)
    if found is None:
        asked = dict.fromkeys(id_ for one in entries if isinstance(one, Command) and (id_ := id_of(one)) is not None)
        last = list(asked)[-_NAMED:]
        raise UnknownCommand(
            f"The run {loaded.run.row['id']!r} has not asked for {to[:140]!r}, or that is undone already; nothing was "
            f"changed. What it has asked for last: {', '.join(last) or 'nothing'}.",
            known=last,
        )
    return found


def pause(loaded: Loaded, body: Body, by: DecidedBy, now_ms: int) -> AppendEntries[Row] | AlreadyDone[Row]:
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


def resume(loaded: Loaded, body: Body, by: DecidedBy, now_ms: int) -> AppendEntries[Row]:
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


def delete(loaded: Loaded, _body: Body, _by: DecidedBy, now_ms: int) -> DeleteRun[Row]:
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

    That nobody knows it is for the caller to find out. What somebody holds, or has paused or ended meanwhile,
    is left alone.
    """
    if loaded.status in ENDED or loaded.run.paused or (loaded.leased_until or 0) > now_ms:
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


_AFTER: Final = Member("after", flag, "Keep that command too, and how it ended.", switch=True)

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
        "retry",
        "Have a blocked or failed run tried again, with the code that there is",
        "10.11",
        retry,
        needs=Needs(journal=("failed",)),
        refusals=(NotBlocked,),
        said="Run {run} will be tried again; it is {status}.",
        statuses=("blocked", "failed"),
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
    Verb(
        "rewind",
        "Undo what a run has done from a command on, and have it go on from there",
        "10.17",
        rewind,
        members=(
            Member("to", text(MOST_ID), "The id of the first command that is undone: pay:1.", required=True),
            _AFTER,
            REASON,
        ),
        needs=Needs(journal=NOT_FINAL),
        refusals=(RunClosed, UnknownCommand),
        said="Run {run} is rewound; it is {status}.",
        statuses=(*OPEN, "failed"),
    ),
    Verb(
        "fork",
        "Start a run that shares the beginning of another one's journal, and goes on from there on its own",
        "10.18",
        fork,
        members=(
            Member("at", maybe(text(MOST_ID)), "The id of the first command that is not shared: pay:1."),
            _AFTER,
            Member("run_id", maybe(name), "The new run's id; made up unless given."),
            REASON,
        ),
        needs=Needs(journal=STATUSES),
        refusals=(RunConflict, UnknownCommand),
        said="Run {new} is forked from {run}; it is {status}.",
        statuses=STATUSES,
        status=201,
    ),
)
