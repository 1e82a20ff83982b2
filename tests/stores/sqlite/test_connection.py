"""The SQLite file itself: its schema, whose it is, and what happens when it cannot be used."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from signoff.errors import SchemaTooNew, StoreError, StoreUnavailable
from signoff.stores.base import WorkflowStore
from signoff.stores.open import open_store
from signoff.stores.sqlite.connection import APPLICATION_ID
from signoff.stores.sqlite.statements import migrations
from signoff.testing.store_contract.laws import advance, done, start, text
from tests.service.streams.scene import opened
from tests.stores.blind import blind
from tests.stores.sqlite.unprivileged import unprivileged


async def nothing(store: WorkflowStore) -> None:
    assert await store.next_due(["expense"]) is None


async def test_a_file_says_whose_it_is_and_how_old(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path}/f.db") as store:
        await nothing(store)
    connection = sqlite3.connect(tmp_path / "f.db")
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(migrations()),)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "f.db"
    async with opened(f"sqlite:///{path}") as store:
        await nothing(store)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {len(migrations()) + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(SchemaTooNew, match="newer version"):
        async with opened(f"sqlite:///{path}") as store:
            await nothing(store)
    assert path.read_bytes() == before


async def test_another_application_s_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    for setting in ("CREATE TABLE t (a)", "PRAGMA application_id = 7"):
        path = tmp_path / f"{len(setting)}.db"
        connection = sqlite3.connect(path)
        connection.execute(setting)
        connection.close()
        before = path.read_bytes()
        with pytest.raises(StoreError, match="another application"):
            async with opened(f"sqlite:///{path}") as store:
                await nothing(store)
        assert path.read_bytes() == before


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "f.db"
    path.write_bytes(b"not a database, but long enough to have been one " * 100)
    before = path.read_bytes()
    with pytest.raises(StoreUnavailable, match="not a SQLite database"):
        async with opened(f"sqlite:///{path}") as store:
            await nothing(store)
    assert path.read_bytes() == before


async def test_data_outlives_the_store(tmp_path: Path) -> None:
    async with opened(f"sqlite:///{tmp_path}/f.db") as store:
        await done(store, start("r1", ready=True))
        await store.claim("w1", ["expense"], now=0, lease_ms=10, limit=1)

    async with opened(f"sqlite:///{tmp_path}/f.db") as store:
        [claimed] = await store.claim("w1", ["expense"], now=10, lease_ms=10, limit=1)
        assert claimed.epoch == 2
        await done(store, advance("r1", 1, epoch=2))
        assert await text(store, "runs/r1/journal") == b'{"type":"run.started"},{"n":1}'


async def test_many_open_a_new_file_at_once(tmp_path: Path) -> None:
    stores = [open_store(f"sqlite:///{tmp_path}/f.db") for _ in range(8)]
    await asyncio.gather(*(store.open() for store in stores))
    for number, store in enumerate(stores):
        await done(store, blind("s", b"%d" % number))
    assert await text(stores[0], "s") == b"0,1,2,3,4,5,6,7"
    await asyncio.gather(*(store.close() for store in stores))


async def test_a_read_only_file_is_unavailable() -> None:
    with unprivileged() as folder:
        path = folder / "f.db"
        async with opened(f"sqlite:///{path}") as store:
            await _start(store, "r1")
        path.chmod(0o444)
        with pytest.raises(StoreUnavailable, match="read-only"):
            async with opened(f"sqlite:///{path}") as store:
                await _start(store, "r2")
        for file in folder.iterdir():  # SQLite gives its log the permissions of the file
            file.chmod(0o644)
        async with opened(f"sqlite:///{path}") as store:
            await _start(store, "r2")


async def _start(store: WorkflowStore, run_id: str) -> None:
    await done(store, start(run_id))
