"""Processes that use one store at once, and some that are killed while they do: one history explains what all saw."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from signoff.stores.open import open_store
from signoff.testing.histories import RecordedCall
from signoff.testing.histories.workload import finish
from signoff.testing.store_contract.histories import judge
from tests.histories.peer import calls_of

ROOT = Path(__file__).parents[2]
OPERATIONS = 60


async def _peer(url: str, seed: int, name: str, *, kill_after: int | None = None) -> list[RecordedCall]:
    """Run a process to its end, or kill it after so many lines; return what it told."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.histories.peer", url, str(seed), name, str(OPERATIONS)),
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    lines = []
    while line := await process.stdout.readline():
        lines.append(line.decode())
        if len(lines) == kill_after:
            process.kill()
    assert await process.wait() == (0 if kill_after is None else -9)
    return calls_of(lines)


async def _judge(url: str, seed: int, told: list[list[RecordedCall]], folder: Path) -> list[RecordedCall]:
    store = open_store(url)
    await store.open()
    history = await finish([store], [call for some in told for call in some], seed)
    await store.close()
    judge(history, folder)
    return history.operations


@pytest.mark.parametrize("seed", [1, 2])
async def test_what_processes_see_could_have_been_one_after_the_other(
    shared_url: str, tmp_path: Path, seed: int
) -> None:
    told = await asyncio.gather(*(_peer(shared_url, seed, name) for name in ("a", "b", "c")))
    calls = await _judge(shared_url, seed, list(told), tmp_path)
    assert not any(one.unknown for one in calls)
    assert {one.result for one in calls if one.name == "write"} >= {"committed", "version"}, "they met"


@pytest.mark.parametrize("seed", [1, 2])
async def test_so_could_what_was_seen_by_processes_that_were_killed(shared_url: str, tmp_path: Path, seed: int) -> None:
    """Each in the middle of its work; what it was told before stands, and what was under way happened whole or not."""
    told = await asyncio.gather(
        _peer(shared_url, seed, "a"),
        _peer(shared_url, seed, "b", kill_after=40 + 10 * seed),
        _peer(shared_url, seed, "c", kill_after=90 + 10 * seed),
    )
    calls = await _judge(shared_url, seed, list(told), tmp_path)
    assert any(one.unknown for one in calls)
