"""An engine for tests: time jumps while the test waits, and only then; runs are seen from every side."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from signoff import App, Context
from signoff.errors import CancelledRun, FailedRun, InvalidInput, UnknownWorkflow
from signoff.testing import Stuck, TestEngine, crash_everywhere, replay_folder
from tests.testing.scene import expense_app, slow_app

APPROVED = {"approved": True}


async def test_a_deadline_of_three_days_takes_milliseconds() -> None:
    async with TestEngine(expense_app()) as engine:
        run = await engine.start("expense", 120)
        began = time.monotonic()
        assert await run.result() == "expired"
        assert time.monotonic() - began < 20
        assert engine.now == datetime(2026, 1, 4, tzinfo=UTC)


async def test_time_stands_while_the_test_does_something_itself() -> None:
    async with TestEngine(expense_app()) as engine:
        run = await engine.start("expense", 120)
        await run.asks("approve")
        await asyncio.sleep(0.1)  # far longer than an engine at rest would wait before it jumps
        assert engine.now == datetime(2026, 1, 1, tzinfo=UTC)
        await engine.person("alice", groups=["finance"]).answers("approve", APPROVED)
        assert engine.now == datetime(2026, 1, 1, tzinfo=UTC)
        assert await run.result() == "receipt for 120"
        assert engine.now == datetime(2026, 1, 3, tzinfo=UTC)


async def test_time_can_be_moved_to_a_point_and_no_further() -> None:
    async with TestEngine(expense_app(), start=datetime(2027, 5, 1, 12, tzinfo=UTC)) as engine:
        run = await engine.start("expense", 120)
        await engine.advance("2d23h")
        assert (engine.now, (await run.row())["status"]) == (datetime(2027, 5, 4, 11, tzinfo=UTC), "waiting")
        await engine.advance(timedelta(hours=1))
        assert (engine.now, (await run.row())["output"]) == (datetime(2027, 5, 4, 12, tzinfo=UTC), "expired")


async def test_what_is_due_meanwhile_comes_at_its_time() -> None:
    app, noted = App(), list[str]()

    @app.workflow
    async def naps(ctx: Context, days: int) -> None:
        for _ in range(2):
            await ctx.sleep(timedelta(days=days))
            await ctx.step("note", noted.append, f"{days} on {ctx.now():%d}")

    async with TestEngine(app) as engine:
        for days in (3, 2):
            await engine.start(naps, days)
        await engine.advance("1w")
    assert noted == ["2 on 03", "3 on 04", "2 on 05", "3 on 07"]


async def test_several_who_wait_share_one_time() -> None:
    app = App()

    @app.workflow
    async def nap(ctx: Context, days: int) -> str:
        await ctx.sleep(timedelta(days=days))
        return f"{ctx.now():%d}"

    async with TestEngine(app) as engine:
        runs = [await engine.start(nap, days) for days in (5, 1, 9)]
        assert await asyncio.gather(*(run.result() for run in runs)) == ["06", "02", "10"]


async def test_time_does_not_jump_while_a_step_runs_and_the_test_may_look() -> None:
    go = asyncio.Event()
    async with TestEngine(slow_app(go)) as engine:
        run = await engine.start("both")
        result = asyncio.create_task(run.result())
        assert (await run.row())["status"] == "running"
        [step] = await run.rows("step")
        assert step["status"] == "running"
        assert engine.now == datetime(2026, 1, 1, tzinfo=UTC)
        go.set()
        assert await result == ["step", "sleep"]


async def test_whoever_waits_in_vain_is_told_for_what() -> None:
    app = App()

    @app.workflow
    async def asks(ctx: Context) -> bool:
        return (await ctx.await_input("sure", bool, title="Sure?", to=["group:finance"])).value

    async with TestEngine(app) as engine:
        run = await engine.start("asks")
        began = time.monotonic()
        with pytest.raises(Stuck, match=r"run-1 of asks is waiting for sure:0 \(asked of group:finance\)"):
            await run.result()
        with pytest.raises(Stuck, match="run-1 of asks is waiting"):
            await run.asks("other")
        assert time.monotonic() - began < 20


async def test_a_run_that_is_blocked_is_waited_for_no_longer() -> None:
    app = App()

    @app.workflow
    async def spins(ctx: Context) -> None:
        while True:
            pass

    async with TestEngine(app, activation_s=0.05) as engine:
        with pytest.raises(Stuck, match="is blocked: The workflow's code went on"):
            await (await engine.start("spins")).result()


async def test_time_does_not_jump_for_ever_for_what_never_comes() -> None:
    app = App()

    @app.workflow
    async def clock(ctx: Context) -> None:
        while True:
            await ctx.sleep("1h")

    async with TestEngine(app, most_jumps=30) as engine:
        run = await engine.start("clock")
        with pytest.raises(Stuck, match=r"jumped 30 times, and nothing came of it. The run run-1 of clock is sleeping"):
            await run.result()
        assert (await run.do("cancel", reason="enough"))["status"]
        with pytest.raises(CancelledRun):
            await run.result()


async def test_a_run_that_fails_raises_why() -> None:
    app = App()

    @app.workflow
    async def fails(ctx: Context, message: str) -> None:
        raise ValueError(message)

    async with TestEngine(app) as engine:
        with pytest.raises(FailedRun) as caught:
            await (await engine.start("fails", "no money")).result()
        assert caught.value.extra["error"]["message"] == "no money"
        with pytest.raises(InvalidInput):
            await engine.start("fails", 7)
        with pytest.raises(UnknownWorkflow):
            await engine.start("other")


async def test_a_run_is_seen_from_every_side(tmp_path: Path) -> None:
    app = expense_app()
    async with TestEngine(app) as engine:
        run = await engine.start("expense", 120, run_id="claim-1", tags=["big"])
        assert (run.id, (await run.row())["tags"]) == ("claim-1", ["big"])
        assert [request.key for request in await run.pending()] == ["approve:0"]
        assert [row["status"] for row in await run.rows("step")] == ["completed"]
        assert {row["id"] for row in await run.rows()} >= {"quote:0", "approve:0", "claim-1"}
        assert [entry["id"] for entry in await run.journal("step.completed")] == ["quote:0"]
        await run.save(tmp_path / "waiting.json")
        await run.result()
        await run.save(tmp_path / "ended.json")
    assert replay_folder(app, tmp_path) == 2


async def test_events_reach_a_run_once_an_id() -> None:
    app = App()

    @app.workflow
    async def waits(ctx: Context) -> list[int]:
        return [await ctx.await_event("paid") for _ in range(2)]

    async with TestEngine(app) as engine:
        run = await engine.start("waits")
        await run.send("paid", 1, id="a")
        await run.send("paid", 1, id="a")
        await run.send("paid", 2)
        assert await run.result() == [1, 2]


async def test_functions_will_do_for_an_application() -> None:
    async def first(ctx: Context) -> int:
        return 1

    async def second(ctx: Context) -> int:
        return 2

    async with TestEngine(first, second) as engine:
        assert await (await engine.start(first)).result() == 1
        assert await (await engine.start("second")).result() == 2
    with pytest.raises(TypeError, match="one App, or workflow functions"):
        TestEngine(App(), App())


async def test_it_runs_over_every_store(store_url: str) -> None:
    async with TestEngine(expense_app(), store=store_url) as engine:
        alice = engine.person("alice", groups=["finance"])
        run = await engine.start("expense", 120)
        await alice.answers("approve", APPROVED)
        engine.crash(before="step.completed pay")
        assert await run.result() == "receipt for 120"
        assert engine.crashes == 1


def test_a_test_that_is_no_coroutine_plays_a_scenario() -> None:
    async def expires(engine: TestEngine) -> str:
        result: str = await (await engine.start("expense", 120)).result()
        return result

    engine = TestEngine(expense_app())
    with pytest.raises(RuntimeError, match="does not run"):
        _ = engine.services
    assert engine.play(expires) == "expired"
    with pytest.raises(RuntimeError, match="does not run"):
        engine.person("alice")
    with pytest.raises(RuntimeError, match="has run already"):
        engine.play(expires)


async def test_a_scenario_holds_whichever_commit_the_worker_dies_at() -> None:
    async def approved(engine: TestEngine) -> None:
        run = await engine.start("expense", 120)
        await engine.person("alice", groups=["finance"]).answers("approve", APPROVED)
        assert await run.result() == "receipt for 120"
        completed = [entry["id"] for entry in await run.journal("step.completed")]
        assert completed == ["quote:0", "pay:0"]

    assert await crash_everywhere(expense_app(), approved) >= 10


async def test_a_scenario_that_does_not_hold_says_where_the_worker_had_died() -> None:
    calls = 0

    def count() -> int:
        nonlocal calls
        calls += 1
        return calls

    async def once(ctx: Context) -> int:
        return await ctx.step("count", count)

    async def counted(engine: TestEngine) -> None:
        nonlocal calls
        calls = 0
        assert await (await engine.start(once)).result() == 1

    with pytest.raises(AssertionError) as caught:
        await crash_everywhere(once, counted)
    assert caught.value.__notes__[0] == "The worker had died before its commit 2."
