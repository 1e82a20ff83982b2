"""Who may use the SQLite file: its owner, unless its owner has said otherwise."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from signoff.stores.base import WorkflowStore
from signoff.stores.open import open_store
from signoff.testing.store_contract.laws import done
from tests.service.streams.scene import opened
from tests.stores.blind import blind


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    """Return the permissions of all files."""
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


async def test_a_new_file_and_its_log_are_for_their_owner_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(f"sqlite:///{tmp_path}/f.db") as store:
        await done(store, blind("s", b"1"))
        assert modes(tmp_path) == dict.fromkeys(("f.db", "f.db-wal", "f.db-shm"), 0o600)
    assert caplog.records == []


async def test_a_file_that_others_may_use_is_left_as_it_is_and_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "f.db"

    async def nothing(store: WorkflowStore) -> None:
        assert await store.next_due(["expense"]) is None

    async with opened(f"sqlite:///{path}") as store:
        await nothing(store)
    path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        async with opened(f"sqlite:///{path}") as store:
            await nothing(store)
    assert modes(tmp_path)["f.db"] == 0o644
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert told[0].startswith(f"{path} may be used by others than the owner (mode 0644)")
    assert told[0].endswith(f"chmod 600 {path} {path}-wal {path}-shm")


async def test_many_that_create_one_file_at_once_do_not_widen_it(tmp_path: Path) -> None:
    stores = [open_store(f"sqlite:///{tmp_path}/f.db") for _ in range(4)]
    await asyncio.gather(*(store.open() for store in stores))
    assert set(modes(tmp_path).values()) == {0o600}
    await asyncio.gather(*(store.close() for store in stores))
