"""Measure the engine on PostgreSQL and Redis, each beside the raw speed of the same server in the same run.

Usage: python bench/stores.py [--quick] [--json] [--only postgres|redis ...]

Raw is one row inserted and committed after another on one connection (PostgreSQL), one script that writes one key after
another (Redis). "slow" is a server whose flush takes 2 ms longer (`commit_delay`), as a disk in a cloud does. The
servers are those that the tests throw away.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import uvloop
from redis.asyncio import Redis

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from engine import Http, _answers, app  # noqa: E402
from tests.servers import PostgresServer, RedisServer  # noqa: E402

from signoff.cli.running import tune  # noqa: E402
from signoff.clock import SystemClock  # noqa: E402
from signoff.runtime.worker import Worker  # noqa: E402
from signoff.service.commit import GroupCommitter  # noqa: E402
from signoff.service.engine import Engine  # noqa: E402
from signoff.service.placing import Placer  # noqa: E402
from signoff.stores.base import WorkflowStore  # noqa: E402
from signoff.stores.change import Change, Committed, Name, Post, Subject, SubjectWrite, new_mark  # noqa: E402
from signoff.stores.open import open_store  # noqa: E402

NOW = 1_900_000_000_000
Figures = dict[str, float]


@asynccontextmanager
async def running(url: str) -> AsyncIterator[Engine]:
    """Open an engine with a worker on a store."""
    engine = await Engine.open(open_store(url))
    worker = Worker(app, engine)
    task = asyncio.create_task(worker.run())
    try:
        yield engine
    finally:
        await worker.drain()
        await task
        await engine.close()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[WorkflowStore]:
    """Open a store."""
    store = open_store(url)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def ended(engine: Engine, run_ids: Sequence[str]) -> None:
    """Wait until runs are completed, looking seldom: a look at every step would be measured with it."""
    for run_id in run_ids:
        while (await engine.runs.get(run_id))["status"] != "completed":
            await asyncio.sleep(0.005)


async def steps(url: str, runs: int, each: int) -> float:
    """Return steps per second of so many runs at once."""
    async with running(url) as engine:
        warm = await engine.runs.start("sequence", 20)
        await ended(engine, [warm.run["id"]])
        begin = time.perf_counter()
        started = await asyncio.gather(*(engine.runs.start("sequence", each) for _ in range(runs)))
        await ended(engine, [run.run["id"] for run in started])
        return runs * each / (time.perf_counter() - begin)


# -- raw ------------------------------------------------------------------------------------------------------------


async def raw_rows(server: PostgresServer, seconds: float) -> float:
    """Return rows per second, each inserted and committed after the one before, on one connection."""
    connection = await asyncpg.connect(host=str(server.folder), port=server.port, user="signoff", database="signoff")
    await connection.execute("CREATE TABLE IF NOT EXISTS raw (id bigserial PRIMARY KEY, data bytea)")
    insert = await connection.prepare("INSERT INTO raw (data) VALUES ($1)")
    count, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        await insert.fetch(b"x" * 810)
        count += 1
    await connection.close()
    return count / seconds


async def raw_scripts(server: RedisServer, seconds: float) -> float:
    """Return scripts per second, each writing one key after the one before, on one connection."""
    client = Redis.from_url(server.url(prefix="raw").partition("?")[0])
    digest = await client.script_load("return redis.call('SET', KEYS[1], ARGV[1])")
    count, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        await client.evalsha(digest, 1, "raw", b"x" * 810)
        count += 1
    await client.aclose()
    return count / seconds


# -- the store alone ------------------------------------------------------------------------------------------------


def record(run_id: str, **members: Any) -> Subject:
    """Make the record of a run that has nothing to do."""
    values: dict[str, Any] = {
        "version": 1,
        "state": b"{}",
        "sort": NOW,
        "queue": "sequence",
        "updated_at": NOW,
    } | members
    return Subject(Name("run", run_id), **values)


async def fill(store: WorkflowStore, prefix: str, runs: int, **members: Any) -> None:
    """Write records of runs, as many at once as the store likes."""

    async def write(first: int) -> None:
        last = min(first + store.lanes.group, runs)
        group = [
            Change(SubjectWrite(record(f"{prefix}{n}", **members), 0), mark=new_mark()) for n in range(first, last)
        ]
        outcomes = await store.commit(group)
        assert all(isinstance(one, Committed) for one in outcomes), outcomes[0]

    waiting = list(range(0, runs, store.lanes.group))
    for at in range(0, len(waiting), store.lanes.at_once):
        await asyncio.gather(*(write(first) for first in waiting[at : at + store.lanes.at_once]))


async def claims(url: str, ended: int, suspended: int, rounds: int) -> float:
    """Return the median ms of claiming 64 due runs, among many that have ended or wait for a later time."""
    async with opened(url) as store:
        await fill(store, "ended-", ended, queue=None)
        await fill(store, "later-", suspended, wake_at=NOW + 10**9)
        await fill(store, "due-", 64 * rounds, ready=True)
        took = []
        for n in range(rounds):
            begin = time.perf_counter()
            claimed = await store.claim(f"w{n}", ["sequence"], now=NOW, lease_ms=10**7, limit=64)
            took.append((time.perf_counter() - begin) * 1000)
            assert len(claimed) == 64
        return statistics.median(took)


async def wake_ups(url: str, suspended: int, rounds: int) -> float:
    """Return the median ms of looking when the next of many suspended runs is due, and claiming it then."""
    async with opened(url) as store:
        await fill(store, "later-", suspended, wake_at=NOW + 10**9)
        await fill(store, "next-", rounds, wake_at=NOW - 1)
        took = []
        for n in range(rounds):
            begin = time.perf_counter()
            assert await store.next_due(["sequence"]) is not None
            [claimed] = await store.claim(f"w{n}", ["sequence"], now=NOW, lease_ms=10**7, limit=1)
            took.append((time.perf_counter() - begin) * 1000)
            done = replace(claimed, version=2, queue=None, wake_at=None)
            [outcome] = await store.commit(
                [Change(SubjectWrite(done, 1, epoch=claimed.epoch, release=True), mark=new_mark())]
            )
            assert isinstance(outcome, Committed), outcome
        return statistics.median(took)


async def commit_for(url: str, who: str, seconds: float, *, posts: bool) -> float:
    """Return Changes per second of 16 runs that move on by turns, with or without a row for a shared listing."""
    async with opened(url) as store:
        count, end = 0, time.perf_counter() + seconds
        placer = Placer(store, SystemClock())
        committer = GroupCommitter(store, placer.committed)

        async def go_on(run_id: str) -> None:
            nonlocal count
            version = 0
            sent = (Post("workflows/bench", b'{"n":1}', 1), Post("inbox/user:bench", b'{"n":1}', 1)) if posts else ()
            while time.perf_counter() < end:
                write = SubjectWrite(record(run_id, version=version + 1), version)
                outcome = await committer.commit(Change(write, sent, new_mark()))
                assert isinstance(outcome, Committed), outcome
                version += 1
                count += 1

        await asyncio.gather(*(go_on(f"{who}-{n}") for n in range(16)))
        await placer.close()
        await committer.close()
        return count / seconds


def four_processes(url: str, seconds: float, *, posts: bool) -> float:
    """Return Changes per second of four processes together."""
    command = [sys.executable, str(Path(__file__)), "--commit", url, str(seconds), "posts" if posts else "none"]
    started = [
        subprocess.Popen([*command, f"p{n}{time.monotonic_ns()}"], stdout=subprocess.PIPE, text=True) for n in range(4)
    ]
    return sum(float(process.communicate()[0]) for process in started)


# -- processes ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def workers(url: str, count: int) -> Iterator[None]:
    """Run workers in processes of their own."""
    command = [sys.executable, "-m", "signoff.cli", "worker", "engine:app", "--store", url]
    started = [
        subprocess.Popen(command, cwd=ROOT / "bench", stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        for _ in range(count)
    ]
    try:
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(30)


async def by_workers(url: str, count: int, runs: int, each: int) -> float:
    """Return steps per second of runs that workers in other processes advance."""
    engine = await Engine.open(open_store(url))
    with workers(url, count):
        warm = await asyncio.gather(*(engine.runs.start("sequence", 5) for _ in range(20)))
        await ended(engine, [run.run["id"] for run in warm])
        begin = time.perf_counter()
        started = await asyncio.gather(*(engine.runs.start("sequence", each) for _ in range(runs)))
        await ended(engine, [run.run["id"] for run in started])
        took = time.perf_counter() - begin
    await engine.close()
    return runs * each / took


async def answers_apart(url: str, rounds: int) -> float:
    """Return the median ms from an answer over HTTP to the completed run, with server and worker apart."""
    command = [sys.executable, "-m", "signoff.cli", "server", "--store", url, "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    try:
        assert server.stdout is not None
        line = next(line for line in server.stdout if "http://127.0.0.1:" in line)
        port = int(line.partition("http://127.0.0.1:")[2].split()[0].strip("/."))
        with workers(url, 1):
            await Http("127.0.0.1", port).call("GET", "/health")
            return (await _answers("127.0.0.1", port, rounds))[1]
    finally:
        server.terminate()
        server.wait(30)


# -- tables ---------------------------------------------------------------------------------------------------------


async def measure_postgres(scale: int) -> Figures:
    """Measure on PostgreSQL."""
    server, slow = PostgresServer(), PostgresServer(commit_delay="2000", commit_siblings="0")
    server.start()
    slow.start()
    try:
        raw = await raw_rows(server, 4 / scale)
        found = {"raw commits/s": raw}
        found["sequential steps, x raw"] = await steps(server.url(schema="one"), 1, 4000 // scale) / raw
        found["raw commits/s again"] = raw = await raw_rows(server, 4 / scale)
        found["16 runs, x raw"] = await steps(server.url(schema="many"), 16, 1600 // scale) / raw
        raw_slow = await raw_rows(slow, 4 / scale)
        found["slow raw commits/s"] = raw_slow
        found["64 runs slow, x raw"] = await steps(slow.url(schema="slow"), 64, 800 // scale) / raw_slow
        off = four_processes(slow.url(schema="posts"), 8 / scale + 1, posts=False)
        on = four_processes(slow.url(schema="posts"), 8 / scale + 1, posts=True)
        found["four processes slow, listing on/off"] = on / off
        found |= await measure_work(lambda name: server.url(schema=name), scale)
        found |= await measure_processes(lambda name: server.url(schema=name), scale)
    finally:
        server.remove()
        slow.remove()
    return found


async def measure_redis(scale: int) -> Figures:
    """Measure on Redis."""
    found: Figures = {}
    for fsync in ("everysec", "always"):
        server = RedisServer(appendfsync=fsync)
        server.start()
        try:
            raw = await raw_scripts(server, 4 / scale)
            found[f"{fsync}: raw scripts/s"] = raw
            one = await steps(server.url(prefix="one"), 1, 8000 // scale)
            found[f"{fsync}: sequential steps, x raw"] = one / raw
            found[f"{fsync}: 16 runs, x raw"] = await steps(server.url(prefix="many"), 16, 1600 // scale) / raw
            if fsync == "everysec":
                address = partial(_prefixed, server)
                found |= await measure_work(address, scale)
                found |= await measure_processes(address, scale)
        finally:
            server.remove()
    return found


def _prefixed(server: RedisServer, prefix: str) -> str:
    return server.url(prefix=prefix)


async def measure_work(url: Callable[[str], str], scale: int) -> Figures:
    """Measure claims and wake-ups, among few and among many."""
    few = await wake_ups(url("few"), 100, 100)
    many = await wake_ups(url("suspended"), 100_000 // scale, 100)
    return {
        "claim(64) ms": await claims(url("claims"), 1_000_000 // scale, 100_000 // scale, 40),
        "wake-up among 100, ms": few,
        f"wake-up among {100_000 // scale:,}, x": many / few,
    }


async def measure_processes(url: Callable[[str], str], scale: int) -> Figures:
    """Measure workers and a server apart."""
    one = await by_workers(url("w1"), 1, 64, 400 // scale)
    two = await by_workers(url("w2"), 2, 64, 400 // scale)
    return {
        "steps/s by one worker": one,
        "two workers, x": two / one,
        "answer to done apart, ms": await answers_apart(url("apart"), 400 // scale),
    }


MEASURES: dict[str, Callable[[int], Awaitable[Figures]]] = {"postgres": measure_postgres, "redis": measure_redis}


async def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", nargs="*", choices=MEASURES, default=list(MEASURES))
    asked = parser.parse_args()
    table = {name: await MEASURES[name](10 if asked.quick else 1) for name in asked.only}
    if asked.json:
        print(json.dumps(table))
        return
    for name, found in table.items():
        print(name)
        for what, figure in found.items():
            print(f"  {what:44}{figure:12,.2f}")


if __name__ == "__main__":
    tune()
    if sys.argv[1:2] == ["--commit"]:
        where, for_s, kind, who = sys.argv[2:6]
        print(uvloop.run(commit_for(where, who, float(for_s), posts=kind == "posts")))
    else:
        uvloop.run(main())
