"""Operators see the version of the data, and what is wrong with the server."""

from __future__ import annotations

import pytest

from signoff.errors import SchemaTooNew, StoreError
from signoff.stores.migrating import Migrating, SchemaStatus
from signoff.stores.open import open_migrating, open_store
from tests.servers import RedisServer
from tests.service.streams.scene import opened


def migrating(url: str) -> Migrating:
    """Return what looks after the schema."""
    found = open_migrating(url)
    assert found is not None
    return found


@pytest.mark.parametrize("shards", ["1", "3"])
async def test_a_schema_is_written_down_once(own_redis: RedisServer, shards: str) -> None:
    one = migrating(own_redis.url(shards=shards))
    assert await one.status() == SchemaStatus("redis", 0, 1, ("0001_first",))
    assert own_redis.command("DBSIZE") == ":0"
    assert await one.upgrade() == ["0001_first"]
    assert await one.status() == SchemaStatus("redis", 1, 1)
    assert await one.upgrade() == await one.check() == []
    async with opened(own_redis.url(shards=shards)) as store:
        assert (await store.describe()).schema == 1


async def test_what_is_newer_is_seen_and_not_touched(own_redis: RedisServer) -> None:
    own_redis.command("SET", "{signoff}:schema", "7")
    one = migrating(own_redis.url())
    assert await one.status() == SchemaStatus("redis", 7, 1, breaking=True)
    with pytest.raises(SchemaTooNew):
        await one.upgrade()


async def test_a_check_names_what_is_wrong_with_the_server(own_redis: RedisServer) -> None:
    one = migrating(own_redis.url())
    own_redis.command("CONFIG", "SET", "appendonly", "no")
    own_redis.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    found = await one.check()
    assert len(found) == 2
    for command in one.sql().splitlines():
        assert own_redis.command(*command.split()) == "+OK" or "REWRITE" in command
    assert await one.check() == []


async def test_another_number_of_shards_is_noticed(own_redis: RedisServer) -> None:
    async with opened(own_redis.url(shards="2")):
        pass
    assert "another number of shards" in (await migrating(own_redis.url(shards="4")).check())[0]
    with pytest.raises(StoreError, match="in 2 shards, and the URL says 4"):
        await open_store(own_redis.url(shards="4")).open()
