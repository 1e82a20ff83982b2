"""The write-ahead log after a reader has kept it from being emptied."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from signoff.stores.sqlite import log
from signoff.stores.sqlite.connection import LOG_BYTES
from signoff.testing.store_contract.laws import done, text
from tests.service.streams.scene import opened
from tests.stores.blind import blind

MESSAGE = b'"' + b"x" * 200_000 + b'"'


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(log, "LARGE", 4 << 20)
    monkeypatch.setattr(log, "EVERY_S", 0.02)
    return tmp_path / "f.db"


def size(path: Path) -> int:
    """Return the size of the log."""
    return path.with_name(f"{path.name}-wal").stat().st_size


def copiers() -> list[str]:
    """Return the threads that copy a log into its file."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("signoff-log")]


async def becomes(path: Path, most: int) -> None:
    async with asyncio.timeout(20):
        while size(path) > most:
            await asyncio.sleep(0)


async def test_a_log_that_a_reader_kept_is_cut_when_the_reader_has_ended(path: Path) -> None:
    """Also if nothing is written any more."""

    async with opened(f"sqlite:///{path}") as store:
        reader = sqlite3.connect(path, isolation_level=None)
        await done(store, blind("s", b"0"))
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM batches").fetchone()
        for _ in range(60):
            await done(store, blind("s", MESSAGE))
        assert size(path) > 2 * log.LARGE
        reader.execute("ROLLBACK")
        await becomes(path, 0)
        assert len(await text(store, "s")) == 1 + 60 * (1 + len(MESSAGE))
        await done(store, blind("s", b"1"))
        async with asyncio.timeout(20):
            while copiers():
                await asyncio.sleep(0)
        reader.close()


async def test_no_commit_copies_a_log_that_a_reader_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the thread that shall do it is held up, what the reader kept stays where it is."""
    going = threading.Event()
    copy = log.Log._copy

    def held_up(self: log.Log) -> None:
        going.wait(20)
        copy(self)

    monkeypatch.setattr(log.Log, "_copy", held_up)

    async with opened(f"sqlite:///{path}") as store:
        reader = sqlite3.connect(path, isolation_level=None)
        await done(store, blind("s", b"0"))
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM batches").fetchone()
        async with asyncio.timeout(20):
            while not copiers():
                await done(store, blind("s", MESSAGE))
        for _ in range(100):
            await done(store, blind("s", MESSAGE))
        reader.execute("ROLLBACK")
        reader.close()
        file = path.stat().st_size
        await done(store, blind("s", b"1"))
        assert path.stat().st_size == file
        going.set()
        await becomes(path, 0)
        assert path.stat().st_size > file


async def test_the_log_begins_anew_no_longer_than_it_is_said(path: Path) -> None:
    async with opened(f"sqlite:///{path}") as store:
        for _ in range(400):
            await done(store, blind("s", MESSAGE))
        assert size(path) <= LOG_BYTES
