"""A server that is set up otherwise while a store is open: that is noticed, and said once."""

from __future__ import annotations

import logging

import pytest

from signoff.stores.redis import settings
from signoff.testing.store_contract.laws import done, start
from tests.servers import RedisServer
from tests.service.streams.scene import opened, until


async def test_a_server_that_begins_to_lose_data_is_noticed_once(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "EVERY_S", 0.01)
    async with opened(own_redis.url()) as store:
        assert (await store.describe()).wrong == ()
        own_redis.command("CONFIG", "SET", "appendonly", "no")
        await until(lambda: "keeps no append-only file" in caplog.text)
        own_redis.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        await until(lambda: "drops keys" in caplog.text)
        told = (await store.describe()).wrong
        assert ["append-only" in told[0], "allkeys-lru" in told[1]] == [True, True]
        await done(store, start("r1"))
        own_redis.command("CONFIG", "SET", "appendonly", "yes")
        own_redis.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
        await until(lambda: "set up again" in caplog.text)
        assert (await store.describe()).wrong == ()
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert ["append-only" in said[0], "allkeys-lru" in said[1], len(said)] == [True, True, 2]


async def test_what_may_be_lost_is_not_complained_of(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "EVERY_S", 0.01)

    def looks() -> int:
        return int(own_redis.command("INFO", "commandstats").partition("cmdstat_info:calls=")[2].partition(",")[0])

    async with opened(own_redis.url(durability="none")) as store:
        own_redis.command("CONFIG", "SET", "appendonly", "no")
        before = looks()
        await until(lambda: looks() > before + 10)
        assert (await store.describe()).wrong == ()
    assert caplog.text == ""
