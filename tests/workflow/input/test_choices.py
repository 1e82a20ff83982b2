"""What rows say of actions, and what an action takes."""

from __future__ import annotations

from typing import Any

import pytest

from signoff.streams import offset
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.choices import as_shown, may_be_left_out, schema_for, usual_intent, with_choices
from signoff.workflow.input.entries import InputAnswered, InputRequested, InputRevised
from signoff.workflow.input.form import MOST_BYTES, form_of
from signoff.workflow.input.state import InputState, answer, ask, revise

ARGS = {"type": "object", "properties": {"pin": {"type": "string", "writeOnly": True}, "n": {"type": "integer"}}}
TYPED = {"approve": {"schema": None}, "send_back": {"schema": ARGS, "label": "Return", "confirm": "Sure?"}}


def asked(spec: dict[str, Any], **members: Any) -> InputState:
    request = InputRequested(1_000, "a:0", {"title": "?", **spec}, ("user:a",), **members)
    return ask(request, "r1", "flow", offset.encode(5))


@pytest.mark.parametrize(
    ("action", "intent"),
    [
        ("approve", "positive"),
        ("submit", "positive"),
        ("next", "positive"),
        ("reject", "negative"),
        ("deny", "negative"),
    ]
    + [(action, "neutral") for action in ("edit", "respond", "back", "Approve")],
)
def test_what_an_action_usually_means(action: str, intent: str) -> None:
    assert usual_intent(action) == intent


def test_a_row_with_one_schema() -> None:
    row = asked({"schema": ARGS, "actions": ["approve", "send_back"], "ui": {"pin": {"ui:widget": "textarea"}}}).row
    assert row["form"] == form_of(ARGS, row["ui"])
    assert row["form"][0]["kind"] == "textarea"
    assert row["choices"] == {
        "approve": {"label": "Approve", "intent": "positive", "confirm": None},
        "send_back": {"label": "Send back", "intent": "neutral", "confirm": None},
    }
    assert [schema_for(row, action) for action in row["actions"]] == [ARGS, ARGS]
    assert [may_be_left_out(row, action) for action in row["actions"]] == [False, True]


def test_a_row_with_a_schema_for_each_action() -> None:
    row = asked({"schema": {}, "actions": list(TYPED), "choices": TYPED}).row
    assert row["form"] is None
    assert row["choices"] == {
        "approve": {"label": "Approve", "intent": "positive", "confirm": None, "schema": None, "form": None},
        "send_back": {
            "label": "Return",
            "intent": "neutral",
            "confirm": "Sure?",
            "schema": ARGS,
            "form": form_of(ARGS),
        },
    }
    assert [schema_for(row, action) for action in row["actions"]] == [None, ARGS]
    assert [may_be_left_out(row, action) for action in row["actions"]] == [True, False]


def test_forms_of_a_request_share_what_one_may_have() -> None:
    half = {"type": "string", "description": "x" * (MOST_BYTES * 2 // 5)}
    row = asked({"schema": {}, "actions": ["a", "b"], "choices": {"a": {"schema": half}, "b": {"schema": half}}}).row
    assert [row["choices"][action]["form"][0]["kind"] for action in ("a", "b")] == ["text", "text"]
    actions = ["a", "b", "c"]
    row = asked({"schema": {}, "actions": actions, "choices": {action: {"schema": half} for action in actions}}).row
    assert [row["choices"][action]["form"][0]["kind"] for action in actions] == ["json"] * 3
    fewer = revise(
        asked({"schema": {}, "actions": actions, "choices": {action: {"schema": half} for action in actions}}),
        InputRevised(2_000, "a:0", {"actions": ["a", "b"]}),
        offset.encode(9),
    )
    assert [choice["form"][0]["kind"] for choice in fewer.row["choices"].values()] == ["text", "text"]


def test_an_empty_schema_for_all_takes_any_json() -> None:
    assert [field["kind"] for field in asked({"schema": {}}).row["form"]] == ["json"]


def test_a_revision_replaces_what_may_be_chosen_or_leaves_it() -> None:
    state = asked({"schema": {}, "actions": list(TYPED), "choices": TYPED})
    fewer = revise(state, InputRevised(2_000, "a:0", {"actions": ["send_back"]}), offset.encode(9))
    assert fewer.row["choices"] == {"send_back": state.row["choices"]["send_back"]}
    assert fewer.row["revised"] == offset.encode(9)
    other = revise(state, InputRevised(2_000, "a:0", {"choices": {"approve": {"label": "Go"}}}), offset.encode(9))
    assert (other.row["choices"]["approve"]["label"], other.row["revised"]) == ("Go", offset.encode(9))
    same = revise(state, InputRevised(2_000, "a:0", {"choices": TYPED, "to": ["user:b"]}), offset.encode(9))
    assert (same.row["choices"], same.row["revised"]) == (state.row["choices"], state.row["revised"])
    hinted = revise(state, InputRevised(2_000, "a:0", {"ui": {"pin": {"ui:widget": "textarea"}}}), offset.encode(9))
    assert hinted.row["choices"]["send_back"]["form"][0]["kind"] == "textarea"


def test_a_request_that_an_earlier_release_stored_gets_what_its_row_lacks() -> None:
    state = asked({"schema": ARGS, "actions": ["approve"]})
    old = {name: value for name, value in state.row.items() if name not in {"form", "choices"}}
    stored = InputState(old, state.to, state.forbid, None, False, 1_000)
    assert InputState.loads(stored.dumps()).row == state.row


@pytest.mark.parametrize(
    "recorded", [None, 1, [], {"approve": None}, {"approve": {"schema": 7, "label": 0, "intent": [], "confirm": {}}}]
)
def test_whatever_a_journal_says_of_choices_makes_a_row(recorded: Any) -> None:
    row = {"schema": ARGS, "actions": ["approve"], "ui": {}}
    assert with_choices(row, recorded)["choices"] == with_choices(row, {})["choices"]


def test_what_is_secret_by_the_schema_of_the_action_is_not_shown() -> None:
    state = asked(
        {"schema": {}, "actions": [*TYPED, "back"], "choices": TYPED | {"back": {"schema": None}}}, expose=True
    )
    by = DecidedBy("person", "user:a")
    for action in ("send_back", "back"):
        given = InputAnswered(2_000, "a:0", "s1", "d", action, {"pin": "1234", "n": 1}, by)
        assert answer(state, given).row["value"] == {"pin": "**********", "n": 1}
    assert as_shown(state.row, "approve", None) is None
