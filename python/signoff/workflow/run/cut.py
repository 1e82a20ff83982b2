"""Cuts: what operators undo in a run, without a line of its journal being lost.

A journal only grows. `run.rewound`, and `run.retried` of a failed run, say how many entries of what held until then
stay; those of the *effective* journal, which is what replay feeds and what rows and index show. What came later is
undone, but for what the outside world has said, which cannot be unsaid: events, the wish that the run stop, that it is
paused, what people have filled in, and what they have said. That is said again, behind the cut.

A retry keeps more: also how what stays was answered, so that no step that is done is done again. What it opens again
is given as much time as it had.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from signoff.workflow.comment.entries import CommentAdded
from signoff.workflow.entry import Command, Entry, Notification
from signoff.workflow.event.entries import EventAwaited, EventReceived, EventTimedOut
from signoff.workflow.handover.entries import InputAmended
from signoff.workflow.input.entries import (
    InputAnswered,
    InputExpired,
    InputRecalled,
    InputRequested,
    InputRevised,
    InputWithdrawn,
)
from signoff.workflow.input.schedule import put_off
from signoff.workflow.input.state import outlives
from signoff.workflow.run.entries import (
    OUTCOMES,
    REMARKS,
    CancelRequested,
    RunCancelled,
    RunDescribed,
    RunFailed,
    RunPaused,
    RunResumed,
    RunRetried,
    RunRewound,
    RunTerminated,
)
from signoff.workflow.step.entries import StepFailed
from signoff.workflow.validation.entries import InputRefused, InputReturned, InputSubmitted
from signoff.workflow.wizard.entries import WizardPrefilled

Cut = RunRewound | RunRetried

CUTS: Final = frozenset({RunRewound, RunRetried})
"""The types of entries that may be cuts, for where speed matters."""
Revision = InputRevised | InputAmended

JudgementEnd = InputAnswered | InputRefused | InputReturned | Revision | InputWithdrawn | InputRecalled
"""What ends that an answer is judged, if it is no revision that the answer outlives."""

Failure = StepFailed | InputExpired | EventTimedOut
"""What says that something the code asked for came to no result; a step may be tried again."""

_SURVIVORS: Final = frozenset(
    {EventReceived, CancelRequested, RunDescribed, RunPaused, RunResumed, WizardPrefilled, CommentAdded}
)


def is_cut(entry: Entry) -> bool:
    """Tell whether an entry undoes what came before: the retry of a run that was blocked does not."""
    return type(entry) in CUTS and entry.keep is not None  # type: ignore[attr-defined]


def holds_cut(entries: Sequence[Entry]) -> bool:
    """Tell whether there is a cut among entries; then what came before them must be read again."""
    return not CUTS.isdisjoint(map(type, entries)) and any(map(is_cut, entries))


KeptEntries = list[tuple[int, Entry]]
"""Entries that stay, with the positions they had."""


def kept(entries: Sequence[Entry], cut: Cut) -> tuple[KeptEntries, KeptEntries]:
    """Return those entries of an effective journal that a cut lets stay: before it, and behind it."""
    anew: Collection[str] = cut.anew
    keep = len(entries) if cut.keep is None else min(cut.keep, len(entries))
    before = [(n, entries[n]) for n in range(keep)]
    if anew:
        before = [
            (n, _open_again(entry, cut.at) if id_of(entry) in anew else entry)
            for n, entry in before
            if not (isinstance(entry, Failure) and entry.id in anew)
        ]
    asked: Collection[str | None] = ()
    if isinstance(cut, RunRetried):
        asked = {id_of(entry) for _, entry in before if isinstance(entry, Command)} - {None, *anew}
    behind = [
        (n, entry)
        for n, entry in enumerate(entries[keep:], keep)
        if type(entry) in _SURVIVORS or (isinstance(entry, Notification) and id_of(entry) in asked)
    ]
    if dropped := _dropped_submissions(entries, {n for n, _ in (*before, *behind)}):
        before = [one for one in before if one[0] not in dropped]
    return [(at, settled(entry, n)) for n, (at, entry) in enumerate(before)], behind


def _dropped_submissions(entries: Sequence[Entry], stay: Collection[int]) -> set[int]:
    """Return where answers stand that were to be judged, if it is undone how that ended: their senders were told."""
    judged: dict[str, tuple[int, InputSubmitted]] = {}
    dropped: set[int] = set()
    for n, entry in enumerate(entries):
        if isinstance(entry, InputSubmitted):
            judged[entry.id] = n, entry
        elif isinstance(entry, JudgementEnd):
            found = judged.get(entry.id)
            if found is None or (isinstance(entry, Revision) and outlives(found[1].by, entry.changes)):
                continue
            del judged[entry.id]
            if n not in stay:
                dropped.add(found[0])
        elif isinstance(entry, OUTCOMES) and n not in stay:
            dropped.update(at for at, _ in judged.values())
    return dropped


def _open_again(entry: Entry, at: int) -> Entry:
    """Return what asks for something that is open again since `at`: there is as much time for it as there was."""
    match entry:
        case InputRequested():
            deadline = None if entry.deadline is None else entry.deadline - entry.at + at
            policy = None if entry.policy is None else put_off(entry.policy, at - entry.at)
            return replace(entry, deadline=deadline, policy=policy)
        case InputRevised() | InputAmended():
            return replace(entry, changes=put_off(entry.changes, at - entry.at))
        case EventAwaited(timeout_at=int(until)):
            return replace(entry, timeout_at=until - entry.at + at)
    return entry


def settled(entry: Entry, count: int) -> Entry:
    """Return an entry as it stands in an effective journal, behind `count` others: a cut has nothing left to undo."""
    if isinstance(entry, RunRewound):
        return replace(entry, keep=count, anew=())
    if isinstance(entry, RunRetried) and entry.keep is not None:
        return replace(entry, keep=count, anew=())
    return entry


def effective(entries: Sequence[Entry]) -> Sequence[Entry]:
    """Return what is left of a whole journal after its cuts.

    A cut stands behind what it keeps, and before what has come meanwhile and stays. What is effective already comes
    back equal.

    Example:
        >>> effective([started, scheduled, failed, RunRewound(9, keep=1)])
        [started, RunRewound(9, keep=1)]
    """
    if not holds_cut(entries):
        return entries
    left: list[Entry] = []
    for entry in entries:
        if isinstance(entry, Cut) and is_cut(entry):
            before, behind = kept(left, entry)
            left = [one for _, one in before]
            left += [settled(entry, len(left)), *(one for _, one in behind)]
        else:
            left.append(entry)
    return left


# -- where to cut ------------------------------------------------------------------------------------------------------


def id_of(entry: Entry) -> str | None:
    """Return the id of the command that an entry is, or is about."""
    return getattr(entry, "id", None)


def failed_id(entry: Entry) -> str | None:
    """Return the id of the command that has come to no result by this entry; None: it says no such thing."""
    if isinstance(entry, StepFailed):
        return _failed_step(entry)
    return entry.id if isinstance(entry, Failure) else None


def find_command(entries: Sequence[Entry], id_: str) -> int | None:
    """Return the position of the command with this id; None: there is none."""
    return next((n for n, entry in enumerate(entries) if isinstance(entry, Command) and id_of(entry) == id_), None)


def before_end(entries: Sequence[Entry]) -> int:
    """Return how many entries there are before a run's end, and before what its code asked for in its last turn.

    The wish that it stop is part of an end to which it led.
    """
    end = entries[-1]
    if isinstance(end, RunCancelled | RunTerminated):
        wish = next((n for n, entry in enumerate(entries) if isinstance(entry, CancelRequested)), None)
        if wish is not None:
            return wish
    if isinstance(end, RunTerminated):
        return len(entries) - 1
    return _before_commands(entries) if isinstance(end, OUTCOMES) else len(entries)


def last_cut(entries: Sequence[Entry]) -> Cut | None:
    """Return the last cut among entries; None: there is none."""
    return next((entry for entry in reversed(entries) if isinstance(entry, Cut) and is_cut(entry)), None)


class RetryCut(NamedTuple):
    """Where to cut the journal of a failed run that is to be tried again.

    Attributes:
        keep: how many entries stay.
        anew: the ids of what is open again.
        otherwise: how many stay, once that is open, if the code then does not ask for all that `keep` keeps.
    """

    keep: int
    anew: tuple[str, ...] = ()
    otherwise: int | None = None


def cut_of_failure(entries: Sequence[Entry]) -> RetryCut:
    """Return where to cut the journal of a failed run that is to be tried again.

    What is open again are the commands whose errors ended the code, as it said when it failed. If there are none, or
    they have come to a result that the code cannot read, the code itself is to blame.

    What the code has asked for since may be because of the failure, or beside it: only the code can tell, when it is
    run with that open. So all of it stays at first.
    """
    end = _before_commands(entries)
    last = entries[-1]
    if not isinstance(last, RunFailed) or last.causes is None:
        return _cut_of_guess(entries, end)
    failed = {id_: n for n, entry in enumerate(entries) if (id_ := failed_id(entry)) in last.causes}
    asked = {id_of(entry) for entry in entries[:end] if isinstance(entry, Command)}
    anew = tuple(id_ for id_ in failed if id_ in asked)
    if not anew:
        return RetryCut(end)
    since = next((n for n in range(min(failed.values()), end) if isinstance(entries[n], Command)), end)
    before = last_cut(entries)
    if isinstance(before, RunRetried) and before.otherwise is not None:  # what was kept then may be because of this
        since = min(since, before.otherwise)
    if since == end:
        return RetryCut(end, anew)
    gone = sum(isinstance(entry, Failure) and entry.id in anew for entry in entries[:since])
    return RetryCut(end, anew, since - gone)


def _cut_of_guess(entries: Sequence[Entry], end: int) -> RetryCut:
    """Return the same for a run that failed before it was recorded why.

    If a step had failed for good when the code raised, it is that step: one the code learned of last, or whose error it
    let pass; with all others that failed while the code asked for nothing. Else the code itself is to blame.
    """
    first = _behind_command(entries, end)
    failed = _failed_steps(entries[first:end])
    let_pass = any(isinstance(one, RunFailed) and one.error.code == "step_failed" for one in entries[-1:])
    last = next((one for one in reversed(entries[first:end]) if type(one) not in REMARKS), None)
    if failed and (let_pass or (last is not None and _failed_step(last))):
        return RetryCut(end, failed)
    if let_pass:
        for n in range(first - 1, 0, -1):
            if _failed_step(entries[n]) is not None:
                keep = next((m for m in range(n, end) if isinstance(entries[m], Command)), end)
                return RetryCut(keep, _failed_steps(entries[_behind_command(entries, n) : keep]))
    return RetryCut(end)


def _before_commands(entries: Sequence[Entry]) -> int:
    count = len(entries)
    while count > 1 and isinstance(entries[count - 1], Command):
        count -= 1
    return count


def _behind_command(entries: Sequence[Entry], end: int) -> int:
    first = end
    while first > 1 and not isinstance(entries[first - 1], Command):
        first -= 1
    return first


def _failed_steps(entries: Sequence[Entry]) -> tuple[str, ...]:
    return tuple(id_ for entry in entries if (id_ := _failed_step(entry)) is not None)


def _failed_step(entry: Entry) -> str | None:
    return entry.id if isinstance(entry, StepFailed) and entry.retry_at is None else None
