"""Two workers on one file, 200 good runs, and among them every kind of bad ones: each ends as it should, in time."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path

from tests.runtime.scene import Scene, scene

PROGRAM = textwrap.dedent(
    """
    import asyncio, os, re, signal, sys, threading, time
    from pathlib import Path
    from signoff import App, Context, Retry, current_step
    from signoff.cli.running import WorkerPart, run_to_end, until_stopped
    from signoff.runtime.worker import Worker
    from signoff.service.engine import Engine
    from signoff.stores.open import open_store

    url, effects = sys.argv[1], Path(sys.argv[2])
    app = App()
    ONCE = Retry(attempts=1)

    def note():
        with effects.open("a") as file:
            file.write(current_step().key + "\\n")

    async def add(n: int) -> int:
        await asyncio.sleep(0.01)
        return n + 1

    @app.workflow(expose=("output",))
    async def good(ctx: Context, n: int) -> int:
        n = await ctx.step("add", add, n)
        await ctx.sleep("20ms")
        return await ctx.options(timeout="20s").step("double", lambda: 2 * n)

    @app.workflow
    async def spins(ctx: Context) -> None:
        await ctx.step("add", add, 1)
        while True:
            pass

    @app.workflow
    async def swallows(ctx: Context) -> None:
        while True:
            try:
                while True:
                    pass
            except:
                pass

    @app.workflow
    async def backtracks(ctx: Context) -> None:
        re.match(r"^(\\w+\\s?)+$", "a" * 40 + "!")

    async def sleeps():
        note()
        time.sleep(6)

    @app.workflow
    async def blocks(ctx: Context) -> None:
        await ctx.step("sleep", sleeps)

    def hangs():
        threading.Event().wait()

    @app.workflow
    async def hog(ctx: Context) -> None:
        await ctx.options(timeout="300ms", retry=ONCE).step("hang", hangs)

    class Hollow(Exception):
        def __getattr__(self, name):
            raise KeyError(name)

        def __str__(self):
            raise GeneratorExit

    ERRORS = [StopIteration, GeneratorExit, KeyboardInterrupt, SystemExit, Hollow, asyncio.CancelledError, RuntimeError]

    async def raises(n):
        note()
        raise ERRORS[n % 7]()

    def raises_in_a_thread(n):
        note()
        raise ERRORS[n % 7]()

    async def has_a_part_that_exits():
        async def part():
            raise SystemExit(3)
        async with asyncio.TaskGroup() as group:
            group.create_task(part())

    @app.workflow
    async def fails(ctx: Context, n: int) -> None:
        fn = raises if n < 7 else raises_in_a_thread
        await ctx.options(retry=ONCE).step("raise", fn, n)

    @app.workflow
    async def exits(ctx: Context) -> None:
        await ctx.options(retry=ONCE).step("exit", has_a_part_that_exits)

    @app.workflow
    async def raises_itself(ctx: Context, n: int) -> None:
        raise ERRORS[n % 7]()

    def explodes():
        note()
        os.kill(os.getpid(), signal.SIGKILL)

    @app.workflow
    async def bomb(ctx: Context) -> None:
        await ctx.step("explode", explodes)

    async def main():
        engine = await Engine.open(open_store(url))
        try:
            worker = Worker(app, engine, threads=8, lease_ms=5_000, poll_ms=100, activation_s=0.5)
            await until_stopped(WorkerPart(worker))
        finally:
            await engine.close()

    run_to_end(main())
    """
)
GOOD = 200
BAD: dict[str, tuple[str, str | None, list[int | None]]] = {
    "spins": ("blocked", "workflow_stuck", [None] * 3),
    "swallows": ("blocked", "workflow_stuck", [None] * 2),
    "backtracks": ("blocked", "workflow_stuck", [None]),
    "blocks": ("completed", None, [None] * 2),
    "hog": ("failed", "step_failed", [None] * 12),
    "fails": ("failed", "step_failed", list(range(14))),
    "exits": ("failed", "step_failed", [None]),
    "raises_itself": ("failed", None, list(range(7))),
    "bomb": ("blocked", "worker_lost", [None]),
}
IN_S = 90
"""Seconds for all of it; some 25 on two idle cores."""


class Workers:
    """Two worker processes; one that dies is replaced, as a supervisor does."""

    def __init__(self, program: Path, *arguments: str) -> None:
        self._command = [sys.executable, str(program), *arguments]
        self._log = program.with_suffix(".log")
        self.died = 0
        self.processes = [self._spawn() for _ in range(2)]

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(self._command, stderr=log)

    def look(self) -> None:
        for place, process in enumerate(self.processes):
            if process.poll() is not None:
                assert process.returncode == -signal.SIGKILL, self._log.read_text()[-4000:]
                self.died += 1
                self.processes[place] = self._spawn()

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


async def _starts(on: Scene) -> tuple[list[str], dict[str, list[str]]]:
    good: list[str] = []
    bad: dict[str, list[str]] = {workflow: [] for workflow in BAD}
    waiting = [(workflow, one) for workflow, (_, _, inputs) in BAD.items() for one in inputs]
    for n in range(GOOD):
        if n % 4 == 0 and waiting:
            workflow, one = waiting.pop()
            bad[workflow].append(await on.start(workflow, one))
        good.append(await on.start("good", n))
    assert not waiting
    return good, bad


async def _ended(on: Scene, runs: list[str]) -> bool:
    rows = [await on.engine.runs.get(run) for run in runs]
    return all(row["status"] in {"completed", "failed", "blocked"} for row in rows)


async def test_bad_runs_take_no_good_ones_down(tmp_path: Path, shared_url: str) -> None:
    program, effects = tmp_path / "worker.py", tmp_path / "effects"
    program.write_text(PROGRAM)
    effects.touch()

    async with scene(shared_url) as on:
        workers = Workers(program, shared_url, str(effects))
        try:
            good, bad = await _starts(on)
            every = [*good, *(run for runs in bad.values() for run in runs)]
            end = time.monotonic() + IN_S
            while not await _ended(on, every):
                workers.look()
                assert time.monotonic() < end, Counter([(await on.engine.runs.get(run))["status"] for run in every])
                await asyncio.sleep(0.1)
            for n, run in enumerate(good):
                row = await on.engine.runs.get(run)
                assert (row["status"], row.get("output")) == ("completed", 2 * (n + 1)), await on.entries(run)
            for workflow, (status, code, _) in BAD.items():
                for run in bad[workflow]:
                    row = await on.engine.runs.get(run)
                    assert row["status"] == status, (workflow, row)
                    assert code is None or row["error"]["code"] == code, (workflow, row)
            assert workers.died == 3, "the bomb costs three workers, and nobody else costs one"
            happened = Counter(effects.read_text().split())
            once = [run for workflow in ("blocks", "fails") for run in bad[workflow]]
            repeated = {key: count for key, count in happened.items() if key.split("/")[0] in once and count > 1}
            assert len(repeated) <= workers.died * 2, "a step runs again if its worker was killed, and else never"
            began = time.monotonic()
            for process in workers.processes:
                process.terminate()
            assert [process.wait(20) for process in workers.processes] == [0, 0]
            assert time.monotonic() - began < 15
        finally:
            workers.kill()
