"""Claims of many: several processes at once, and few out of very many."""

from __future__ import annotations

import asyncio

from signoff.stores.change import Change
from signoff.testing.store_contract.laws import done, record, start, tails, text, together
from signoff.testing.store_contract.leases import QUEUES, claim, ids
from tests.servers import RedisServer
from tests.service.streams.scene import opened
from tests.stores.processes import lines, peer


async def test_claimers_in_several_processes_get_disjoint_runs(own_redis: RedisServer) -> None:
    url = own_redis.url(shards="3")
    async with opened(url) as store:
        await together(store, [start(f"r{n}", ready=True) for n in range(300)])
    with peer("claim", url, "a") as one, peer("claim", url, "b") as two:
        taken = [" ".join(lines(process)).split() for process in (one, two)]
    assert sorted(run_id for some in taken for run_id in some) == sorted(f"r{n}" for n in range(300))


async def test_processes_that_race_for_a_run_have_one_winner_at_a_time(own_redis: RedisServer) -> None:
    url = own_redis.url()
    async with opened(url) as store:
        await done(store, start("r1"))
        with peer("race", url, "100") as one, peer("race", url, "100") as two:
            won = sum(int(lines(process)[-1]) for process in (one, two))
        assert (await record(store)).version == won + 1 >= 101
        assert await tails(store, "inbox/user:a") == {"inbox/user:a": (200, False)}
        journal = await text(store, "runs/r1/journal")
        assert journal.split(b",")[1:] == [b'{"n":%d}' % number for number in range(1, won + 1)]


async def test_the_oldest_of_many_are_taken_by_whoever_comes(own_redis: RedisServer) -> None:
    async with opened(own_redis.url(shards="2")) as store:
        many: list[Change] = [start(f"r{n}", ready=True, updated_at=1_000 + n) for n in range(2_000)]
        await together(store, many)
        assert ids(await claim(store, "w", 0, 1_000, limit=64)) == [f"r{n}" for n in range(64)]
        taken = await asyncio.gather(*(claim(store, f"w{n}", 0, 1_000, limit=64) for n in range(16)))
        found = [one for some in taken for one in ids(some)]
        assert len(found) == len(set(found)) == 16 * 64
        assert await store.next_due(QUEUES) == 0
