"""Who says what about a request, who sees it, and for how long."""

from __future__ import annotations

import pytest

from signoff.errors import AlreadyDecided, NotInAudience, TooManyComments
from signoff.workflow.comment.act import MOST_COMMENTS, comment
from signoff.workflow.comment.entries import CommentAdded
from signoff.workflow.decision import AlreadyDone, AppendEntries
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.decide import Who
from signoff.workflow.input.entries import InputAnswered, InputRequested
from tests.workflow.input.requests import ALICE, LOCAL, SCHEMA
from tests.workflow.loaded import loaded

ASKED = InputRequested(1_000, "go:0", {"title": "Go?", "schema": SCHEMA}, ("group:finance",), ("user:alice",))
BOB = Who(frozenset({"user:bob"}), DecidedBy("person", "user:bob"))
TEXT = {"text": "Which receipts?"}


def said(n: int) -> CommentAdded:
    return CommentAdded(1_100, "go:0", f"c{n}", "…", ALICE.by)


@pytest.mark.parametrize("who", [ALICE, LOCAL])
def test_whoever_sees_it_may_speak(who: Who) -> None:
    """Also those who may not decide."""
    run = loaded(ASKED)
    decision = comment(run, run.view.inputs["go:0"], TEXT | {"comment_id": "c1"}, who, 2_000)
    assert isinstance(decision, AppendEntries)
    assert decision.entries == (CommentAdded(2_000, "go:0", "c1", "Which receipts?", who.by),)


def test_strangers_do_not() -> None:
    run = loaded(ASKED)
    with pytest.raises(NotInAudience):
        comment(run, run.view.inputs["go:0"], TEXT, BOB, 2_000)


def test_the_same_comment_is_said_once_even_when_all_is_decided() -> None:
    end = InputAnswered(1_200, "go:0", "s1", "d", "submit", {"ok": True}, LOCAL.by)
    run = loaded(ASKED, said(1), end)
    request = run.view.inputs["go:0"]
    assert comment(run, request, TEXT | {"comment_id": "c1"}, ALICE, 2_000) == AlreadyDone(request.row)
    with pytest.raises(AlreadyDecided):
        comment(run, request, TEXT | {"comment_id": "c2"}, ALICE, 2_000)


def test_an_id_that_somebody_else_has_chosen_too_is_another_comment() -> None:
    run = loaded(ASKED, said(1))
    decision = comment(run, run.view.inputs["go:0"], TEXT | {"comment_id": "c1"}, LOCAL, 2_000)
    assert isinstance(decision, AppendEntries)
    assert decision.entries == (CommentAdded(2_000, "go:0", "c1", "Which receipts?", LOCAL.by),)
    both = loaded(ASKED, said(1), *decision.entries)
    assert [one["by"]["id"] for one in both.view.inputs["go:0"].policy["comments"]] == [ALICE.by.id, LOCAL.by.id]


def test_ids_are_made_up() -> None:
    run = loaded(ASKED, said(1))
    request = run.view.inputs["go:0"]
    made = {str(comment(run, request, TEXT, ALICE, at)) for at in (2_000, 3_000)}
    assert len(made) == 2


def test_there_is_an_end_to_it() -> None:
    run = loaded(ASKED, *map(said, range(MOST_COMMENTS)))
    with pytest.raises(TooManyComments, match="as many as there may be"):
        comment(run, run.view.inputs["go:0"], TEXT, ALICE, 2_000)
