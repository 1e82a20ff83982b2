"""How a run's code ends: by its result, by its error, by a cancellation that it cleans up after."""

from __future__ import annotations

import asyncio

from signoff import Context
from signoff.workflow.run.entries import (
    RunCancelled,
)
from tests.workflow.drive import Drive, asked, work


def test_a_cancelled_run_cleans_up_by_durable_steps() -> None:
    async def flow(ctx: Context) -> None:
        try:
            await ctx.sleep("1d")
        except asyncio.CancelledError:
            await ctx.step("undo", work)
            raise
        finally:
            await ctx.step("tidy", work)

    drive = Drive(flow)
    assert asked(drive.cancel("no longer needed")) == ["timer.cancelled sleep:0", "step.scheduled undo:0"]
    assert drive.cancel("again") == []
    assert asked(drive.done("undo:0")) == ["step.scheduled tidy:0"]
    drive.done("tidy:0")
    assert drive.machine.outcome == RunCancelled(drive.now, "no longer needed")


def test_code_that_swallows_its_cancellation_is_cancelled_all_the_same() -> None:
    async def flow(ctx: Context) -> str:
        try:
            await ctx.sleep(5)
        except asyncio.CancelledError:
            return "I go on"
        return "slept"

    drive = Drive(flow)
    drive.cancel("why")
    assert drive.machine.outcome == RunCancelled(drive.now, "why")


def test_cleanup_that_fails_says_so() -> None:
    async def flow(ctx: Context) -> None:
        try:
            await ctx.sleep(5)
        finally:
            raise ValueError("oops")

    drive = Drive(flow)
    drive.cancel()
    assert isinstance(drive.machine.outcome, RunCancelled)
    assert drive.machine.outcome.error is not None
    assert drive.machine.outcome.error.code == "value_error"


def test_cancelling_a_task_group_cancels_all_of_it() -> None:
    async def flow(ctx: Context) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(ctx.step("a", work))
            group.create_task(ctx.step("b", work))

    drive = Drive(flow)
    assert asked(drive.cancel()) == ["step.cancelled a:0", "step.cancelled b:0", "run.cancelled"]


def test_what_is_still_open_at_the_end_is_given_up() -> None:
    async def flow(ctx: Context) -> str:
        ctx.step("unheeded", work)
        return "done"

    drive = Drive(flow)
    assert asked(drive.journal) == [
        "run.started",
        "step.scheduled unheeded:0",
        "step.cancelled unheeded:0",
        "run.completed",
    ]


def test_a_workflow_that_cancels_itself_fails() -> None:
    async def flow(ctx: Context) -> None:
        raise asyncio.CancelledError

    assert Drive(flow).error.code == "cancelled_error"
