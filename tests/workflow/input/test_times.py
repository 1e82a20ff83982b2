"""When things happen, as the code says it: calendars count once, reminders call a step, a default is an answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from signoff import Before, Context, Default, Escalation, InputExpired, Reminder
from signoff.errors import NonDeterminism
from signoff.workflow import journal
from signoff.workflow.entry import Entry
from signoff.workflow.input.entries import InputAnswered, InputEscalated, InputReminded, InputRequested, InputRevised
from signoff.workflow.input.times import MOST_ESCALATIONS, MOST_REMINDERS
from signoff.workflow.machine import Machine
from signoff.workflow.step.entries import StepCancelled, StepFailed, StepScheduled
from tests.workflow.drive import Drive

DIRECTORS = Escalation("1d", ["group:directors"])


class Decision(BaseModel):
    approved: bool
    comment: str = ""


def due(drive: Drive, now: int) -> list[Entry]:
    """Write what is due by `now`, as a driver does; return all that was written."""
    drive.now, before = now, len(drive.journal)
    for notification in drive.machine.due(now):
        drive.tell(notification)
        if drive.machine.outcome is not None:
            break
    return drive.journal[before:]


def at(drive: Drive, id_: str = "approve:0") -> list[int]:
    """Return when reminders and escalations of a request are to come."""
    found = next(entry for entry in drive.journal if isinstance(entry, InputRequested) and entry.id == id_)
    return [one["at"] for one in (found.policy or {}).get("schedule", [])]


def replayed(drive: Drive) -> Machine:
    machine = Machine(drive.definition)
    assert machine.advance(journal.loads(journal.dumps(drive.journal))) == []
    return machine


def nothing() -> None:
    """Stand for work."""


async def approval(ctx: Context, **options: Any) -> Any:
    options = {"actions": ["approve", "reject"]} | options
    answer = await ctx.await_input("approve", Decision, title="Approve?", to=["group:finance"], **options)
    return [answer.action, answer.by.kind, answer.value and answer.value.approved]


def test_times_are_durations_datetimes_calendars_and_before_the_deadline() -> None:
    seen: list[datetime] = []

    def calendar(asked_at: datetime) -> datetime:
        seen.append(asked_at)
        return asked_at + timedelta(seconds=5)

    async def flow(ctx: Context) -> Any:
        return await approval(
            ctx,
            deadline=calendar,
            remind=["2s", calendar, datetime(1970, 1, 1, 0, 0, 4, tzinfo=UTC), Before("1500ms"), Before("1h")],
            escalate=[Escalation(after="3s", to=["group:directors"])],
        )

    drive = Drive(flow)
    assert drive.machine.open_inputs == {"approve:0": 6_000}
    assert at(drive) == [3_000, 4_000, 4_000, 4_500, 6_000]
    assert set(seen) == {datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)}


def test_a_calendar_is_asked_once_and_the_journal_counts() -> None:
    days = iter([1, 2])

    def calendar(asked_at: datetime) -> datetime:
        return asked_at + timedelta(days=next(days))

    async def flow(ctx: Context) -> Any:
        request = ctx.await_input("approve", int, title="?", deadline=calendar)
        await ctx.step("wait", nothing)
        request.revise(deadline=calendar)
        return await request

    drive = Drive(flow)
    drive.done("wait:0")
    again = replayed(drive)
    assert again.open_inputs == drive.machine.open_inputs == {"approve:0": 1_010 + 2 * 86_400_000}
    assert list(days) == []


@pytest.mark.parametrize("wrong", [lambda _: None, lambda _: datetime(2026, 1, 1), lambda _: 5])  # noqa: DTZ001
def test_a_calendar_returns_an_aware_datetime(wrong: Any) -> None:
    async def flow(ctx: Context) -> Any:
        return await approval(ctx, deadline=wrong)

    assert "aware datetime" in (message := Drive(flow).error.message) or "needs a time zone" in message


def test_reminders_and_escalations_each_once_and_then_the_end() -> None:
    async def flow(ctx: Context) -> Any:
        try:
            return await approval(
                ctx, deadline="4s", remind=["1s"], escalate=[Escalation("2s", ["group:directors"], keep=False)]
            )
        except InputExpired:
            return "expired"

    drive = Drive(flow)
    assert drive.machine.wake_at() == 2_000
    assert due(drive, 2_001) == [InputReminded(2_001, "approve:0", 0)]
    assert due(drive, 2_002) == []
    assert drive.machine.wake_at() == 3_000
    assert due(drive, 3_000) == [InputEscalated(3_000, "approve:0", 1, ("group:directors",), keep=False)]
    assert drive.machine.wake_at() == 5_000
    assert [entry.type for entry in due(drive, 5_000)] == ["input.expired", "run.completed"]
    assert replayed(drive).outcome is not None


def test_what_is_overdue_comes_in_the_order_of_its_times_among_all_else() -> None:
    async def flow(ctx: Context) -> Any:
        request = ctx.await_input(
            "approve", int, title="?", remind=["1s", "3s"], escalate=[Escalation("2s", ["user:a"])]
        )
        await ctx.sleep("2500ms")
        return await request

    written = due(Drive(flow), 10_000)
    assert [entry.type for entry in written] == ["input.escalated", "timer.fired", "input.reminded"]


@pytest.mark.parametrize("value", [Decision(approved=False), {"approved": False, "comment": ""}])
def test_a_default_answers_at_the_deadline(value: Any) -> None:
    async def flow(ctx: Context) -> Any:
        return await approval(ctx, deadline="1s", default=Default("approve", value))

    drive = Drive(flow)
    [answered, _] = due(drive, 2_500)
    assert isinstance(answered, InputAnswered)
    assert answered.value == {"approved": False, "comment": ""}
    assert drive.output == ["approve", "timeout", False]
    assert replayed(drive).outcome is not None


def test_a_default_may_leave_out_what_an_answer_may() -> None:
    async def flow(ctx: Context) -> Any:
        return await approval(ctx, deadline="1s", default=Default("reject"))

    drive = Drive(flow)
    due(drive, 2_500)
    assert drive.output == ["reject", "timeout", None]


@pytest.mark.parametrize(("action", "value", "read"), [("edit", {"approved": True}, True), ("stop", None, None)])
def test_a_default_is_of_the_type_of_its_action(action: str, value: Any, read: Any) -> None:
    async def flow(ctx: Context) -> Any:
        actions = {"edit": Decision, "stop": None}
        answer = await ctx.await_input("a", title="?", actions=actions, deadline="1s", default=Default(action, value))
        return answer.value and answer.value.approved

    drive = Drive(flow)
    due(drive, 2_500)
    assert drive.output is read

    async def wrong(ctx: Context) -> Any:
        actions = {"edit": Decision, "stop": None}
        await ctx.await_input("a", title="?", actions=actions, deadline="1s", default=Default("edit", {"no": 1}))

    assert "The default is no answer" in Drive(wrong).error.message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"default": Default("reject")}, "the request has none: give `deadline` too"),
        ({"deadline": "1d", "default": Default("no")}, "is none of approve, reject"),
        ({"deadline": "1d", "default": Default("approve", {"approved": "maybe"})}, "The default is no answer"),
        ({"deadline": "1d", "default": Default("approve")}, "The default is no answer"),
        ({"deadline": "1d", "default": Default("reject", "x" * 70_000)}, "The default is no answer"),
        ({"deadline": "1d", "default": "reject"}, "is a Default"),
        ({"deadline": "1d", "default": Default("back"), "actions": ["approve", "back"]}, "is none of"),
        ({"remind": ["1d"] * (MOST_REMINDERS + 1)}, f"has {MOST_REMINDERS} times at most"),
        ({"remind": "1d"}, "a list of times"),
        ({"remind": [Before("1d")]}, "counts back from a deadline, and the request has none"),
        ({"remind": ["soon"]}, "is no duration"),
        (
            {"escalate": [Escalation("1d", ["user:a"])] * (MOST_ESCALATIONS + 1)},
            f"has {MOST_ESCALATIONS} times at most",
        ),
        ({"escalate": [Escalation("1d", [])]}, "at least one principal"),
        ({"escalate": [Escalation("1d", ["directors"])]}, "is no principal"),
        ({"escalate": ["group:directors"]}, "a list of Escalation"),
        ({"escalate": [Escalation("1d", [f"user:{n}" for n in range(100)])]}, "name 101 principals"),
    ],
)
def test_what_cannot_be_is_refused_in_words(options: dict[str, Any], message: str) -> None:
    async def flow(ctx: Context) -> Any:
        return await approval(ctx, **options)

    assert message in Drive(flow).error.message


def test_a_revision_changes_what_is_to_come() -> None:
    async def flow(ctx: Context) -> Any:
        request = ctx.await_input(
            "a", int, title="?", deadline="10s", remind=["2s", Before("1s")], escalate=[Escalation("5s", ["user:a"])]
        )
        await ctx.step("first", nothing)
        request.revise(deadline="20s")
        await ctx.step("second", nothing)
        request.revise(remind=["30ms"])
        await ctx.step("third", nothing)
        request.revise(escalate=[])
        return await request

    drive = Drive(flow)
    drive.done("first:0")
    [revised] = [entry for entry in drive.journal if isinstance(entry, InputRevised)]
    assert revised.changes == {"deadline": 21_010}
    assert [drive.machine.wake_at(), drive.machine.open_inputs["a:0"]] == [3_000, 21_010]
    drive.done("second:0")
    assert drive.machine.wake_at() == 1_050
    assert due(drive, 1_050) == [InputReminded(1_050, "a:0", 0)]
    assert drive.machine.wake_at() == 6_000
    drive.done("third:0")
    assert drive.machine.wake_at() == 21_010
    assert replayed(drive).wake_at() == 21_010


def notify(reminder: Reminder) -> None:
    """Stand for a mail."""


def asks_and_reminds(fn: Any = notify) -> Any:
    async def flow(ctx: Context) -> Any:
        request = ctx.await_input(
            "a", int, title="Old?", to=["user:a"], deadline="9s", remind=["2s", "4s"], on_remind=fn,
            escalate=[Escalation("3s", ["user:b"])],
        )  # fmt: skip
        await ctx.step("first", nothing)
        request.revise(title="New?")
        return (await request).value

    return flow


def test_a_reminder_calls_the_hook_as_a_step_with_what_it_is_about() -> None:
    drive = Drive(asks_and_reminds())
    drive.done("first:0")
    written = due(drive, 3_001)
    assert written == [InputReminded(3_001, "a:0", 0), StepScheduled(3_001, "remind.a:0")]
    call = drive.machine.open_steps["remind.a:0"]
    [reminder] = call.args
    at_ = datetime(1970, 1, 1, 0, 0, 3, 1_000, tzinfo=UTC)
    deadline = datetime(1970, 1, 1, 0, 0, 10, tzinfo=UTC)
    assert (call.fn, reminder) == (notify, Reminder("r1", "a:0", "New?", ("user:a",), deadline, at_))
    due(drive, 5_000)
    assert drive.machine.open_steps["remind.a:1"].args[0].to == ("user:a", "user:b")
    assert replayed(drive).open_steps.keys() == {"remind.a:0", "remind.a:1"}


def test_a_hook_that_fails_or_does_not_end_is_not_the_codes_business(caplog: pytest.LogCaptureFixture) -> None:
    drive = Drive(asks_and_reminds())
    drive.done("first:0")
    due(drive, 3_001)
    drive.broken("remind.a:0")
    assert isinstance(drive.journal[-1], StepFailed)
    due(drive, 5_000)
    drive.answer("a:0", 7)
    assert drive.output == 7
    assert StepCancelled(drive.now, "remind.a:1") in drive.journal
    assert caplog.records == []
    assert replayed(drive).outcome is not None


def test_code_that_loses_its_hook_disagrees_with_the_journal_in_words() -> None:
    drive = Drive(asks_and_reminds())
    drive.done("first:0")
    due(drive, 3_001)
    other = Drive(asks_and_reminds(None)).definition
    with pytest.raises(NonDeterminism, match=r"step\.scheduled remind\.a:0"):
        Machine(other).advance(drive.journal)


def test_code_that_gets_another_step_there_disagrees_with_the_journal_in_words() -> None:
    drive = Drive(asks_and_reminds(None))
    drive.done("first:0")
    due(drive, 3_001)
    drive.answer("a:0", 7)
    with pytest.raises(NonDeterminism, match=r"remind\.a:0"):
        Machine(Drive(asks_and_reminds()).definition).advance(drive.journal)
