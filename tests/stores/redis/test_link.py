"""One connection carries many calls in their order, and a call whose reply is lost is never sent again."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

import pytest

from signoff.errors import StoreUnavailable
from signoff.stores.redis import options
from signoff.stores.redis.link import DroppedReply, RefusedReply, ServerLink
from tests.servers import Proxy, RedisServer

NewProxy = Callable[[int], Proxy]


async def connected(url: str) -> ServerLink:
    """Connect to a server."""
    read = options.read(url)
    link = ServerLink(read.address, read)
    await link.connect()
    return link


async def test_replies_come_in_the_order_of_the_calls(own_redis: RedisServer) -> None:
    link = await connected(own_redis.url())
    calls = [link.call("RPUSH", "list", number) for number in range(1_000)]
    assert await asyncio.gather(*calls) == list(range(1, 1_001))
    assert await link.call("LINDEX", "list", 7) == b"7"
    await link.close()


async def test_an_error_is_that_call_s_alone(own_redis: RedisServer) -> None:
    link = await connected(own_redis.url())
    bad, good = link.call("NOPE"), link.call("PING")
    with pytest.raises(RefusedReply) as caught:
        await bad
    assert caught.value.code == "ERR"
    assert await good == b"PONG"
    await link.close()


async def test_a_call_whose_reply_is_lost_was_run_once(own_redis: RedisServer, new_proxy: NewProxy) -> None:
    proxy = new_proxy(own_redis.port)
    link = await connected(own_redis.url(port=proxy.port))
    proxy.lose_reply(b"RPUSH")
    with pytest.raises(DroppedReply):
        await link.call("RPUSH", "list", "x")
    assert own_redis.command("LLEN", "list") == ":1"
    assert not link.up
    with pytest.raises(StoreUnavailable, match="Nothing was written"):
        await link.call("PING")
    await link.close()


async def test_a_caller_that_left_harms_no_other(own_redis: RedisServer) -> None:
    link = await connected(own_redis.url())
    left = link.call("ECHO", "a")
    left.cancel()
    assert await link.call("ECHO", "b") == b"b"
    await link.close()


async def test_large_values_go_through(own_redis: RedisServer) -> None:
    link = await connected(own_redis.url())
    value = b"\x00\xff\r\n" * 2_000_000
    await link.call("SET", "large", value)
    assert await link.call("GET", "large") == value
    await link.close()


async def test_errors_that_nobody_asks_for_are_not_logged_with_tracebacks(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Who sends several commands and leaves at the first that fails is told enough by that."""
    link = await connected(own_redis.url())
    for _ in range(3):
        link.call("NOPE")
    with pytest.raises(RefusedReply):
        await link.call("NOPE")
    link.call("BLPOP", "nothing", 0)
    link.abort()
    await link.ended()
    link.call("PING")
    gc.collect()
    assert [record.message for record in caplog.records] == []
