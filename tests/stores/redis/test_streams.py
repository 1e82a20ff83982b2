"""Deleting takes little at once, however much there is, and leaves nothing for ever."""

from __future__ import annotations

from signoff.stores.base import Listing
from signoff.stores.change import Change, Name, OwnAppend, Part
from signoff.testing.store_contract.laws import change, delete, done, load, run, together
from tests.servers import RedisServer
from tests.service.streams.scene import opened


async def test_a_subject_of_very_many_parts_goes_in_pieces(own_redis: RedisServer) -> None:
    """Its parts are listed no more at once, and take no room in the end; they are more than one look finds."""
    async with opened(own_redis.url()) as store:
        parts = [Part("ledger", f"{n}", b"x", terms=("t",), sort=n) for n in range(12_000)]
        writes: list[Change] = [
            change(run("r1", version=n // 500 + 1), parts=tuple(parts[n : n + 500])) for n in range(0, 12_000, 500)
        ]
        await together(store, writes)
        await done(store, change(run("r2"), parts=(Part("ledger", "other", b"y", terms=("t",), sort=3),)))
        before = int(own_redis.command("ZCARD", "{signoff}:index")[1:])
        assert before == 2 * 12_001 + 2
        await done(store, delete("r1", 24))
        assert await load(store) is None
        for where in (Listing("ledger"), Listing("ledger", ("t",))):
            page = await store.list_parts(where, limit=5)
            assert [(one.owner, one.part.key) for one in page.items] == [(Name("run", "r2"), "other")]
        await done(store, change(run("r1", version=77), 0, parts=(parts[0],)))
        pieces = 0
        while await store.purge():
            pieces += 1
        assert pieces >= 8
        assert own_redis.command("ZCARD", "{signoff}:index") == ":6"
        assert own_redis.command("EXISTS", "{signoff}:doomed") == ":0"
        assert len((await store.list_parts(Listing("ledger"), limit=9)).items) == 2


async def test_nothing_is_left_of_what_was_deleted(own_redis: RedisServer) -> None:
    async with opened(own_redis.url()) as store:
        for number in range(20):
            one = Part("ask", "a", b"", terms=("t",))
            appends = (OwnAppend(f"runs/r{number}", b"1", 1),)
            await done(store, change(run(f"r{number}", ready=True), parts=(one,), appends=appends))
        await store.claim("w", ["expense"], now=0, lease_ms=10, limit=5)
        await done(store, *(delete(f"r{number}", 1) for number in range(20)))
        while await store.purge():
            pass
    keys = own_redis.command("EVAL", "return table.concat(redis.call('KEYS', '*'), ' ')", "0").split("\r\n")[1]
    assert set(keys.split()) == {"{signoff}:schema", "{signoff}:marks", "{signoff}:meta"}
