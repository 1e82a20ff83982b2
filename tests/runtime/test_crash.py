"""Processes die at any instruction, freeze, and come back: the journal decides, and every result stands once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path

import pytest

from signoff.errors import StoreError
from tests.runtime.scene import Scene, person, scene

PROGRAM = textwrap.dedent(
    """
    import asyncio, os, signal, sys
    from pathlib import Path
    from signoff import App, Context, current_step
    from signoff.runtime.worker import Worker
    from signoff.service.engine import Engine
    from signoff.stores.open import open_store

    url, effects, moment = sys.argv[1], Path(sys.argv[2]), sys.argv[4]
    allowed, lease = int(sys.argv[3]), int(sys.argv[5])
    app = App()

    async def effect(n: int, pause: float) -> int:
        with effects.open("a") as file:
            file.write(f"{current_step().key} {os.getpid()}\\n")
        await asyncio.sleep(pause)
        return n * n

    @app.workflow(expose=("output",))
    async def long(ctx: Context) -> int:
        total = 0
        for n in range(30):
            total += await ctx.step("effect", effect, n, 0.0)
            if n % 10 == 5:
                answer = await ctx.await_input("go", int, title=f"Go on after {n}?", to=["group:finance"])
                total += answer.value
        a, b = await asyncio.gather(ctx.step("effect", effect, 100, 0.0), ctx.step("other", effect, 200, 0.0))
        await ctx.sleep("10ms")
        return total + a + b

    @app.workflow(expose=("output",))
    async def slow(ctx: Context) -> int:
        return sum([await ctx.step("effect", effect, n, 0.4) for n in range(6)])

    async def main():
        engine = await Engine.open(open_store(url))
        commit, done = engine.store.commit, 0

        async def counted(changes):
            nonlocal done
            if all(change.write.subject.name.kind != "run" for change in changes):  # the worker announces itself
                return await commit(changes)
            if done >= allowed >= 0 and moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            outcomes = await commit(changes)
            done += 1
            if done >= allowed >= 0 and moment == "after":
                os.kill(os.getpid(), signal.SIGKILL)
            return outcomes

        engine.store.commit = counted
        await Worker(app, engine, lease_ms=lease, poll_ms=50).run()

    asyncio.run(main())
    """
)
EXPECTED = sum(n * n for n in range(30)) + 3 * 7 + 100 * 100 + 200 * 200


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "worker.py"
    path.write_text(PROGRAM)
    return path


def spawn(
    program: Path, url: str, effects: Path, allowed: int = -1, moment: str = "never", lease: int = 200
) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(program), url, str(effects), str(allowed), moment, str(lease)])


async def _answer_what_is_asked(on: Scene, run: str, answered: set[str]) -> None:
    for row in await on.engine.inputs.pending(run):
        try:
            await on.answer(row, 7, submission=row["id"], who=person())
            answered.add(row["id"])
        except StoreError:
            continue


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_killed_at_every_commit_boundary(tmp_path: Path, shared_url: str, program: Path, moment: str) -> None:
    effects = tmp_path / "effects"
    allowed = 2 if moment == "before" else 1

    answered: set[str] = set()
    async with scene(shared_url) as on:
        run = await on.start("long")
        kills = 0
        deadline = time.monotonic() + 200
        while (await on.engine.runs.get(run))["status"] != "completed":
            assert time.monotonic() < deadline, "the run does not get to its end"
            process = spawn(program, shared_url, effects, allowed, moment)
            while process.poll() is None and (await on.engine.runs.get(run))["status"] != "completed":
                await _answer_what_is_asked(on, run, answered)
                await asyncio.sleep(0.02)
            if process.poll() is None:
                process.terminate()
            kills += process.wait(30) == -signal.SIGKILL
        row = await on.engine.runs.get(run)
        assert row["output"] == EXPECTED
        assert kills >= 15
        assert len(answered) == 3
        results = Counter(entry["id"] for entry in await on.entries(run, "step.completed"))
        assert set(results.values()) == {1}
        assert len(results) == 32
        happened = {line.split()[0] for line in effects.read_text().splitlines()}
        assert happened == {f"{run}/{id_}" for id_ in results}


async def test_a_frozen_worker_changes_nothing_when_it_thaws(tmp_path: Path, shared_url: str, program: Path) -> None:
    effects = tmp_path / "effects"

    async with scene(shared_url) as on:
        run = await on.start("slow")
        first = spawn(program, shared_url, effects, lease=600)
        try:
            while not effects.exists():
                await asyncio.sleep(0.01)
            os.kill(first.pid, signal.SIGSTOP)
            frozen_at = len(await on.entries(run))
            second = spawn(program, shared_url, effects, lease=600)
            try:
                while len(await on.entries(run, "step.completed")) < 3:
                    await asyncio.sleep(0.02)
                os.kill(first.pid, signal.SIGCONT)
                row = await on.reaches(run, "completed")
                assert row["output"] == sum(n * n for n in range(6))
                completed = Counter(entry["id"] for entry in await on.entries(run, "step.completed"))
                assert set(completed.values()) == {1}
                assert frozen_at < len(await on.entries(run))
                pids = {line.split()[1] for line in effects.read_text().splitlines()}
                assert pids == {str(first.pid), str(second.pid)}
            finally:
                second.kill()
                second.wait(30)
        finally:
            first.kill()
            first.wait(30)
