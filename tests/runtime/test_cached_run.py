"""When a run begins that nobody has taken up yet."""

from __future__ import annotations

import pytest

from signoff.runtime.cached_run import begins
from signoff.workflow.entry import Entry, Error
from signoff.workflow.event.entries import EventReceived
from signoff.workflow.run.entries import (
    CancelRequested,
    RunBlocked,
    RunDescribed,
    RunPaused,
    RunResumed,
    RunRetried,
    RunUnblocked,
)
from signoff.workflow.step.entries import StepScheduled
from tests.workflow.loaded import started

EARLY = (
    EventReceived(1_100, "go", "e1", None),
    RunBlocked(1_200, Error("unknown_workflow", "nobody knows it")),
    RunRetried(1_300),
    RunPaused(1_400),
    RunResumed(1_500),
)


def test_what_comes_before_the_beginning_does_not_put_it_forward() -> None:
    assert begins([started(start_at=9_000)]) == 9_000
    for entry in EARLY:
        assert begins([started(start_at=9_000), entry]) == 9_000
    assert begins([started(start_at=9_000), *EARLY]) == 9_000
    assert begins([started(), *EARLY]) is None


@pytest.mark.parametrize(
    "entry", [CancelRequested(1_100), RunDescribed(1_100, "1"), RunUnblocked(1_100), StepScheduled(1_100, "a:0")]
)
def test_a_run_that_was_taken_up_or_is_to_stop_waits_for_nothing(entry: Entry) -> None:
    assert begins([started(start_at=9_000), *EARLY, entry]) is None
