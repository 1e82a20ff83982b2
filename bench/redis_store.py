"""Measure the engine on Redis beside the raw speed of the same server in the same run.

Usage: python -m bench.redis_store [--quick] [--fsync everysec|always]

`raw` is a script that writes to one key, called one after the other by redis-py on one connection. It is measured
before and after each figure, since other work on the machine moves both.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import redis.asyncio
import uvloop
from bench import engine as bench
from tests.servers import RedisServer

from signoff.runtime.worker import Worker
from signoff.service.engine import Engine
from signoff.stores.change import Change
from signoff.stores.open import open_store
from signoff.testing.store_contract.laws import start, together

RAW = "redis.call('RPUSH', KEYS[1], ARGV[1]) return 1"
ROW = b"x" * 110


async def raw(server: RedisServer, seconds: float) -> float:
    """Return calls of a script that writes one key, one after another, per second."""
    client = redis.asyncio.Redis(unix_socket_path=f"{server.folder}/redis.sock")
    digest = await client.script_load(RAW)
    count, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        await client.evalsha(digest, 1, "raw", ROW)
        count += 1
    await client.aclose()
    return count / seconds


async def ended(engine: Engine, run_ids: Sequence[str]) -> None:
    """Wait until runs are completed, looking seldom: a look at every step would be measured with it."""
    for run_id in run_ids:
        while (await engine.runs.get(run_id))["status"] != "completed":
            await asyncio.sleep(0.005)


async def steps(server: RedisServer, runs: int, each: int) -> float:
    """Return steps per second of so many runs at a time."""
    store = open_store(f"redis:///0?socket={server.folder}/redis.sock&prefix=steps{runs}")
    engine = await Engine.open(store)
    worker = Worker(bench.app, engine)
    task = asyncio.create_task(worker.run())
    warm = await engine.runs.start("sequence", 5)
    await ended(engine, [warm.run["id"]])
    begin = time.perf_counter()
    started = await asyncio.gather(*(engine.runs.start("sequence", each) for _ in range(runs)))
    await ended(engine, [run.run["id"] for run in started])
    took = time.perf_counter() - begin
    await worker.drain()
    await task
    await engine.close()
    return runs * each / took


async def claims(server: RedisServer, due: int, rounds: int) -> Sequence[float]:
    """Return the milliseconds of claims of 64 out of so many that are due, and that many more that are not."""
    store = open_store(f"redis:///0?socket={server.folder}/redis.sock&prefix=claims")
    await store.open()
    for first in range(0, due, 4_000):
        numbers = range(first, min(due, first + 4_000))
        changes: list[Change] = [start(f"r{n}", ready=True, updated_at=n) for n in numbers]
        changes += [start(f"w{n}", wake_at=10**15) for n in numbers]
        await together(store, changes)
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        taken = await store.claim("w", ["expense"], now=0, lease_ms=10**9, limit=64)
        times.append((time.perf_counter() - begin) * 1_000)
        assert len(taken) == 64
    await store.close()
    return sorted(times)


async def beside(server: RedisServer, name: str, measure: Callable[[], Awaitable[float]], seconds: float) -> None:
    """Print a figure beside the raw speed of the same moment."""
    before = await raw(server, seconds)
    value = await measure()
    limit = statistics.mean((before, await raw(server, seconds)))
    print(f"{name:34s} {value:8.0f} steps/s  raw {limit:8.0f}  {value / limit:5.2f} x", flush=True)


async def main(fsync: str, *, quick: bool) -> None:
    """Measure all."""
    server = RedisServer(appendfsync=fsync)
    server.start()
    seconds, each = (0.5, 300) if quick else (1.5, 2_000)
    for runs in (1, 16, 64):
        name = f"appendfsync {fsync}, {runs} runs"
        await beside(server, name, partial(steps, server, runs, max(20, each // runs)), seconds)
    due = 10_000 if quick else 100_000
    times = await claims(server, due, 100)
    print(f"claim(64) of {due} due: p50 {times[50]:.2f} ms, p99 {times[98]:.2f} ms", flush=True)
    server.remove()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds, for a first impression")
    parser.add_argument("--fsync", choices=["everysec", "always"], default="everysec")
    options = parser.parse_args()
    uvloop.run(main(options.fsync, quick=options.quick))
