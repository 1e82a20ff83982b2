"""What one process commits wakes those who wait in another; a hint that is lost costs a poll and no more."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable

from signoff.stores.bus import ELSEWHERE, READY
from signoff.stores.redis import watch
from tests.servers import Proxy, RedisServer
from tests.service.streams.scene import opened


async def test_wake_ups_cross_from_process_to_process(own_redis: RedisServer) -> None:
    async with opened(own_redis.url()) as one, opened(own_redis.url()) as other:
        heard: list[str] = []
        arrived = asyncio.Event()

        def hear(topic: str) -> Callable[[], None]:
            def wake() -> None:
                heard.append(topic)
                arrived.set()

            return wake

        interests = [one.bus().subscribe(topic, hear(topic)) for topic in ("stream:a", "stream:b", READY, ELSEWHERE)]
        await asyncio.sleep(0)
        delays = []
        for _ in range(50):
            heard.clear()
            arrived.clear()
            before = time.perf_counter()
            other.bus().emit(["stream:a", "stream:nobody"])
            async with asyncio.timeout(5):
                await arrived.wait()
            delays.append(time.perf_counter() - before)
            await asyncio.sleep(0)
            assert set(heard) == {"stream:a", ELSEWHERE}
        assert statistics.median(delays) < 0.05
        heard.clear()
        one.bus().emit([READY])
        await asyncio.sleep(0.05)
        assert heard == [READY]  # what is ours is no news from elsewhere
        for interest in interests:
            interest.close()


async def test_who_comes_later_is_told_though_nobody_listened_before(own_redis: RedisServer) -> None:
    async with opened(own_redis.url()) as one:
        for _ in range(3):
            one.bus().emit(["stream:a"])
            await asyncio.sleep(0.01)
        async with opened(own_redis.url()) as other:
            arrived = asyncio.Event()
            interest = other.bus().subscribe("stream:a", arrived.set)
            await asyncio.sleep(0.05)
            arrived.clear()
            one.bus().emit(["stream:a"])
            async with asyncio.timeout(5):
                await arrived.wait()
            interest.close()


async def test_while_the_line_is_down_all_are_woken_and_then_hear_again(
    own_redis: RedisServer, new_proxy: Callable[[int], Proxy]
) -> None:
    proxy = new_proxy(own_redis.port)
    async with opened(own_redis.url(port=proxy.port)) as one, opened(own_redis.url()) as other:
        arrived = asyncio.Event()
        interest = one.bus().subscribe("stream:a", arrived.set)
        proxy.refuse()
        for _ in range(2):
            arrived.clear()
            async with asyncio.timeout(5 + watch.POLL_S):
                await arrived.wait()
        proxy.refuse(refusing=False)
        async with asyncio.timeout(10):
            while proxy.connections == 0:
                await asyncio.sleep(0.01)
        for _ in range(100):
            arrived.clear()
            other.bus().emit(["stream:a"])
            try:
                async with asyncio.timeout(0.2):
                    await arrived.wait()
            except TimeoutError:
                continue
            break
        assert arrived.is_set()
        interest.close()
