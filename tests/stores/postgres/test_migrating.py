"""Schemas are made and brought up to date while others start and write; a role that may not is told what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from signoff.errors import SchemaTooNew, StoreError
from signoff.stores.open import open_migrating, open_store
from signoff.stores.postgres.address import read_address
from signoff.stores.postgres.migrating import PostgresMigrating
from signoff.stores.postgres.statements import Migration, migrations
from signoff.testing.store_contract.laws import advance, done, record, start
from tests.servers import fresh_url, postgres
from tests.stores.postgres.conftest import Ask, OpenStore

NEWEST: Final = len(migrations())
COLUMN: Final = Migration(
    NEWEST + 1, "more", "ALTER TABLE signoff.subjects ADD COLUMN more integer NOT NULL DEFAULT 7;", False, False
)
INDEX: Final = Migration(
    NEWEST + 2,
    "index",
    "-- (concurrent)\nCREATE INDEX CONCURRENTLY IF NOT EXISTS by_more ON signoff.subjects (more);\n",
    False,
    True,
)


def newer(url: str, *more: Migration) -> PostgresMigrating:
    """Return the migrations of a release to come."""
    return PostgresMigrating(read_address(url), steps=[*migrations(), *more])


def names(steps: Sequence[Migration]) -> list[str]:
    """Return migrations as they are shown."""
    return [f"{one.number:04}_{one.name}" for one in steps]


def test_numbers_have_no_gap() -> None:
    """So the newest number is how many there are."""
    assert [one.number for one in migrations()] == list(range(1, NEWEST + 1))
    assert not any(one.breaking for one in migrations())


async def test_many_may_start_at_once(url: str) -> None:
    """One makes the schema; each finds it whole."""
    stores = [open_store(url) for _ in range(6)]
    await asyncio.gather(*(store.open() for store in stores))
    descriptions = [await store.describe() for store in stores]
    assert {one.schema for one in descriptions} == {NEWEST}
    for number, store in enumerate(stores):
        await done(store, start(f"r{number}"))
        await store.close()


async def test_status_and_check_change_nothing(url: str) -> None:
    """They tell what is to be done, before anything is there and after."""
    migrating = open_migrating(url)
    assert migrating is not None
    before = await migrating.status()
    assert (before.backend, before.schema, before.newest) == ("postgresql", 0, NEWEST)
    assert list(before.pending) == names(migrations())
    assert await migrating.check() == [f"{NEWEST} migrations are to be applied: run `signoff db upgrade`."]
    assert await migrating.status() == before
    assert await migrating.upgrade() == names(migrations())
    assert await migrating.upgrade() == []
    after = await migrating.status()
    assert (after.schema, after.pending, after.breaking) == (NEWEST, (), False)
    assert await migrating.check() == []


async def test_an_old_release_writes_while_a_new_one_migrates(opened: OpenStore) -> None:
    """Through an added column, whatever it has prepared by then, and an index that is built beside it."""
    store = await opened()
    await done(store, start("r1"))
    stop = asyncio.Event()
    written = 1

    async def writes() -> None:
        nonlocal written
        while not stop.is_set():
            await done(store, advance("r1", written))
            written += 1
            assert (await record(store)).version == written

    writing = asyncio.ensure_future(writes())
    assert await newer(store.url, COLUMN, INDEX).upgrade() == names([COLUMN, INDEX])
    after = written
    async with asyncio.timeout(30):
        while written < after + 3:
            await asyncio.sleep(0)
    stop.set()
    await writing
    again = await opened()  # the old release starts anew, too
    await done(again, advance("r1", written))
    assert (await again.describe()).schema == INDEX.number


async def test_several_new_releases_migrate_at_once(opened: OpenStore, ask: Ask) -> None:
    """Each step is applied by one of them; an index that two build at once is built."""
    store = await opened()
    await done(store, start("r1"))
    applied = await asyncio.gather(*(newer(store.url, COLUMN, INDEX).upgrade() for _ in range(3)))
    assert sorted(name for some in applied for name in some) == names([COLUMN, INDEX])
    [(valid,)] = await ask("SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid = 'signoff.subjects'::regclass")
    assert valid


async def test_an_index_whose_building_was_cut_short_is_built_anew(opened: OpenStore, ask: Ask) -> None:
    """What is left of it has the name, and is never used."""
    store = await opened()
    await done(store, start("r1"))
    assert await newer(store.url, COLUMN).upgrade() == names([COLUMN])
    base, _, schema = store.url.partition("&schema=")
    reader = await asyncpg.connect(base)
    transaction = reader.transaction(isolation="repeatable_read")
    await transaction.start()
    await reader.fetch(f'SELECT id FROM "{schema}".subjects')  # the building waits for whoever may look
    builder = await asyncpg.connect(base)
    await builder.execute("SET statement_timeout = '500ms'")
    with pytest.raises(asyncpg.QueryCanceledError):
        await builder.execute(INDEX.text.replace("signoff.", f'"{schema}".'))
    await transaction.rollback()
    await reader.close()
    await builder.close()
    validity = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'signoff.by_more'::regclass"
    assert await ask(validity) == [(False,)]
    assert await newer(store.url, COLUMN, INDEX).upgrade() == names([INDEX])
    assert await ask(validity) == [(True,)]


async def test_a_migration_waits_for_readers_and_keeps_nobody_waiting_long(opened: OpenStore) -> None:
    """It gives its lock up and tries again, so that those behind it go on meanwhile."""
    store = await opened()
    await done(store, start("r1"))
    base, _, schema = store.url.partition("&schema=")
    reader = await asyncpg.connect(base)
    transaction = reader.transaction()
    await transaction.start()
    await reader.fetch(f'SELECT id FROM "{schema}".subjects')
    migrating = asyncio.ensure_future(newer(store.url, COLUMN).upgrade())
    async with asyncio.timeout(60):
        for version in range(1, 30):
            await done(store, advance("r1", version))
    assert not migrating.done()
    await transaction.commit()
    assert await migrating == names([COLUMN])
    await reader.close()


async def test_only_what_breaks_is_refused(url: str) -> None:
    """A newer release may have added to the schema; one that has broken with this one says so."""
    await newer(url, COLUMN).upgrade()
    store = open_store(url)
    await store.open()
    await done(store, start("r1"))
    await store.close()
    breaking = Migration(NEWEST + 2, "other", "SELECT 1;", True, False)
    await newer(url, COLUMN, breaking).upgrade()
    with pytest.raises(SchemaTooNew, match="newer version"):
        await open_store(url).open()
    migrating = open_migrating(url)
    assert migrating is not None
    assert (await migrating.status()).breaking
    assert "cannot use it" in (await migrating.check())[0]


async def test_a_migration_that_fails_leaves_nothing(url: str) -> None:
    """The steps before it stand, and it can be tried again."""
    broken = Migration(NEWEST + 1, "broken", "CREATE TABLE signoff.half (a int); SELECT 1 / 0;", False, False)
    with pytest.raises(StoreError, match="leaves nothing"):
        await newer(url, broken).upgrade()
    assert await newer(url, COLUMN).upgrade() == names([*migrations(), COLUMN])


async def test_a_migration_takes_as_long_as_it_takes(url: str) -> None:
    """The limit that holds for other statements would end the building of any large index."""
    slow = Migration(NEWEST + 1, "slow", "SELECT pg_sleep(1.2);", False, False)
    later = slow._replace(number=NEWEST + 2, name="later", concurrent=True)
    limited = url + "&statement_timeout=1"
    assert await newer(limited, slow, later).upgrade() == names([*migrations(), slow, later])


async def test_a_role_that_may_not_create_is_told_what_an_administrator_runs(tmp_path: Path) -> None:
    """`sql` is all that is needed, and may be run again; then the role works, and may do no more than that."""
    admin = fresh_url("postgres", tmp_path)
    schema = admin.partition("&schema=")[2]
    role = f"r{schema}"
    postgres().sql(f"CREATE ROLE {role} LOGIN")
    try:
        url = postgres().url(user=role, schema=schema)
        with pytest.raises(StoreError, match="signoff db sql"):
            await open_store(url).open()
        migrating = open_migrating(url)
        assert migrating is not None
        for _ in range(2):
            postgres().sql(migrating.sql())
        assert (await migrating.status()).pending == ()
        assert await migrating.check() == []
        store = open_store(url)
        await store.open()
        await done(store, start("r1", ready=True), advance("r1", 1))
        assert len(await store.claim("w", ["expense"], now=0, lease_ms=1, limit=1)) <= 1
        await store.close()
        with pytest.raises(StoreError, match="may not create"):
            await newer(url, COLUMN).upgrade()
    finally:
        postgres().sql(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_check_names_what_endangers_data(url: str, opened: OpenStore) -> None:
    """Settings by which the server loses what it has promised, and those we cannot work with."""
    await opened()
    migrating = open_migrating(url + "&synchronous_commit=off&default_transaction_isolation=serializable")
    assert migrating is not None
    wrong = await migrating.check()
    assert [one.split()[0] for one in wrong] == ["synchronous_commit", "default_transaction_isolation"]
    migrating = open_migrating(url + "&default_transaction_read_only=on")
    assert migrating is not None
    assert await migrating.check() == ["default_transaction_read_only is on: nothing can be written."]
