"""Posts from shard to shard are placed once, wherever whoever relays them dies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from signoff.stores.open import open_store
from signoff.stores.redis.link import RedisArg
from signoff.stores.redis.nodes import Nodes
from signoff.stores.redis.scripts import LuaScript
from signoff.stores.redis.store import RedisStore
from signoff.testing.store_contract.laws import done, send, settle, text
from tests.servers import RedisServer
from tests.service.streams.scene import opened

INBOXES = [f"inbox/{name}" for name in "abcdefgh"]


class Died(Exception):
    """The relay's process is gone."""


async def test_a_relay_that_dies_between_any_two_commands_loses_and_doubles_nothing(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies at its first command, before it is sent or after it was run; another at its second; and so on."""
    url = own_redis.url(shards="4")
    left, after = 0, False

    read = Nodes.read
    relays: set[Nodes] = set()

    async def dying(
        self: Nodes, shard: int, script: LuaScript, keys: Sequence[bytes], args: Sequence[RedisArg] = ()
    ) -> Any:
        nonlocal left
        if self not in relays:
            return await read(self, shard, script, keys, args)
        left -= 1
        if left < 0 and not after:
            raise Died
        answer = await read(self, shard, script, keys, args)
        if left < 0:
            raise Died
        return answer

    monkeypatch.setattr(Nodes, "read", dying)
    sent: dict[str, list[bytes]] = {path: [] for path in INBOXES}
    deaths = 0
    async with opened(url) as store:
        for round_ in range(24):
            left, after = round_ // 2 % 12, bool(round_ % 2)
            for sender in range(6):
                for path in INBOXES:
                    message = b'"%d:%d"' % (sender, round_)
                    await done(store, send(f"s{sender}:{path}", round_, path, message))
                    sent[path].append(message)
            relay = open_store(url)
            assert isinstance(relay, RedisStore)
            await relay.open()
            relays.add(relay._nodes)
            try:
                while await relay.place(limit=7):
                    pass
            except Died:
                deaths += 1
            relays.clear()
            await relay.close()
        await settle(store)
        for path, messages in sent.items():
            found = (await text(store, path)).split(b",")
            assert sorted(found) == sorted(messages)
            for sender in range(6):
                mine = [one for one in found if one.startswith(b'"%d:' % sender)]
                assert mine == [b'"%d:%d"' % (sender, round_) for round_ in range(24)]
    assert deaths >= 20


async def test_relays_at_once_place_each_post_once(own_redis: RedisServer) -> None:
    url = own_redis.url(shards="3")
    async with opened(url) as store, opened(url) as one, opened(url) as other:
        for number in range(30):
            await asyncio.gather(
                *(done(store, send(f"s{sender}", number, INBOXES[sender], b"%d" % number)) for sender in range(4)),
                one.place(limit=3),
                other.place(limit=3),
            )
        await asyncio.gather(settle(one), settle(other))
        for sender in range(4):
            assert await text(store, INBOXES[sender]) == b",".join(b"%d" % number for number in range(30))


async def test_whoever_waits_for_a_stream_hears_of_what_was_placed(own_redis: RedisServer) -> None:
    heard = asyncio.Event()
    async with opened(own_redis.url(shards="8")) as store, opened(own_redis.url(shards="8")) as other:
        interests = [store.bus().subscribe(f"stream:{path}", heard.set) for path in INBOXES]
        await done(other, *(send("s", number, path, b"1") for number, path in enumerate(INBOXES)))
        assert await other.unplaced() > 0
        heard.clear()
        assert await other.place() > 0
        async with asyncio.timeout(5):
            await heard.wait()
        for one in interests:
            one.close()
