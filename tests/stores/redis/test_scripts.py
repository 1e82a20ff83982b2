"""Scripts name every key they use, and are there again after a server has forgotten them."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Iterator

import pytest

from signoff.stores.base import Listing, PartsWanted, WorkflowStore
from signoff.stores.change import Committed, Name
from signoff.stores.redis.scripts import ALL, COMMIT
from signoff.testing.store_contract.filled import copy, fill
from signoff.testing.store_contract.laws import advance, delete, done, record, start, tails
from tests.servers import RedisServer
from tests.service.streams.scene import opened

_LINE = re.compile(r"\+?[0-9.]+ \[\d+ (lua|\S+)\] (.*)")


class Monitor:
    """What a server is asked and what its scripts do, line by line."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._text = b""

    async def __aenter__(self) -> Monitor:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._server.port)
        self._writer.write(b"MONITOR\r\n")
        assert await self._reader.readline() == b"+OK\r\n"
        self._reading = asyncio.ensure_future(self._read())
        return self

    async def _read(self) -> None:
        while some := await self._reader.read(1 << 20):
            self._text += some

    async def __aexit__(self, *_: object) -> None:
        self._server.command("PING", "the-end")
        while b"the-end" not in self._text:
            await asyncio.sleep(0.01)
        self._writer.close()
        await self._reading

    def commands(self) -> Iterator[tuple[bool, list[str]]]:
        """Yield each command, and whether a script gave it."""
        for line in self._text.decode(errors="replace").split("\r\n"):
            if match := _LINE.match(line):
                yield match[1] == "lua", shlex.split(match[2].replace("\\x", "\\\\x"))


async def everything(store: WorkflowStore, other: WorkflowStore) -> None:
    """Do all that a store can do."""
    await fill(store)
    await copy(store, other)
    await done(store, start("m1", ready=True), start("m2", ready=True, wake_at=9))
    await store.claim("w", ["expense"], now=0, lease_ms=10, limit=9)
    await store.renew("w", {Name("run", "m1"): 1}, until=99, along=Name("run", "m2"))
    await store.release("w", {Name("run", "m1"): 1})
    await store.load(Name("run", "p"), PartsWanted("request"), PartsWanted("vote", "x"))
    await store.list_subjects(Listing("run", ("a", "b")), limit=3)
    await store.list_parts(Listing("request"), limit=3)
    await store.due("expense", now=99, limit=9)
    await store.unclaimed("run", [], before=10**12, limit=9)
    await store.find_streams(["runs/m1", "none"])
    await store.read_start("folded", 99)
    await store.find([advance("m1", 1)])
    await done(store, delete("m1", 1), delete("m2", 1))
    await store.place()
    await store.purge()


@pytest.mark.parametrize("shards", ["1", "3"])
async def test_every_key_is_named(own_redis: RedisServer, shards: str) -> None:
    named: set[str] = set()
    used = 0
    async with (
        opened(own_redis.url(prefix="a", shards=shards)) as store,
        opened(own_redis.url(prefix="b", shards=shards)) as other,
        Monitor(own_redis) as monitor,
    ):
        await everything(store, other)
    for by_script, words in monitor.commands():
        if words[0].upper() == "EVALSHA":
            named = set(words[3 : 3 + int(words[2])])
        elif by_script:
            keys = words[1:] if words[0].upper() in {"UNLINK", "DEL", "RENAME"} else words[1:2]
            assert set(keys) <= named, words
            used += 1
    assert used > 500


async def test_scripts_that_the_server_forgot_are_loaded_again(own_redis: RedisServer) -> None:
    async with opened(own_redis.url()) as store:
        await done(store, start("m1"))
        for version in range(1, 20):
            assert own_redis.command("SCRIPT", "FLUSH") == "+OK"
            await done(store, advance("m1", version))
            assert own_redis.command("SCRIPT", "FLUSH") == "+OK"
            assert (await record(store, "m1")).version == version + 1
        assert await tails(store, "runs/m1") == {"runs/m1": (20, False)}


async def test_calls_under_way_when_scripts_are_forgotten_are_run_once(own_redis: RedisServer) -> None:
    async with opened(own_redis.url()) as store:
        await done(store, *(start(f"r{n}") for n in range(8)))
        for version in range(1, 12):
            calls = [asyncio.ensure_future(store.commit([advance(f"r{n}", version)])) for n in range(8)]
            own_redis.command("SCRIPT", "FLUSH")
            for [outcome] in await asyncio.gather(*calls):
                assert isinstance(outcome, Committed)
        assert await tails(store, "runs/r3") == {"runs/r3": (12, False)}


def test_a_script_is_called_by_the_digest_of_its_text() -> None:
    assert len({script.digest for script in ALL}) == len(ALL)
    assert COMMIT.text.startswith(b"-- What all scripts share")
    assert all(b"cjson" not in script.text for script in ALL)
