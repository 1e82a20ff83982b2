"""Behind PgBouncer in transaction mode everything works that works without it; wake-ups are looked for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg

from signoff.stores.base import PartsWanted, WorkflowStore
from signoff.stores.change import Name
from signoff.stores.open import open_store
from signoff.stores.postgres.store import PostgresStore
from signoff.testing.store_contract.laws import (
    advance,
    change,
    done,
    head,
    part,
    record,
    run,
    send,
    settle,
    start,
    text,
)
from signoff.testing.store_contract.laws import write as writing
from tests.servers import PgBouncer, fresh_url, postgres


def bounced(pgbouncer: PgBouncer, folder: Path, **options: str) -> PostgresStore:
    """Make a store behind the pooler, on the same data for one folder."""
    schema = fresh_url("postgres", folder).partition("&schema=")[2]
    store = open_store(pgbouncer.url(schema=schema, **options))
    assert isinstance(store, PostgresStore)
    return store


async def use(store: WorkflowStore, name: str) -> None:
    """Do some of everything."""
    await done(store, start(name, ready=True))
    await done(store, change(run(name, version=2, ready=True), 1, parts=(part("p"),)))
    await done(store, writing(head(f"{name}/notes", tail=1), b"1"), send(f"{name}:s", 0, f"inbox/{name}", b"1"))
    for version in range(2, 12):
        await done(store, advance(name, version, ready=True))
        loaded = await store.load(Name("run", name), PartsWanted("request"))
        assert loaded is not None
        assert (loaded.subject.version, len(loaded.parts)) == (version + 1, 1)
    await settle(store)
    assert await text(store, f"inbox/{name}") == b"1"


async def test_all_that_works_without_it_works_behind_it(pgbouncer: PgBouncer, tmp_path: Path) -> None:
    """Several processes share its connections, and leave nothing in them for each other."""
    stores = [bounced(pgbouncer, tmp_path) for _ in range(3)]
    for store in stores:
        await store.open()
        assert store._connector.pooled
    await asyncio.gather(*(use(store, f"r{number}") for number, store in enumerate(stores)))
    taken = await stores[0].claim("w", ["expense"], now=0, lease_ms=100, limit=9)
    assert len(taken) == 3
    leases = {one.name: one.epoch for one in taken}
    assert await stores[1].renew("w", leases, until=500) == set()
    await stores[1].release("w", leases)
    assert await stores[2].next_due(["expense"]) == 0
    async with stores[0].transaction() as tx:
        await tx.execute("SELECT 1")
    connection = await asyncpg.connect(pgbouncer.url(), statement_cache_size=0)
    for setting, kept in (("enable_seqscan", "on"), ("search_path", '"$user", public')):
        assert await connection.fetchval(f"SHOW {setting}") == kept
    prepared = await connection.fetch("SELECT name FROM pg_prepared_statements")
    await connection.close()
    assert prepared == []
    for store in stores:
        await store.close()


async def test_wake_ups_of_others_are_looked_for(pgbouncer: PgBouncer, tmp_path: Path) -> None:
    """Nothing can be heard through it, so whoever waits looks; with `listen` they hear it from the server itself."""
    for options in ({}, {"listen": postgres().url()}):
        one, other = bounced(pgbouncer, tmp_path), bounced(pgbouncer, tmp_path, **options)
        await one.open()
        await other.open()
        heard = asyncio.Event()
        interest = other.bus().subscribe("stream:runs/r1", heard.set)
        async with asyncio.timeout(30):
            while not heard.is_set():
                one.bus().emit(["stream:runs/r1"])
                await one.commit([start(f"r{id(heard)}{len(options)}")])
                await asyncio.sleep(0)
        interest.close()
        await one.close()
        await other.close()


async def test_a_direct_connection_is_told_from_a_pooled_one(tmp_path: Path) -> None:
    """So nobody has to say which it is."""
    store = open_store(fresh_url("postgres", tmp_path))
    assert isinstance(store, PostgresStore)
    await store.open()
    assert store._connector.pooled is False
    await done(store, start("r1"))
    assert (await record(store)).version == 1
    await store.close()
