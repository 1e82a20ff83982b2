from __future__ import annotations

from dataclasses import replace

import pytest

from signoff.errors import InvalidInput, NotBlocked, NotEnded, NotPaused, RunClosed, RunConflict
from signoff.streams import offset
from signoff.workflow.decision import AlreadyDone, AppendEntries, DeleteRun
from signoff.workflow.entry import DecidedBy, Entry, Error
from signoff.workflow.run.decide import (
    Started,
    blocked_unknown,
    cancel,
    delete,
    forsake,
    pause,
    resume,
    start,
    terminate,
)
from signoff.workflow.run.entries import (
    CancelRequested,
    RunBlocked,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunResumed,
    RunRetried,
    RunTerminated,
)
from signoff.workflow.run.undo import retry, rewind
from signoff.workflow.step.entries import StepScheduled
from signoff.workflow.view import View
from tests.workflow.loaded import OPERATOR, loaded, started, written

FAILED = RunFailed(1_500, Error("e", "no"))
FINAL = (RunCompleted(1_500, None), RunCancelled(1_500))
UNKNOWN = RunBlocked(1_500, Error("unknown_workflow", "nobody knows it"))
DIFFERS = RunBlocked(1_500, Error("non_determinism", "differs"))
ASKED = CancelRequested(1_400, "enough", OPERATOR)
PAUSED = RunPaused(1_600, None, OPERATOR)


# -- start -------------------------------------------------------------------------------------------------------------


def test_a_run_begins() -> None:
    decision = start(None, started())
    assert isinstance(decision, AppendEntries)
    assert (decision.entries, decision.ready, decision.wake_at) == ((started(),), True, None)
    row = {"id": "r1"}
    view = View(loaded().run)
    assert decision.reply(view, 1) == Started(view.run.row, True, offset.encode(1))  # type: ignore[union-attr]
    assert view.run is not None
    assert view.run.row["id"] == row["id"]


def test_a_run_that_begins_later_is_due_then() -> None:
    decision = start(None, started(start_at=5_000))
    assert isinstance(decision, AppendEntries)
    assert (decision.ready, decision.wake_at) == (False, 5_000)


def test_a_run_that_exists_is_found_even_if_the_input_does_not_fit_the_code_of_today() -> None:
    run = loaded(FAILED)
    known = AlreadyDone(Started(run.run.row, False, offset.encode(run.public_tail)))
    assert start(run, started(at=9_000)) == known
    assert start(run, started(at=9_000), InvalidInput("no")) == known


def test_an_id_that_is_taken_by_something_else_is_refused() -> None:
    with pytest.raises(RunConflict, match="'r1' is taken"):
        start(loaded(), started(digest="e" * 64))


def test_an_input_that_does_not_fit_starts_nothing() -> None:
    with pytest.raises(InvalidInput):
        start(None, started(), InvalidInput("no"))


# -- cancel ------------------------------------------------------------------------------------------------------------


def test_a_run_is_asked_to_stop_once() -> None:
    run = loaded(wake_at=7_000)
    decision = cancel(run, {"reason": "enough"}, OPERATOR, 2_000)
    assert isinstance(decision, AppendEntries)
    assert decision.entries == (CancelRequested(2_000, "enough", OPERATOR),)
    assert (decision.ready, decision.wake_at, decision.ends) == (True, 7_000, False)
    assert written(run, decision)[0]["status"] == "running"
    assert cancel(run, {"reason": "again"}, OPERATOR, 3_000) == AlreadyDone(run.run.row)


@pytest.mark.parametrize("end", [FAILED, *FINAL])
def test_a_run_that_has_ended_cannot_be_cancelled(end: Entry) -> None:
    with pytest.raises(RunClosed, match="nothing to cancel") as refused:
        cancel(loaded(end), {}, OPERATOR, 2_000)
    assert refused.value.extra["run"]["id"] == "r1"


def test_a_forsaken_run_is_ended_when_it_is_cancelled() -> None:
    for before, first in (((UNKNOWN,), [CancelRequested]), ((ASKED, UNKNOWN), [])):
        run = loaded(*before)
        assert blocked_unknown(run)
        decision = cancel(replace(run, forsaken=True), {"reason": "gone"}, OPERATOR, 2_000)
        assert isinstance(decision, AppendEntries)
        assert [type(entry) for entry in decision.entries] == [*first, RunTerminated]
        assert (decision.ends, decision.wake_at) == (True, None)
        assert written(run, decision)[0]["status"] == "cancelled"


def test_a_run_that_is_blocked_otherwise_may_have_a_worker() -> None:
    assert not blocked_unknown(loaded(DIFFERS))
    assert not blocked_unknown(loaded())


# -- terminate ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [(), (FAILED,), (DIFFERS,), (ASKED,), (StepScheduled(1_100, "a:0"),)])
def test_a_run_is_ended_whatever_it_does(before: tuple[Entry, ...]) -> None:
    run = loaded(*before)
    decision = terminate(run, {"reason": "stop"}, OPERATOR, 2_000)
    assert decision.entries == (RunTerminated(2_000, "stop", OPERATOR),)
    assert (decision.ready, decision.wake_at, decision.ends) == (True, None, True)
    assert written(run, decision)[0]["error"] == {"code": "terminated", "message": None}


@pytest.mark.parametrize("end", FINAL)
def test_what_is_over_cannot_be_terminated(end: Entry) -> None:
    with pytest.raises(RunClosed, match="nothing to terminate"):
        terminate(loaded(end), {}, OPERATOR, 2_000)


# -- retry -------------------------------------------------------------------------------------------------------------


def test_a_blocked_run_is_tried_again() -> None:
    run = loaded(DIFFERS, wake_at=7_000)
    decision = retry(run, {}, OPERATOR, 2_000)
    assert decision.entries == (RunRetried(2_000, OPERATOR),)
    assert (decision.ready, decision.wake_at, decision.ends) == (True, 7_000, False)
    assert written(run, decision)[0]["status"] == "running"


def test_what_goes_on_by_itself_is_not_tried_again() -> None:
    with pytest.raises(NotBlocked, match="only a blocked or a failed one"):
        retry(loaded(), {}, OPERATOR, 2_000)


@pytest.mark.parametrize("end", FINAL)
def test_what_is_over_is_forked_not_tried_again(end: Entry) -> None:
    with pytest.raises(NotBlocked, match=r"only a blocked or a failed one.*Fork it"):
        retry(loaded(end), {}, OPERATOR, 2_000)
    with pytest.raises(RunClosed, match=r"cannot be rewound.*Fork it"):
        rewind(loaded(end), {"to": "a:0"}, OPERATOR, 2_000)


# -- pause and resume --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [(), (DIFFERS,), (ASKED,), (StepScheduled(1_100, "a:0"),)])
def test_a_run_is_paused_whatever_it_does_and_is_then_what_it_was(before: tuple[Entry, ...]) -> None:
    run = loaded(*before, wake_at=7_000)
    status, error = run.status, run.run.row["error"]
    decision = pause(run, {"reason": "the bank is down"}, OPERATOR, 2_000)
    assert isinstance(decision, AppendEntries)
    assert decision.entries == (RunPaused(2_000, "the bank is down", OPERATOR),)
    assert (decision.ready, decision.wake_at, decision.ends) == (True, 7_000, False)
    row = written(run, decision)[0]
    assert (row["status"], row["error"]) == ("paused", error)
    assert pause(run, {"reason": "again"}, OPERATOR, 3_000) == AlreadyDone(run.run.row)
    resumed = resume(run, {}, OPERATOR, 3_000)
    assert resumed.entries == (RunResumed(3_000, None, OPERATOR),)
    assert (resumed.ready, resumed.wake_at) == (True, 7_000)
    row = written(run, resumed)[0]
    assert (row["status"], row["error"]) == (status, error)


@pytest.mark.parametrize("end", [FAILED, *FINAL])
def test_a_run_that_has_ended_is_neither_paused_nor_resumed(end: Entry) -> None:
    for before in ((end,), (PAUSED, end)):
        with pytest.raises(RunClosed, match="nothing to pause"):
            pause(loaded(*before), {}, OPERATOR, 2_000)
        with pytest.raises(RunClosed, match="nothing to resume"):
            resume(loaded(*before), {}, OPERATOR, 2_000)


@pytest.mark.parametrize(("before", "said"), [((), "is running, not"), ((DIFFERS,), "is blocked, not.*signoff retry")])
def test_only_a_paused_run_is_resumed(before: tuple[Entry, ...], said: str) -> None:
    with pytest.raises(NotPaused, match=said) as refused:
        resume(loaded(*before), {}, OPERATOR, 2_000)
    assert refused.value.extra["run"]["id"] == "r1"


def test_cancelling_a_paused_run_resumes_it() -> None:
    for before, types in (((PAUSED,), [CancelRequested, RunResumed]), ((ASKED, PAUSED), [RunResumed])):
        run = loaded(*before)
        decision = cancel(run, {"reason": "enough"}, OPERATOR, 2_000)
        assert isinstance(decision, AppendEntries)
        assert [type(entry) for entry in decision.entries] == types
        assert written(run, decision)[0]["status"] == "running"


def test_a_forsaken_run_that_is_paused_is_ended_when_it_is_cancelled() -> None:
    run = loaded(UNKNOWN, PAUSED)
    assert blocked_unknown(run)
    decision = cancel(replace(run, forsaken=True), {}, OPERATOR, 2_000)
    assert written(run, decision)[0]["status"] == "cancelled"


def test_one_that_is_paused_is_not_forsaken() -> None:
    assert forsake(loaded(PAUSED), 2_000) == AlreadyDone(False)


# -- delete ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [FAILED, *FINAL, RunTerminated(1_500)])
def test_a_run_that_has_ended_is_deleted(end: Entry) -> None:
    run = loaded(end)
    assert delete(run, {}, OPERATOR, 2_000) == DeleteRun(run.run.row, 2_000)


@pytest.mark.parametrize("before", [(), (DIFFERS,), (ASKED,), (PAUSED,)])
def test_a_run_that_goes_on_is_not_deleted(before: tuple[Entry, ...]) -> None:
    with pytest.raises(NotEnded, match="signoff terminate r1") as refused:
        delete(loaded(*before), {}, OPERATOR, 2_000)
    assert refused.value.extra["run"]["id"] == "r1"


# -- forsake -----------------------------------------------------------------------------------------------------------


def test_a_run_that_nobody_knows_is_blocked_and_due_but_not_ready() -> None:
    run = loaded(leased_until=1_900)
    decision = forsake(run, 2_000)
    assert isinstance(decision, AppendEntries)
    assert (decision.ready, decision.wake_at, decision.ends) == (False, 2_000, False)
    written(run, decision)
    assert blocked_unknown(run)


def test_one_that_is_blocked_already_gets_no_second_entry() -> None:
    decision = forsake(loaded(DIFFERS), 2_000)
    assert isinstance(decision, AppendEntries)
    assert (decision.entries, decision.ready, decision.wake_at) == ((), False, 2_000)


def test_one_that_was_asked_to_stop_is_ended() -> None:
    decision = forsake(loaded(ASKED), 2_000)
    assert isinstance(decision, AppendEntries)
    assert [type(entry) for entry in decision.entries] == [RunTerminated]
    assert decision.entries[0].by == DecidedBy("policy")  # type: ignore[attr-defined]
    assert decision.ends


@pytest.mark.parametrize("end", [FAILED, *FINAL])
def test_one_that_has_ended_is_left_alone(end: Entry) -> None:
    assert forsake(loaded(end), 2_000) == AlreadyDone(False)


def test_one_that_somebody_holds_is_left_alone() -> None:
    assert forsake(loaded(leased_until=2_001), 2_000) == AlreadyDone(False)
