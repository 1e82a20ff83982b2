"""Whether an answer goes back, and to where."""

from __future__ import annotations

from typing import Any

import pytest

from signoff.errors import AlreadyDecided
from signoff.streams import offset
from signoff.workflow.decision import AppendEntries, Loaded, LoadWhole
from signoff.workflow.entry import Entry
from signoff.workflow.input.decide import answer
from signoff.workflow.input.entries import InputAnswered
from signoff.workflow.input.evidence import seen
from signoff.workflow.input.state import InputState
from signoff.workflow.input.submission import AnswerRequest
from signoff.workflow.projection import refold
from signoff.workflow.run.entries import RunRewound
from signoff.workflow.view import View
from signoff.workflow.wizard.decide import go_back
from signoff.workflow.wizard.entries import WizardPrefilled
from tests.workflow.input.requests import ALICE
from tests.workflow.loaded import started, written
from tests.workflow.wizard.test_fold import HISTORY, page


def run_of(*entries: Entry, past: bool = True) -> Loaded:
    view = View()
    tail = refold(view, entries, past=past)
    return Loaded(view, tail)


def back(run: Loaded, half: object = None) -> AnswerRequest:
    return AnswerRequest("s2", "back", half, offset.encode(run.public_tail))


def test_all_that_was_done_is_asked_for_first() -> None:
    run = run_of(*HISTORY, past=False)
    assert answer(run, "b:0", back(run), ALICE, 9_000) == LoadWhole()


@pytest.mark.parametrize("half", [None, {"half": True}])
def test_the_run_is_cut_right_before_the_answer(half: object) -> None:
    run = run_of(*HISTORY)
    decision = answer(run, "b:0", back(run, half), ALICE, 9_000)
    assert isinstance(decision, AppendEntries)
    saw = seen(run.view.inputs["b:0"], back(run).seen_offset, None)
    expected = [
        RunRewound(9_000, 2, "a:0", reason="back", by=ALICE.by, anew=("a:0",), submission_id="s2", evidence=saw),
        WizardPrefilled(9_000, "a:0", 1, "s2"),
        *([] if half is None else [WizardPrefilled(9_000, "b:0", half, "s2")]),
    ]
    assert list(decision.entries) == expected
    assert (decision.release, decision.remember is not None) == (True, True)
    accepted, _ = written(run, decision)
    assert accepted.row["reason"] == "back"


def test_a_page_that_was_answered_twice_is_cut_before_the_last_time() -> None:
    asked, first = HISTORY[1], HISTORY[2]
    again = InputAnswered(4_000, "a:0", "s9", "d", "submit", 5, ALICE.by)
    run = run_of(started(), asked, first, RunRewound(3_000, 2, by=ALICE.by), again, HISTORY[3])
    decision = answer(run, "b:0", back(run), ALICE, 9_000)
    assert isinstance(decision, AppendEntries)
    assert [getattr(one, "keep", None) for one in decision.entries] == [3, None]
    assert decision.entries[1] == WizardPrefilled(9_000, "a:0", 5, "s2")


def check(_state: InputState) -> None:
    """Let everybody."""


def test_there_is_nothing_to_go_back_to() -> None:
    run = run_of(started(), HISTORY[1], page(2_000, "b", "a:0"))
    state = run.view.inputs["b:0"]
    none: Any = None
    with pytest.raises(AlreadyDecided, match="undone already"):
        go_back(run, state, back(run), 9_000, by=ALICE.by, may=check, evidence={}, remember=none, reply=none)
