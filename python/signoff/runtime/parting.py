"""What is left to write about a run that its worker gives up."""

from __future__ import annotations

from dataclasses import replace

from signoff.runtime.port import Parking, StepResult
from signoff.workflow import failure
from signoff.workflow.entry import Entry
from signoff.workflow.run.entries import RunBlocked
from signoff.workflow.step.state import OpenStep
from signoff.workflow.view import RunFold, View


def is_news(step: OpenStep, result: StepResult) -> bool:
    """Tell whether the journal does not have this result yet, by what it has of its step."""
    return step.attempts < result.attempt


def parting_entries(view: View, fold: RunFold, how: Parking, now_ms: int) -> list[Entry]:
    """Return what to write before a run is left: results the journal has a use for, and a reason that is new."""
    now = max(now_ms, fold.last_at)
    entries: list[Entry] = []
    for result in how.results:
        step = view.steps.get(result.id)
        if step is not None and is_news(step, result):
            entries.append(replace(result, at=max(result.at, now)))
    reason = how.blocked
    if reason is None:
        return entries
    known = (
        fold.row["status"] == "blocked"
        and fold.blocked == failure.reason(reason.error)
        and (reason.fingerprint is None or reason.fingerprint in fold.stuck)
    )
    return entries if known else [*entries, RunBlocked(at=now, error=reason.error, fingerprint=reason.fingerprint)]
