"""A schema that was dropped and made anew under a process is not taken for its own."""

from __future__ import annotations

import pytest

from signoff.errors import StoreUnavailable
from signoff.stores.base import Listing
from signoff.stores.change import Name
from signoff.stores.postgres.store import PostgresStore
from signoff.testing.store_contract.laws import advance, done, record, start
from tests.stores.postgres.conftest import Ask, OpenStore


async def all_is_gone(store: PostgresStore) -> None:
    """See that whatever finds nothing says why, and nothing is written."""
    for read in (
        lambda: store.load(Name("run", "r1")),
        lambda: store.load_stream("runs/r1"),
        lambda: store.read("runs/r1", 0, 99),
        lambda: store.read_start("runs/r1", 99),
        lambda: store.find_streams(["runs/r1"]),
        lambda: store.list_streams("runs/", limit=9),
        lambda: store.list_subjects(Listing("run"), limit=9),
        lambda: store.list_parts(Listing("request"), limit=9),
        lambda: store.next_due(["expense"]),
        lambda: store.commit([advance("r1", 1)]),
        lambda: store.commit([start("r2")]),
    ):
        with pytest.raises(StoreUnavailable, match=r"data is gone .* backup") as caught:
            await read()
        assert "Nothing was written." in caught.value.public_detail
    with pytest.raises(StoreUnavailable, match="data is gone"):
        async with store.transaction():
            pass


async def place_until_refused(store: PostgresStore) -> None:
    while True:
        await store.place()


async def test_a_schema_that_was_made_anew_has_not_simply_nothing(opened: OpenStore, ask: Ask, url: str) -> None:
    store = await opened()
    await done(store, start("r1"))
    await ask(f"DROP SCHEMA {url.partition('&schema=')[2]} CASCADE")
    with pytest.raises(StoreUnavailable, match="db upgrade"):
        await store.load(Name("run", "r1"))
    anew = await opened()
    await all_is_gone(store)
    assert await anew.load(Name("run", "r2")) is None
    await done(anew, start("r1"))
    await record(store)
    with pytest.raises(StoreUnavailable, match="data is gone"):
        await store.commit([advance("r1", 1)])


async def test_what_is_put_back_is_gone_on_with(opened: OpenStore, ask: Ask, url: str) -> None:
    schema = url.partition("&schema=")[2]
    store = await opened()
    await done(store, start("r1"))
    await ask(f"ALTER SCHEMA {schema} RENAME TO {schema}_kept")
    await opened()
    await all_is_gone(store)
    await ask(f"DROP SCHEMA {schema} CASCADE")
    await ask(f"ALTER SCHEMA {schema}_kept RENAME TO {schema}")
    assert await store.load(Name("run", "r2")) is None
    await done(store, advance("r1", 1))
    assert (await record(store)).version == 2


async def test_a_process_that_reads_nothing_notices_when_it_places(opened: OpenStore, ask: Ask, url: str) -> None:
    schema = url.partition("&schema=")[2]
    store = await opened()
    await ask(f"DROP SCHEMA {schema} CASCADE")
    await opened()
    with pytest.raises(StoreUnavailable, match="data is gone"):
        await place_until_refused(store)
    with pytest.raises(StoreUnavailable, match="data is gone"):
        await store.commit([start("r1")])
