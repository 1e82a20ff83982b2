"""From journal entries to public rows: a fold that is pure, total and indifferent to how entries were batched.

Each entry is folded by itself (protocol, section 12): first its own row, by the fold of its noun, then the `run` row if
a member of it other than `updated_at` changed. What the fold has to remember of a run is `RunFold`; rows of open steps
and pending requests are beside it in the `View`. A view may be partial: an answer needs only the run and the one
request.
"""

from __future__ import annotations

from collections.abc import Sequence

from signoff.errors import WorkflowError
from signoff.streams.state import Operation
from signoff.workflow import nouns
from signoff.workflow.entry import Entry
from signoff.workflow.projector import Projector, rfc3339
from signoff.workflow.run.entries import RunStarted
from signoff.workflow.run.fold import begin, put_run
from signoff.workflow.run.status import ENDED, HELD, status_of
from signoff.workflow.view import Delta, View

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
            decide.
    """
    projector = Projector(view, public_tail, txid)
    for entry in entries:
        _fold(projector, entry)
    return projector.delta


def refold(view: View, entries: Sequence[Entry], public_tail: int = 0) -> int:
    """Fold entries that are committed already into the view, without writing messages; return the public tail.

    The same fold as `project`, at a fraction of its cost: for a worker that picks a run up.
    """
    projector = Projector(view, public_tail, write=False)
    for entry in entries:
        _fold(projector, entry)
    return projector.tail


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
        if row["status"] in _SETTLED:
            return
        changes = {"status": status_of(run)}
    if any(row.get(name, _ABSENT) != value for name, value in changes.items()):
        run.row = row | changes | {"updated_at": rfc3339(entry.at)}
        txid = projector.txid_of(entry)
        put_run(projector, run, Operation.UPDATE, entry.at, txid)
