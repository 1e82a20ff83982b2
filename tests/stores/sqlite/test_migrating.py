"""The schema of a file, as operators see it."""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from signoff.errors import SchemaTooNew, StoreError, StoreUnavailable
from signoff.stores.migrating import SchemaStatus
from signoff.stores.open import open_migrating, open_store
from signoff.stores.sqlite.connection import statements
from signoff.stores.sqlite.migrating import SqliteMigrating
from signoff.stores.sqlite.statements import migration_names, migrations

NEWEST = len(migrations())
OLDER = Path(__file__).parent / "files"


def change(path: Path, *scripts: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for script in scripts:
            connection.executescript(script)


async def test_a_file_that_is_not_there_has_no_schema_and_is_not_made(tmp_path: Path) -> None:
    migrating = SqliteMigrating(tmp_path / "deep" / "f.db")
    assert await migrating.status() == SchemaStatus("sqlite", 0, NEWEST, tuple(migration_names()))
    assert await migrating.check() == [f"There is no file {tmp_path}/deep/f.db."]
    assert list(tmp_path.iterdir()) == []


async def test_an_upgrade_makes_what_a_store_would(tmp_path: Path) -> None:
    one, other = tmp_path / "a" / "f.db", tmp_path / "b.db"
    assert await SqliteMigrating(one).upgrade() == migration_names()
    assert one.stat().st_mode & 0o077 == 0
    store = open_store(f"sqlite:///{other}")
    await store.open()
    await store.close()
    for path in (one, other):
        migrating = SqliteMigrating(path)
        assert await migrating.status() == SchemaStatus("sqlite", NEWEST, NEWEST)
        assert await migrating.check() == []
        assert await migrating.upgrade() == []


async def test_an_older_file_is_told_of_as_it_is_and_upgraded_when_told(tmp_path: Path) -> None:
    path = tmp_path / "f.db"
    path.write_bytes(gzip.decompress((OLDER / "schema-9.db.gz").read_bytes()))
    migrating = SqliteMigrating(path)
    before = await migrating.status()
    assert before.schema == 9
    assert before.pending == tuple(migration_names()[before.schema :])
    assert await migrating.status() == before, "a look changes nothing"
    assert await migrating.upgrade() == list(before.pending)
    assert await migrating.status() == SchemaStatus("sqlite", NEWEST, NEWEST)
    assert await migrating.check() == []


async def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    migrating = SqliteMigrating(tmp_path / "f.db")
    await migrating.upgrade()
    change(tmp_path / "f.db", f"PRAGMA user_version = {NEWEST + 1}")
    assert await migrating.status() == SchemaStatus("sqlite", NEWEST + 1, NEWEST, breaking=True)
    with pytest.raises(SchemaTooNew):
        await migrating.upgrade()


async def test_what_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    path = tmp_path / "f.db"
    migrating = SqliteMigrating(path)
    await migrating.upgrade()
    change(path, "DROP INDEX subjects_due; PRAGMA journal_mode = DELETE; CREATE TABLE mine (n INTEGER)")
    faults = await migrating.check()
    assert [fault.split(";")[0] for fault in faults] == [
        "The index subjects_due is missing. Put a backup in its place.",
        "The journal mode is delete, not wal",
    ]
    data = bytearray(path.read_bytes())
    data[-4096:] = b"\x7f" * 4096
    path.write_bytes(data)
    assert any(fault.startswith("The file is damaged: ") for fault in await migrating.check())


async def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "f.db"
    change(path, "CREATE TABLE theirs (n INTEGER)")
    before = path.read_bytes()
    for ask in (SqliteMigrating(path).status, SqliteMigrating(path).check, SqliteMigrating(path).upgrade):
        with pytest.raises(StoreError, match="another application"):
            await ask()
    assert path.read_bytes() == before
    path.write_bytes(b"no database at all, but long enough to be taken for one" * 100)
    with pytest.raises(StoreUnavailable, match="not a SQLite database"):
        await SqliteMigrating(path).status()


async def test_the_statements_make_a_file_that_is_ours(tmp_path: Path) -> None:
    path = tmp_path / "f.db"
    migrating = SqliteMigrating(path)
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements(migrating.sql()):
            connection.execute(statement)
        connection.execute("PRAGMA journal_mode = WAL")
    assert await migrating.status() == SchemaStatus("sqlite", NEWEST, NEWEST)
    assert await migrating.check() == []


def test_memory_has_nothing_to_migrate(tmp_path: Path) -> None:
    assert open_migrating("memory:") is None
    assert isinstance(open_migrating(f"sqlite:///{tmp_path}/none.db"), SqliteMigrating)
    with pytest.raises(StoreError):
        open_migrating("mysql://x")
