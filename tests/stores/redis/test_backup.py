"""What was copied of a server is a store on a fresh one: versions, offsets, leases and order hold."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from signoff.testing.store_contract.filled import comparable, dumped, everything, fill
from signoff.testing.store_contract.laws import advance, done, start, tails
from tests.servers import RedisServer
from tests.service.streams.scene import opened


@pytest.fixture
def fresh() -> Iterator[RedisServer]:
    """A server that has not been started yet."""
    server = RedisServer()
    yield server
    server.remove()


def copied(source: Path, target: Path) -> None:
    """Copy a file, or a folder with all in it."""
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)
    for one in (target, *target.rglob("*")):
        one.chmod(0o777)


async def test_a_copy_of_the_append_only_file_is_the_store(own_redis: RedisServer, fresh: RedisServer) -> None:
    async with opened(own_redis.url()) as store:
        await fill(store)
        await done(store, start("after"))
        assert own_redis.command("CONFIG", "SET", "auto-aof-rewrite-percentage", "0") == "+OK"
        before, records = await everything(store), await dumped(store)
        name = "appendonlydir" if (own_redis.folder / "appendonlydir").exists() else "appendonly.aof"  # before Redis 7
        copied(own_redis.folder / name, fresh.folder / name)
        await done(store, advance("after", 1))
    fresh.start()
    async with opened(fresh.url()) as store:
        assert await everything(store) == before
        assert comparable(await dumped(store)) == comparable(records)
        await done(store, advance("after", 1))
        assert await tails(store, "runs/after") == {"runs/after": (2, False)}


async def test_a_snapshot_is_the_store(own_redis: RedisServer, fresh: RedisServer) -> None:
    async with opened(own_redis.url()) as store:
        await fill(store)
        before = await everything(store)
        assert own_redis.command("SAVE") == "+OK"
    copied(own_redis.folder / "dump.rdb", fresh.folder / "dump.rdb")
    fresh.settings["appendonly"] = "no"  # a server with an append-only file reads that, and a fresh one has none
    fresh.start()
    assert fresh.command("CONFIG", "SET", "appendonly", "yes") == "+OK"
    async with opened(fresh.url()) as store:
        assert await everything(store) == before
