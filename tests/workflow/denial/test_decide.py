"""Which refusals are written down, and what is kept of them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from signoff.errors import (
    AlreadyDecided,
    ClaimedByOther,
    Expired,
    InvalidAnswer,
    NotClaimed,
    NotInAudience,
    SignoffError,
    Stale,
    Withdrawn,
)
from signoff.streams import offset
from signoff.timestamps import rfc3339
from signoff.workflow import journal
from signoff.workflow.claim.act import claim
from signoff.workflow.claim.entries import InputClaimed
from signoff.workflow.decision import AppendEntries, Loaded
from signoff.workflow.denial.decide import watched
from signoff.workflow.denial.entries import InputDenied
from signoff.workflow.denial.rules import MOST_BY_STRANGERS, MOST_DENIALS
from signoff.workflow.entry import DecidedBy, Entry
from signoff.workflow.handover.act import delegate
from signoff.workflow.input.decide import Who, answer
from signoff.workflow.input.entries import InputAnswered, InputExpired, InputRecalled, InputRequested, InputRevised
from signoff.workflow.input.evidence import digest_of, shown_revision
from signoff.workflow.input.submission import AnswerRequest
from signoff.workflow.projection import project
from signoff.workflow.run.entries import RunFailed
from signoff.workflow.vote.entries import InputVoted
from tests.workflow.input.requests import ALICE, SCHEMA
from tests.workflow.loaded import loaded

SPEC = {"title": "Approve?", "schema": SCHEMA, "actions": ["approve", "reject"]}
ASKED = InputRequested(1_000, "approve:0", SPEC, ("group:finance",), ("user:carol",), policy={"claim_required": False})
BOB = Who(frozenset({"user:bob"}), DecidedBy("person", "user:bob"), via="token:t7")
CAROL = Who(frozenset({"user:carol", "group:finance"}), DecidedBy("person", "user:carol"))
DAN = Who(frozenset({"user:dan", "group:finance"}), DecidedBy("person", "user:dan"), via="link:l1")
REVISED = InputRevised(1_200, "approve:0", {"title": "Really?"})
BY_ALICE = InputAnswered(1_500, "approve:0", "s1", "d", "approve", {"ok": True}, ALICE.by)


def sent(seen: int = 2, action: str = "approve", value: Any = None) -> AnswerRequest:
    return AnswerRequest("s9", action, {"ok": True} if value is None else value, offset.encode(seen))


def tried(run: Loaded, who: Who, request: AnswerRequest | None = None, now: int = 2_000) -> Any:
    """Let somebody answer; return the decision."""
    request = request or sent()
    return watched(partial(answer, run, "approve:0", request, who, now), run, "approve:0", who, now, request=request)


def denied(run: Loaded, who: Who, request: AnswerRequest | None = None) -> InputDenied:
    """Return what is written of somebody who is refused, and check that nothing else comes of it."""
    decision = tried(run, who, request)
    assert isinstance(decision, AppendEntries)
    [entry] = decision.entries
    assert isinstance(entry, InputDenied)
    assert decision.refusal is not None
    assert isinstance(decision.refusal(run.view), SignoffError)
    assert (decision.ready, decision.wake_at, decision.remember) == (run.ready, run.wake_at, None)
    assert journal.from_json(journal.to_json(entry)) == entry
    row = run.view.inputs["approve:0"].row
    delta = project(run.view, [entry], run.public_tail)
    assert (delta.public, delta.inboxes, delta.listing) == ((), (), ())
    assert run.view.inputs["approve:0"].row == row
    return entry


@pytest.mark.parametrize("ready", [True, False])
def test_whoever_was_not_asked_is_named_with_what_proves_who_it_is(ready: bool) -> None:
    run = loaded(ASKED, ready=ready, wake_at=9_000)
    shown = digest_of(shown_revision(run.view.inputs["approve:0"]))
    entry = denied(run, BOB)
    evidence = {"seen": offset.encode(2), "digest": shown, "via": "token:t7"}
    assert entry == InputDenied(
        2_000, "approve:0", "answer", "not_in_audience", BOB.by, action="approve", evidence=evidence
    )


def test_neither_the_value_nor_any_text_of_theirs_is_kept() -> None:
    entry = denied(loaded(ASKED), BOB, AnswerRequest("my-id", "say this", {"note": "and that"}, offset.encode(2)))
    written = str(journal.to_json(entry))
    assert not any(text in written for text in ("my-id", "say this", "and that"))


@pytest.mark.parametrize(
    ("entries", "who", "reason", "refusal"),
    [
        ((ASKED,), CAROL, "barred", NotInAudience),
        ((ASKED, InputClaimed(1_100, "approve:0", ALICE.by, 9_000)), DAN, "claimed", ClaimedByOther),
        ((ASKED, BY_ALICE), DAN, "already_decided", AlreadyDecided),
        ((ASKED, InputExpired(1_500, "approve:0")), DAN, "expired", Expired),
        ((ASKED, InputRecalled(1_500, "approve:0", "moot", ALICE.by)), DAN, "withdrawn", Withdrawn),
        ((ASKED, REVISED), DAN, "stale", Stale),
    ],
)
def test_each_reason_is_the_code_of_the_refusal(
    entries: tuple[Entry, ...], who: Who, reason: str, refusal: type[SignoffError]
) -> None:
    run = loaded(*entries)
    decision = tried(run, who)
    assert decision.refusal is not None
    assert isinstance(decision.refusal(run.view), refusal)
    assert denied(run, who).reason == reason


def test_no_digest_is_said_of_what_cannot_have_been_seen() -> None:
    assert denied(loaded(ASKED, REVISED), DAN).evidence == {"seen": offset.encode(2), "via": "link:l1"}
    of_another = replace(sent(), asked_at=rfc3339(999))
    assert denied(loaded(ASKED), DAN, of_another).evidence == {"seen": offset.encode(2), "via": "link:l1"}
    assert denied(loaded(ASKED), BOB, sent(99)).evidence == {"seen": offset.encode(99), "via": "token:t7"}


def test_the_first_who_is_late_is_named_behind_the_end() -> None:
    run = loaded(InputRequested(1_000, "approve:0", SPEC, ("group:finance",), deadline=1_800))
    decision = tried(run, DAN)
    assert [type(one) for one in decision.entries] == [InputExpired, InputDenied]
    assert decision.entries[1].reason == "expired"
    project(run.view, decision.entries, run.public_tail)
    assert isinstance(decision.refusal(run.view), Expired)


def test_it_is_written_once_for_each_person_reason_and_revision() -> None:
    run = loaded(ASKED)
    denied(run, BOB)
    with pytest.raises(NotInAudience):
        tried(run, BOB)
    project(run.view, [REVISED], run.public_tail)
    assert denied(run, BOB).reason == "not_in_audience"


def test_knocking_fills_no_journal_and_hides_nobody_who_was_asked() -> None:
    run, written = loaded(ASKED), 0
    for n in range(100):
        stranger = Who(frozenset({f"user:s{n}"}), DecidedBy("person", f"user:s{n}"))
        try:
            denied(run, stranger)
            written += 1
        except NotInAudience:
            pass
    assert written == MOST_BY_STRANGERS
    denied(run, CAROL)
    project(run.view, [REVISED], run.public_tail)
    for n in range(100):
        person = Who(frozenset({f"user:p{n}", "group:finance"}), DecidedBy("person", f"user:p{n}"))
        try:
            denied(run, person)
            written += 1
        except Stale:
            pass
    assert written + 1 == MOST_DENIALS


def test_what_changes_nothing_for_anybody_is_not_written() -> None:
    """Whoever has decided, or voted, and sends more; strangers to what is over; runs that have ended; typing errors."""
    failed = RunFailed(1_900, journal.error_from_json({"code": "broken", "message": "it broke"}))
    quorum = InputRequested(1_000, "approve:0", SPEC, ("group:finance",), policy={"quorum": {"need": 2, "veto": []}})
    vote = InputVoted(1_200, "approve:0", "s1", "d", "approve", {"ok": True}, DAN.by)
    must_claim = InputRequested(1_000, "approve:0", SPEC, ("group:finance",), policy={"claim_required": True})
    for entries, who, request, refusal in (
        ((ASKED, BY_ALICE), ALICE, sent(), AlreadyDecided),
        ((quorum, vote, BY_ALICE), DAN, sent(), AlreadyDecided),
        ((ASKED, BY_ALICE), BOB, sent(), NotInAudience),
        ((ASKED, failed), DAN, sent(), Withdrawn),
        ((ASKED,), ALICE, sent(value={"ok": 7}), InvalidAnswer),
        ((must_claim,), ALICE, sent(), NotClaimed),
    ):
        with pytest.raises(refusal):
            tried(loaded(*entries), who, request)


@pytest.mark.parametrize(
    ("decide", "who", "reason"),
    [(claim, BOB, "not_in_audience"), (claim, DAN, "claimed"), (delegate, CAROL, "barred")],
)
def test_who_wants_to_claim_or_hand_on_what_is_not_theirs_is_named(decide: Any, who: Who, reason: str) -> None:
    run = loaded(ASKED, InputClaimed(1_100, "approve:0", ALICE.by, 9_000))
    body = {"to": "user:eve", "reason": "away"}
    act = partial(decide, run, run.view.inputs["approve:0"], body, who, 2_000)
    decision: Any = watched(act, run, "approve:0", who, 2_000, act=decide.__name__)
    evidence = None if who.via is None else {"via": who.via}
    assert decision.entries == (InputDenied(2_000, "approve:0", decide.__name__, reason, who.by, evidence=evidence),)
