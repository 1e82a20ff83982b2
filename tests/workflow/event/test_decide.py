from __future__ import annotations

import pytest

from signoff.errors import RunClosed, SubmissionReused, TooManyEvents
from signoff.workflow import codec
from signoff.workflow.decision import AlreadyDone, AppendEntries, Remembered
from signoff.workflow.entry import Error
from signoff.workflow.event.decide import MOST_BYTES, MOST_EVENTS, Event, Sent, emit
from signoff.workflow.event.entries import EventAwaited, EventReceived
from signoff.workflow.run.entries import RunFailed
from tests.workflow.loaded import loaded, written

PAID = Event("paid", "e1", {"amount": 5}, "invoice-1")
DIGEST = codec.digest([PAID.payload, PAID.key])


def test_an_event_is_appended_and_its_id_remembered() -> None:
    run = loaded(wake_at=9_000)
    decision = emit(run, PAID, 2_000)
    assert isinstance(decision, AppendEntries)
    assert decision.entries == (EventReceived(2_000, "paid", "e1", {"amount": 5}, "invoice-1"),)
    assert (decision.ready, decision.wake_at, decision.ends) == (True, 9_000, False)
    assert decision.remember is not None
    assert (decision.remember.scope, decision.remember.id, decision.remember.digest) == ("event:paid", "e1", DIGEST)
    assert written(run, decision)[0] == Sent(duplicate=False)


def test_a_journals_times_never_go_back() -> None:
    decision = emit(loaded(), PAID, 3)
    assert isinstance(decision, AppendEntries)
    assert decision.entries[0].at == 1_000


def test_the_same_event_again_is_known_though_the_run_has_ended() -> None:
    run = loaded(RunFailed(1_500, Error("e", "no")), remembered=Remembered(DIGEST, b"{}"))
    assert emit(run, PAID, 2_000) == AlreadyDone(Sent(duplicate=True))


def test_an_id_that_was_used_for_something_else_is_refused() -> None:
    with pytest.raises(SubmissionReused, match="'e1' was already used"):
        emit(loaded(remembered=Remembered("f" * 64, b"{}")), PAID, 2_000)


def test_a_run_that_has_ended_takes_no_event() -> None:
    with pytest.raises(RunClosed, match="is failed"):
        emit(loaded(RunFailed(1_500, Error("e", "no"))), PAID, 2_000)


def test_a_run_holds_so_many_events_that_nobody_awaits_and_any_that_is_awaited() -> None:
    held = [EventReceived(1_000, "other", f"o{n}", None) for n in range(MOST_EVENTS)]
    with pytest.raises(TooManyEvents, match=f"{MOST_EVENTS} events"):
        emit(loaded(*held), PAID, 2_000)
    assert isinstance(emit(loaded(*held[1:]), PAID, 2_000), AppendEntries)
    assert isinstance(emit(loaded(*held, EventAwaited(1_000, "paid:0", "paid")), PAID, 2_000), AppendEntries)


def test_a_run_holds_so_many_bytes() -> None:
    large = "x" * (MOST_BYTES - 10)
    run = loaded(EventReceived(1_000, "other", "o1", large))
    assert isinstance(emit(run, Event("paid", "e", 12345678), 2_000), AppendEntries)
    with pytest.raises(TooManyEvents):
        emit(run, Event("paid", "e", 123456789), 2_000)
