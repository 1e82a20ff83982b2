"""Leases go by the server's clock, so machines whose clocks are wrong take none from each other."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from signoff.clock import ManualClock, SystemClock
from signoff.stores.change import Name
from signoff.stores.postgres.store import PostgresStore
from signoff.testing.store_contract.laws import advance, done, record, start
from signoff.testing.store_contract.leases import claim, epochs, ids
from tests.stores.postgres.conftest import OpenStore

HOUR = 3_600_000


async def wrong(opened: OpenStore, by_ms: int) -> PostgresStore:
    """Open a store on a machine whose clock is so far ahead."""
    store = await opened()
    store._clock = ManualClock(SystemClock().now_ms() + by_ms)  # type: ignore[assignment]
    store._look_at = None
    return store


@pytest.mark.parametrize("by_ms", [HOUR, -HOUR])
async def test_a_clock_that_is_wrong_takes_no_lease(opened: OpenStore, by_ms: int) -> None:
    """Neither one that is ahead nor one that is behind; what it claims, and renews, is hidden from the others."""
    right, away = await opened(), await wrong(opened, by_ms)
    now = SystemClock().now_ms()
    await done(right, start("a", ready=True), start("b", ready=True))
    [mine] = await claim(right, "w1", now, 30_000, limit=1)
    [theirs] = await claim(away, "w2", now + by_ms, 30_000)
    assert {mine.name.id, theirs.name.id} == {"a", "b"}
    assert theirs.lease_until is not None
    assert abs(theirs.lease_until - (now + by_ms) - 30_000) < 5_000
    assert await claim(right, "w1", now + 20_000, 30_000) == []
    assert await claim(away, "w2", now + by_ms + 20_000, 30_000) == []
    assert await away.renew("w2", epochs([theirs]), until=now + by_ms + 60_000) == set()
    assert await claim(right, "w1", now + 50_000, 30_000, limit=9) != []
    due = await away.next_due(["expense"])
    assert due is not None
    assert abs(due - (now + by_ms) - 60_000) < 25_000
    assert ids(await claim(right, "w1", now + 70_000, 30_000)) == [theirs.name.id]


async def test_times_to_wake_are_those_of_whoever_asks(opened: OpenStore) -> None:
    """Who has set one reckons by that clock, and so does who looks for it."""
    away = await wrong(opened, HOUR)
    now = SystemClock().now_ms() + HOUR
    await done(away, start("timer", wake_at=now + 1_000))
    assert await claim(away, "w", now, 1_000) == []
    assert ids(await claim(away, "w", now + 1_000, 1_000)) == ["timer"]


async def test_a_claim_waits_for_nobody(opened: OpenStore) -> None:
    """What another is at is left out, and taken when that has ended: also where a claim saw it as it was before."""
    store = await opened()
    await done(store, *(start(f"r{number}", ready=True) for number in range(3)))
    base, _, schema = store.url.partition("&schema=")
    writer = await asyncpg.connect(base)
    transaction = writer.transaction()
    await transaction.start()
    await writer.execute(f"UPDATE \"{schema}\".subjects SET version = version WHERE name = 'r1'")
    async with asyncio.timeout(10):
        assert sorted(ids(await claim(store, "w1", 0, 1_000))) == ["r0", "r2"]
    await transaction.commit()
    await writer.close()
    assert ids(await claim(store, "w1", 0, 1_000)) == ["r1"]


async def test_a_claim_under_an_old_look_takes_nothing_twice(opened: OpenStore) -> None:
    """Many claim, commit and give back at once, while an old look keeps what is over from being cleared away."""
    stores = [await opened(pool="4") for _ in range(3)]
    await stores[0].commit([start(f"r{number}", ready=True) for number in range(12)])
    base, _, rest = stores[0].url.partition("&schema=")
    schema = rest.split("&")[0]
    old = await asyncpg.connect(base)
    looking = old.transaction(isolation="repeatable_read")
    await looking.start()
    await old.fetch(f'SELECT 1 FROM "{schema}".agenda')
    held: dict[str, str] = {}

    async def work(store: PostgresStore, owner: str) -> None:
        for _ in range(15):
            for one in await claim(store, owner, 0, 10**9, limit=3):
                assert held.setdefault(one.name.id, owner) == owner
                await done(store, advance(one.name.id, one.version, epoch=one.epoch, ready=True))
                del held[one.name.id]
                await store.release(owner, {Name("run", one.name.id): one.epoch})

    await asyncio.gather(*(work(store, f"w{number}") for number, store in enumerate(stores)))
    await looking.rollback()
    await old.close()
    for number in range(12):
        one = await record(stores[0], f"r{number}")
        assert one.version == one.epoch + 1
