"""Runs are ended from outside: whatever their state, whoever holds them, with or without a worker."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from signoff import App, Context
from signoff.errors import Conflict409, RunClosed, RunNotFound, StreamClosed, Withdrawn
from signoff.service.kinds import run_name, waits_listing
from signoff.workflow import journal
from signoff.workflow.machine import Machine
from signoff.workflow.run.entries import RunTerminated
from tests.runtime.ended import OPERATOR, TERMINATED, closed, people_app, rows
from tests.runtime.scene import scene, stage, working


async def test_a_waiting_run_is_terminated_with_all_it_holds(url: str) -> None:
    async with stage(people_app(), url) as on:
        run = await on.start("people")
        row = await on.asks(run, "approve:0")
        await on.reaches(run, "waiting")
        ended = await on.engine.runs.act("terminate", run, OPERATOR, reason="enough")
        assert (ended["status"], ended["error"]) == ("cancelled", TERMINATED)
        [entry] = await on.entries(run, "run.terminated")
        assert (entry["reason"], entry["by"]) == ("enough", {"kind": "operator", "id": "local"})
        asked = await on.engine.inputs.get(run, "approve:0")
        assert (asked["status"], asked["reason"]) == ("withdrawn", "terminated")
        assert asked["decided_by"] == {"kind": "operator", "id": "local"}
        assert (await rows(on, "inbox/group:finance"))[-1]["headers"]["operation"] == "delete"
        assert (await on.engine.store.list_parts(waits_listing("go", None), limit=9)).items == ()
        await closed(on, run)
        with pytest.raises(Withdrawn):
            await on.answer(row, True)
        with pytest.raises(RunClosed):
            await on.engine.events.send(run, "go", id="1", payload=None)
        with pytest.raises(RunClosed) as refused:
            await on.engine.runs.act("terminate", run, OPERATOR)
        assert refused.value.extra["run"] == ended
        with pytest.raises(RunClosed):
            await on.engine.runs.act("cancel", run, OPERATOR)


async def test_a_worker_that_holds_the_run_writes_nothing_more(url: str) -> None:
    app, began, go = App(), asyncio.Event(), asyncio.Event()
    cleaned: list[str] = []

    async def work() -> int:
        began.set()
        await go.wait()
        return 1

    @app.workflow
    async def holds(ctx: Context) -> None:
        try:
            await ctx.step("work", work)
        finally:
            await ctx.step("clean", cleaned.append, "cleaned")

    async with stage(app, url, poll_ms=50) as on:
        run = await on.start("holds")
        await began.wait()
        await on.engine.runs.act("terminate", run, OPERATOR)
        step = [row["value"] for row in await rows(on, f"runs/{run}") if row["type"] == "step"][-1]
        assert (step["id"], step["status"]) == ("work:0", "cancelled")
        before = await on.entries(run)
        go.set()
        other = await on.start("holds")  # the worker goes on with others
        await on.reaches(other, "completed")
        assert await on.entries(run) == before
        assert cleaned == ["cleaned"]
        await closed(on, run)


async def test_runs_without_a_worker_are_terminated(url: str) -> None:
    async with scene(url) as on:
        for options in ({}, {"start_at": 4_102_444_800_000}):
            run = await on.start("nobody", **options)
            ended = await on.engine.runs.act("terminate", run, OPERATOR)
            assert (ended["status"], ended["error"]) == ("cancelled", TERMINATED)
            await closed(on, run)
        with pytest.raises(RunNotFound):
            await on.engine.runs.act("terminate", "nowhere", OPERATOR)


async def test_a_failed_run_is_ended_for_good(url: str) -> None:
    app = App()

    @app.workflow
    async def fails(_: Context) -> None:
        raise ValueError("no")

    async with stage(app, url) as on:
        run = await on.start("fails")
        await on.reaches(run, "failed")
        ended = await on.engine.runs.act("terminate", run, OPERATOR, reason="given up")
        assert (ended["status"], ended["error"]) == ("cancelled", TERMINATED)
        await closed(on, run)


async def test_a_blocked_run_is_terminated(url: str) -> None:
    first, second = App(), App()

    @first.workflow(name="changes")
    async def before(ctx: Context) -> None:
        await ctx.await_event("a")

    @second.workflow(name="changes")
    async def after(ctx: Context) -> None:
        await ctx.await_input("b", bool, title="?")

    async with scene(url) as on:
        async with working(first, on):
            run = await on.start("changes")
            await on.reaches(run, "waiting")
        await on.engine.events.send(run, "a", id="1", payload=None)
        async with working(second, on):
            await on.reaches(run, "blocked")
            ended = await on.engine.runs.act("terminate", run, OPERATOR)
            assert (ended["status"], ended["error"]) == ("cancelled", TERMINATED)
            await closed(on, run)


async def test_replay_of_a_terminated_run_runs_no_code(url: str) -> None:
    app = App()

    @app.workflow
    async def spins(_: Context) -> None:
        raise AssertionError("this code never comes back")

    async with scene(url) as on:
        run = await on.start("spins")
        await on.engine.runs.act("terminate", run, OPERATOR)
        machine = Machine(app.get("spins"))
        assert machine.advance([journal.from_json(entry) for entry in await on.entries(run)]) == []
        assert isinstance(machine.outcome, RunTerminated)
        assert (machine.open_steps, machine.open_inputs, machine.wake_at()) == ({}, {}, None)


async def test_a_termination_and_an_answer_at_once_have_one_outcome(url: str) -> None:
    async with stage(people_app(), url) as on:
        for _ in range(20):
            run = await on.start("people")
            row = await on.asks(run, "approve:0")
            results = await asyncio.gather(
                on.answer(row, True),
                on.engine.runs.act("terminate", run, OPERATOR),
                return_exceptions=True,
            )
            assert not isinstance(results[1], BaseException)
            asked = await on.engine.inputs.get(run, "approve:0")
            if isinstance(results[0], BaseException):
                assert isinstance(results[0], Withdrawn)
                assert asked["status"] == "withdrawn"
            else:
                assert asked["status"] == "answered"
            await closed(on, run)


SPINS = """
import asyncio, sys
from signoff import App, Context
from signoff.runtime.worker import Worker
from signoff.service.engine import Engine
from signoff.stores.open import open_store

app = App()

@app.workflow
async def spins(ctx: Context) -> None:
    print("spinning", flush=True)
    while True:
        pass

async def main():
    engine = await Engine.open(open_store(sys.argv[1]))
    await Worker(app, engine, poll_ms=50).run()

asyncio.run(main())
"""


async def test_a_run_that_spins_in_another_process_is_terminated(shared_url: str) -> None:
    async with scene(shared_url) as on:
        run = await on.start("spins")
        command = [sys.executable, "-c", SPINS, shared_url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
            try:
                assert worker.stdout is not None
                assert await asyncio.to_thread(worker.stdout.readline) == "spinning\n"
                ended = await on.engine.runs.act("terminate", run, OPERATOR, reason="spins")
                assert (ended["status"], ended["error"]) == ("cancelled", TERMINATED)
            finally:
                worker.kill()
        await closed(on, run)
        async with working(people_app(), on):  # whoever comes next has nothing to take up
            await on.reaches(await on.start("people"), "waiting")
        assert (await on.entries(run))[-1]["type"] == "run.terminated"


async def test_a_closed_run_takes_nothing_from_a_late_commit(url: str) -> None:
    async with scene(url) as on:
        run = await on.start("people")
        [held] = await on.engine.store.claim("w1", ["people"], now=0, lease_ms=60_000, limit=1)
        await on.engine.runs.act("terminate", run, OPERATOR)
        assert await on.engine.store.renew("w1", {held.name: held.epoch}, until=99_000) == {run_name(run)}
        assert await on.engine.store.claim("w2", ["people"], now=10**15, lease_ms=1, limit=9) == []
        with pytest.raises((StreamClosed, Conflict409)):
            await on.engine.runs.act("terminate", run, OPERATOR)
