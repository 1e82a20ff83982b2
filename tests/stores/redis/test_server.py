"""A server that would lose what it is given is refused, and what a store says of itself is true of its server."""

from __future__ import annotations

import pytest

from signoff.errors import OutcomeUnknown, SchemaTooNew, StoreError, StoreUnavailable
from signoff.stores.base import Listing, WorkflowStore
from signoff.stores.change import Name
from signoff.stores.open import open_migrating, open_store
from signoff.testing.store_contract.laws import advance, done, record, start, tails
from tests.servers import RedisServer
from tests.service.streams.scene import opened


async def refused(url: str) -> str:
    """Open a store that must not be; return why not."""
    with pytest.raises(StoreError) as caught:
        await open_store(url).open()
    return str(caught.value)


async def test_a_server_without_an_append_only_file_is_refused_unless_the_url_says_so(own_redis: RedisServer) -> None:
    own_redis.command("CONFIG", "SET", "appendonly", "no")
    assert "CONFIG SET appendonly yes" in await refused(own_redis.url())
    async with opened(own_redis.url(durability="none")) as store:
        assert (await store.describe()).survives == "nothing"


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
async def test_a_server_that_drops_keys_is_refused_unless_the_url_says_so(own_redis: RedisServer, policy: str) -> None:
    own_redis.command("CONFIG", "SET", "maxmemory-policy", policy)
    why = await refused(own_redis.url())
    assert policy in why
    assert "CONFIG SET maxmemory-policy noeviction" in why
    async with opened(own_redis.url(durability="none")):
        pass


async def test_waiting_for_the_disk_needs_a_server_that_can(own_redis: RedisServer) -> None:
    url = own_redis.url(durability="wait")
    if own_redis.version < (7, 2):
        assert "WAITAOF" in await refused(url)
        return
    async with opened(url) as store:
        assert (await store.describe()).survives == "power"
    own_redis.command("CONFIG", "SET", "appendfsync", "no")
    assert "would wait in vain" in await refused(url)
    migrating = open_migrating(url)
    assert migrating is not None
    [fault] = await migrating.check()
    assert "CONFIG SET appendfsync always" in fault
    for line in migrating.sql().splitlines()[:-1]:
        assert own_redis.command(*line.split()) == "+OK"
    assert await migrating.check() == []


@pytest.mark.parametrize(("fsync", "survives"), [("always", "power"), ("everysec", "process"), ("no", "process")])
async def test_a_store_says_what_its_server_survives(own_redis: RedisServer, fsync: str, survives: str) -> None:
    own_redis.command("CONFIG", "SET", "appendfsync", fsync)
    async with opened(own_redis.url()) as store:
        assert (await store.describe()).survives == survives
        own_redis.command("CONFIG", "SET", "appendonly", "no")
        assert (await store.describe()).survives == "nothing"


async def test_data_of_a_newer_version_is_refused_and_left_alone(own_redis: RedisServer) -> None:
    own_redis.command("SET", "{signoff}:schema", "99")
    with pytest.raises(SchemaTooNew, match="schema 99"):
        await open_store(own_redis.url()).open()
    assert own_redis.command("DBSIZE") == ":1"


async def test_a_full_server_refuses_a_write_whole(own_redis: RedisServer) -> None:
    async with opened(own_redis.url()) as store:
        await done(store, start("r1"))
        own_redis.command("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(StoreUnavailable, match="OOM") as caught:
            await store.commit([advance("r1", 1)])
        assert not isinstance(caught.value, OutcomeUnknown)
        assert ".." not in str(caught.value)
        assert "Nothing was written." in caught.value.public_detail
        assert (await record(store)).version == 1
        own_redis.command("CONFIG", "SET", "maxmemory", "0")
        await done(store, advance("r1", 1))


@pytest.mark.parametrize("shards", [1, 3])
async def test_a_store_that_was_emptied_is_not_gone_on_with(own_redis: RedisServer, shards: int) -> None:
    """What is remembered of it is of data that is gone; whoever starts anew begins an empty one."""
    url = own_redis.url(shards=str(shards))
    async with opened(url) as store:
        await done(store, start("r1"))
        own_redis.command("FLUSHALL")
        await all_is_gone(store)
        assert own_redis.command("DBSIZE") == ":0"
        async with opened(url) as anew:
            await all_is_gone(store)
            assert await anew.load(Name("run", "r1")) is None
            await done(anew, start("r1"))
            await all_is_gone(store, "r2")
            assert await tails(anew, "runs/r1", "runs/r2") == {"runs/r1": (1, False)}


async def all_is_gone(store: WorkflowStore, run: str = "r1") -> None:
    """See that whatever finds nothing says why, and nothing is written."""
    for ask in (
        lambda: store.load(Name("run", run)),
        lambda: store.load_stream(f"runs/{run}"),
        lambda: store.read(f"runs/{run}", 0, 99),
        lambda: store.read_start(f"runs/{run}", 99),
        lambda: store.find_streams([f"runs/{run}"]),
        lambda: store.list_streams(f"runs/{run}", limit=9),
        lambda: store.list_subjects(Listing("run", (run,)), limit=9),
        lambda: store.list_parts(Listing("request"), limit=9),
        lambda: store.next_due(["nobody's"]),
        lambda: store.dump(max_bytes=1 << 20),
        lambda: store.commit([advance("r1", 1)]),
        lambda: store.commit([start("r2")]),
    ):
        with pytest.raises(StoreUnavailable, match=r"data is gone .* backup") as caught:
            await ask()
        assert not isinstance(caught.value, OutcomeUnknown)
        assert "Nothing was written." in caught.value.public_detail
