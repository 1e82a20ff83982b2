"""A paused run begins nothing new, loses nothing, and goes on where it was when it is resumed."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from signoff import App, Context, InputExpired, Retry
from signoff.clock import ManualClock
from signoff.errors import Expired, NotPaused, RunClosed
from signoff.service.kinds import RunFilter
from signoff.workflow.entry import DecidedBy
from tests.runtime.scene import Scene, scene, stage, working

NOON = 1_800_000_000_000
BY = DecidedBy("operator", "local")


class Decision(BaseModel):
    """An answer."""

    ok: bool


async def pause(on: Scene, run_id: str) -> dict[str, Any]:
    row: dict[str, Any] = await on.engine.runs.act("pause", run_id, BY)
    return row


async def resume(on: Scene, run_id: str) -> dict[str, Any]:
    row: dict[str, Any] = await on.engine.runs.act("resume", run_id, BY)
    return row


class Gate:
    """Steps that end when they are let, and what was called so far."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.begun: asyncio.Queue[str] = asyncio.Queue()
        self.open: dict[str, asyncio.Event] = {}

    async def step(self, name: str) -> str:
        self.calls.append(name)
        self.begun.put_nowait(name)
        await self.open.setdefault(name, asyncio.Event()).wait()
        return name

    def let(self, name: str) -> None:
        self.open.setdefault(name, asyncio.Event()).set()


def app_of(gate: Gate) -> App:
    app = App()

    @app.workflow(expose=("output",))
    async def two(ctx: Context) -> list[str]:
        first, second = await asyncio.gather(ctx.step("a", gate.step, "a"), ctx.step("b", gate.step, "b"))
        return [first, second, await ctx.step("c", gate.step, "c")]

    @app.workflow(expose=("output",))
    async def asking(ctx: Context) -> Any:
        try:
            value = (await ctx.await_input("ok", Decision, title="Ok?", to=["group:finance"])).value
        finally:
            await ctx.step("after", gate.step, "after")
        return value

    @app.workflow(expose=("output",))
    async def waiting(ctx: Context) -> Any:
        with contextlib.suppress(InputExpired):
            await ctx.await_input("ok", Decision, title="Ok?", to=["group:finance"], deadline=timedelta(minutes=1))
        await ctx.sleep(timedelta(minutes=1))
        return await ctx.await_event("paid")

    @app.workflow
    async def failing(ctx: Context) -> None:
        await ctx.options(retry=Retry(attempts=3, first=60)).step("fails", fails)

    async def fails() -> None:
        gate.calls.append("fails")
        raise ValueError("no")

    return app


async def settled(on: Scene, run_id: str) -> None:
    """Wait until nobody holds the run."""
    async with asyncio.timeout(10):
        while (await on.engine.runs.record(run_id)).lease_owner is not None:
            await asyncio.sleep(0.005)


async def written(on: Scene, run_id: str, type_: str, count: int = 1) -> list[dict[str, Any]]:
    """Wait until the journal has so many entries of a type."""
    async with asyncio.timeout(10):
        while len(found := await on.entries(run_id, type_)) < count:
            await asyncio.sleep(0.005)
    return found


async def test_what_is_under_way_ends_and_nothing_begins(url: str) -> None:
    gate = Gate()
    async with stage(app_of(gate), url) as on:
        run = await on.start("two")
        for _ in range(2):
            await gate.begun.get()
        row = await pause(on, run)
        assert row["status"] == "paused"
        gate.let("a")
        (done,) = await written(on, run, "step.completed")  # while the other attempt goes on
        assert (done["id"], (await on.engine.runs.record(run)).lease_owner is not None) == ("a:0", True)
        gate.let("b")
        await settled(on, run)
        assert [entry["id"] for entry in await on.entries(run, "step.completed")] == ["a:0", "b:0"]
        assert (await on.engine.runs.get(run))["status"] == "paused"
        assert gate.calls == ["a", "b"]
        gate.let("c")
        assert (await resume(on, run))["status"] == "running"
        assert (await on.reaches(run, "completed"))["output"] == ["a", "b", "c"]
        assert gate.calls == ["a", "b", "c"]


async def test_resuming_while_attempts_are_under_way_goes_on_at_once(url: str) -> None:
    gate = Gate()
    gate.let("c")
    async with stage(app_of(gate), url) as on:
        run = await on.start("two")
        for _ in range(2):
            await gate.begun.get()
        await pause(on, run)
        gate.let("a")
        await written(on, run, "step.completed")
        await resume(on, run)
        gate.let("b")
        assert (await on.reaches(run, "completed"))["output"] == ["a", "b", "c"]
        assert gate.calls == ["a", "b", "c"]


async def test_an_answer_is_taken_and_waits_for_the_resumption(url: str) -> None:
    gate = Gate()
    gate.let("after")
    async with stage(app_of(gate), url) as on:
        run = await on.start("asking")
        asked = await on.asks(run, "ok:0")
        await pause(on, run)
        assert (await on.answer(asked, {"ok": True})).row["status"] == "answered"
        await settled(on, run)
        assert (await on.engine.runs.get(run))["status"] == "paused"
        assert gate.calls == []
        await resume(on, run)
        assert (await on.reaches(run, "completed"))["output"] == {"ok": True}


@pytest.mark.parametrize("first", ["answer", "pause"])
async def test_an_answer_and_a_pause_at_once_are_both_kept(url: str, first: str) -> None:
    gate = Gate()
    async with stage(app_of(gate), url) as on:
        run = await on.start("asking")
        asked = await on.asks(run, "ok:0")
        both = [on.answer(asked, {"ok": True}), pause(on, run)]
        await asyncio.gather(*(both if first == "answer" else reversed(both)))
        gate.let("after")
        await settled(on, run)
        row = await on.engine.runs.get(run)
        assert row["status"] == "paused"
        await resume(on, run)
        assert (await on.reaches(run, "completed"))["output"] == {"ok": True}
        assert gate.calls == ["after"]


async def test_what_is_due_waits_and_happens_at_the_resumption(url: str) -> None:
    clock = ManualClock(NOON)
    async with scene(url, clock) as on, working(app_of(Gate()), on, poll_ms=20):
        run = await on.start("waiting")
        asked = await on.asks(run, "ok:0")
        await pause(on, run)
        clock.advance(120_000)
        with pytest.raises(Expired):
            await on.answer(asked, {"ok": True})
        await on.engine.events.send(run, "paid", id="e1", payload=7)
        await settled(on, run)
        assert await on.entries(run, "timer.started") == []
        await resume(on, run)
        await written(on, run, "timer.started")
        await pause(on, run)
        clock.advance(120_000)
        assert await on.entries(run, "timer.fired") == []
        await resume(on, run)
        assert (await on.reaches(run, "completed"))["output"] == 7


async def test_no_attempt_is_made_again_while_the_run_is_paused(url: str) -> None:
    gate = Gate()
    clock = ManualClock(NOON)
    async with scene(url, clock) as on, working(app_of(gate), on, poll_ms=20):
        run = await on.start("failing")
        await written(on, run, "step.failed")
        await pause(on, run)
        clock.advance(600_000)
        await settled(on, run)
        assert gate.calls == ["fails"]
        await resume(on, run)
        await written(on, run, "step.failed", 2)
        assert gate.calls == ["fails", "fails"]


async def test_nobody_claims_a_paused_run(url: str) -> None:
    gate = Gate()
    gate.let("after")
    async with scene(url) as on:
        run = await on.start("asking")
        await pause(on, run)
        async with working(app_of(gate), on, poll_ms=20):
            other = await on.start("asking")
            await on.asks(other, "ok:0")
            assert await on.engine.inputs.pending(run) == []
            assert await on.engine.forsaken.sweep() == 0
            assert [row["id"] for row in (await on.engine.runs.list(RunFilter(statuses=("paused",)))).items] == [run]
            await resume(on, run)
            await on.asks(run, "ok:0")


async def test_a_pause_does_not_put_the_beginning_forward(url: str) -> None:
    clock = ManualClock(NOON)
    async with scene(url, clock) as on, working(app_of(Gate()), on, poll_ms=20):
        run = await on.start("asking", start_at=NOON + 60_000)
        await pause(on, run)
        await resume(on, run)
        await settled(on, run)
        record = await on.engine.runs.record(run)
        while record.ready:
            await asyncio.sleep(0.005)
            record = await on.engine.runs.record(run)
        assert (record.wake_at, await on.engine.inputs.pending(run)) == (NOON + 60_000, [])
        clock.advance(60_000)
        await on.asks(run, "ok:0")


async def test_cancelling_a_paused_run_lets_its_cleanup_run(url: str) -> None:
    gate = Gate()
    gate.let("after")
    async with stage(app_of(gate), url) as on:
        run = await on.start("asking")
        await on.asks(run, "ok:0")
        await pause(on, run)
        row = await on.engine.runs.act("cancel", run, BY, reason="enough")
        assert row["status"] != "paused"
        await on.reaches(run, "cancelled")
        assert gate.calls == ["after"]


async def test_terminating_a_paused_run_ends_it_without_its_code(url: str) -> None:
    gate = Gate()
    async with stage(app_of(gate), url) as on:
        run = await on.start("asking")
        await on.asks(run, "ok:0")
        await pause(on, run)
        assert (await on.engine.runs.act("terminate", run, BY))["status"] == "cancelled"
        assert gate.calls == []
        with pytest.raises(RunClosed, match="nothing to resume"):
            await resume(on, run)


async def test_of_a_resumption_and_a_termination_at_once_the_end_wins(url: str) -> None:
    gate = Gate()
    gate.let("after")
    async with stage(app_of(gate), url) as on:
        run = await on.start("asking")
        await on.asks(run, "ok:0")
        await pause(on, run)
        resumed = asyncio.create_task(resume(on, run))
        ended = await on.engine.runs.act("terminate", run, BY)
        assert ended["status"] == "cancelled"
        await asyncio.gather(resumed, return_exceptions=True)
        assert (await on.engine.runs.get(run))["status"] == "cancelled"
        assert (await on.entries(run))[-1]["type"] == "run.terminated"


async def test_pausing_twice_is_one_pause_and_only_a_paused_run_is_resumed(url: str) -> None:
    async with scene(url) as on:
        run = await on.start("asking")
        with pytest.raises(NotPaused, match="is running, not paused"):
            await resume(on, run)
        await pause(on, run)
        await pause(on, run)
        assert len(await on.entries(run, "run.paused")) == 1


async def test_a_worker_that_dies_with_a_paused_run_leaves_it_to_the_next_one(url: str) -> None:
    gate = Gate()
    async with scene(url) as on:
        async with working(app_of(gate), on) as worker:
            run = await on.start("two")
            for _ in range(2):
                await gate.begun.get()
            await pause(on, run)
            for driver in list(worker._drivers.values()):
                driver.abandon()
        await resume(on, run)
        record = await on.engine.runs.record(run)
        await on.engine.store.release(worker.owner, {record.name: record.epoch})
        for name in "abc":
            gate.let(name)
        async with working(app_of(gate), on):
            assert (await on.reaches(run, "completed"))["output"] == ["a", "b", "c"]
        assert gate.calls == ["a", "b", "a", "b", "c"]
