from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from signoff import Context, EventTimedOut, InputExpired, NonDeterminism, PublicError, StepFailed, WorkflowError
from signoff.workflow.definition import define
from signoff.workflow.entry import PYTHON, Error
from signoff.workflow.machine import Machine
from signoff.workflow.run.entries import (
    RunBlocked,
    RunCompleted,
    RunDescribed,
    RunFailed,
    RunStarted,
    RunUnblocked,
)
from signoff.workflow.step.entries import StepCompleted
from signoff.workflow.step.entries import StepFailed as StepFailedEntry
from signoff.workflow.timer.entries import TimerFired
from tests.workflow.drive import Drive, asked, work


class Claim(BaseModel):
    amount: int


def check(claim: Claim) -> Claim:
    return claim


def test_a_run_goes_from_step_to_step() -> None:
    async def flow(ctx: Context, claim: Claim) -> int:
        report = await ctx.step("check", check, claim)
        assert isinstance(report, Claim)
        return report.amount + claim.amount

    drive = Drive(flow, {"amount": 2})
    assert list(drive.machine.open_steps) == ["check:0"]
    call = drive.machine.open_steps["check:0"]
    assert (call.name, call.n, call.fn, call.next_attempt, call.retry_at) == ("check", 0, check, 1, None)
    assert isinstance(call.args[0], Claim)
    assert call.return_type is Claim
    assert asked(drive.done("check:0", {"amount": 3})) == ["run.completed"]
    assert drive.output == 5
    assert drive.machine.open_steps == {}


def test_an_input_that_does_not_fit_fails_the_run() -> None:
    async def flow(ctx: Context, claim: Claim) -> None:
        raise AssertionError("never runs")

    drive = Drive(flow, {"amount": "much"})
    assert drive.error.code == "invalid_input"
    assert "/amount" in drive.error.message


def test_a_workflow_without_input_ignores_one() -> None:
    async def flow(ctx: Context) -> str:
        return ctx.run_id

    assert Drive(flow, {"spare": 1}).output == "r1"


def test_ids_count_uses_of_a_name_over_all_kinds() -> None:
    async def flow(ctx: Context) -> None:
        await ctx.step("a", work)
        await ctx.await_event("a")
        await ctx.await_input("a", int, title="?")
        await ctx.step("b", work)
        await ctx.step("a", work)

    drive = Drive(flow)
    drive.done("a:0")
    drive.event("a")
    drive.answer("a:2", 1)
    drive.done("b:0")
    drive.done("a:3")
    ids = [str(getattr(entry, "id", "")) for entry in drive.journal]
    assert list(dict.fromkeys(ids)) == ["", "a:0", "a:1", "a:2", "b:0", "a:3"]


def test_a_failed_attempt_that_is_retried_does_not_reach_the_code() -> None:
    async def flow(ctx: Context) -> int:
        found: int = await ctx.step("flaky", work)
        return found

    drive = Drive(flow)
    assert drive.broken("flaky:0", retry_at=5_000) == []
    call = drive.machine.open_steps["flaky:0"]
    assert (call.next_attempt, call.retry_at) == (2, 5_000)
    assert drive.machine.wake_at() == 5_000
    drive.done("flaky:0", 7)
    assert drive.output == 7


def test_a_final_failure_raises_in_the_code() -> None:
    seen: dict[str, Any] = {}

    async def flow(ctx: Context) -> str:
        try:
            await ctx.step("flaky", work)
        except StepFailed as failed:
            seen.update(failed.extra)
            return str(failed)
        return "no"

    drive = Drive(flow)
    drive.broken("flaky:0", retry_at=5_000)
    drive.broken("flaky:0")
    assert drive.output == "The step flaky:0 failed after 2 attempts: it broke"
    assert seen["step"] == "flaky:0"
    assert seen["attempts"] == 2
    assert seen["error"] == {"code": "broken", "message": "it broke", "type": "tests.Broken", "public": False}


def test_what_a_public_error_says_stays_public_through_a_step() -> None:
    async def flow(ctx: Context) -> None:
        await ctx.step("pay", work)

    hidden = Drive(flow)
    hidden.broken("pay:0")
    assert (hidden.error.code, hidden.error.public) == ("step_failed", False)
    shown = Drive(flow)
    shown.broken("pay:0", error=Error("public_error", "The card was declined.", "x", public=True))
    assert (shown.error.message, shown.error.public) == ("The card was declined.", True)


def test_errors_of_the_code_fail_the_run() -> None:
    async def raises_public(ctx: Context) -> None:
        raise PublicError("No such account.")

    async def raises(ctx: Context) -> None:
        raise ValueError("secret")

    async def exits(ctx: Context) -> None:
        raise SystemExit(3)

    assert Drive(raises_public).error == Error("public_error", "No such account.", "signoff.errors.PublicError", True)
    assert Drive(raises).error == Error("value_error", "secret", "builtins.ValueError")
    assert Drive(exits).error.code == "system_exit"


def test_a_result_that_cannot_be_kept_fails_the_run() -> None:
    async def flow(ctx: Context) -> object:
        return {"deep": [object()]}

    error = Drive(flow).error
    assert error.code == "unsupported_value"
    assert "$.deep[0]" in error.message


def test_a_result_that_does_not_fit_its_type_raises_at_the_await() -> None:
    async def flow(ctx: Context) -> None:
        await ctx.step("check", check, Claim(amount=1))

    drive = Drive(flow)
    drive.done("check:0", {"amount": None})
    assert drive.error.code == "unsupported_value"


def test_code_that_waits_for_nothing_fails_instead_of_sleeping_for_ever() -> None:
    async def flow(ctx: Context) -> None:
        await asyncio.Event().wait()

    error = Drive(flow).error
    assert error.code == "stuck"
    assert "test_machine.py" in error.message


def test_late_and_unknown_notifications_change_nothing() -> None:
    async def flow(ctx: Context) -> int:
        slow = ctx.step("slow", work)
        await ctx.step("quick", work)
        slow.cancel()
        found: int = await ctx.step("last", work)
        return found

    drive = Drive(flow)
    assert asked(drive.done("quick:0")) == ["step.cancelled slow:0", "step.scheduled last:0"]
    assert (
        drive.tell(
            StepCompleted(2_000, "slow:0", 1, "late"),
            StepCompleted(2_000, "never:0", 1, None),
            StepFailedEntry(2_000, "quick:0", 1, Error("x", "y")),
            TimerFired(2_000, "timer:5"),
            RunBlocked(2_000, Error("x", "y")),
            RunUnblocked(2_000),
        )
        == []
    )
    drive.now = 2_000
    drive.done("last:0", 1)
    assert drive.output == 1
    assert drive.done("last:0", 2) == []


def test_time_stands_still_until_something_happens() -> None:
    async def flow(ctx: Context) -> list[str]:
        seen = [ctx.now().isoformat()]
        await ctx.step("a", work)
        seen.append(ctx.now().isoformat())
        return seen

    drive = Drive(flow)
    assert drive.machine.now_ms == 1_000
    new = drive.tell(StepCompleted(61_000, "a:0", 1, None))
    assert drive.output == ["1970-01-01T00:00:01+00:00", "1970-01-01T00:01:01+00:00"]
    assert new[-1].at == 61_000


def test_a_clock_that_jumps_back_does_not_turn_time_back() -> None:
    async def flow(ctx: Context) -> float:
        await ctx.step("a", work)
        return ctx.now().timestamp()

    drive = Drive(flow)
    drive.tell(StepCompleted(5, "a:0", 1, None))
    assert drive.output == 1.0


def test_a_run_that_starts_later_begins_at_that_time() -> None:
    async def flow(ctx: Context) -> float:
        return ctx.now().timestamp()

    assert Drive(flow, start_at=9_000).output == 9.0


# -- the machine's own rules -------------------------------------------------------------------------------------------


def test_a_journal_begins_with_its_start() -> None:
    async def flow(ctx: Context) -> None: ...

    with pytest.raises(WorkflowError, match=r"begins with run\.started"):
        Machine(define(flow)).advance([TimerFired(0, "timer:0")])
    drive = Drive(flow)
    machine = Machine(define(flow))
    machine.advance(drive.journal)
    assert machine.outcome == RunCompleted(1_000, None)


async def test_it_refuses_to_run_inside_a_task() -> None:
    async def flow(ctx: Context) -> None: ...

    with pytest.raises(RuntimeError, match="plain callback"):
        Drive(flow)


async def test_it_runs_from_a_callback_of_a_host_loop() -> None:
    async def flow(ctx: Context) -> int:
        async with asyncio.timeout(5):
            return sum(await asyncio.gather(ctx.step("a", work), ctx.step("b", work)))

    loop = asyncio.get_running_loop()
    finished: asyncio.Future[int] = loop.create_future()

    def drive_it() -> None:
        drive = Drive(flow)
        drive.done("a:0", 1)
        drive.done("b:0", 2)
        finished.set_result(drive.output)

    loop.call_soon(drive_it)
    found = await finished
    assert asyncio.get_running_loop() is loop
    assert found == 3


def test_closing_runs_no_cleanup_into_commands() -> None:
    ran: list[str] = []

    async def flow(ctx: Context) -> None:
        try:
            async with asyncio.timeout(5):
                await ctx.step("a", work)
        finally:
            ran.append("cleanup")
            await ctx.step("undo", work)
            ran.append("never")

    drive = Drive(flow)
    before = list(drive.journal)
    drive.machine.close()
    drive.machine.close()
    assert ran == ["cleanup"]
    assert drive.journal == before


def test_a_machine_that_is_forgotten_makes_no_noise(capsys: pytest.CaptureFixture[str]) -> None:
    async def flow(ctx: Context) -> None:
        try:
            await asyncio.gather(ctx.step("a", work), ctx.sleep(5))
        finally:
            await ctx.step("undo", work)

    Drive(flow)
    gc.collect()
    assert capsys.readouterr().err == ""


def test_a_second_start_is_refused() -> None:
    async def flow(ctx: Context) -> None:
        await ctx.step("a", work)

    drive = Drive(flow)
    start = drive.journal[0]
    assert isinstance(start, RunStarted)
    with pytest.raises(WorkflowError, match="once"):
        drive.tell(start)


def test_an_exposed_output_is_marked() -> None:
    async def flow(ctx: Context) -> int:
        return 1

    machine = Machine(define(flow, expose=("output",)))
    assert machine.advance([RunStarted(0, "r", "flow", "1", None, "s", "d")]) == [RunCompleted(0, 1, expose=True)]


def test_one_error_in_a_group_stands_for_itself() -> None:
    async def flow(ctx: Context) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(ctx.step("a", work))
            group.create_task(ctx.step("b", work))

    drive = Drive(flow)
    assert asked(drive.broken("a:0")) == ["step.cancelled b:0", "run.failed"]
    assert isinstance(drive.machine.outcome, RunFailed)
    assert drive.error.code == "step_failed"


def test_what_is_due_comes_oldest_first_and_only_while_it_is() -> None:
    async def flow(ctx: Context) -> None:
        request = ctx.await_input("ask", int, title="?", deadline="1s")
        first, second = ctx.sleep("2s"), ctx.sleep("3s")
        event = ctx.await_event("go", timeout="4s")
        try:
            await request
        except InputExpired:
            second.cancel()
        await first
        with suppress(EventTimedOut):
            await event
        await ctx.sleep(0)

    drive = Drive(flow)
    now = drive.now + 10_000
    fired = []
    for notification in drive.machine.due(now):
        fired.append(f"{notification.type} {getattr(notification, 'id', None)}")
        drive.tell(notification)
    assert fired == ["input.expired ask:0", "timer.fired sleep:0", "event.timed_out go:0", "timer.fired sleep:2"]
    assert drive.output is None
    assert drive.machine.wake_at() is None


@pytest.mark.parametrize(("python", "told"), [("2.7", True), (PYTHON, False), (None, PYTHON != "3.11")])
def test_a_run_that_differs_on_another_python_says_what_it_needs(python: str | None, told: bool) -> None:
    async def flow(ctx: Context) -> None:
        await ctx.step("a", work)

    async def other(ctx: Context) -> None:
        await ctx.step("b", work)

    journal = Drive(flow, python=python).journal
    with pytest.raises(NonDeterminism) as differs:
        Machine(define(other, "flow")).advance(journal)
    assert ("a worker on Python" in str(differs.value)) == told
    if told:
        begun = f"was begun on Python {python}" if python else "does not say its Python and is read as one of 3.11"
        assert f"The run {begun}; this worker runs Python {PYTHON}" in str(differs.value)


def test_the_python_of_the_worker_counts_where_it_is_another_than_the_starters() -> None:
    async def flow(ctx: Context) -> None:
        await ctx.step("a", work)

    async def other(ctx: Context) -> None:
        await ctx.step("b", work)

    drive = Drive(flow, python="2.7")
    drive.tell(RunDescribed(drive.now, "1", python="2.6"))
    with pytest.raises(NonDeterminism, match=r"begun on Python 2\.6"):
        Machine(define(other, "flow")).advance(drive.journal)


def test_an_input_of_null_is_the_default() -> None:
    async def flow(ctx: Context, amount: int = 7) -> int:
        return amount

    assert Drive(flow).output == 7
    assert Drive(flow, 3).output == 3


class Odd(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def odd(cls, n: int) -> int:
        return {1: n}[n]


def test_an_input_whose_type_raises_fails_the_run() -> None:
    async def flow(ctx: Context, odd: Odd) -> int:
        return odd.n

    assert Drive(flow, {"n": 1}).output == 1
    error = Drive(flow, {"n": 2}).error
    assert error.code == "invalid_input"
    assert error.message.startswith("The input does not fit the workflow")
