"""Answers that take long to judge are judged off the event loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest

from signoff import App, Context
from signoff.errors import InvalidAnswer
from signoff.runtime.worker import Worker
from signoff.service.engine import Engine
from signoff.stores.open import open_store
from signoff.testing import TestEngine
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.decide import Who
from signoff.workflow.input.submission import AnswerRequest

app = App()


@app.workflow
async def days(ctx: Context) -> int:
    return len((await ctx.await_input("days", list[date], title="Which days?")).value)


class Threads(ThreadPoolExecutor):
    """A pool that counts what it is given."""

    given = 0

    def submit(self, *args: Any, **kwargs: Any) -> Any:
        self.given += 1
        return super().submit(*args, **kwargs)


@pytest.mark.parametrize(("count", "threads"), [(10, 0), (2_000, 1)])
async def test_a_large_answer_is_judged_in_a_thread_and_a_small_one_at_once(count: int, threads: int) -> None:
    engine = await Engine.open(open_store("memory:"))
    worker = Worker(app, engine)
    working = asyncio.create_task(worker.run())
    run_id = (await engine.runs.start("days")).run["id"]
    while not (pending := await engine.inputs.pending(run_id)):
        await asyncio.sleep(0.01)
    row = pending[0]
    pool = Threads(1)
    asyncio.get_running_loop().set_default_executor(pool)
    who = Who(frozenset(), DecidedBy("operator", "local"), operator=True)

    async def answer(id_: str, value: list[str]) -> Any:
        return await engine.inputs.answer(run_id, row["id"], AnswerRequest(id_, "submit", value, row["revised"]), who)

    with pytest.raises(InvalidAnswer) as refused:
        await answer("s1", ["2026-01-01"] * count + ["no day"])
    assert refused.value.extra["errors"] == [{"pointer": f"/{count}", "message": "This must be a date."}]
    assert pool.given == threads
    accepted = await answer("s2", ["2026-01-01"] * count)
    assert accepted.row["status"] == "answered"
    await worker.drain()
    await working
    await engine.close()


async def test_a_clock_does_not_jump_while_an_answer_is_judged_in_a_thread() -> None:
    async with TestEngine(app) as engine:
        seen = await (await engine.start(days)).asks("days")
        who = Who(frozenset(), DecidedBy("operator", "local"), operator=True)
        wrong = AnswerRequest("s1", "submit", ["2026-01-01"] * 2_000 + ["no day"], seen.seen_offset)
        judged = asyncio.create_task(engine.services.inputs.answer(seen.run_id, seen.key, wrong, who))
        held = False
        while not judged.done():
            held = held or engine.clock.held
            await asyncio.sleep(0)
        with pytest.raises(InvalidAnswer):
            await judged
        assert held
