"""Comments are rows beside their request, in the run's stream and in each inbox that the request is in."""

from __future__ import annotations

import orjson

from signoff.workflow.comment.entries import CommentAdded
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.entries import InputAnswered, InputRequested, InputRevised
from signoff.workflow.input.state import InputState
from signoff.workflow.projection import project, refold
from signoff.workflow.run.entries import RunRewound
from signoff.workflow.view import Delta, View
from tests.workflow.loaded import started

BY = DecidedBy("person", "user:a")
ASKED = InputRequested(1_000, "go:0", {"title": "?", "schema": {"type": "integer"}}, ("user:a",))
SAID = CommentAdded(2_000, "go:0", "c1", "Why?", BY)
ENDED = InputAnswered(3_000, "go:0", "s1", "d", "submit", 1, BY)


def inboxes(delta: Delta) -> list[tuple[str, str, str]]:
    read = [(who, orjson.loads(one)) for who, one in delta.inboxes]
    return [(who, one["key"], one["headers"]["operation"]) for who, one in read]


def rows(delta: Delta) -> list[tuple[str, str, str]]:
    read = [orjson.loads(one) for one in delta.public]
    return [(one["type"], one["key"], one["headers"]["operation"]) for one in read]


def test_it_is_a_row_for_everybody_who_sees_the_request() -> None:
    view = View()
    delta = project(view, (started(), ASKED, SAID, SAID), 0)
    assert rows(delta)[-1] == ("comment", "go:0/0", "insert")
    assert orjson.loads(delta.public[-1])["value"] == {
        "id": "go:0/0",
        "run_id": "r1",
        "input": "go:0",
        "comment_id": "c1",
        "by": {"kind": "person", "id": "user:a"},
        "at": "1970-01-01T00:00:02.000Z",
        "text": "Why?",
    }
    assert inboxes(delta) == [("user:a", "r1/go:0", "insert"), ("user:a", "r1/go:0/0", "insert")]
    assert InputState.loads(view.inputs["go:0"].dumps()) == view.inputs["go:0"]


def test_who_comes_later_gets_all_and_who_leaves_loses_all() -> None:
    view = View()
    project(view, (started(), ASKED, SAID), 0)
    moved = project(view, (InputRevised(2_500, "go:0", {"to": ["user:b"]}),), 4)
    assert inboxes(moved) == [
        ("user:b", "r1/go:0", "insert"),
        ("user:b", "r1/go:0/0", "insert"),
        ("user:a", "r1/go:0/0", "delete"),
        ("user:a", "r1/go:0", "delete"),
    ]
    ended = project(view, (ENDED,), 5)
    assert inboxes(ended) == [("user:b", "r1/go:0/0", "delete"), ("user:b", "r1/go:0", "delete")]


def test_what_was_said_of_a_request_that_is_asked_again_is_still_said() -> None:
    view = View()
    tail = refold(view, (started(), ASKED, SAID, ENDED), past=True)
    delta = project(view, (RunRewound(4_000, 2, by=BY),), tail)
    assert rows(delta) == [("input", "go:0", "update"), ("run", "r1", "update")]
    assert inboxes(delta) == [("user:a", "r1/go:0", "insert"), ("user:a", "r1/go:0/0", "insert")]
    project(view, (CommentAdded(5_000, "go:0", "c2", "Well.", BY), RunRewound(6_000, 2, by=BY)), tail + 2)
    assert [one["id"] for one in view.inputs["go:0"].policy["comments"]] == ["go:0/0", "go:0/1"]


def test_it_goes_with_a_request_that_is_undone() -> None:
    view = View()
    tail = refold(view, (started(), ASKED, SAID), past=True)
    delta = project(view, (RunRewound(4_000, 1, by=BY),), tail)
    assert rows(delta) == [
        ("input", "go:0", "update"),
        ("input", "go:0", "delete"),
        ("comment", "go:0/0", "delete"),
        ("run", "r1", "update"),
    ]
    assert inboxes(delta) == [("user:a", "r1/go:0/0", "delete"), ("user:a", "r1/go:0", "delete")]
