"""Absurd: the same three measurements as the others beside this file. Usage: python absurd_peer.py DATABASE_URL ..."""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from absurd_sdk import AsyncAbsurd

URL = sys.argv[1]
STEPS, RUNS, EACH, ANSWERS = (int(value) for value in sys.argv[2:6])
command = str(Path(sys.executable).with_name("absurdctl"))
subprocess.run([command, "init", "-d", URL], check=True, capture_output=True)
subprocess.run([command, "create-queue", "-d", URL, "default"], check=True, capture_output=True)


async def main() -> None:
    workers = [AsyncAbsurd(URL) for _ in range(8)]  # a connection each
    client = AsyncAbsurd(URL)
    for app in workers:

        @app.register_task(name="sequence")
        async def sequence(params, ctx):
            total = 0
            for n in range(params["steps"]):

                async def work(n: int = n) -> int:
                    return n

                total += await ctx.step(f"work-{n}", work)
            return total

        @app.register_task(name="approval")
        async def approval(params, ctx):
            return await ctx.await_event(f"answer-{params['n']}")

    polls = [
        asyncio.create_task(app.start_worker(concurrency=8, poll_interval=0.005, claim_timeout=600)) for app in workers
    ]

    async def spawn(name: str, **params: int) -> str:
        return (await client.spawn(name, params, queue="default"))["task_id"]

    async def ended(task_id: str) -> None:
        while True:
            snapshot = await client.fetch_task_result(task_id)
            if snapshot is not None and snapshot.state in ("completed", "failed", "cancelled"):
                assert snapshot.state == "completed", snapshot
                return
            await asyncio.sleep(0.001)

    await ended(await spawn("sequence", steps=5))
    begin = time.perf_counter()
    await ended(await spawn("sequence", steps=STEPS))
    sequential = STEPS / (time.perf_counter() - begin)

    begin = time.perf_counter()
    tasks = [await spawn("sequence", steps=EACH) for _ in range(RUNS)]
    for task in tasks:
        await ended(task)
    concurrent = RUNS * EACH / (time.perf_counter() - begin)

    took = []
    for n in range(ANSWERS):
        task = await spawn("approval", n=n)
        await asyncio.sleep(0.1)
        begin = time.perf_counter()
        await client.emit_event(f"answer-{n}", True)
        await ended(task)
        took.append((time.perf_counter() - begin) * 1000)
    print(json.dumps({"sequential": sequential, "concurrent": concurrent, "answer_ms": statistics.median(took)}))
    for poll in polls:
        poll.cancel()


asyncio.run(main())
