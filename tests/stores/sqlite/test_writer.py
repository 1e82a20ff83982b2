"""What the writer tells of transactions that fail: nothing that was acknowledged is lost, nothing is there twice."""

from __future__ import annotations

import resource
import sqlite3
from pathlib import Path

import pytest

from signoff.errors import StoreUnavailable
from signoff.stores.change import Committed
from signoff.stores.sqlite import connection as connections
from signoff.stores.sqlite import writer
from signoff.testing.store_contract.laws import advance, done, journal, load, record, start, tails, text
from tests.service.streams.scene import opened
from tests.stores.sqlite.watched import Watched


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


async def test_the_outcome_of_a_commit_whose_reply_is_lost_is_looked_up(tmp_path: Path, watched: type[Watched]) -> None:
    async with opened(f"sqlite:///{tmp_path}/f.db") as store:
        await done(store, start("r1"))
        watched.fault = True
        assert [type(one) for one in await store.commit([advance("r1", 1), start("r2")])] == [Committed, Committed]
        watched.fault = False
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
