"""What a lost connection, or a lost server, leaves: nothing that was acknowledged is gone, and nothing is guessed."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from signoff.errors import OutcomeUnknown, StoreError, StoreUnavailable
from signoff.service.commit import GroupCommitter
from signoff.stores.base import WorkflowStore
from signoff.stores.change import Change, Committed, StreamDelete
from signoff.stores.open import open_store
from signoff.stores.redis import durable
from signoff.testing.store_contract.laws import (
    advance,
    change,
    delete,
    done,
    family,
    head,
    load,
    record,
    run,
    start,
    tails,
    text,
    write,
)
from tests.servers import Proxy, RedisServer, redis
from tests.service.streams.scene import opened
from tests.stores.peer import whole
from tests.stores.processes import peer

NewProxy = Callable[[int], Proxy]


async def test_a_change_whose_reply_is_lost_was_written_once_and_is_found(
    own_redis: RedisServer, new_proxy: NewProxy
) -> None:
    proxy = new_proxy(own_redis.port)
    async with opened(own_redis.url(port=proxy.port)) as store:
        await done(store, start("r1"))
        lost, never = advance("r1", 1), advance("r1", 1)
        proxy.lose_reply(b"EVALSHA")
        with pytest.raises(OutcomeUnknown):
            await store.commit([lost])
        assert await store.find([lost, never]) == [True, False]
        assert (await record(store)).version == 2
        assert await text(store, "runs/r1/journal") == b'{"type":"run.started"},{"n":1}'


async def test_who_commits_in_groups_learns_the_truth_after_a_lost_reply(
    own_redis: RedisServer, new_proxy: NewProxy
) -> None:
    proxy = new_proxy(own_redis.port)
    async with opened(own_redis.url(port=proxy.port)) as store:
        committer = GroupCommitter(store)
        await committer.commit(start("r1"))
        for version in range(1, 30):
            proxy.lose_reply(b"EVALSHA")
            assert isinstance(await committer.commit(advance("r1", version)), Committed)
        await committer.close()
        assert await tails(store, "runs/r1") == {"runs/r1": (30, False)}


async def test_a_change_that_is_on_its_way_when_we_look_never_arrives(
    own_redis: RedisServer, new_proxy: NewProxy
) -> None:
    """The server has not read it when the connection breaks at our end: it is shut out before anything is said."""
    proxy = new_proxy(own_redis.port)
    async with opened(own_redis.url(port=proxy.port)) as store:
        await done(store, start("r1"))
        lost = advance("r1", 1)
        own_redis.freeze()
        waiting = asyncio.ensure_future(_commit(store, lost))
        await asyncio.sleep(0.05)  # it lies in the frozen server's socket
        proxy.cut()
        with pytest.raises(OutcomeUnknown):
            await waiting
        asked = asyncio.ensure_future(store.find([lost]))
        await asyncio.sleep(0.05)  # and so does our question
        own_redis.thaw()
        [found] = await asked
        assert (await record(store)).version == (2 if found else 1)
        assert found is not None


async def _commit(store: WorkflowStore, one: Change) -> object:
    return await store.commit([one])


async def test_a_server_that_does_not_answer_is_given_up(own_redis: RedisServer) -> None:
    store = open_store(own_redis.url(timeout="0.5", connect_timeout="0.5"))
    await store.open()
    await done(store, start("r1"))
    own_redis.freeze()
    with pytest.raises(OutcomeUnknown):
        await store.commit([advance("r1", 1)])
    with pytest.raises(StoreUnavailable):
        await store.find([advance("r1", 1)])
    own_redis.thaw()
    assert await load(store) is not None
    await store.close()


async def test_without_a_connection_nothing_is_written_and_that_is_said(
    own_redis: RedisServer, new_proxy: NewProxy
) -> None:
    proxy = new_proxy(own_redis.port)
    async with opened(own_redis.url(port=proxy.port)) as store:
        await done(store, start("r1"))
        proxy.refuse()
        for _ in range(3):
            with pytest.raises(StoreUnavailable) as caught:
                await store.commit([advance("r1", 1)])
            if not isinstance(caught.value, OutcomeUnknown):
                break
        assert "Nothing was written" in str(caught.value)
        with pytest.raises(StoreUnavailable):
            await load(store)
        proxy.refuse(refusing=False)
        await done(store, advance("r1", 1))


async def test_reads_go_on_over_a_connection_that_was_cut(own_redis: RedisServer, new_proxy: NewProxy) -> None:
    proxy = new_proxy(own_redis.port)
    async with opened(own_redis.url(port=proxy.port)) as store:
        await done(store, start("r1"))
        for _ in range(5):
            proxy.lose_reply(b"EVALSHA")
            assert (await record(store)).version == 1


async def test_marks_do_not_grow_for_ever_and_what_was_forgotten_is_not_denied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signoff.stores.redis.changes.MARKS", 5)
    monkeypatch.setattr(durable, "MARKS", 5)
    async with opened(redis().url(prefix="marks")) as store:
        old = [start("r1"), write(head(tail=1), b"1"), change(run("r2"))]
        gone = [start("r3"), delete("r3", 1), family(StreamDelete("notes", 1))]
        await done(store, *old, *gone)
        for version in range(1, 12):
            await done(store, advance("r1", version))
        assert redis().command("LLEN", "{marks}:marks") == ":5"
        found = await store.find([*old, *gone, advance("r1", 12), advance("r1", 11)])
        assert False not in found[:6]
        assert found[2] is True
        assert found[6:] == [False, None]
    redis().drop_prefixes("marks")


@pytest.mark.parametrize("fsync", ["everysec", "always"])
@pytest.mark.parametrize("acknowledgements", [1, 300])
async def test_kill_9_of_the_server_loses_nothing_acknowledged_and_leaves_nothing_half(
    fsync: str, acknowledgements: int, own_redis: RedisServer
) -> None:
    await _killed_while_written_to(own_redis, fsync, acknowledgements, own_redis.url())


@pytest.mark.parametrize("fsync", ["everysec", "always"])
async def test_who_waits_for_the_disk_waits_behind_each_commit(fsync: str, own_redis: RedisServer) -> None:
    """Behind the last try, too: what is sent again is on the disk when its commit returns."""
    own_redis.command("CONFIG", "SET", "appendfsync", fsync)
    url = own_redis.url(durability="wait")
    if own_redis.version < (7, 2):
        await _needs_a_newer_server(url)
        return
    async with opened(url) as store:
        await done(store, start("r1"))
        waited = own_redis.calls("waitaof")
        await done(store, advance("r1", 1))
        assert own_redis.calls("waitaof") == waited + 1
        own_redis.command("SCRIPT", "FLUSH")
        await done(store, advance("r1", 2))
        assert own_redis.calls("waitaof") == waited + 3
        await done(store, delete("r1", 3))
        assert own_redis.calls("waitaof") == waited + 4
    await _killed_while_written_to(own_redis, fsync, 30, url)


async def test_what_no_replica_has_on_its_disk_is_not_acknowledged(own_redis: RedisServer) -> None:
    url = own_redis.url(durability="wait", replicas="1", timeout="1")
    if own_redis.version < (7, 2):
        await _needs_a_newer_server(url)
        return
    async with opened(url) as store:
        late = start("r1")
        with pytest.raises(OutcomeUnknown, match="not known to be on a disk"):
            await store.commit([late])
        with pytest.raises(OutcomeUnknown):
            await store.find([late])
        replica = RedisServer()
        replica.start()
        try:
            replica.command("REPLICAOF", "127.0.0.1", str(own_redis.port))
            async with asyncio.timeout(30):
                while "state=online" not in own_redis.command("INFO", "replication"):
                    await asyncio.sleep(0.02)
            async with opened(own_redis.url(durability="wait", replicas="1")) as patient:
                await done(patient, advance("r1", 1))
                assert await patient.find([late]) == [True]
            own_redis.kill()
            replica.command("REPLICAOF", "NO", "ONE")
            async with opened(replica.url()) as after:
                assert (await record(after)).version == 2
        finally:
            replica.remove()


async def _needs_a_newer_server(url: str) -> None:
    with pytest.raises(StoreError, match="has no WAITAOF"):
        await open_store(url).open()


async def _killed_while_written_to(own_redis: RedisServer, fsync: str, acknowledgements: int, url: str) -> None:
    assert own_redis.command("CONFIG", "SET", "appendfsync", fsync) == "+OK"
    own_redis.settings["appendfsync"] = fsync
    with peer("load", url, "8") as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().split() for _ in range(acknowledgements)]
        own_redis.kill()
        process.send_signal(signal.SIGKILL)
        acknowledged += [words for line in process.stdout if len(words := line.split()) == 2]
    own_redis.start()
    async with opened(own_redis.url()) as store:
        there = {run_id: await whole(store, run_id) for run_id in (f"r{n}" for n in range(8))}
        for run_id, number in acknowledged:
            assert int(number) < there[run_id]
        assert await tails(store, "workflows/expense") == {"workflows/expense": (sum(there.values()), False)}
