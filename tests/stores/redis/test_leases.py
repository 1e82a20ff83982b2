"""Leases are kept while the loop that opened the store stands still, and the server is out of reach for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from signoff.errors import StoreUnavailable
from signoff.stores.change import Name
from signoff.testing.store_contract.laws import done, record, start
from signoff.testing.store_contract.leases import QUEUES
from tests.servers import Proxy, RedisServer
from tests.service.streams.scene import opened

R1 = Name("run", "r1")


async def test_a_lease_is_renewed_while_the_main_loop_is_blocked(own_redis: RedisServer) -> None:
    async with opened(own_redis.url()) as store:
        await done(store, start("r1", ready=True))
        await store.claim("w", QUEUES, now=0, lease_ms=10, limit=1)

        async def keep() -> None:
            for until in range(11, 40):
                assert await store.renew("w", {R1: 1}, until=until) == set()

        with ThreadPoolExecutor(1) as thread:
            kept = thread.submit(asyncio.run, keep())
            while not kept.done():
                time.sleep(0.01)  # the loop stands still
            kept.result()
        assert (await record(store)).lease_until == 39


async def test_renewing_goes_on_after_the_connection_was_cut(
    own_redis: RedisServer, new_proxy: Callable[[int], Proxy]
) -> None:
    proxy = new_proxy(own_redis.port)
    async with opened(own_redis.url(port=proxy.port)) as store:
        await done(store, start("r1", ready=True))
        await store.claim("w", QUEUES, now=0, lease_ms=100, limit=1)
        assert await store.renew("w", {R1: 1}, until=110) == set()
        proxy.refuse()
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await store.renew("w", {R1: 1}, until=120)
        proxy.refuse(refusing=False)
        assert await store.renew("w", {R1: 1}, until=130) == set()
        assert await asyncio.gather(*(store.renew("w", {R1: 1}, until=130 + n) for n in range(20))) == [set()] * 20
        await store.release("w", {R1: 1})
        assert await store.next_due(QUEUES) == 0
