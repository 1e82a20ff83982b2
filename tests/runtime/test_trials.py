"""Runs whose last workers were lost are tried one at a time, and none is given up for what another did."""

from __future__ import annotations

import asyncio

import pytest

from signoff import App, Context
from signoff.clock import ManualClock
from signoff.runtime import trials
from signoff.runtime.worker import Worker
from tests.runtime.scene import Scene, scene, working

NOON = 1_800_000_000_000


class Flows:
    """A workflow that waits for a step, and another one; what they have come to."""

    def __init__(self) -> None:
        self.begun, self.go_on, self.tried = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.app = App()
        self.app.workflow(name="patient", expose=("output",))(self._patient)
        self.app.workflow(name="neighbour")(self._neighbour)

    async def _patient(self, ctx: Context) -> str:
        return await ctx.step("wait", self._waits)

    async def _waits(self) -> str:
        self.begun.set()
        await self.go_on.wait()
        return "done"

    async def _neighbour(self, ctx: Context) -> None:
        self.tried.set()

    async def start(self, on: Scene, clock: ManualClock, patient_lost: int, neighbour_lost: int) -> tuple[str, str]:
        """Start both, the first one up to its step, and let so many workers be lost while they have them."""
        patient = await on.start("patient")
        async with asyncio.timeout(20):
            worker = Worker(self.app, on.engine)
            task = asyncio.create_task(worker.run())
            await self.begun.wait()
            self.begun.clear()
            await worker.drain(timeout_s=0)
            await task
        neighbour = await on.start("neighbour")
        await _lose(on, clock, patient, "patient", patient_lost)
        await _lose(on, clock, neighbour, "neighbour", neighbour_lost)
        return patient, neighbour


async def _lose(on: Scene, clock: ManualClock, run: str, workflow: str, times: int) -> None:
    for n in range(times):
        claimed = await on.engine.store.claim(f"dead{n}", [workflow], now=clock.now_ms(), lease_ms=10, limit=1)
        assert [subject.name.id for subject in claimed] == [run]
        clock.advance(10)


@pytest.mark.parametrize(
    ("waits", "other", "beside"),
    [
        pytest.param(1, 1, True, id="the-next-one-is-tried-after-a-while"),
        pytest.param(1, 2, False, id="a-last-chance-waits-for-who-is-not-proven"),
        pytest.param(2, 1, False, id="nobody-is-tried-beside-a-last-chance"),
        pytest.param(2, 2, False, id="nor-a-second-last-chance"),
    ],
)
async def test_a_run_that_only_waits_is_not_condemned_for_its_neighbour(
    url: str, monkeypatch: pytest.MonkeyPatch, waits: int, other: int, beside: bool
) -> None:
    monkeypatch.setattr(trials, "TRIAL_S", 0.05)
    flows, clock = Flows(), ManualClock(NOON)
    async with scene(url, clock) as on:
        first, second = await flows.start(on, clock, waits, other)
        async with asyncio.timeout(20), working(flows.app, on, poll_ms=10):
            await flows.begun.wait()
            if beside:
                await flows.tried.wait()
            else:
                await asyncio.sleep(0.3)  # it would have had its turn by now
                assert not flows.tried.is_set()
            flows.go_on.set()
            assert (await on.reaches(first, "completed"))["output"] == "done"
            await on.reaches(second, "completed")


async def test_a_last_chance_is_not_waited_for_without_end(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "LAST_TRIAL_S", 0.05)
    flows, clock = Flows(), ManualClock(NOON)
    async with scene(url, clock) as on:
        first, second = await flows.start(on, clock, 2, 2)
        async with asyncio.timeout(20), working(flows.app, on, poll_ms=10):
            await flows.begun.wait()
            await on.reaches(second, "completed")
            flows.go_on.set()
            await on.reaches(first, "completed")
