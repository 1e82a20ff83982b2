from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from signoff import InvalidAnswer
from signoff.errors import (
    AlreadyDecided,
    BadRequest,
    Expired,
    InputNotFound,
    NotClaimed,
    NotInAudience,
    SignoffError,
    Stale,
    SubmissionReused,
    Withdrawn,
)
from signoff.streams import offset
from signoff.timestamps import rfc3339
from signoff.workflow.decision import AlreadyDone, AppendEntries, Loaded, Remembered
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.answer_faults import MOST_BACK
from signoff.workflow.input.decide import Accept, Accepted, ExpireNow, Who, answer, decide_answer
from signoff.workflow.input.entries import InputAnswered, InputExpired, InputRequested
from signoff.workflow.input.state import ask
from signoff.workflow.input.submission import AnswerRequest
from tests.workflow.input.requests import ALICE, LOCAL, SCHEMA, STATES, given_answer, pending
from tests.workflow.loaded import loaded, written

BOB = Who(frozenset({"user:bob"}), DecidedBy("person", "user:bob"))
SPEC = {"title": "Go?", "schema": {"type": "boolean"}, "actions": ["submit"]}
YES = AnswerRequest("s1", "submit", True, offset.encode(2))


def asked(deadline: int | None = None, **members: Any) -> Loaded:
    request = InputRequested(1_100, "go:0", SPEC, to=("user:alice",), deadline=deadline, expose=True)
    return loaded(request, **members)


def test_an_answer_is_appended_and_remembered() -> None:
    run = asked(wake_at=5_000)
    decision = answer(run, "go:0", YES, ALICE, 2_000)
    assert isinstance(decision, AppendEntries)
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
    assert isinstance(decision, AppendEntries)
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


def test_what_was_seen_of_another_request_is_stale_however_far_its_stream_went() -> None:
    with pytest.raises(Stale, match="is another one now"):
        answer(asked(), "go:0", AnswerRequest("s1", "submit", True, offset.encode(99), rfc3339(1_099)), ALICE, 2_000)


def test_what_nobody_asked_cannot_be_answered() -> None:
    with pytest.raises(InputNotFound, match="has no request 'no:0'"):
        answer(asked(), "no:0", YES, ALICE, 2_000)


# -- the checks, in their order ----------------------------------------------------------------------------------------


def test_a_good_answer_is_accepted() -> None:
    assert decide_answer(pending(), given_answer(), ALICE, 2_000) == Accept()
    assert decide_answer(pending(), given_answer(), LOCAL, 2_000) == Accept()
    assert decide_answer(pending(), given_answer(seen=9), ALICE, 2_000) == Accept()


@pytest.mark.parametrize(
    ("status", "error"), [("answered", AlreadyDecided), ("expired", Expired), ("withdrawn", Withdrawn)]
)
def test_a_decided_request_takes_no_answer(status: str, error: type[SignoffError]) -> None:
    with pytest.raises(error) as refused:
        decide_answer(STATES[status], given_answer(), ALICE, 2_000)
    assert refused.value.extra["row"] == STATES[status].row


def test_checks_come_in_order() -> None:
    eve = Who(frozenset({"user:eve"}), DecidedBy("person", "user:eve"))
    everything_wrong = given_answer({"ok": 3}, "shrug", seen=0)
    with pytest.raises(NotInAudience):
        decide_answer(STATES["answered"], everything_wrong, eve, 10_000)
    late = pending(deadline=5_000)
    anothers = replace(everything_wrong, asked_at=rfc3339(999))
    assert decide_answer(late, anothers, ALICE, 5_000) == ExpireNow()
    unclaimed = pending(policy={"claim_required": True})
    with pytest.raises(Stale, match="is another one now"):
        decide_answer(unclaimed, anothers, ALICE, 4_999)
    with pytest.raises(NotClaimed):
        decide_answer(unclaimed, everything_wrong, ALICE, 4_999)
    assert decide_answer(late, everything_wrong, ALICE, 5_000) == ExpireNow()
    with pytest.raises(Stale) as stale:
        decide_answer(late, everything_wrong, ALICE, 4_999)
    assert stale.value.extra["row"]["revised"] == offset.encode(5)
    with pytest.raises(InvalidAnswer) as refused:
        decide_answer(late, given_answer({"ok": 3}, "shrug"), ALICE, 4_999)
    assert refused.value.extra["errors"] == [{"pointer": "", "message": "Choose one of: approve, reject."}]
    with pytest.raises(InvalidAnswer) as refused:
        decide_answer(late, given_answer({"ok": 3}), ALICE, 4_999)
    assert refused.value.extra["errors"][0]["pointer"] == "/ok"


def test_four_eyes() -> None:
    mine = pending(forbid=("user:alice",))
    with pytest.raises(NotInAudience):
        decide_answer(mine, given_answer(), ALICE, 2_000)
    operator = Who(ALICE.principals, ALICE.by, operator=True)
    with pytest.raises(NotInAudience):
        decide_answer(mine, given_answer(), operator, 2_000)
    assert decide_answer(mine, given_answer(), LOCAL, 2_000) == Accept()


def test_rejecting_needs_no_value_but_a_value_is_checked() -> None:
    nothing = AnswerRequest("s1", "reject", None, offset.encode(5))
    assert decide_answer(pending(), nothing, ALICE, 2_000) == Accept()
    with pytest.raises(InvalidAnswer):
        decide_answer(pending(), given_answer({"ok": 1}, "reject"), ALICE, 2_000)
    with pytest.raises(InvalidAnswer):
        decide_answer(pending(), AnswerRequest("s1", "approve", None, offset.encode(5)), ALICE, 2_000)


def test_going_back_takes_half_a_page_and_not_a_book() -> None:
    entry = InputRequested(
        1_000, "page:0", {"title": "?", "schema": SCHEMA, "actions": ["submit", "back"]}, ("user:a",)
    )
    state = ask(entry, "r1", "wizard", offset.encode(5))
    for half in ({"ok": "not yet"}, {}, 3, [None], "x" * (MOST_BACK - 2)):
        assert decide_answer(state, given_answer(half, "back"), LOCAL, 2_000) == Accept()
    assert decide_answer(state, AnswerRequest("s1", "back", None, offset.encode(5)), LOCAL, 2_000) == Accept()
    with pytest.raises(InvalidAnswer) as refused:
        decide_answer(state, given_answer("x" * (MOST_BACK - 1), "back"), LOCAL, 2_000)
    assert refused.value.extra["errors"][0]["pointer"] == ""
    with pytest.raises(InvalidAnswer):
        decide_answer(state, given_answer({"ok": "not yet"}, "submit"), LOCAL, 2_000)
    with pytest.raises(InvalidAnswer, match="does not match"):  # where it is not offered
        decide_answer(pending(), given_answer({}, "back"), ALICE, 2_000)
