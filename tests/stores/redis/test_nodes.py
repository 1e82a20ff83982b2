"""A store finds its shards in a cluster, also when they move, and says when a server cannot be used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from signoff.errors import StoreUnavailable
from signoff.stores.open import open_store
from signoff.stores.redis.store import RedisStore
from signoff.testing.store_contract.filled import fill
from signoff.testing.store_contract.laws import advance, done, record, send, settle, start, tails, text
from tests.servers import Proxy, RedisServer
from tests.service.streams.scene import opened
from tests.stores.redis.cluster import Cluster, cluster


async def test_shards_are_on_both_nodes() -> None:
    store = open_store(cluster().url(prefix="both", shards="8"))
    assert isinstance(store, RedisStore)
    await store.open()
    assert len(store._nodes.addresses) == 2
    await done(store, *(start(f"r{number}") for number in range(40)))
    assert len(await tails(store, *(f"runs/r{number}" for number in range(40)))) == 40
    assert [one.path for one in await store.list_streams("runs/", limit=99)] == sorted(
        path for number in range(40) for path in (f"runs/r{number}", f"runs/r{number}/journal")
    )
    await store.close()


async def test_a_slot_that_moves_to_another_node_is_followed() -> None:
    moving = Cluster().start()
    one, other = moving.nodes
    async with opened(moving.url(prefix="x")) as store:
        await done(store, start("r1"))
        slot = one.command("CLUSTER", "KEYSLOT", "{x}").removeprefix(":")
        source, target = (one, other) if int(slot) < 8192 else (other, one)
        ids = [node.command("CLUSTER", "MYID").split("\r\n")[1] for node in (source, target)]
        assert target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0]) == "+OK"
        assert source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1]) == "+OK"
        keys = source.command("CLUSTER", "GETKEYSINSLOT", slot, "1000").split("\r\n")[2::2]
        moved = source.command("MIGRATE", "127.0.0.1", str(target.port), "", "0", "10000", "KEYS", *keys)
        assert moved == "+OK"
        for node in (target, source):
            assert node.command("CLUSTER", "SETSLOT", slot, "NODE", ids[1]) == "+OK"
        await done(store, advance("r1", 1))
        assert (await record(store)).version == 2
        await done(store, send("s", 0, "inbox/a", b"1"))
        await settle(store)
        assert await text(store, "inbox/a") == b"1"
    for node in moving.nodes:
        node.remove()


async def test_nobody_at_the_address_is_said_in_words() -> None:
    with pytest.raises(StoreUnavailable, match=r"Redis at 127\.0\.0\.1:1 cannot be used"):
        await open_store("redis://127.0.0.1:1/0").open()


async def test_a_password_is_sent_and_a_wrong_one_is_said_in_words(own_redis: RedisServer) -> None:
    url = own_redis.url()
    own_redis.command("ACL", "SETUSER", "ada", "on", ">secret", "~*", "&*", "+@all")
    async with opened(url.replace("redis://", "redis://ada:secret@")) as store:
        await done(store, start("r1"))
    with pytest.raises(StoreUnavailable, match="WRONGPASS") as caught:
        await open_store(url.replace("redis://", "redis://ada:false@")).open()
    assert "false" not in str(caught.value).removeprefix("WRONGPASS")


async def test_a_user_with_the_rights_of_the_documentation_can_do_all(own_redis: RedisServer) -> None:
    page = (Path(__file__).parents[3] / "docs" / "operations" / "redis.md").read_text()
    [line] = [one for one in page.splitlines() if one.startswith("ACL SETUSER")]
    assert own_redis.command(*line.replace(">password", ">secret").split()) == "+OK"
    url = own_redis.url().replace("redis://", "redis://signoff:secret@")
    async with opened(url) as store:
        await fill(store)
        assert (await store.describe()).survives == "process"
        await store.place()
        await store.purge()
        await store.renew("w", {}, until=5)
        store.bus().emit(["ready"])
    assert own_redis.command("GET", "{signoff}:schema").endswith("1")


async def test_a_store_on_a_socket(own_redis: RedisServer) -> None:
    async with opened(f"redis:///0?socket={own_redis.folder}/redis.sock") as store:
        await done(store, start("r1"))


async def test_a_server_that_restarts_is_found_again(own_redis: RedisServer) -> None:
    async with opened(own_redis.url()) as store:
        await done(store, start("r1"))
        await asyncio.to_thread(own_redis.restart)
        assert (await record(store)).version == 1
        await done(store, advance("r1", 1))
        assert await store.renew("w", {}, until=5) == set()
        await asyncio.to_thread(own_redis.restart)
        await done(store, advance("r1", 2))
        assert await tails(store, "runs/r1") == {"runs/r1": (3, False)}


async def test_one_that_has_become_a_replica_is_left_for_the_primary(
    own_redis: RedisServer, new_proxy: Callable[[int], Proxy]
) -> None:
    """After a failover an address leads to another server: connections that are there do not."""
    own_redis.command("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    other = RedisServer()
    other.start()
    try:
        proxy = new_proxy(own_redis.port)
        async with opened(own_redis.url(port=proxy.port)) as store:
            await done(store, start("r1"))
            other.command("REPLICAOF", "127.0.0.1", str(own_redis.port))
            async with asyncio.timeout(20):
                while other.command("EXISTS", "{signoff}:schema") != ":1":
                    await asyncio.sleep(0.02)
            other.command("REPLICAOF", "NO", "ONE")
            own_redis.command("REPLICAOF", "127.0.0.1", str(other.port))
            proxy.target = other.port
            with pytest.raises(StoreUnavailable, match="READONLY"):
                await store.commit([advance("r1", 1)])
            await done(store, advance("r1", 1))
            assert (await record(store)).version == 2
    finally:
        other.remove()
