"""Steps of a run, which are written most, go the shortest way; and it leads where the long one does."""

from __future__ import annotations

import asyncio

import pytest

from signoff.stores.base import WorkflowStore
from signoff.stores.change import Change, Committed, Conflict
from signoff.stores.open import open_store
from signoff.stores.redis.keys import KeyNames
from signoff.stores.redis.scripts import COMMIT, STEP
from signoff.stores.redis.steps import steps
from signoff.testing.store_contract.laws import advance, done, record, start, tails, text
from signoff.testing.store_contract.leases import claim
from tests.servers import RedisServer
from tests.service.streams.scene import opened
from tests.stores.redis.test_scripts import Monitor


async def _calls(server: RedisServer, store: WorkflowStore, *changes: Change) -> list[str]:
    """Commit Changes one by one; return the names of the scripts that were called for it."""
    names = {script.digest.decode(): script.name for script in (COMMIT, STEP)}
    async with Monitor(server) as monitor:
        await done(store, *changes)
    called = [words[1] for by_script, words in monitor.commands() if not by_script and words[0].upper() == "EVALSHA"]
    return [names[one] for one in called]


async def _leased(store: WorkflowStore, *run_ids: str) -> None:
    await done(store, *(start(run_id, ready=True) for run_id in run_ids))
    assert len(await claim(store, "w", 0, 1_000, limit=9)) == len(run_ids)


@pytest.mark.parametrize("shards", ["1", "3"])
async def test_a_step_is_one_call(own_redis: RedisServer, shards: str) -> None:
    async with opened(own_redis.url(shards=shards)) as store:
        await _leased(store, "r1")
        five = [advance("r1", version, epoch=1, ready=version % 2 == 0) for version in range(1, 6)]
        assert await _calls(own_redis, store, *five) == ["step"] * 5
        assert await store.find(five) == [True] * 5
        assert await tails(store, "runs/r1") == {"runs/r1": (6, False)}
        assert (await text(store, "runs/r1/journal")).endswith(b'{"n":4},{"n":5}')
        after = await record(store)
        assert (after.version, after.epoch, after.lease_owner, after.updated_at) == (6, 1, "w", 1_005)


async def test_what_moves_more_is_looked_at_again(own_redis: RedisServer) -> None:
    async with opened(own_redis.url()) as store:
        await _leased(store, "r1")
        moved = advance("r1", 1, epoch=1, terms=("a",)), advance("r1", 2, epoch=1, queue="other", terms=("a",))
        assert await _calls(own_redis, store, *moved) == ["step", "commit"] * 2
        assert (await record(store)).queue == "other"
        assert await _calls(own_redis, store, advance("r1", 3, epoch=1, queue="other", release=True)) == ["commit"]


async def test_later_changes_see_a_step_that_is_looked_at_again(own_redis: RedisServer) -> None:
    async with opened(own_redis.url()) as store:
        await _leased(store, "r1", "r2")
        first = [advance("r1", 1, epoch=1, terms=("a",)), advance("r2", 1, epoch=1)]
        then = [advance("r2", 2, epoch=1), advance("r1", 2, epoch=1, terms=("a",))]
        calls = [store.commit(first), store.commit(then), store.commit([advance("r1", 3)])]
        for outcomes in await asyncio.gather(*calls):
            assert all(isinstance(one, Committed) for one in outcomes), outcomes
        assert await tails(store, "runs/r1", "runs/r2") == {"runs/r1": (4, False), "runs/r2": (3, False)}


async def test_who_gives_up_waiting_changes_no_order(own_redis: RedisServer) -> None:
    """Not for those who write to the same next, nor for whoever closes the store."""
    store = open_store(own_redis.url())
    await store.open()
    await _leased(store, "r1")
    left = asyncio.ensure_future(store.commit([advance("r1", 1, epoch=1, terms=("a",))]))
    then = store.commit([advance("r1", 2, epoch=1, terms=("a",))])
    left.cancel()
    [outcome] = await then
    assert isinstance(outcome, Committed)
    last = asyncio.ensure_future(store.commit([advance("r1", 3, epoch=1, terms=("a",))]))
    last.cancel()
    async with asyncio.timeout(30):
        await store.close()
    async with opened(own_redis.url()) as again:
        assert (await record(again)).version == 4


async def test_a_group_of_steps_is_one_call_and_a_conflict_is_one_s_alone(own_redis: RedisServer) -> None:
    async with opened(own_redis.url()) as store:
        await _leased(store, "r1", "r2", "r3")
        group = [advance("r1", 1, epoch=1), advance("r2", 7, epoch=1), advance("r3", 1, epoch=9)]
        [written, *refused] = await store.commit(group)
        assert isinstance(written, Committed)
        assert written.batches["runs/r1"].end == 2
        assert refused == [Conflict("version", "r2"), Conflict("epoch", "r3")]


def test_what_cannot_be_kept_is_no_step() -> None:
    of = KeyNames("{a}")
    assert steps(of, [advance("r1", 1, epoch=1), advance("r2", 1, epoch=1)]) is not None
    assert steps(of, [advance("r1", 1, epoch=1), advance("r1", 2, epoch=1)]) is None
    for wrong in ({"state": "{}"}, {"wake_at": 1.5}, {"updated_at": 2**63}, {"terms": ("a\n",)}, {"ready": "yes"}):
        assert steps(of, [advance("r1", 1, epoch=1, **wrong)]) is None
    assert steps(of, [advance("\ud800", 1, epoch=1)]) is None
