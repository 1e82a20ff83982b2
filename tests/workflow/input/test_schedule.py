"""What happens to a request by itself: each once, in the order of the times, and not all at once after a standstill."""

from __future__ import annotations

from typing import Any

import pytest

from signoff.streams import offset
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.entries import (
    InputAnswered,
    InputEscalated,
    InputExpired,
    InputReminded,
    InputRequested,
    InputRevised,
)
from signoff.workflow.input.schedule import Schedule, Scheduled, put_off
from signoff.workflow.input.state import InputState, answer, ask, escalate, expire, remind, revise

PLAN = (
    Scheduled("remind", 100),
    Scheduled("escalate", 200, ("group:directors",)),
    Scheduled("remind", 300),
    Scheduled("remind", 900, before=100),
)
POLICY = Schedule(PLAN).to_policy()


def asked(**members: Any) -> InputState:
    spec = {"title": "?", "schema": {}, "actions": ["approve", "reject"]}
    given: dict[str, Any] = {"deadline": 1_000, "policy": dict(POLICY)}
    given |= members
    entry = InputRequested(10, "a:0", spec, ("group:finance",), **given)
    return ask(entry, "r1", "flow", offset.encode(2))


def all_due(schedule: Schedule, now: int) -> list[Any]:
    """Return what is written at `now`, one after the other."""
    written: list[Any] = []
    while (at := schedule.next_at(now)) is not None and at <= now:
        entry = schedule.due("a:0", now)
        written.append(entry)
        if not isinstance(entry, InputReminded | InputEscalated):
            break
        schedule = schedule.happened(entry)
    return written


def test_each_thing_is_due_at_its_time() -> None:
    schedule = Schedule(PLAN, 1_000)
    seen = []
    while (at := schedule.next_at()) is not None:
        entry = schedule.due("a:0", at)
        seen.append((at, type(entry)))
        if isinstance(entry, InputExpired):
            break
        assert isinstance(entry, InputReminded | InputEscalated)
        schedule = schedule.happened(entry)
    assert seen == [
        (100, InputReminded),
        (200, InputEscalated),
        (300, InputReminded),
        (900, InputReminded),
        (1_000, InputExpired),
    ]


def test_after_a_standstill_only_the_latest_reminder_is_sent_and_the_order_stays() -> None:
    escalated = InputEscalated(350, "a:0", 1, ("group:directors",))
    assert all_due(Schedule(PLAN, 1_000), 350) == [escalated, InputReminded(350, "a:0", 2)]
    assert all_due(Schedule(PLAN, 1_000), 250)[0] == InputReminded(250, "a:0", 0)
    assert Schedule(PLAN, 1_000).next_at(350) == 200
    assert Schedule(PLAN, 1_000).next_at() == 100


def test_what_was_passed_over_never_happens() -> None:
    schedule = Schedule(PLAN, 1_000).happened(InputReminded(350, "a:0", 2))
    assert [one.skipped for one in schedule.plan] == [True, False, False, False]
    assert [one.done_at for one in schedule.plan] == [None, None, 350, None]
    assert schedule.next_at() == 200


def test_at_the_deadline_nothing_else_happens() -> None:
    assert all_due(Schedule(PLAN, 1_000), 1_000) == [InputExpired(1_000, "a:0")]
    assert all_due(Schedule(PLAN, 150), 400) == [InputExpired(400, "a:0")]


def test_what_is_not_before_the_deadline_never_happens_and_is_not_shown() -> None:
    schedule = Schedule(PLAN, 200)
    assert [line["what"] for line in schedule.shown()] == ["remind", "expire"]
    assert schedule.happened(InputReminded(100, "a:0", 0)).next_at() == 200


def test_a_default_is_an_answer_by_nobody() -> None:
    schedule = Schedule(PLAN, 1_000, {"action": "reject", "value": None})
    entry = schedule.due("a:0", 1_007)
    assert isinstance(entry, InputAnswered)
    assert (entry.at, entry.action, entry.by, entry.txid) == (1_007, "reject", DecidedBy("timeout"), None)


def test_the_row_shows_all_of_it_before_it_happens() -> None:
    def line(what: str, at: int, **more: Any) -> dict[str, Any]:
        return {"what": what, "at": f"1970-01-01T00:00:0{at / 1000:.3f}Z", "done_at": None, "skipped": False} | more

    assert asked().row["schedule"] == [
        line("remind", 100),
        line("escalate", 200, to=["group:directors"], keep=True),
        line("remind", 300),
        line("remind", 900),
        line("expire", 1_000),
    ]
    default = asked(policy={"default": {"action": "reject", "value": None}})
    assert default.row["schedule"] == [line("default", 1_000, action="reject")]
    assert asked(deadline=None, policy=None).row["schedule"] == []


def test_a_reminder_makes_no_answer_stale() -> None:
    before = asked()
    after = remind(before, InputReminded(101, "a:0", 0))
    assert after.row["schedule"][0]["done_at"] == "1970-01-01T00:00:00.101Z"
    assert after.row["history"] == [
        {"what": "reminded", "at": "1970-01-01T00:00:00.101Z", "by": {"kind": "timeout", "id": None}, "reason": None}
    ]
    same = after.row | {"schedule": before.row["schedule"], "history": []}
    assert same == before.row
    assert InputState.loads(after.dumps()) == after


def test_an_escalation_asks_others_too_or_instead() -> None:
    too = escalate(asked(), InputEscalated(200, "a:0", 1, ("group:directors", "group:finance")))
    assert too.to == ("group:finance", "group:directors")
    assert too.row["audience"] == ["group:finance", "group:directors"]
    instead = escalate(asked(), InputEscalated(200, "a:0", 1, ("group:directors",), keep=False))
    assert instead.row["audience"] == ["group:directors"]
    assert (instead.row["revision"], instead.row["revised"]) == (0, offset.encode(2))
    [line] = instead.row["history"]
    assert (line["what"], line["to"], line["keep"]) == ("escalated", ["group:directors"], False)


def test_the_end_by_the_deadline_is_marked_and_no_other_is() -> None:
    expired = expire(asked(), InputExpired(1_001, "a:0"))
    assert expired.row["schedule"][-1]["done_at"] == "1970-01-01T00:00:01.001Z"
    by_default = asked(policy={"default": {"action": "reject", "value": None}})
    entry = by_default.schedule.ended("a:0", 1_001)
    assert isinstance(entry, InputAnswered)
    row = answer(by_default, entry).row
    assert row["schedule"][-1]["done_at"] == row["decided_at"] == "1970-01-01T00:00:01.001Z"
    assert (row["status"], row["action"], row["decided_by"]["kind"]) == ("answered", "reject", "timeout")
    person = answer(asked(), InputAnswered(500, "a:0", "s", "d", "approve", {}, DecidedBy("person", "user:a")))
    assert person.row["schedule"][-1]["done_at"] is None


def test_another_deadline_moves_what_counts_back_from_it() -> None:
    done = remind(asked(), InputReminded(100, "a:0", 0))
    later = revise(done, InputRevised(150, "a:0", {"deadline": 5_000}), offset.encode(9))
    assert [one.at for one in later.schedule.plan] == [100, 200, 300, 4_900]
    assert [one.done_at for one in later.schedule.plan] == [100, None, None, None]
    sooner = revise(done, InputRevised(150, "a:0", {"deadline": 240}), offset.encode(9))
    assert [line["what"] for line in sooner.row["schedule"]] == ["remind", "escalate", "expire"]
    gone = revise(done, InputRevised(150, "a:0", {"deadline": None}), offset.encode(9))
    assert [one.at for one in gone.schedule.plan] == [100, 200, 300]
    assert gone.schedule.next_at() == 200


def test_an_escalation_that_another_deadline_puts_in_the_past_is_due_at_once() -> None:
    schedule = Schedule((Scheduled("escalate", 900, ("group:directors",), before=100),), 1_000)
    assert schedule.revised({"deadline": 550}, 500).next_at() == 500


def test_another_schedule_takes_the_place_of_what_is_to_come() -> None:
    done = remind(asked(), InputReminded(100, "a:0", 0))
    changes = {"schedule": [Scheduled("remind", 700).to_json(), Scheduled("remind", 600).to_json()]}
    after = revise(done, InputRevised(150, "a:0", changes), offset.encode(9))
    assert [(one.at, one.open) for one in after.schedule.plan] == [(100, False), (600, True), (700, True)]
    assert after.schedule.due("a:0", 600) == InputReminded(600, "a:0", 1)
    assert after.row["revised"] == offset.encode(2)


def test_nothing_is_left_of_a_schedule_that_is_taken_away() -> None:
    after = revise(asked(), InputRevised(150, "a:0", {"schedule": []}), offset.encode(9))
    assert after.schedule.plan == ()
    assert [line["what"] for line in after.row["schedule"]] == ["expire"]


def test_a_retry_gives_all_of_it_as_much_time_as_it_had() -> None:
    put = put_off({"deadline": 1_000, **POLICY}, 10_000)
    assert put["deadline"] == 11_000
    assert [one["at"] for one in put["schedule"]] == [10_100, 10_200, 10_300, 10_900]
    schedule = Schedule.of(put, 11_000).happened(InputReminded(101, "a:0", 0))
    assert [line["at"] for line in schedule.shown()][:2] == ["1970-01-01T00:00:00.101Z", "1970-01-01T00:00:10.200Z"]


@pytest.mark.parametrize(
    "entry", [InputReminded(200, "a:0", 0), InputReminded(200, "a:0", 7), InputReminded(200, "a:0", 1)]
)
def test_an_entry_for_what_is_not_to_come_is_without_effect(entry: InputReminded) -> None:
    done = remind(asked(), InputReminded(101, "a:0", 0))
    assert remind(done, entry) is done
    assert escalate(done, InputEscalated(200, "a:0", entry.n + 2, ("user:eve",))) is done
