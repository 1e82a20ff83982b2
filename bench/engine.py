"""Measure the engine on SQLite (WAL, synchronous=FULL) and compare with the raw speed of the same disk in the same run.

Usage: python bench/engine.py [--quick] [--json]

Every figure stands beside `raw`: one-row commits per second, one after another, through Python's sqlite3 with the same
pragmas. Machines differ; the ratio to raw differs less.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from signoff import App, Context, Refused
from signoff.cli.running import tune
from signoff.runtime.worker import Worker
from signoff.service.engine import Engine
from signoff.stores.open import open_store
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.decide import Who
from signoff.workflow.input.submission import AnswerRequest

app = App()
OPERATOR = Who(principals=frozenset(), by=DecidedBy("operator", "bench"), operator=True)


async def work(n: int) -> int:
    """Do nothing, durably."""
    return n


@app.workflow
async def sequence(ctx: Context, steps: int) -> int:
    """Run steps one after another."""
    total = 0
    for n in range(steps):
        total += await ctx.step("work", work, n)
    return total


@app.workflow
async def approval(ctx: Context, steps: int) -> bool:
    """Run steps, then ask a person."""
    for n in range(steps):
        await ctx.step("work", work, n)
    answer = await ctx.await_input("approve", bool, title="Go on?", to=["group:bench"])
    return answer.value


async def refuse(_: bool) -> None:
    """Take no answer."""
    raise Refused("no")


@app.workflow
async def judged(ctx: Context, _: int) -> None:
    """Ask a person, and take no answer."""
    await ctx.await_input("approve", bool, title="Go on?", to=["group:bench"], validate=refuse)


@asynccontextmanager
async def running(folder: Path, **options: Any) -> AsyncIterator[Engine]:
    """Open an engine with a worker on a database in `folder`."""
    engine = await Engine.open(open_store(f"sqlite:///{folder / 'bench.db'}"))
    worker = Worker(app, engine, **options)
    task = asyncio.create_task(worker.run())
    try:
        yield engine
    finally:
        await worker.drain()
        await task
        await engine.close()


async def until(engine: Engine, run_ids: list[str], statuses: set[str]) -> None:
    """Wait, by the runs' own streams, until every run has one of these statuses."""
    for run_id in run_ids:
        woken = asyncio.Event()
        subscription = engine.store.bus().subscribe(f"stream:runs/{run_id}", woken.set)
        try:
            while True:
                woken.clear()
                if (await engine.runs.get(run_id))["status"] in statuses:
                    break
                await woken.wait()
        finally:
            subscription.close()


def raw_commits(folder: Path, seconds: float) -> float:
    """Return one-row commits per second, one after another, without any of our code."""
    connection = sqlite3.connect(folder / "raw.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, data BLOB)")
    count, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        connection.execute("INSERT INTO t (data) VALUES (?)", (b"x" * 110,))
        count += 1
    connection.close()
    return count / seconds


async def sequential(folder: Path, steps: int) -> float:
    """Return steps per second of one run whose steps follow each other."""
    async with running(folder) as engine:
        begin = time.perf_counter()
        run = await engine.runs.start("sequence", steps)
        await until(engine, [run.run["id"]], {"completed"})
        return steps / (time.perf_counter() - begin)


async def concurrent(folder: Path, runs: int, steps: int) -> float:
    """Return steps per second of many runs at a time."""
    async with running(folder) as engine:
        begin = time.perf_counter()
        started = await asyncio.gather(*(engine.runs.start("sequence", steps) for _ in range(runs)))
        await until(engine, [run.run["id"] for run in started], {"completed"})
        return runs * steps / (time.perf_counter() - begin)


async def backlog(folder: Path, runs: int) -> float:
    """Return one-step runs per second, all started at once: more than a worker drives at a time."""
    async with running(folder) as engine:
        begin = time.perf_counter()
        started = await asyncio.gather(*(engine.runs.start("sequence", 1) for _ in range(runs)))
        await until(engine, [run.run["id"] for run in started], {"completed"})
        return runs / (time.perf_counter() - begin)


async def answered(folder: Path, runs: int) -> float:
    """Return runs per second from the answers to all of many waiting runs, given at once, to their completion."""
    async with running(folder) as engine:
        started = await asyncio.gather(*(engine.runs.start("approval", 1) for _ in range(runs)))
        run_ids = [run.run["id"] for run in started]
        await until(engine, run_ids, {"waiting"})
        rows = [await engine.inputs.get(run_id, "approve:0") for run_id in run_ids]
        asked = [AnswerRequest(f"bench-{n}", row["actions"][0], True, row["revised"]) for n, row in enumerate(rows)]
        begin = time.perf_counter()
        await asyncio.gather(
            *(
                engine.inputs.answer(run_id, "approve:0", request, OPERATOR)
                for run_id, request in zip(run_ids, asked, strict=True)
            )
        )
        await until(engine, run_ids, {"completed"})
        return runs / (time.perf_counter() - begin)


async def growth(folder: Path, runs: int) -> float:
    """Return by how many MB the process grows over many short runs, after as many as fill its bounded caches."""
    async with running(folder) as engine:

        async def finish(count: int) -> None:
            for _ in range(count // 500):
                started = await asyncio.gather(*(engine.runs.start("sequence", 1) for _ in range(500)))
                await until(engine, [run.run["id"] for run in started], {"completed"})

        await finish(2 * runs // 5)
        gc.collect()
        before = memory_kb()
        await finish(runs)
        gc.collect()
        return (memory_kb() - before) / 1024


async def one_step(folder: Path, rounds: int) -> float:
    """Return the median time in ms from starting a one-step run to seeing it completed."""
    times = []
    async with running(folder) as engine:
        for _ in range(rounds):
            begin = time.perf_counter()
            run = await engine.runs.start("sequence", 1)
            await until(engine, [run.run["id"]], {"completed"})
            times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times)


async def resume(folder: Path, steps: int) -> float:
    """Return the time in ms from a worker's start to the completion of a long run that was answered while none ran."""
    async with running(folder) as engine:
        run_id = (await engine.runs.start("approval", steps)).run["id"]
        await until(engine, [run_id], {"waiting"})
    engine = await Engine.open(open_store(f"sqlite:///{folder / 'bench.db'}"))
    row = await engine.inputs.get(run_id, "approve:0")
    await engine.inputs.answer(
        run_id, "approve:0", AnswerRequest("bench-1", row["actions"][0], True, row["revised"]), OPERATOR
    )
    gc.collect()
    worker = Worker(app, engine)
    begin = time.perf_counter()
    task = asyncio.create_task(worker.run())
    await until(engine, [run_id], {"completed"})
    took = (time.perf_counter() - begin) * 1000
    await worker.drain()
    await task
    await engine.close()
    return took


def memory_kb() -> int:
    """Return the resident memory of this process in KB."""
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found
    return int(found.group(1))


async def suspended(folder: Path, runs: int) -> float:
    """Return KB of memory per suspended run, beyond the machines the cache keeps."""
    async with running(folder, cache=0) as engine:

        async def ask(count: int) -> None:
            started = await asyncio.gather(*(engine.runs.start("approval", 1) for _ in range(count)))
            await until(engine, [run.run["id"] for run in started], {"waiting"})

        for _ in range(5):  # until the bounded caches are full: what they hold is not the runs' own
            await ask(1000)
        gc.collect()
        before = memory_kb()
        await ask(runs)
        gc.collect()
        return (memory_kb() - before) / runs


class Http:
    """Speak HTTP/1.1 over one kept connection: as little client as possible between the clock and the server."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Send one request and return status and JSON body."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address)
        reader, writer = self._streams
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        writer.write(f"{head}content-length: {len(data)}\r\n\r\n".encode() + data)
        raw = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", raw, re.IGNORECASE)
        content = await reader.readexactly(int(length.group(1))) if length else b""
        return int(raw.split(b" ", 2)[1]), json.loads(content) if content else None


async def answer_to_done(folder: Path, rounds: int) -> tuple[float, float, float]:
    """Return medians in ms over HTTP: an answer's reply, the completed run at a live reader, a worker's refusal."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "signoff.cli", "dev", f"{Path(__file__).stem}:app"),
            *("--store", f"sqlite:///{folder / 'http.db'}", "--port", "0"),
        ],
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout
        for line in process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                break
        port = int(found.group(1))  # type: ignore[union-attr]
        reply, done = await _answers("127.0.0.1", port, rounds)
        return reply, done, await _refusals("127.0.0.1", port, rounds)
    finally:
        process.terminate()
        process.wait(20)


async def _answers(host: str, port: int, rounds: int) -> tuple[float, float]:
    http, replies, done = Http(host, port), [], []
    for n in range(rounds):
        status, started = await http.call("POST", "/v1/runs", {"workflow": "approval", "input": 1})
        assert status == 201, started
        run_id = started["run"]["id"]
        row = await _pending(http, run_id)
        reader, writer = await asyncio.open_connection(host, port)
        path = f"/v1/stream/runs/{run_id}?offset=now&live=sse"
        writer.write(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode())
        await reader.readuntil(b"upToDate")
        body = {"submission_id": f"s{n}", "action": row["actions"][0], "value": True, "seen_offset": row["revised"]}
        begin = time.perf_counter()
        seen = asyncio.create_task(_read_until(reader, b'"completed"'))
        status, reply = await http.call("POST", f"/v1/runs/{run_id}/inputs/approve:0/answer", body)
        replies.append((time.perf_counter() - begin) * 1000)
        assert status == 200, reply
        await seen
        done.append((time.perf_counter() - begin) * 1000)
        writer.close()
    return statistics.median(replies), statistics.median(done)


async def _refusals(host: str, port: int, rounds: int) -> float:
    http, took = Http(host, port), []
    _, started = await http.call("POST", "/v1/runs", {"workflow": "judged", "input": 1})
    run_id = started["run"]["id"]
    row = await _pending(http, run_id)
    for n in range(rounds):
        body = {"submission_id": f"s{n}", "action": "submit", "value": True, "seen_offset": row["revised"]}
        begin = time.perf_counter()
        status, reply = await http.call("POST", f"/v1/runs/{run_id}/inputs/approve:0/answer", body)
        took.append((time.perf_counter() - begin) * 1000)
        assert status == 422, reply
    return statistics.median(took)


async def _read_until(reader: asyncio.StreamReader, needle: bytes) -> None:
    seen = b""
    while needle not in seen:
        chunk = await reader.read(65536)
        assert chunk, "the stream ended before the run was completed"
        seen += chunk


async def _pending(http: Http, run_id: str) -> dict[str, Any]:
    while True:
        _, reply = await http.call("GET", f"/v1/runs/{run_id}")
        if reply["inputs"]:
            return dict(reply["inputs"][0])
        await asyncio.sleep(0.002)


async def measured(measure: Callable[..., Awaitable[Any]], *args: Any) -> Any:
    """Run one measurement in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="signoff-bench-") as folder:
        return await measure(Path(folder), *args)


async def main() -> None:
    """Measure everything and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a tenth of the work")
    options.add_argument("--json", action="store_true")
    args = options.parse_args()
    scale = 10 if args.quick else 1
    with tempfile.TemporaryDirectory(prefix="signoff-bench-") as folder:
        raw = raw_commits(Path(folder), 2 / scale)
    one = await measured(sequential, 5000 // scale)
    many = await measured(concurrent, 50, 200 // scale if scale > 1 else 100)
    many_small = await measured(concurrent, 50, 20)
    at_once = await measured(backlog, 1000)
    together = await measured(answered, 200)
    grown = await measured(growth, 50_000 // scale)
    single = await measured(one_step, 300 // scale)
    long = [await measured(resume, 1000) for _ in range(3)]
    per_run = await measured(suspended, 1000)
    reply, done, refusal = await measured(answer_to_done, 200 // scale)
    figures: list[tuple[str, float, str, str]] = [
        ("raw one-row commits", raw, "/s", ""),
        ("sequential steps, one run", one, "/s", f"{one / raw:.2f} x raw"),
        ("50 runs x 20 steps", many_small, "/s", f"{many_small / raw:.2f} x raw"),
        ("50 runs, sustained", many, "/s", f"{many / raw:.2f} x raw"),
        ("1,000 one-step runs at once", at_once, "/s", f"{at_once / raw:.2f} x raw"),
        ("200 waiting runs answered at once", together, "/s", f"{together / raw:.2f} x raw"),
        (f"growth over {50_000 // scale:,} short runs", grown, "MB", f"after {20_000 // scale:,} that fill caches"),
        ("start to finish, one step (p50)", single, "ms", f"{single * raw / 1000:.1f} raw commits"),
        ("answer to reply over HTTP (p50)", reply, "ms", f"{reply * raw / 1000:.1f} raw commits"),
        ("answer to done over HTTP (p50)", done, "ms", f"{done * raw / 1000:.1f} raw commits"),
        ("answer to a validator's 422 (p50)", refusal, "ms", f"{refusal * raw / 1000:.1f} raw commits"),
        ("resume of a 1,000-step run", min(long), "ms", f"{min(long) * raw / 1000:.1f} raw commits"),
        ("memory per suspended run", per_run, "KB", "1,000 runs"),
    ]
    if args.json:
        print(json.dumps({name: {"value": value, "unit": unit} for name, value, unit, _ in figures}, indent=2))
        return
    for name, value, unit, note in figures:
        print(f"{name:34} {value:10,.1f} {unit:3} {note}")


if __name__ == "__main__":
    tune()  # as the command does
    uvloop.run(main())
