"""A driver's states, and what it does when the ground moves under it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from signoff import App, Context
from signoff.clock import ManualClock
from signoff.runtime.driver import NEXT, Phase, RunDriver
from signoff.runtime.local import LocalRunPort
from signoff.runtime.port import AppendOutcome
from signoff.service.kinds import forget_record
from signoff.stores.change import Committed
from tests.runtime.scene import scene, stage, working

NOON = 1_800_000_000_000


def test_the_table_of_phases_is_whole() -> None:
    assert set(NEXT) == set(Phase)
    assert NEXT[Phase.OVER] == set()
    for phase in set(Phase) - {Phase.OVER}:
        assert Phase.OVER in NEXT[phase], "a lease may be lost at any time"
        assert phase not in NEXT[phase]
    under_way = {Phase.LOADING, Phase.APPENDING, Phase.PARKING}
    assert all(NEXT[phase] == {Phase.WAITING, Phase.OVER} for phase in under_way), "one thing at a time"


async def test_a_run_goes_through_the_phases_of_the_table(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app, seen = App(), list[Phase]()
    enter = RunDriver._enter

    def noted(driver: RunDriver, phase: Phase) -> None:
        seen.append(phase)
        enter(driver, phase)

    monkeypatch.setattr(RunDriver, "_enter", noted)

    async def one() -> int:
        return 1

    @app.workflow
    async def flow(ctx: Context) -> None:
        await ctx.step("one", one)

    async with stage(app, url) as on:
        await on.reaches(await on.start("flow"), "completed")
    assert [phase.value for phase in seen] == [
        *("loading", "waiting"),
        *("appending", "waiting"),
        *("appending", "waiting", "over"),
    ]


async def test_a_machine_is_not_kept_for_another_run_of_the_same_id(url: str) -> None:
    app, clock = App(), ManualClock(NOON)

    @app.workflow(expose=("output",))
    async def waits(ctx: Context, name: str) -> str:
        await ctx.await_event("go")
        return name

    async with scene(url, clock) as on, working(app, on):
        run = await on.start("waits", "first", run_id="r1")
        while (record := await on.engine.runs.record(run)).lease_owner is not None or record.ready:
            await asyncio.sleep(0.001)
        gone = await on.engine.committer.commit(forget_record(await on.engine.runs.record(run)))
        assert isinstance(gone, Committed)
        clock.advance(1)
        await on.start("waits", "second", run_id="r1")
        await on.reaches(run, "waiting")
        await on.engine.events.send(run, "go", id="1", payload=None)
        assert (await on.reaches(run, "completed"))["output"] == "second"


async def test_a_step_s_result_survives_lost_races(url: str) -> None:
    """Somebody else writes while a step runs: the append is refused, and the step not repeated."""
    app, calls = App(), 0

    async with scene(url) as on:

        async def once() -> int:
            nonlocal calls
            calls += 1
            await on.engine.events.send("r1", "poke", id=f"e{calls}", payload=None)
            return calls

        @app.workflow(expose=("output",))
        async def flow(ctx: Context) -> list[int]:
            return [await ctx.step("once", once), await ctx.step("once", once)]

        async with working(app, on, poll_ms=600_000):
            run = await on.start("flow", run_id="r1")
            assert (await on.reaches(run, "completed"))["output"] == [1, 2]
        types = [entry["type"] for entry in await on.entries(run)]
        assert types.count("event.received") == types.count("step.completed") == 2


async def test_a_step_s_result_survives_lost_races_of_giving_the_run_up(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else writes just before a run is given up as stuck: the result goes along at the next try."""
    app, calls, tries = App(), 0, 0
    park = LocalRunPort._park

    async def once() -> int:
        nonlocal calls
        calls += 1
        return calls

    @app.workflow
    async def flow(ctx: Context) -> None:
        await ctx.step("once", once)
        while True:
            pass

    async with scene(url) as on:

        async def outrun(port: LocalRunPort, *how: Any) -> AppendOutcome:
            nonlocal tries
            tries += 1
            if tries == 1:
                await on.engine.events.send("r1", "poke", id="e1", payload=None)
            return await park(port, *how)

        monkeypatch.setattr(LocalRunPort, "_park", outrun)
        async with working(app, on, poll_ms=600_000, activation_s=0.2):
            run = await on.start("flow", run_id="r1")
            assert (await on.reaches(run, "blocked"))["error"]["code"] == "workflow_stuck"
        assert (calls, tries) == (1, 2)
        types = [entry["type"] for entry in await on.entries(run)]
        assert types == ["run.started", "step.scheduled", "event.received", "step.completed", "run.blocked"]
