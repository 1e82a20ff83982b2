"""What operators may undo in a run: retry one that failed, rewind it, fork it. How a journal is cut is in `cut.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from signoff.errors import NotBlocked, RunClosed, RunConflict, UnknownCommand
from signoff.shapes import flag, maybe, name, text
from signoff.workflow import codec
from signoff.workflow.decision import AlreadyDone, AppendEntries, Loaded, StartAnother, run_row
from signoff.workflow.entry import Command, DecidedBy, Entry
from signoff.workflow.event.decide import known
from signoff.workflow.event.entries import EventReceived
from signoff.workflow.run.cut import before_end, cut_of_failure, failed_id, find_command, id_of, last_cut
from signoff.workflow.run.entries import (
    ForkedFrom,
    RunFailed,
    RunPaused,
    RunResumed,
    RunRetried,
    RunRewound,
    RunStarted,
)
from signoff.workflow.run.place import end_of
from signoff.workflow.run.status import FINAL, NOT_FINAL, OPEN, STATUSES
from signoff.workflow.verb import REASON, Body, Member, Needs, Verb

RunRow = dict[str, Any]

MOST_ID: Final = 300
"""Characters that the id of a command has at most."""

_NAMED: Final = 5
"""How many ids are named to somebody who names a wrong one."""

_FORK: Final = " Fork it to go on from where it was."


def retry(loaded: Loaded, _body: Body, by: DecidedBy, now_ms: int) -> AppendEntries[RunRow]:
    """Have a run tried again, with the code that there is: a blocked one as it is, a failed one where it failed.

    A blocked one is blocked again if the code is no better. If a failed run failed by a step, that step's attempts
    begin anew; else the code is run again from its last turn. What came before is kept, with every answer and result.

    Raises:
        NotBlocked: the run is neither blocked nor failed.
    """
    match loaded.status:
        case "blocked":
            return AppendEntries((RunRetried(loaded.time(now_ms), by),), run_row, wake_at=loaded.wake_at)
        case "failed":
            cut = cut_of_failure(loaded.past.entries)
            at = loaded.time(max(now_ms, loaded.run.last_at + 1))  # so that what fails from here on is later
            retried = RunRetried(at, by, cut.keep, cut.anew, otherwise=cut.otherwise)
            return AppendEntries((retried,), run_row, release=True)
    raise NotBlocked(
        f"The run {loaded.run.row['id']!r} is {loaded.status}, and only a blocked or a failed one can be tried again; "
        f"nothing was changed.{_FORK if loaded.status in FINAL else ''}",
        run=loaded.run.row,
    )


def retried_on(entries: Sequence[Entry]) -> RunRetried | None:
    """Return the cut by which a run goes on that was retried and would fail again; None: it fails.

    A retry is meant to get over all that had failed until then, and code does not come to all of it at once: it raises
    the first of several errors, or fails in its cleanup first. What fails after the retry ends it.

    Args:
        entries: the effective journal, with the `run.failed` that is about to be written.
    """
    failed = entries[-1]
    wish = last_cut(entries)
    if not isinstance(failed, RunFailed) or not isinstance(wish, RunRetried):
        return None
    since = wish.since or wish.at
    ends = [entry.at for entry in entries if failed_id(entry) in (failed.causes or ())]
    if not ends or max(ends) >= since:
        return None
    cut = cut_of_failure(entries)
    return RunRetried(failed.at, wish.by, cut.keep, cut.anew, since, cut.otherwise)


def retried_otherwise(entries: Sequence[Entry], now_ms: int) -> RunRetried | None:
    """Return the cut by which a run goes on whose code does not ask for all that its retry has kept; None: no such.

    Args:
        entries: the effective journal.
        now_ms: now, in milliseconds.
    """
    wish = last_cut(entries)
    if not isinstance(wish, RunRetried) or wish.otherwise is None:
        return None
    if any(isinstance(entry, Command) for entry in entries[entries.index(wish) :]):  # the code has agreed, and gone on
        return None
    return RunRetried(max(now_ms, wish.at), wish.by, wish.otherwise, (), wish.since or wish.at)


def rewind(loaded: Loaded, body: Body, by: DecidedBy, now_ms: int) -> AppendEntries[RunRow]:
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


def fork(loaded: Loaded, body: Body, by: DecidedBy, now_ms: int) -> StartAnother[RunRow]:
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
    begin = replace(started, run_id=run_id, forked_from=ForkedFrom(started.run_id, keep, at, *loaded.last))
    shared = entries[1:keep]
    # It is the other run that was paused.
    held = next((entry for entry in reversed(shared) if isinstance(entry, RunPaused | RunResumed)), None)
    goes_on = (RunResumed(at, None, by),) if isinstance(held, RunPaused) else ()
    forked = AppendEntries(
        (begin, *shared, RunRewound(at, keep, place, after, body.get("reason"), by), *goes_on),
        run_row,
        known=tuple(known(entry) for entry in shared if isinstance(entry, EventReceived)),
    )

    def decided(taken: Loaded | None) -> AppendEntries[RunRow] | AlreadyDone[RunRow]:
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


_AFTER: Final = Member("after", flag, "Keep that command too, and how it ended.", switch=True)

UNDOING: Final = (
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
