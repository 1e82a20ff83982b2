"""Whoever places posts may die between any two statements: each is placed once, in the order of its sender."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from signoff.stores.change import Committed
from signoff.stores.parting import TOGETHER
from signoff.stores.postgres.migrating import lock_of
from signoff.stores.postgres.store import PostgresStore
from signoff.testing.store_contract.laws import done, send, settle, text
from tests.stores.postgres.conftest import Ask, OpenStore, end_session


async def placing(store: PostgresStore) -> asyncpg.Connection[asyncpg.Record]:
    """Place what there is in a transaction that is not committed yet."""
    base, _, schema = store.url.partition("&schema=")
    connection = await asyncpg.connect(base)
    await connection.execute("BEGIN")
    await connection.fetch(
        f'SELECT * FROM "{schema}".place_v1($1, 1000, $2)', lock_of(store._address, "place"), TOGETHER
    )
    return connection


@pytest.mark.parametrize("killed", [True, False])
async def test_a_placer_that_dies_leaves_all_to_the_next(opened: OpenStore, ask: Ask, killed: bool) -> None:
    """Killed before its commit nothing of it is there; killed after it nothing is done again."""
    store = await opened()
    for number in range(10):
        await done(store, send("s", number, "inbox/a", b"%d" % number))
    connection = await placing(store)
    waiting = asyncio.ensure_future(store.place())
    for number in range(10, 13):
        await done(store, send("s", number, "inbox/a", b"%d" % number))
    if killed:
        await end_session(ask, connection.get_server_pid())
    else:
        await connection.execute("COMMIT")
    await waiting
    await settle(store)
    assert await text(store, "inbox/a") == b",".join(b"%d" % number for number in range(13))
    connection.terminate()


async def test_nobody_resumes_by_a_number(opened: OpenStore, ask: Ask) -> None:
    """Numbers are given before commits and have gaps: what has a lower one and comes later is placed all the same."""
    store = await opened()
    base, _, schema = store.url.partition("&schema=")
    late = await asyncpg.connect(base)
    await late.execute("BEGIN")
    await late.execute(f"INSERT INTO \"{schema}\".posts (path, count, data) VALUES ('inbox/a', 1, '1')")
    gone = await asyncpg.connect(base)
    await gone.execute("BEGIN")
    await gone.execute(f"INSERT INTO \"{schema}\".posts (path, count, data) VALUES ('inbox/a', 1, '2')")
    await gone.execute("ROLLBACK")
    await done(store, send("s", 0, "inbox/a", b"3"))
    await settle(store)
    assert await text(store, "inbox/a") == b"3"
    await late.execute("COMMIT")
    await settle(store)
    assert await text(store, "inbox/a") == b"3,1"
    for connection in (late, gone):
        await connection.close()


async def test_much_that_is_placed_at_once_is_kept_in_parts(opened: OpenStore) -> None:
    """So that no reader has to take all of it."""
    store = await opened()
    data = b'"' + b"x" * 3_000 + b'"'
    outcomes = await store.commit([send(f"s{number}", 0, "inbox/a", data) for number in range(60)])
    assert {type(one) for one in outcomes} == {Committed}
    await settle(store)
    found = await store.read("inbox/a", 0, 1 << 30)
    assert found is not None
    assert len(found[1]) >= 3
    assert max(len(batch.data) for batch in found[1]) <= TOGETHER + 2 * len(data)
    assert [batch.start for batch in found[1]] == [0, *(batch.end for batch in found[1][:-1])]


async def test_who_listens_hears_of_what_was_placed(opened: OpenStore) -> None:
    """In the process that placed it, and in others."""
    one, other = await opened(), await opened()
    for store in (one, other):
        heard = asyncio.Event()
        interest = store.bus().subscribe("stream:inbox/a", heard.set)
        version = 0
        async with asyncio.timeout(30):
            while not heard.is_set():
                await done(one, send(f"s{id(heard)}", version, "inbox/a", b"1"))
                version += 1
                await one.place()
        interest.close()
