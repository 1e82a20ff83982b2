"""How pages look that come up again."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.entries import InputAnswered, InputExpired, InputRequested
from signoff.workflow.input.state import InputState
from signoff.workflow.projection import project, refold
from signoff.workflow.run.entries import RunRewound
from signoff.workflow.view import Delta, RunFold, View
from signoff.workflow.wizard.entries import WizardPrefilled
from tests.workflow.loaded import started

BY = DecidedBy("person", "user:alice")
SPEC = {"title": "?", "schema": {"type": "integer"}}


def page(at: int, name: str, back: str | None = None, deadline: int | None = None) -> InputRequested:
    place = {"wizard": {"step": 1, "of": None, "back": back}}
    spec = SPEC if back is None else {**SPEC, "actions": ["submit", "back"]}
    return InputRequested(at, f"{name}:0", spec, ("user:alice",), deadline=deadline, policy=place)


HISTORY = (
    started(),
    page(1_000, "a", deadline=5_000),
    InputAnswered(2_000, "a:0", "s1", "d", "submit", 1, BY),
    page(2_000, "b", "a:0"),
)
BACK = (
    RunRewound(9_000, 2, "a:0", reason="back", by=BY, anew=("a:0",), submission_id="s2"),
    WizardPrefilled(9_000, "a:0", 1, "s2"),
    WizardPrefilled(9_000, "b:0", "half", "s2"),
)


def gone_back() -> tuple[View, Delta]:
    view = View()
    tail = refold(view, HISTORY, past=True)
    return view, project(view, BACK, tail)


def messages(found: tuple[bytes, ...]) -> list[tuple[str, str, str, Any]]:
    read = [orjson.loads(one) for one in found]
    return [(one["type"], one["key"], one["headers"]["operation"], one["headers"].get("txid")) for one in read]


def test_every_row_that_changes_carries_the_txid() -> None:
    view, delta = gone_back()
    assert messages(delta.public) == [
        ("input", "b:0", "update", "s2"),
        ("input", "b:0", "delete", "s2"),
        ("input", "a:0", "update", "s2"),
        ("run", "r1", "update", "s2"),
        ("input", "a:0", "update", "s2"),
    ]
    left = view.inputs["b:0"].row
    assert (left["status"], left["reason"], left["decided_by"]) == (
        "withdrawn",
        "back",
        {"kind": "person", "id": "user:alice"},
    )
    inbox = [orjson.loads(one)["headers"]["operation"] for _, one in delta.inboxes]
    assert inbox == ["delete", "insert", "update"]


def test_the_page_gone_back_to_is_pending_with_its_answer_and_as_much_time_as_it_had() -> None:
    view, _ = gone_back()
    again = view.inputs["a:0"]
    assert (again.row["status"], again.row["initial"], again.deadline_ms) == ("pending", 1, 13_000)
    assert again.row["revision"] == 2
    assert view.run is not None
    assert view.run.prefilled == {"b:0": "half"}
    assert RunFold.loads(view.run.dumps()).prefilled == {"b:0": "half"}


def test_the_page_that_was_left_begins_with_what_was_filled_in() -> None:
    view, _ = gone_back()
    answered = InputAnswered(10_000, "a:0", "s3", "d", "submit", 2, BY)
    project(view, (answered, page(10_000, "b", "a:0")), 9)
    assert view.inputs["b:0"].row["initial"] == "half"
    assert view.run is not None
    assert view.run.prefilled == {}
    assert InputState.loads(view.inputs["b:0"].dumps()) == view.inputs["b:0"]


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_what_was_filled_in_outlives_further_cuts(keep: int) -> None:
    view, _ = gone_back()
    project(view, (RunRewound(11_000, keep, by=BY),), 9)
    refold(view, (page(12_000, "b"),))
    assert view.inputs["b:0"].row["initial"] == "half"


def test_a_page_that_is_decided_is_not_changed_by_it() -> None:
    view, _ = gone_back()
    ended = InputExpired(10_000, "a:0")
    delta = project(view, (ended, WizardPrefilled(10_001, "a:0", 7, "s4")), 9)
    assert view.inputs["a:0"].row["initial"] == 1
    assert [kind for kind, *_ in messages(delta.public)] == ["input", "run"]
