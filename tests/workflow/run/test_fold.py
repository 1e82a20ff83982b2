"""What a run's row says."""

from __future__ import annotations

import orjson

from signoff.workflow.entry import Entry, Error
from signoff.workflow.event.entries import EventAwaited
from signoff.workflow.input.entries import InputRequested
from signoff.workflow.projection import project
from signoff.workflow.run.entries import RunFailed, RunPaused, RunResumed
from signoff.workflow.step.entries import StepCompleted, StepScheduled
from signoff.workflow.timer.entries import TimerFired, TimerStarted
from signoff.workflow.view import View
from tests.workflow.loaded import started

SPEC = {"title": "?", "schema": {"type": "integer"}}


def status_after(*entries: Entry) -> str:
    view = View()
    project(view, (started(), *entries), 0)
    assert view.run is not None
    return str(view.run.row["status"])


def test_the_status_follows_from_what_is_open() -> None:
    step, timer, wait = StepScheduled(1, "a:0"), TimerStarted(1, "sleep:0", 9), EventAwaited(1, "e:0", "e")
    asked = InputRequested(1, "i:0", SPEC)
    assert status_after() == "running"
    assert status_after(timer) == "sleeping"
    assert status_after(timer, wait) == "waiting"
    assert status_after(timer, asked) == "waiting"
    assert status_after(timer, asked, step) == "running"
    assert status_after(timer, TimerFired(2, "sleep:0"), TimerFired(2, "sleep:0")) == "running"
    assert status_after(step, RunFailed(2, Error("x", "y"))) == "failed"


def test_the_time_of_the_last_change_never_goes_back() -> None:
    """A command bears the time of what caused it, also when it could be written only after a pause."""
    step, asked = StepScheduled(5, "a:0"), InputRequested(6, "i:0", SPEC)
    paused = [RunPaused(20), RunResumed(30)]
    delta = project(View(), [started(1), step, StepCompleted(6, "a:0", 1, 1), *paused, asked], 0)
    rows = [orjson.loads(message)["value"] for message in delta.listing]
    assert [row["status"] for row in rows] == ["running", "paused", "running", "waiting"]
    times = [row["updated_at"] for row in rows]
    assert times == sorted(times)
    assert times[-1] == times[-2]
