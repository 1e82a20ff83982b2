"""Engines of several processes over one store: what is due, each of them could do, and it is done once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from signoff.clock import ManualClock
from signoff.errors import Expired, SignoffError
from signoff.service.forsaken import AFTER_MS
from signoff.service.kinds import Kind, RunFilter
from signoff.stores.base import Listing
from signoff.workflow.input.entries import InputRequested
from signoff.workflow.run.entries import RunCompleted
from tests.runtime.scene import Scene, scene
from tests.service.written import write

NOON = 1_800_000_000_000
PROCESSES, RUNS = 3, 30
SCHEMA = {"type": "object"}


@asynccontextmanager
async def processes(url: str, clock: ManualClock) -> AsyncIterator[list[Scene]]:
    """Open an engine for each of some processes."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(scene(url, clock)) for _ in range(PROCESSES)]


async def journals(on: Scene) -> dict[str, Counter[str]]:
    """Return how often each type of entry is in each run's journal."""
    rows = (await on.engine.runs.list(RunFilter(), 500)).items
    return {row["id"]: Counter(entry["type"] for entry in await on.entries(row["id"])) for row in rows}


async def test_a_deadline_passes_once_whoever_is_asked(shared_url: str) -> None:
    """All answer after it, by way of all processes: the journal has it once, and each is told."""
    clock = ManualClock(NOON)
    async with processes(shared_url, clock) as all_:
        for number in range(RUNS):
            await all_[0].start("expense", run_id=f"r{number}")
            spec = {"title": "Approve?", "schema": SCHEMA, "actions": ["submit"]}
            await write(
                all_[0],
                f"r{number}",
                InputRequested(NOON, "approve:0", spec, ("group:finance",), deadline=NOON + 1_000),
            )
        rows = [await all_[0].engine.inputs.get(f"r{number}", "approve:0") for number in range(RUNS)]
        clock.advance(2_000)
        tried = await asyncio.gather(*(_try(on, row) for row in rows for on in all_))
        assert {type(one) for one in tried} == {Expired}
        assert {count["input.expired"] for count in (await journals(all_[1])).values()} == {1}


async def _try(on: Scene, row: dict[str, object]) -> SignoffError | None:
    try:
        await on.answer(row, {})
    except SignoffError as error:
        return error
    return None


async def test_runs_that_nobody_knows_are_blocked_once(shared_url: str) -> None:
    clock = ManualClock(NOON)
    async with processes(shared_url, clock) as all_:
        for number in range(RUNS):
            await all_[0].start("expense", run_id=f"r{number}")
        for on in all_:
            await on.engine.forsaken.close()  # its own search, by the same clock, would be first now and then
        clock.advance(AFTER_MS + 1)
        counts = await asyncio.gather(*(on.engine.forsaken.sweep() for on in all_))
        assert sum(counts) == RUNS, "each run is written to by one"
        assert {count["run.blocked"] for count in (await journals(all_[1])).values()} == {1}


async def test_runs_that_ended_long_ago_are_deleted_once(shared_url: str) -> None:
    clock = ManualClock(NOON)
    async with processes(shared_url, clock) as all_:
        for number in range(RUNS):
            await all_[0].start("expense", run_id=f"r{number}")
            await write(all_[0], f"r{number}", RunCompleted(NOON, None))
        clock.advance(100_000)
        counts = await asyncio.gather(*(on.engine.pruner.sweep(1_000) for on in all_))
        assert sum(counts) == RUNS
        assert await journals(all_[1]) == {}


async def test_announcements_that_have_ended_are_forgotten_by_all_at_once(shared_url: str) -> None:
    clock = ManualClock(NOON)
    async with processes(shared_url, clock) as all_:
        names = [f"w{number}" for number in range(RUNS)]
        for name in names:
            all_[0].engine.workers.announce(name, ["expense"], 1_000)
        async with asyncio.timeout(10):
            while len(await _announced(all_[1])) != RUNS:
                await asyncio.sleep(0)
        for task in all_[0].engine.workers._tasks.values():
            task.cancel()
        clock.advance(5_000)
        await asyncio.gather(*(on.engine.workers.forget() for on in all_))
        assert await _announced(all_[1]) == []


async def _announced(on: Scene) -> list[str]:
    page = await on.engine.store.list_subjects(Listing(Kind.WORKER), limit=100)
    return [one.name.id for one in page.items]
