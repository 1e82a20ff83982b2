"""From journal entries to public rows: a fold that is pure, total and indifferent to how entries were batched.

Each entry is folded by itself (protocol, section 12): first its own row, by the fold of its noun, then the `run` row if
a member of it other than `updated_at` changed. What the fold has to remember of a run is `RunFold`; rows of open steps
and pending requests are beside it in the `View`. A view may be partial: an answer needs only the run and the one
request.

A cut (`run/cut.py`) undoes entries, so it needs a view that has kept its past (`refold` with `past`). What it has left
is folded anew, and the rows that differ are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from signoff.errors import WorkflowError
from signoff.streams.state import Operation
from signoff.workflow import nouns
from signoff.workflow.entry import Entry
from signoff.workflow.projector import Projector, RecordingProjector, rfc3339
from signoff.workflow.run.cut import CUTS, Cut, holds_cut, is_cut, kept, settled
from signoff.workflow.run.entries import RunStarted
from signoff.workflow.run.fold import begin, put_run
from signoff.workflow.run.status import ENDED, HELD, status_of
from signoff.workflow.undoing import write_differences
from signoff.workflow.view import Delta, Folded, Past, ShownRows, View

_FOLDS = nouns.folds()
_SETTLED = ENDED | HELD
_ABSENT = object()


def project(view: View, entries: Sequence[Entry], public_tail: int, txid: str | None = None) -> Delta:
    """Fold entries into the view and return the messages they cause.

    Args:
        view: the rows before; changed in place.
        entries: the next entries of the journal.
        public_tail: number of messages in `runs/{run_id}` before.
        txid: stands in the headers of rows that an answer changed; the answer's own submission id if None.

    Raises:
        WorkflowError: the first entry of an empty view is not `run.started`, or the view lacks a request the entries
            decide, or the past that a cut needs.
    """
    _keep_past(view, entries)
    projector = _projector(view, public_tail, txid)
    _fold_all(projector, entries)
    return projector.delta


def refold(view: View, entries: Sequence[Entry], public_tail: int = 0, *, past: bool = False) -> int:
    """Fold entries that are committed already into the view, without writing messages; return the public tail.

    The same fold as `project`, at a fraction of its cost: for a worker that picks a run up.

    Args:
        view: the rows before; changed in place.
        entries: the next entries of the journal.
        public_tail: number of messages in `runs/{run_id}` before.
        past: keep what cuts need, from the first entry on.
    """
    if past and view.past is None and view.run is None:
        view.past = Past()
    for_now = _keep_past(view, entries)
    projector = _projector(view, public_tail, write=False)
    _fold_all(projector, entries)
    if for_now:
        view.past = None
    return projector.tail


def _projector(view: View, tail: int, txid: str | None = None, *, write: bool = True) -> Projector:
    if view.past is None:
        return Projector(view, tail, txid, write=write)
    return RecordingProjector(view, tail, view.past.rows, txid, write=write)


def _keep_past(view: View, entries: Sequence[Entry]) -> bool:
    """Keep what came before from here on, if a run begins with a cut to come; tell whether that is new."""
    if view.run is not None or not entries:
        return False
    first = entries[0]
    forked = first.forked_from if isinstance(first, RunStarted) else None
    new = view.past is None and (forked is not None or holds_cut(entries))
    if new:
        view.past = Past()
    if forked is not None and view.past is not None:
        view.past.copied = forked.keep
    return new


def _fold_all(projector: Projector, entries: Sequence[Entry]) -> None:
    past = projector.view.past
    for entry in entries:
        if past is not None:
            _fold_with_past(projector, past, entry)
        elif type(entry) in CUTS and is_cut(entry):
            raise WorkflowError(f"The view lacks the past that {entry.type} undoes; load the whole journal.")
        else:
            _fold(projector, entry)


def _fold_with_past(projector: Projector, past: Past, entry: Entry) -> None:
    copied = len(past.folded) < past.copied
    if isinstance(entry, Cut) and is_cut(entry) and not copied:
        _fold_cut(projector, past, entry)
        return
    past.folded.append(Folded(entry, projector.tail))
    _fold(Projector(projector.view, 0, write=False) if copied else projector, entry)


def _fold_cut(projector: Projector, past: Past, cut: Cut) -> None:
    """Undo what a cut undoes: fold what is left, and write where the rows differ."""
    view = projector.view
    before, behind = ([replace(past.folded[n], entry=entry) for n, entry in part] for part in kept(past.entries, cut))
    done = Folded(settled(cut, len(before)), projector.tail)
    left = [*before, done, *behind]
    after, rows = _folded_again(left)
    done.reopened.update(write_differences(projector, past, after, rows, cut))
    after.inputs.update(done.reopened)
    view.run, view.steps = after.run, after.steps
    view.inputs.update(after.inputs)
    past.folded, past.copied = left, 0


def _folded_again(left: Sequence[Folded]) -> tuple[View, ShownRows]:
    view, rows = View(), ShownRows()
    projector = RecordingProjector(view, 0, rows, write=False)
    for one in left:
        projector.tail = one.tail
        _fold(projector, one.entry)
        for id_, request in one.reopened.items():
            view.inputs[id_] = request
            rows["input", id_] = request.row
    return view, rows


def _fold(projector: Projector, entry: Entry) -> None:
    run = projector.view.run
    if run is None:
        if type(entry) is not RunStarted:
            raise WorkflowError(f"A journal begins with run.started, not with {entry.type}.")
        begin(projector, entry)
        return
    run.last_at = max(run.last_at, entry.at)
    changes = _FOLDS[type(entry)](projector, run, entry)
    row = run.row
    if changes is None:
        if row["status"] in _SETTLED or row["status"] == (status := status_of(run)):
            return
        changes = {"status": status}
    for name, value in changes.items():
        if row.get(name, _ABSENT) != value:
            run.row = row | changes | {"updated_at": rfc3339(run.last_at)}
            put_run(projector, run, Operation.UPDATE, entry.at, projector.txid_of(entry))
            return
