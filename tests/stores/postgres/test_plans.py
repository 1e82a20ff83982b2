"""No statement reads a whole table, whatever is known of the tables by the time it is planned."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from signoff.stores.base import Listing, PartsWanted
from signoff.stores.change import Change, Name, RowsWrite, new_mark
from signoff.stores.open import open_migrating
from signoff.stores.postgres.store import PostgresStore
from signoff.streams.compaction import LiveRow, RowChanges
from signoff.testing.store_contract.laws import (
    advance,
    change,
    delete,
    done,
    head,
    known,
    part,
    run,
    send,
    settle,
    start,
    write,
)
from tests.servers import postgres
from tests.stores.postgres.conftest import Ask, OpenStore

BIG = ("subjects", "agenda", "batches", "streams", "tails", "parts", "subject_terms", "part_terms", "live_rows")

FILL = """
INSERT INTO signoff.subjects (id, kind, name, sort, version, mark, ready, quiet, updated_at, queue, terms, own, state)
SELECT g, 'run', 'f' || g, g, 1, 0, false, false, g, CASE WHEN g % 10 = 0 THEN 'q' || g % 7 END, '["status/done"]',
       '[]', ''
FROM generate_series(100001, 120000) AS g;
INSERT INTO signoff.subject_terms SELECT 'run', 'status/done', g, g FROM generate_series(100001, 120000) AS g;
INSERT INTO signoff.agenda (subject, queue, due_at, due_since, epoch)
SELECT g, 'q' || g % 7, CASE WHEN g % 20 = 0 THEN 0 ELSE 10000000 + g END, g, 0
FROM generate_series(100010, 120000, 10) AS g;
INSERT INTO signoff.parts (id, subject, kind, name, sort, open, terms, state)
SELECT g, g, 'request', 'p', g, true, '["to/x"]', '' FROM generate_series(100001, 120000) AS g;
INSERT INTO signoff.part_terms SELECT 'request', 'to/x', g, g FROM generate_series(100001, 120000) AS g;
INSERT INTO signoff.streams (id, path, incarnation, content_type)
SELECT g, 'f/' || g, 'i', 'application/json' FROM generate_series(100001, 120000) AS g;
INSERT INTO signoff.tails SELECT g, 1, 1, NULL, 0 FROM generate_series(100001, 120000) AS g;
INSERT INTO signoff.batches SELECT g, 0, 1, 0, '1' FROM generate_series(100001, 120000) AS g;
INSERT INTO signoff.live_rows SELECT g, 0, 't', 'k', '1' FROM generate_series(100001, 120000) AS g
"""

SESSIONS = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'signoff' AND query LIKE $1"
SCANS = "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE schemaname = $1"


async def everything(store: PostgresStore, run_id: str) -> None:
    """Do some of everything that can be asked of a store."""
    await done(store, start(run_id, ready=True, terms=("a", "b")), advance(run_id, 1, ready=True, terms=("b",)))
    await done(store, change(run(run_id, version=3, ready=True), 2, parts=(part("p", terms=("to/x",)),)))
    taken = await store.claim("w", ["expense", *(f"q{n}" for n in range(7))], now=500_000, lease_ms=1_000, limit=64)
    leases = {one.name: one.epoch for one in taken}
    assert await store.renew("w", leases, until=501_000, along=Name("run", run_id)) == set()
    await store.release("w", leases)
    await store.due("q1", now=500_000, limit=9)
    await store.next_due(["q1", "q2"])
    await store.load(Name("run", run_id), PartsWanted("request", open=True), PartsWanted("request", "p"))
    for where in (Listing("run"), Listing("run", any_of=("status/done", "b"), all_of=("a",), oldest_first=True)):
        await store.list_subjects(where, limit=20)
        await store.list_parts(replace(where, kind="request"), limit=20)
    await done(store, write(head(f"{run_id}/n", tail=1), b"1"), send(f"{run_id}s", 0, f"inbox/{run_id}", b"1"))
    await done(store, write((await known(store, f"{run_id}/n")).changed(version=2, tail=2), b"2"))
    await settle(store)
    made = await known(store, f"inbox/{run_id}")
    rows = RowChanges(clear=False, gone=(("t", "x"),), rows=(LiveRow("t", "k", 0, b"{}"),), at=1)
    await done(store, Change(RowsWrite(made.path, made.incarnation, 0, rows, base=1), mark=new_mark()))
    await store.read(f"inbox/{run_id}", 0, 100)
    await store.read_start(f"runs/{run_id}", 100)
    await store.rows_bytes(f"inbox/{run_id}")
    await store.find_streams([f"runs/{run_id}"])
    await store.list_streams("runs/", limit=9)
    await store.ended_streams(now=0, limit=9)
    await store.find([advance(run_id, 3)])
    await done(store, delete(run_id, 3))
    while await store.purge():
        await asyncio.sleep(0)


async def scans(ask: Ask, schema: str) -> dict[str, int]:
    """Return how often each table was read whole by sessions that have ended.

    Before PostgreSQL 15 what they have counted is known a while after; what one counts that comes last is known last.
    """
    probe = f'"{schema}".probe'
    postgres().sql(f"DROP TABLE IF EXISTS {probe}; CREATE TABLE {probe} (); SELECT FROM {probe};")
    async with asyncio.timeout(30):
        while dict(await ask(SCANS, schema))["probe"] == 0:
            await asyncio.sleep(0)
    return dict(await ask(SCANS, schema))


async def test_no_statement_reads_a_whole_table(url: str, opened: OpenStore, ask: Ask) -> None:
    """Planned over empty tables that have grown since, and over large ones."""
    migrating = open_migrating(url)
    assert migrating is not None
    await migrating.upgrade()  # to build an index is to read a table
    first = await opened()
    schema = first.url.partition("&schema=")[2]
    await everything(first, "r0")  # so its plans are of empty tables
    postgres().sql(f"BEGIN; {FILL}; COMMIT".replace("signoff.", f'"{schema}".'))
    before = await scans(ask, schema)
    await everything(first, "r1")
    second = await opened()
    await everything(second, "r2")
    for store in (first, second):
        await store.close()  # what a session has counted is known when it has ended
    async with asyncio.timeout(30):
        while await ask(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'signoff' AND query LIKE $1", f"%{schema}%"
        ):
            await asyncio.sleep(0)
    after = await scans(ask, schema)
    assert {table: after[table] - before[table] for table in BIG} == dict.fromkeys(BIG, 0)


async def test_commits_of_records_touch_no_index(opened: OpenStore, ask: Ask) -> None:
    """Steps rewrite a record in place: no column that they move is indexed, and there is room beside each."""
    store = await opened()
    await done(store, start("r1", ready=True))
    [taken] = await store.claim("w", ["expense"], now=0, lease_ms=10**9, limit=1)
    for version in range(1, 60):
        await done(store, advance("r1", version, epoch=taken.epoch))
    schema = store.url.partition("&schema=")[2]
    await store.close()
    counted = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE schemaname = $1 AND relname = 'subjects'"
    async with asyncio.timeout(30):
        while (rows := await ask(counted, schema))[0]["n_tup_upd"] < 60:
            await asyncio.sleep(0)
    assert rows[0]["n_tup_hot_upd"] >= rows[0]["n_tup_upd"] - 2
