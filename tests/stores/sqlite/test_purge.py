"""What is left of deleted streams in a SQLite file: bounded pieces, and nothing after a kill."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from pathlib import Path

from signoff.service.engine import Engine
from signoff.service.streams import sweeper as sweeping
from signoff.stores.base import WorkflowStore
from signoff.stores.change import StreamDelete
from signoff.stores.open import open_store
from signoff.stores.sqlite.purge import PIECE_BYTES, PIECE_ROWS
from signoff.testing.store_contract.laws import done, family
from signoff.testing.store_contract.purging import fill
from tests.stores.processes import peer
from tests.stores.sqlite.file import rows

HELD = ("batches", "waypoints", "producers", "live_rows", "doomed")


def held(path: Path) -> dict[str, int]:
    """Count what is in the tables that streams fill."""
    return {table: rows(path, table) for table in HELD}


async def opened(path: Path) -> WorkflowStore:
    store = open_store(f"sqlite:///{path}")
    await store.open()
    return store


async def test_a_piece_has_few_rows_and_few_bytes(tmp_path: Path) -> None:
    path = tmp_path / "f.db"
    store = await opened(path)
    size = 64 * 1024
    for name, count, length in (("small", 3_000, 10), ("large", 100, size)):
        version = await fill(store, name, count, length)
        await done(store, family(StreamDelete(name, version)))
        before = rows(path, "batches")
        assert before == count
        while await store.purge():
            now = rows(path, "batches")
            assert before - now <= min(PIECE_ROWS, PIECE_BYTES // length + 1)
            before = now
        assert held(path) == dict.fromkeys(HELD, 0)
    await store.close()


async def test_a_number_is_not_given_away_before_all_it_stood_for_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "f.db"
    store = await opened(path)
    version = await fill(store, "last", 300, 1_000)
    await done(store, family(StreamDelete("last", version)))
    await store.close()
    store = await opened(path)  # it knows no number any more
    await fill(store, "next", 300, 1_000)
    while await store.purge():
        pass
    found = await store.read("next", 0, 1 << 30)
    assert found is not None
    assert sum(len(batch.data) for batch in found[1]) == 300_000
    assert rows(path, "batches") == 300
    await store.close()


async def test_what_a_killed_process_did_not_drop_the_next_one_does(tmp_path: Path) -> None:
    path = tmp_path / "f.db"
    store = await opened(path)
    version = await fill(store, "s", 5_000, 100)
    await store.close()
    with peer("purge", f"sqlite:///{path}", str(version)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "piece\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert rows(path, "streams") == 0
    assert rows(path, "doomed") == 1
    assert 0 < rows(path, "batches") < 5_000
    engine = await Engine.open(open_store(f"sqlite:///{path}"))
    async with asyncio.timeout(20):
        while held(path) != dict.fromkeys(HELD, 0):
            await asyncio.sleep(0)
    await engine.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


async def test_200_streams_whose_life_is_over_at_once_go_in_pieces(tmp_path: Path) -> None:
    assert sweeping.MOST == 200

    path = tmp_path / "f.db"
    store = await opened(path)
    versions = {f"s{n}": await fill(store, f"s{n}", 20, 1_000) for n in range(sweeping.MOST)}
    await asyncio.gather(*(store.commit([family(StreamDelete(name, version))]) for name, version in versions.items()))
    assert held(path)["doomed"] == sweeping.MOST
    before = rows(path, "batches")
    assert before == 20 * sweeping.MOST
    while await store.purge():
        now = rows(path, "batches")
        assert before - now <= PIECE_ROWS
        before = now
    assert held(path) == dict.fromkeys(HELD, 0)
    await store.close()
