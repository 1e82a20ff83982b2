"""What becomes of an answer beyond the request's own table, which `tests/protocol/test_answers.py` goes through."""

from __future__ import annotations

from typing import Any

import pytest

from signoff.errors import AlreadyDecided, BadRequest, Expired, InputNotFound, NotInAudience, SubmissionReused
from signoff.streams import offset
from signoff.workflow.decision import AlreadyDone, Append, Loaded, Remembered
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.decide import Accepted, Who, answer
from signoff.workflow.input.entries import InputAnswered, InputExpired, InputRequested
from signoff.workflow.input.submission import AnswerRequest
from tests.workflow.loaded import loaded, written

ALICE = Who(frozenset({"user:alice"}), DecidedBy("person", "user:alice"))
BOB = Who(frozenset({"user:bob"}), DecidedBy("person", "user:bob"))
SPEC = {"title": "Go?", "schema": {"type": "boolean"}, "actions": ["submit"]}
YES = AnswerRequest("s1", "submit", True, offset.encode(2))


def asked(deadline: int | None = None, **members: Any) -> Loaded:
    request = InputRequested(1_100, "go:0", SPEC, to=("user:alice",), deadline=deadline, expose=True)
    return loaded(request, **members)


def test_an_answer_is_appended_and_remembered() -> None:
    run = asked(wake_at=5_000)
    decision = answer(run, "go:0", YES, ALICE, 2_000)
    assert isinstance(decision, Append)
    [entry] = decision.entries
    assert isinstance(entry, InputAnswered)
    assert (entry.at, entry.id, entry.submission_id, entry.value, entry.by) == (2_000, "go:0", "s1", True, ALICE.by)
    assert (decision.ready, decision.wake_at, decision.refusal) == (True, 5_000, None)
    accepted, row = written(run, decision)
    assert (accepted.txid, accepted.row["status"], accepted.row["value"], accepted.replayed) == (
        "s1",
        "answered",
        True,
        False,
    )
    assert row["status"] == "running"
    assert decision.remember is not None
    again = Loaded(run.view, run.public_tail, remembered=Remembered(entry.digest, decision.remember.dumps(accepted)))
    first = Accepted(accepted.offset, "s1", accepted.row, replayed=True)
    assert answer(again, "go:0", YES, ALICE, 9_000) == AlreadyDone(first)


def test_whoever_was_not_asked_learns_nothing_of_a_reused_id() -> None:
    run = asked(remembered=Remembered("f" * 64, b"{}"))
    with pytest.raises(SubmissionReused):
        answer(run, "go:0", YES, ALICE, 2_000)
    with pytest.raises(NotInAudience):
        answer(run, "go:0", YES, BOB, 2_000)


def test_an_answer_after_the_deadline_ends_the_request_and_is_refused_then() -> None:
    run = asked(deadline=2_000)
    decision = answer(run, "go:0", YES, ALICE, 2_000)
    assert isinstance(decision, Append)
    assert (decision.entries, decision.remember) == ((InputExpired(2_000, "go:0"),), None)
    assert decision.refusal is not None
    written(run, decision)
    refusal = decision.refusal(run.view)
    assert isinstance(refusal, Expired)
    assert refusal.extra["row"]["status"] == "expired"


def test_the_second_answer_is_refused() -> None:
    run = asked()
    written(run, answer(run, "go:0", YES, ALICE, 2_000))
    with pytest.raises(AlreadyDecided):
        answer(run, "go:0", AnswerRequest("s2", "submit", False, YES.seen_offset), ALICE, 2_100)


def test_nobody_can_have_seen_what_is_not_written() -> None:
    with pytest.raises(BadRequest, match="beyond the run's stream"):
        answer(asked(), "go:0", AnswerRequest("s1", "submit", True, offset.encode(99)), ALICE, 2_000)


def test_what_nobody_asked_cannot_be_answered() -> None:
    with pytest.raises(InputNotFound, match="has no request 'no:0'"):
        answer(asked(), "no:0", YES, ALICE, 2_000)
