"""Signoff: the same three measurements as the others beside this file. Usage: python signoff_peer.py STORE_URL ..."""

import asyncio
import json
import statistics
import sys
import time

import uvloop

from signoff import App, Context
from signoff.cli.running import tune
from signoff.runtime.worker import Worker
from signoff.service.engine import Engine
from signoff.stores.open import open_store
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.decide import Who
from signoff.workflow.input.submission import AnswerRequest

URL = sys.argv[1]
STEPS, RUNS, EACH, ANSWERS = (int(value) for value in sys.argv[2:6])
OPERATOR = Who(principals=frozenset(), by=DecidedBy("operator", "bench"), operator=True)
app = App()


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
async def approval(ctx: Context) -> bool:
    """Ask a person."""
    answer = await ctx.await_input("approve", bool, title="Go on?", to=["group:bench"])
    return answer.value


async def until(engine: Engine, run_id: str, status: str) -> None:
    """Wait until a run has a status."""
    while (await engine.runs.get(run_id))["status"] != status:
        await asyncio.sleep(0.01)


async def main() -> None:
    """Measure."""
    engine = await Engine.open(open_store(URL))
    worker = Worker(app, engine)
    working = asyncio.create_task(worker.run())

    async def run(steps: int) -> None:
        run_id = (await engine.runs.start("sequence", steps)).run["id"]
        await engine.outcomes.get(run_id, wait_s=600)

    await run(20)
    begin = time.perf_counter()
    await run(STEPS)
    sequential = STEPS / (time.perf_counter() - begin)

    begin = time.perf_counter()
    await asyncio.gather(*(run(EACH) for _ in range(RUNS)))
    concurrent = RUNS * EACH / (time.perf_counter() - begin)

    took = []
    for n in range(ANSWERS):
        run_id = (await engine.runs.start("approval", None)).run["id"]
        await until(engine, run_id, "waiting")
        await asyncio.sleep(0.05)
        row = await engine.inputs.get(run_id, "approve:0")
        begin = time.perf_counter()
        request = AnswerRequest(f"bench-{n}", row["actions"][0], True, row["revised"])
        await engine.inputs.answer(run_id, "approve:0", request, OPERATOR)
        await engine.outcomes.get(run_id, wait_s=60)
        took.append((time.perf_counter() - begin) * 1000)
    print(json.dumps({"sequential": sequential, "concurrent": concurrent, "answer_ms": statistics.median(took)}))
    await worker.drain()
    await working
    await engine.close()


tune()
uvloop.run(main())
