"""The SQLite file itself: its schema, whose it is, and what happens when it cannot be used."""

from __future__ import annotations

import asyncio
import re
import resource
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from signoff.errors import SchemaTooNew, StoreError, StoreUnavailable
from signoff.stores.base import WorkflowStore
from signoff.stores.change import Committed
from signoff.stores.open import open_store
from signoff.stores.sqlite import connection as connections
from signoff.stores.sqlite import writer
from signoff.stores.sqlite.connection import APPLICATION_ID, statements
from signoff.stores.sqlite.statements import migrations, schema
from signoff.testing.store_contract.laws import advance, done, journal, load, record, start, tails, text
from tests.service.streams.scene import opened
from tests.stores.blind import blind
from tests.stores.sqlite.unprivileged import unprivileged


async def nothing(store: WorkflowStore) -> None:
    assert await store.next_due(["expense"]) is None


def tables(scripts: list[str]) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(":memory:")
    for script in scripts:
        for statement in statements(script):
            connection.execute(statement)
    found = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name").fetchall()
    connection.close()
    return [(*names, sql and _without_layout(sql)) for *names, sql in found]


def _without_layout(sql: str) -> str:
    """Return a statement without its line breaks: columns that were added later stand on the last one's line."""
    return re.sub(r"\s*([(),])\s*", r"\1", re.sub(r"\s+", " ", sql))


def test_migrations_lead_to_the_schema() -> None:
    assert tables(migrations()) == tables([schema()])
    assert len(tables([schema()])) > 10


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


async def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """The limit on the size of files stands in for the disk: the system refuses writes beyond it."""

    async with opened(f"sqlite:///{tmp_path}/f.db") as store:
        await done(store, start("r1"))
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, limits[1]))
        tail = 1
        try:
            while tail < 1000:
                await done(store, advance("r1", tail, state=b"x" * 8000))
                tail += 1
        except StoreUnavailable as error:
            assert "disk" in error.detail  # noqa: PT017  where in the loop it comes is the system's choice
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        state = await record(store)
        assert 1 < tail < 1000
        assert (state.version, state.tail(journal("r1"))) == (tail, tail)
        assert await tails(store, "runs/r1", "runs/r1/journal") == {
            "runs/r1": (tail, False),
            "runs/r1/journal": (tail, False),
        }
        await done(store, advance("r1", tail))


class Faulty(sqlite3.Connection):
    """Lose the reply to a COMMIT, before or after it took effect."""

    fault: str | None = None

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql == "COMMIT" and Faulty.fault is not None:
            fault, Faulty.fault = Faulty.fault, None
            super().execute(fault)
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *values)


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> type[Faulty]:
    def connect(path: Path) -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Faulty)

    monkeypatch.setattr(writer, "connect", connect)
    return Faulty


async def test_the_outcome_of_a_commit_whose_reply_is_lost_is_looked_up(tmp_path: Path, faulty: type[Faulty]) -> None:
    async with opened(f"sqlite:///{tmp_path}/f.db") as store:
        await done(store, start("r1"))
        faulty.fault = "COMMIT"
        assert [type(one) for one in await store.commit([advance("r1", 1), start("r2")])] == [Committed, Committed]
        faulty.fault = "ROLLBACK"
        with pytest.raises(StoreUnavailable, match=r"I/O error.*Nothing was written"):
            await store.commit([advance("r1", 2)])
        await done(store, advance("r1", 2))
        assert await text(store, "runs/r1/journal") == b'{"type":"run.started"},{"n":1},{"n":2}'


async def test_a_file_locked_by_another_for_too_long_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "connect", lambda path: connections.connect(path, busy_s=0.05))

    async with opened(f"sqlite:///{tmp_path}/f.db") as store:
        other = sqlite3.connect(tmp_path / "f.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            await store.commit([start("r1")])
        assert await load(store, "r1") is None
        other.execute("COMMIT")
        other.close()
        await done(store, start("r1"))
