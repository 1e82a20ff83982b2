from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from signoff.clock import ManualClock
from signoff.service.engine import Engine
from signoff.service.kinds import Kind
from signoff.stores.base import Listing
from signoff.stores.change import Subject
from signoff.stores.open import open_store


@asynccontextmanager
async def engine_at(url: str, clock: ManualClock) -> AsyncIterator[Engine]:
    engine = await Engine.open(open_store(url), clock)
    try:
        yield engine
    finally:
        await engine.close()


async def _announced(engine: Engine) -> tuple[Subject, ...]:
    return (await engine.store.list_subjects(Listing(Kind.WORKER), limit=9)).items


async def _written(engine: Engine, count: int) -> None:
    async with asyncio.timeout(10):
        while len(await _announced(engine)) != count:
            await asyncio.sleep(0)


async def test_another_process_knows_what_is_announced_until_it_is_taken_back(shared_url: str) -> None:
    clock = ManualClock(1_000_000)
    async with engine_at(shared_url, clock) as one, engine_at(shared_url, clock) as two:
        one.workers.announce("a", ["expense", "travel"], 15_000)
        assert await one.workers.known() == {"expense", "travel"}  # at once, in its own process
        await _written(two, 1)
        two.workers.announce("b", ["expense"], 15_000)
        await _written(one, 2)
        assert await two.workers.known() == {"expense", "travel"}
        await one.workers.leave("a")
        assert await one.workers.known() == await two.workers.known() == {"expense"}


async def test_an_announcement_outlives_its_worker_by_a_lease(shared_url: str) -> None:
    clock, stopped = ManualClock(1_000_000), ManualClock(1_000_000)
    async with engine_at(shared_url, stopped) as one, engine_at(shared_url, clock) as two:
        one.workers.announce("a", ["expense"], 60_000)
        await _written(two, 1)
        clock.advance(59_999)
        assert await two.workers.known() == {"expense"}
        await two.workers.forget()
        assert len(await _announced(two)) == 1
        clock.advance(1)
        assert await two.workers.known() == set()
        await two.workers.forget()
        assert await _announced(two) == ()
        assert await one.workers.known() == {"expense"}  # its own process sees it live


async def test_announcements_are_renewed(shared_url: str) -> None:
    clock = ManualClock(1_000_000)
    async with engine_at(shared_url, clock) as one, engine_at(shared_url, clock) as two:
        one.workers.announce("a", ["expense"], 30_000)
        await _written(two, 1)
        clock.advance(100_000)
        async with asyncio.timeout(10):
            while await two.workers.known() != {"expense"}:
                clock.advance(1_000)
                await asyncio.sleep(0.005)


async def test_an_engine_that_closes_takes_its_announcements_back(shared_url: str) -> None:
    clock = ManualClock(1_000_000)
    async with engine_at(shared_url, clock) as two:
        async with engine_at(shared_url, clock) as one:
            one.workers.announce("a", ["expense"], 15_000)
            await _written(two, 1)
        assert await _announced(two) == ()
