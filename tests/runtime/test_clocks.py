"""Time that is waited for goes by the clock: one that jumps makes days pass in milliseconds."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from signoff import App, Context, InputExpired, Retry
from signoff.clock import JumpingClock
from signoff.testing import TestEngine
from signoff.testing.engine import START
from signoff.workflow.entry import DecidedBy
from tests.runtime.scene import scene, stage, working

DAY_MS = 86_400_000


async def test_a_sleep_of_thirty_days_takes_no_time(url: str) -> None:
    async def reminder(ctx: Context) -> float:
        begun = ctx.now()
        await ctx.sleep(timedelta(days=30))
        return (ctx.now() - begun) / timedelta(days=1)

    began = time.monotonic()
    async with TestEngine(reminder, store=url) as engine:
        assert await (await engine.start(reminder)).result() == 30
        assert engine.now == START + timedelta(days=30)
    assert time.monotonic() - began < 5


async def test_a_deadline_of_three_days_passes_if_nobody_answers(url: str) -> None:
    async def asks(ctx: Context) -> str:
        try:
            await ctx.await_input("ok", bool, title="ok?", to=["group:finance"], deadline="3d")
        except InputExpired:
            return f"nobody by day {ctx.now().day - 1}"
        return "answered"

    async with TestEngine(asks, store=url) as engine:
        assert await (await engine.start(asks)).result() == "nobody by day 3"


async def test_while_it_is_stopped_people_have_their_time(url: str) -> None:
    app = App()

    @app.workflow(expose=("output",))
    async def asks(ctx: Context) -> bool:
        answer = await ctx.await_input("ok", bool, title="ok?", to=["group:finance"], deadline="3d")
        await ctx.sleep("30d")
        return answer.value

    clock = JumpingClock(0, quiet_s=0.001)
    async with scene(url, clock) as on, working(app, on):
        with clock.stopped():
            run = await on.start("asks")
            row = await on.asks(run, "ok:0")
            await asyncio.sleep(0.05)  # somebody thinks it over, longer than the clock would wait
            assert clock.now_ms() == 0
            await on.answer(row, True)
        assert (await on.reaches(run, "completed"))["output"] is True
    assert clock.now_ms() >= 30 * DAY_MS


async def test_it_does_not_jump_while_a_step_runs(url: str) -> None:
    app = App()

    async def slow() -> None:
        await asyncio.sleep(0.05)

    @app.workflow(expose=("output",))
    async def both(ctx: Context) -> list[str]:
        order: list[str] = []

        async def step() -> None:
            await ctx.step("slow", slow)
            order.append("step")

        async def sleep() -> None:
            await ctx.sleep("1d")
            order.append("sleep")

        await asyncio.gather(step(), sleep())
        return order

    async with scene(url, JumpingClock(0, quiet_s=0.001)) as on, working(app, on):
        assert (await on.reaches(await on.start("both"), "completed"))["output"] == ["step", "sleep"]


async def test_the_pauses_of_retries_are_skipped(url: str) -> None:
    attempts = 0

    async def flaky() -> int:
        nonlocal attempts
        attempts += 1
        if attempts < 6:
            raise OSError("not yet")
        return attempts

    async def stubborn(ctx: Context) -> int:
        return await ctx.options(retry=Retry(attempts=6, first="1h", factor=2, jitter=0)).step("flaky", flaky)

    async with TestEngine(stubborn, store=url) as engine:
        assert await (await engine.start(stubborn)).result() == 6
        assert engine.now >= START + timedelta(minutes=5)


async def test_time_comes_in_order_for_many_runs(url: str) -> None:
    ended: list[int] = []

    async def naps(ctx: Context, days: int) -> None:
        await ctx.sleep(timedelta(days=days))
        await ctx.step("note", ended.append, days)

    async with TestEngine(naps, store=url) as engine:
        for days in (9, 2, 5, 7, 1):
            await engine.start(naps, days)
        await engine.advance("7d")
        assert ended == [1, 2, 5, 7]
        await engine.advance("1w")
    assert ended == [1, 2, 5, 7, 9]


@pytest.mark.parametrize("days", [1, 400])
async def test_who_lives_is_not_taken_for_dead_after_a_jump(url: str, days: int) -> None:
    """Leases, announcements and sweeps: what has been overtaken by a jump costs no run."""
    app = App()

    @app.workflow(expose=("output",))
    async def naps(ctx: Context) -> int:
        for _ in range(3):
            await ctx.sleep(timedelta(days=days))
        return await ctx.step("one", int, "1")

    async with scene(url, JumpingClock(0)) as on, working(app, on):
        run = await on.start("naps")
        assert (await on.reaches(run, "completed"))["output"] == 1
        assert await on.entries(run, "run.blocked") == []
        started = await on.start("naps", start_at=1000 * DAY_MS * days)
        assert (await on.reaches(started, "completed"))["created_at"] is not None


async def test_a_run_waits_for_nobody_s_poll(url: str) -> None:
    """What is due by time is waited for by itself, however long the poll."""
    app = App()

    @app.workflow
    async def nap(ctx: Context) -> None:
        await ctx.sleep("50ms")

    async with stage(app, url, poll_ms=600_000) as on:
        await on.reaches(await on.start("nap"), "completed")


async def test_a_run_with_a_later_beginning_can_be_cancelled_before(url: str) -> None:
    app = App()

    @app.workflow
    async def nothing(ctx: Context) -> None:
        await ctx.sleep("1s")

    clock = JumpingClock(0)
    async with scene(url, clock) as on, working(app, on):
        with clock.stopped():
            run = await on.start("nothing", start_at=DAY_MS)
            await on.engine.runs.act("cancel", run, DecidedBy("operator", "test"))
            await on.reaches(run, "cancelled")
        assert clock.now_ms() < DAY_MS
