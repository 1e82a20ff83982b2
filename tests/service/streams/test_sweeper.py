"""Streams whose life is over go, also if nobody asks for them."""

from __future__ import annotations

import asyncio

import pytest

from signoff.clock import ManualClock
from signoff.service.engine import Engine
from signoff.service.streams import sweeper as sweeping
from signoff.service.streams.sweeper import Sweeper
from signoff.stores.open import open_store
from signoff.streams.stream import Branch
from tests.service.streams.scene import TEXT, opened, process, text

START = 1_800_000_000_000


async def test_what_is_over_goes_and_all_else_stays(url: str) -> None:
    clock = ManualClock(START)
    async with opened(url) as store, process(store, clock) as one, process(store, clock) as other:
        sweepers = [Sweeper(store, each.streams) for each in (one, other)]
        for n in range(2 * sweeping.MOST + 1):
            await one.streams.create(f"short/{n}", text("x"), ttl_s=1)
        await one.streams.create("long", text("x"), ttl_s=1_000)
        await one.streams.create("fixed", text("x"), expires_at="2027-01-15T08:00:05.5Z")
        await one.streams.create("source", text("x"), ttl_s=1)
        await one.streams.create("fork", TEXT, fork=Branch("source"), ttl_s=100)
        assert await sweepers[0].sweep() == 0
        clock.advance(5_000)
        assert sum(await asyncio.gather(*(each.sweep() for each in sweepers))) == 2 * sweeping.MOST + 2
        assert await store.ended_streams(now=clock.now_ms(), limit=9) == []
        assert [tail.path for tail in await store.list_streams("", limit=9)] == ["fixed", "fork", "long"]
        kept = await store.load_stream("source")
        assert kept is not None
        assert kept.head.deleted
        clock.advance(200_000)
        assert await sweepers[1].sweep() == 2
        assert await store.load_stream("source") is None
        assert [tail.path for tail in await store.list_streams("", limit=9)] == ["long"]


async def test_a_stream_that_was_renewed_elsewhere_stays(url: str) -> None:
    clock = ManualClock(START)
    async with opened(url) as store, process(store, clock) as one, process(store, clock) as other:
        await one.streams.create("s", text("x"), ttl_s=10)
        await other.streams.append("s", text("y"))
        clock.advance(9_000)
        await other.streams.append("s", text("z"))
        clock.advance(3_000)
        assert await Sweeper(store, one.streams).sweep() == 0
        assert not await one.streams.expire("s")
        assert (await one.streams.read("s")).body == b"xyz"


async def test_an_engine_sweeps_by_itself(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "EVERY_S", 0.01)

    clock = ManualClock(START)
    engine = await Engine.open(open_store(url), clock)
    await engine.streams.create("s", text("x"), ttl_s=1)
    clock.advance(5_000)
    async with asyncio.timeout(10):
        while await engine.store.load_stream("s") is not None:
            await asyncio.sleep(0)
    await engine.close()
