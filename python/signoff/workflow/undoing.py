"""What a cut changes in public: the rows that differ between what was shown and what is left.

In this order (protocol, section 12.7): pending requests that are undone are withdrawn; rows that are gone are deleted,
and those that are otherwise updated, both in the order in which they appeared; rows that are back are inserted; the
`run` row comes last.
"""

from __future__ import annotations

from typing import Any

import orjson

from signoff.streams.state import Operation
from signoff.workflow.entry import DecidedBy
from signoff.workflow.event.fold import replace_waits
from signoff.workflow.input.fold import show_again, undo
from signoff.workflow.input.state import InputState
from signoff.workflow.input.submission import BACK
from signoff.workflow.projector import Projector
from signoff.workflow.run.cut import Cut
from signoff.workflow.run.entries import RunRewound
from signoff.workflow.run.fold import put_run
from signoff.workflow.view import Past, RunFold, ShownRows, View


def write_differences(
    projector: Projector, past: Past, after: View, rows: ShownRows, cut: Cut
) -> dict[str, InputState]:
    """Write what a cut changes; return the requests that are shown again.

    Args:
        projector: over the view as it was; its rows are moved on.
        past: what was shown.
        after: what is left.
        rows: its rows.
        cut: whose time the messages have, and whose author takes requests back.
    """
    run, view, shown = after.run, projector.view, past.rows.copy()
    assert run is not None, "a cut keeps run.started"
    txid = projector.txid_of(cut)
    by, reason = _author(cut)
    if past.copied:
        view = View()
    for kind, key in shown:
        if kind == "input" and (kind, key) not in rows:
            undo(projector, view.inputs[key], cut.at, by=by, reason=reason, txid=txid)
    for kind, key in [name for name in shown if name not in rows]:
        projector.put(Operation.DELETE, kind, key, None, at=cut.at, txid=txid)
    changed = [name for name in shown if name in rows and _differ(shown[name], rows[name])]
    again = {}
    for kind, key in [*changed, *(name for name in rows if name not in shown)]:
        if kind == "input":
            again[key] = show_again(projector, view.inputs.get(key), after.inputs[key], cut.at, txid)
        elif kind != "run":
            operation = Operation.UPDATE if (kind, key) in shown else Operation.INSERT
            projector.put(operation, kind, key, rows[kind, key], at=cut.at, txid=txid)
    replace_waits(projector, view.run, run)
    _put_run(projector, shown, run, cut)
    return again


def _put_run(projector: Projector, shown: ShownRows, run: RunFold, cut: Cut) -> None:
    operation = Operation.UPDATE if ("run", run.row["id"]) in shown else Operation.INSERT
    put_run(projector, run, operation, cut.at, projector.txid_of(cut))


def _author(cut: Cut) -> tuple[DecidedBy, str]:
    """Return who takes back what is undone, and why."""
    if isinstance(cut, RunRewound) and cut.submission_id is not None:
        return cut.by, BACK
    return DecidedBy("operator", cut.by.id), "rewound"


def _differ(one: Any, other: Any) -> bool:
    # As JSON: to Python, 1 and true are equal.
    return one is not other and orjson.dumps(one, option=orjson.OPT_SORT_KEYS) != orjson.dumps(
        other, option=orjson.OPT_SORT_KEYS
    )
