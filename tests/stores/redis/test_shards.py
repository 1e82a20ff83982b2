"""Where streams are in several shards, in which order what is new is listed, and by which clock leases end."""

from __future__ import annotations

import time

import pytest

from signoff.stores.base import Listing
from signoff.stores.change import Committed, Conflict, FamilyWrite, Name, StreamDelete
from signoff.stores.open import open_store
from signoff.stores.redis.store import RedisStore
from signoff.streams.stream import Fork, Write
from signoff.testing.store_contract.laws import (
    change,
    commit,
    done,
    family,
    head,
    known,
    own,
    record,
    run,
    start,
    tails,
    text,
    write,
)
from signoff.testing.store_contract.leases import QUEUES
from tests.servers import RedisServer
from tests.service.streams.scene import opened

HOUR = 3_600_000


async def opened_store(url: str) -> RedisStore:
    """Open a store whose parts a test looks at."""
    store = open_store(url)
    assert isinstance(store, RedisStore)
    await store.open()
    return store


async def test_a_fork_is_where_its_source_is_and_others_find_it(own_redis: RedisServer) -> None:
    url = own_redis.url(shards="16")
    one, other = await opened_store(url), await opened_store(url)
    elsewhere = 0
    for number in range(20):
        source, path = f"notes/{number}", f"fork/{number}"
        await done(one, write(head(source, tail=1), b"1"))
        assert await other.load_stream(path) is None
        made = head(path, tail=2, fork=Fork(source, "i1", 1))
        await done(one, family(Write(made, 0, 1, b"2"), Write(head(source, version=2, tail=1, refs=1), 1, 1)))
        elsewhere += one._shards.home(path) != one._shards.home(source)
        assert await text(other, path) == b"2"
        assert (await known(other, path)).fork == Fork(source, "i1", 1)
        await done(other, write(made.changed(version=2, tail=3), b"3"))
        assert await tails(one, path, source) == {path: (3, False), source: (1, False)}
    assert elsewhere >= 5
    assert len(await other.list_streams("fork/", limit=99)) == 20
    await one.close()
    await other.close()


async def test_a_fork_and_what_follows_it_in_the_same_commit_keep_their_order(own_redis: RedisServer) -> None:
    """Wherever the two paths are at home: what is about the fork does not get there before it."""
    store = await opened_store(own_redis.url(shards="4"))
    for number in range(12):
        source, path = head(f"notes/{number}", tail=1), f"fork/{number}"
        made = head(path, tail=1, fork=Fork(source.path, "i1", 1))
        outcomes = await store.commit(
            [
                write(source, b"1"),
                family(Write(made, 0, 1), Write(source.changed(version=2, refs=1), 1, 1)),
                write(made.changed(version=2, tail=2), b"2"),
                start(f"r{number}"),
                family(StreamDelete(path, 2), Write(source.changed(version=3, refs=0), 2, 1)),
                write(head(path, incarnation="i2", tail=1), b"3"),
            ]
        )
        assert [type(one) for one in outcomes] == [Committed] * 6
        assert await text(store, path) == b"3"
    await store.close()


async def test_two_who_make_a_stream_in_different_shards_do_not_both(own_redis: RedisServer) -> None:
    """One as a fork beside its source, the other by itself: whoever comes second finds what the first made."""
    url = own_redis.url(shards="16")
    async with opened(url) as one, opened(url) as other:
        for number in range(20):
            source, path = f"notes/{number}", f"fork/{number}"
            await done(one, write(head(source, tail=1), b"1"))
            made = head(path, incarnation="fork", tail=1, fork=Fork(source, "i1", 1))
            fork = family(Write(made, 0, 1), Write(head(source, version=2, tail=1, refs=1), 1, 1))
            calls = [lambda fork=fork: commit(one, fork), lambda path=path: commit(other, write(head(path)))]
            first, second = [await call() for call in (calls if number % 2 else reversed(calls))]
            assert isinstance(first, Committed)
            assert second == Conflict("version", path)
            kept = await known(one, path)
            assert (kept.incarnation == "fork") == bool(number % 2)
            assert await known(other, path) == kept
            gone = Write(head(source, version=3, tail=1), 2, 1)
            dropped = (StreamDelete(path, kept.version), gone) if number % 2 else (StreamDelete(path, kept.version),)
            await done(other, family(*dropped))
            await done(one, write(head(path, incarnation="anew", tail=1), b"9"))
            assert await text(other, path) == b"9"


async def test_a_subject_has_its_streams_beside_it_whatever_they_are_called(own_redis: RedisServer) -> None:
    url = own_redis.url(shards="16")
    async with opened(url) as one, opened(url) as other:
        for number in range(12):
            path = f"anything/{number}"
            await done(one, change(run(f"r{number}"), appends=(own(path, b"1"),)))
            await done(other, change(run(f"r{number}", version=2), appends=(own(path, b"2"),)))
            assert await text(other, path) == b"1,2"
            taken = change(run(f"s{number}"), appends=(own(path, b"3"),))
            assert await commit(one, taken) == Conflict("version", path)


async def test_listings_are_in_the_order_of_first_writing_over_all_shards(own_redis: RedisServer) -> None:
    url = own_redis.url(shards="16")
    async with opened(url) as one, opened(url) as other:
        for number in range(40):
            await done(one if number % 3 else other, change(run(f"r{number}", sort=7)))
        found = await one.list_subjects(Listing("run", oldest_first=True), limit=99)
        assert [each.name.id for each in found.items] == [f"r{number}" for number in range(40)]


@pytest.mark.parametrize("behind", [HOUR, -HOUR])
async def test_leases_end_by_the_server_s_clock(own_redis: RedisServer, behind: int) -> None:
    """A machine whose clock is an hour off takes no live lease, and keeps its own as long as anybody."""
    right, wrong = await opened_store(own_redis.url()), await opened_store(own_redis.url())
    wrong._shards.clock.note(0, behind, 0)
    now = 10 * HOUR
    theirs = now - behind  # what the wrong clock says now
    await done(right, start("a", ready=True), start("b", ready=True))
    [first] = await right.claim("w1", QUEUES, now=now, lease_ms=30_000, limit=1)
    [second] = await wrong.claim("w2", QUEUES, now=theirs, lease_ms=30_000, limit=1)
    assert (first.name.id, second.name.id) == ("a", "b")
    assert second.lease_until == theirs + 30_000
    assert (await record(right, "b")).lease_until == now + 30_000
    assert (await record(wrong, "a")).lease_until == theirs + 30_000
    assert await right.claim("w1", QUEUES, now=now + 29_999, lease_ms=30_000, limit=9) == []
    assert await wrong.claim("w2", QUEUES, now=theirs + 29_999, lease_ms=30_000, limit=9) == []
    assert await wrong.next_due(QUEUES) == theirs + 30_000
    assert await wrong.renew("w2", {Name("run", "b"): 1}, until=theirs + 50_000) == set()
    [taken] = await right.claim("w3", QUEUES, now=now + 30_000, lease_ms=30_000, limit=9)
    assert taken.name.id == "a"
    assert await right.next_due(QUEUES) == now + 50_000
    await right.close()
    await wrong.close()


async def test_how_far_the_clock_is_off_is_looked_up(own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(own_redis.url()) as store:
        assert isinstance(store, RedisStore)
        assert store._shards.clock.shift == 0
    right = time.time_ns
    monkeypatch.setattr("signoff.stores.redis.shards.time.time_ns", lambda: right() - HOUR * 1_000_000)
    async with opened(own_redis.url()) as store:
        assert isinstance(store, RedisStore)
        assert abs(store._shards.clock.shift - HOUR) < 5_000


async def test_a_family_of_streams_that_do_not_belong_together_is_refused(own_redis: RedisServer) -> None:
    async with opened(own_redis.url(shards="16")) as store:
        paths = [f"notes/{number}" for number in range(8)]
        await done(store, *(write(head(path)) for path in paths))
        moved = FamilyWrite(tuple(Write(head(path, version=2), 1, 0) for path in paths))
        assert isinstance(await commit(store, change(run())._replace(write=moved)), Conflict)
        assert {(await known(store, path)).version for path in paths} == {1}
