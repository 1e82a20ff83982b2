"""How what is said of a request looks from outside."""

from __future__ import annotations

import orjson

from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.entries import InputAnswered, InputRequested, InputRevised
from signoff.workflow.projection import project
from signoff.workflow.step.entries import StepScheduled
from signoff.workflow.view import View
from tests.workflow.loaded import started

SPEC = {"title": "?", "schema": {"type": "integer"}}
BY = DecidedBy("person", "user:alice")


def test_an_audience_that_changes_moves_the_request_between_inboxes() -> None:
    asked = InputRequested(1, "i:0", SPEC, to=("user:a", "user:b"))
    delta = project(View(), [started(), asked, InputRevised(2, "i:0", {"to": ["user:b", "user:c"]})], 0)
    operations = [(who, orjson.loads(message)["headers"]["operation"]) for who, message in delta.inboxes]
    assert operations == [
        ("user:a", "insert"),
        ("user:b", "insert"),
        ("user:b", "update"),
        ("user:c", "insert"),
        ("user:a", "delete"),
    ]


def test_an_answer_needs_only_the_run_and_the_request() -> None:
    view = View()
    project(view, [started(), StepScheduled(1, "a:0"), InputRequested(1, "i:0", SPEC, to=("user:a",))], 0)
    assert view.run is not None
    partial = View(run=view.run, inputs={"i:0": view.inputs["i:0"]})
    delta = project(partial, [InputAnswered(2, "i:0", "sub", "d", "submit", 1, BY)], 4)
    assert [orjson.loads(message)["headers"].get("txid") for message in delta.public] == ["sub"]
    assert delta.inputs["i:0"].row["status"] == "answered"
