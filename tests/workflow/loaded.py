"""A run as it is loaded for a decision, made of the entries of its journal."""

from __future__ import annotations

from typing import Any, TypeVar

from signoff.workflow.decision import AlreadyDone, AppendEntries, Loaded, LoadWhole
from signoff.workflow.entry import DecidedBy, Entry
from signoff.workflow.projection import project, refold
from signoff.workflow.run.entries import RunStarted
from signoff.workflow.view import View

R = TypeVar("R")

OPERATOR = DecidedBy("operator", "local")


def started(at: int = 1_000, **members: Any) -> RunStarted:
    return RunStarted(at, "r1", "flow", "1", None, "seed", **{"digest": "d" * 64} | members)


def loaded(*entries: Entry, **members: Any) -> Loaded:
    """Return the run whose journal has `run.started` and these entries."""
    view = View()
    tail = refold(view, [started(), *entries])
    return Loaded(view, tail, **members)


def written(run: Loaded, decision: AppendEntries[R] | AlreadyDone[R] | LoadWhole) -> tuple[R, dict[str, Any]]:
    """Return the reply and the run's row once the decision is written."""
    assert isinstance(decision, AppendEntries)
    delta = project(run.view, decision.entries, run.public_tail)
    return decision.reply(run.view, run.public_tail + len(delta.public)), run.run.row
