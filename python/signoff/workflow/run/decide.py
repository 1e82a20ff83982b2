"""What outsiders may do to a run: start, cancel, terminate, retry, rewind and fork it, and give it up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from signoff.errors import InvalidInput, NotBlocked, RunClosed, RunConflict, UnknownCommand, UnknownWorkflow
from signoff.streams import offset
from signoff.workflow.decision import AlreadyDone, AppendEntries, Loaded, run_row
from signoff.workflow.entry import Command, DecidedBy, Entry, Error
from signoff.workflow.event.entries import EventAwaited
from signoff.workflow.projection import refold
from signoff.workflow.run.cut import before_end, cut_of_failure, find_command, id_of, is_cut
from signoff.workflow.run.entries import (
    CancelRequested,
    ForkedFrom,
    RunBlocked,
    RunRetried,
    RunRewound,
    RunStarted,
    RunTerminated,
)
from signoff.workflow.run.status import ENDED, FINAL
from signoff.workflow.view import View

Row = dict[str, Any]

_TOLD: Final = 5
"""How many ids are named to somebody who names a wrong one."""

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


def cancel(
    loaded: Loaded, reason: str | None, by: DecidedBy, now_ms: int, *, forsaken: bool = False
) -> AppendEntries[Row] | AlreadyDone[Row]:
    """Ask a run to stop; its cleanup code still runs. Asking again changes nothing.

    Args:
        loaded: the run.
        reason: for people.
        by: who asks.
        now_ms: now, in milliseconds.
        forsaken: it is `blocked_unknown`, and no living worker knows its workflow: it is ended, since nobody could run
            its cleanup.

    Raises:
        RunClosed: the run has ended.
    """
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


def terminate(loaded: Loaded, reason: str | None, by: DecidedBy, now_ms: int) -> AppendEntries[Row]:
    """End a run now, without running its code. Also ends a failed run for good.

    Raises:
        RunClosed: it is completed or cancelled.
    """
    _check_open(loaded, "terminate", FINAL)
    return AppendEntries((RunTerminated(loaded.time(now_ms), reason, by),), run_row, ends=True)


def retry(loaded: Loaded, by: DecidedBy, now_ms: int) -> AppendEntries[Row]:
    """Have a run tried again, with the code that there is: a blocked one as it is, a failed one where it failed.

    If a failed run failed by a step, that step's attempts begin anew; else the code is run again from its last turn.
    What came before is kept, with every answer and every result.

    Args:
        loaded: the run; a failed one with its past.
        by: who asks.
        now_ms: now, in milliseconds.

    Raises:
        RunClosed: the run is completed or cancelled.
        NotBlocked: the run is neither blocked nor failed.
    """
    _check_not_over(loaded, "try again")
    at = loaded.time(now_ms)
    match loaded.status:
        case "blocked":
            return AppendEntries((RunRetried(at, by),), run_row, wake_at=loaded.wake_at)
        case "failed":
            keep, anew = cut_of_failure(loaded.past.entries)
            return AppendEntries((RunRetried(at, by, keep, anew),), run_row, release=True)
    raise NotBlocked(
        f"The run {loaded.run.row['id']!r} is {loaded.status}, and only a blocked or a failed one can be tried again; "
        "nothing was changed.",
        run=loaded.run.row,
    )


def rewind(
    loaded: Loaded, to: str, by: DecidedBy, now_ms: int, *, after: bool = False, reason: str | None = None
) -> AppendEntries[Row]:
    """Undo what a run has done from a command on, and have it go on from there with the code that there is.

    Events and the wish that it stop are kept. Steps that had an effect on the world have had it.

    Args:
        loaded: the run, with its past.
        to: the id of the command, e.g. `pay:1`.
        by: who asks.
        now_ms: now, in milliseconds.
        after: keep the command, and how it ended.
        reason: for people.

    Raises:
        RunClosed: the run is completed or cancelled.
        UnknownCommand: the run has not asked for this, or it is undone already.
    """
    _check_not_over(loaded, "rewind")
    keep = _place(loaded, to, after=after)
    return AppendEntries(
        (RunRewound(loaded.time(now_ms), keep, to, after, reason, by),),
        run_row,
        release=True,
    )


def fork(
    source: Loaded,
    taken: Loaded | None,
    run_id: str,
    by: DecidedBy,
    now_ms: int,
    *,
    to: str | None = None,
    after: bool = False,
) -> AppendEntries[Started] | AlreadyDone[Started]:
    """Start a run that shares the beginning of another one's journal, and goes on from there on its own.

    Args:
        source: the other run, with its past.
        taken: the run that has the new id; None: none has.
        run_id: the new id.
        by: who asks.
        now_ms: now, in milliseconds.
        to: the id of the first command that is not shared; None: all is, but the end and what the code asked for last.
        after: share the command, and how it ended.

    Raises:
        UnknownCommand: the other run has not asked for this.
        RunConflict: the id is taken by a run that is not this fork.
    """
    entries = source.past.entries
    started = entries[0]
    assert isinstance(started, RunStarted), "the first entry of a run is run.started"
    keep = before_end(entries) if to is None else _place(source, to, after=after)
    if taken is not None:
        if taken.run.row.get("forked_from") == {"run_id": started.run_id, "keep": keep}:
            return AlreadyDone(Started(taken.run.row, False, offset.encode(taken.public_tail)))
        raise RunConflict(
            f"The run id {run_id!r} is taken by another run; nothing was started. Use another id, or none to get a "
            "random one."
        )
    at = source.time(now_ms)
    begin = replace(started, run_id=run_id, forked_from=ForkedFrom(started.run_id, keep, at))
    return AppendEntries((begin, *entries[1:keep], RunRewound(at, keep, to, after, by=by)), _started)


def _place(loaded: Loaded, to: str, *, after: bool) -> int:
    """Return how many entries stand before a command, or end with how it ended."""
    entries = loaded.past.entries
    found = find_command(entries, to)
    if found is None:
        asked = dict.fromkeys(id_ for one in entries if isinstance(one, Command) and (id_ := id_of(one)) is not None)
        known = list(asked)[-_TOLD:]
        raise UnknownCommand(
            f"The run {loaded.run.row['id']!r} has not asked for {to[:140]!r}, or that is undone already; nothing was "
            f"changed. What it has asked for last: {', '.join(known) or 'nothing'}.",
            known=known,
        )
    return _end_of(entries, found, to) if after else found


def _end_of(entries: Sequence[Entry], found: int, id_: str) -> int:
    """Return how many entries there are up to the last one about a command."""
    last = max(n for n in range(found, len(entries)) if id_of(entries[n]) == id_)
    if not isinstance(entries[found], EventAwaited) or last > found:
        return last + 1
    # An event does not say which wait takes it; the fold knows.
    view = View()
    for n, entry in enumerate(entries):
        refold(view, [] if is_cut(entry) else [entry])
        if n >= found and view.run is not None and all(wait[0] != id_ for wait in view.run.waits):
            return n + 1
    return found + 1


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


def _check_not_over(loaded: Loaded, verb: str) -> None:
    if loaded.status in FINAL:
        row = loaded.run.row
        raise RunClosed(
            f"The run {row['id']!r} is {row['status']}, which is final; there is nothing to {verb}. Fork it to go on "
            "from where it was.",
            run=row,
        )


def _check_open(loaded: Loaded, verb: str, closed: frozenset[str]) -> None:
    if loaded.status in closed:
        row = loaded.run.row
        raise RunClosed(f"The run {row['id']!r} is already {loaded.status}; there is nothing to {verb}.", run=row)
