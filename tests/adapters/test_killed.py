"""Agents whose process is killed while people decide about their tools: nothing is done twice, nothing is lost."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.lives import EXAMPLES
from tests.cli.commands import environment
from tests.runtime.scene import Scene, person, scene

FOLDER = Path(__file__).parents[2] / "examples" / "agents"
STAFF = person("eve", "support")


class Lives:
    """Workers, one after the other, whose process is killed."""

    def __init__(self) -> None:
        path = f"{FOLDER}:{Path(__file__).parents[2]}:{environment().get('PYTHONPATH', '')}"
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-m", "tests.adapters.lives"],
            env=environment(PYTHONPATH=path),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._alive: set[int] = set()

    def begin(self, example: str, url: str, folder: Path) -> int:
        """Start a worker, and return the id of its process."""
        pid = self._ask(example=example, url=url, folder=str(folder))
        self._alive.add(pid)
        return pid

    def end(self, pid: int, number: int = signal.SIGKILL) -> int:
        """End a worker, and return the code it ended with."""
        self._alive.discard(pid)
        return self._ask(pid=pid, signal=number)

    def close(self) -> None:
        """End the process that starts them, and those it has started."""
        for pid in tuple(self._alive):
            self.end(pid)
        self._process.communicate(timeout=30)

    def _ask(self, **what: Any) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@pytest.fixture(scope="module")
def lives() -> Iterator[Lives]:
    """What starts workers that have the frameworks."""
    of = Lives()
    yield of
    of.close()


async def asked(on: Scene, run: str) -> list[dict[str, Any]]:
    """Wait until both gates are pending, and return them."""
    async with asyncio.timeout(60):
        while len(rows := await on.engine.inputs.pending(run)) < 2:
            await asyncio.sleep(0.02)
    return sorted(rows, key=lambda row: str(row["id"]))


async def digested(on: Scene, run: str) -> None:
    """Wait until a worker has done what there was to do, and waits."""
    async with asyncio.timeout(60):
        while (record := await on.engine.runs.record(run)).ready or record.lease_owner is not None:
            await asyncio.sleep(0.02)


async def result(on: Scene, run: str) -> Any:
    """Wait until the run is completed, and return its output."""
    async with asyncio.timeout(60):
        while not (found := await on.entries(run, "run.completed")):
            await asyncio.sleep(0.02)
    return found[0]["output"]


@pytest.mark.parametrize("example", EXAMPLES)
async def test_two_gates_outlive_the_process_and_nothing_is_called_twice(
    tmp_path: Path, shared_url: str, lives: Lives, example: str
) -> None:
    async with scene(shared_url) as on:
        run = await on.start("support", "Write to ann and bob.")
        worker = lives.begin(example, shared_url, tmp_path)
        edited, rejected = await asked(on, run)
        lives.end(worker)
        worker = lives.begin(example, shared_url, tmp_path)
        await on.answer(edited, {"to": "cat", "text": "Hi"}, action="edit", who=STAFF)
        await digested(on, run)
        assert lives.end(worker, signal.SIGTERM) == 0, "a deploy, in the middle of the wait"
        worker = lives.begin(example, shared_url, tmp_path)
        await on.answer(rejected, "not him", action="reject", who=STAFF)
        output = await result(on, run)
        assert lives.end(worker, signal.SIGTERM) == 0
    told = "not him" if "pydantic" in example else "This was refused: not him"
    assert output == f"sent 'Hi' to cat; {told}"
    assert Counter((tmp_path / "done").read_text().splitlines()) == {"model": 2, "mail to cat": 1}
    assert (tmp_path / "errors").read_text() == "", "frameworks are dropped quietly"
