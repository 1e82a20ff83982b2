"""Runs are ended from outside: whatever their state, whoever holds them, with or without a worker."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import orjson
import pytest

from signoff import App, Context
from signoff.clock import ManualClock
from signoff.errors import Conflict409, RunClosed, RunNotFound, StreamClosed, Withdrawn
from signoff.paths import journal_path
from signoff.service import forsaken
from signoff.service.act import OPEN_INPUTS, view_of
from signoff.service.kinds import RunFilter, run_name, waits_listing
from signoff.service.run_change import RunChange, RunSnapshot
from signoff.workflow import journal
from signoff.workflow.entry import DecidedBy, Error
from signoff.workflow.machine import Machine
from signoff.workflow.run.entries import RunBlocked, RunTerminated
from tests.runtime.scene import Scene, scene, stage, working

OPERATOR = DecidedBy("operator", "local")
TERMINATED = {"code": "terminated", "message": None}


def people_app() -> App:
    app = App()

    @app.workflow
    async def people(ctx: Context) -> None:
        ctx.await_input("approve", bool, title="Approve?", to=["group:finance"])
        asyncio.ensure_future(ctx.sleep("1h"))  # noqa: RUF006 - the run is ended before
        await ctx.await_event("go")

    return app


async def _closed(on: Scene, run: str) -> None:
    for path in (f"runs/{run}", journal_path(run)):
        loaded = await on.engine.store.load_stream(path)
        assert loaded is not None
        assert loaded.head.closed
    record = await on.engine.runs.record(run)
    assert (record.lease_owner, record.wake_at) == (None, None)


async def _rows(on: Scene, path: str) -> list[dict[str, Any]]:
    chunk = await on.engine.streams.read(path)
    return list(orjson.loads(chunk.body))


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
        assert (await _rows(on, "inbox/group:finance"))[-1]["headers"]["operation"] == "delete"
        assert (await on.engine.store.list_parts(waits_listing("go", None), limit=9)).items == ()
        await _closed(on, run)
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
        step = [row["value"] for row in await _rows(on, f"runs/{run}") if row["type"] == "step"][-1]
        assert (step["id"], step["status"]) == ("work:0", "cancelled")
        before = await on.entries(run)
        go.set()
        other = await on.start("holds")  # the worker goes on with others
        await on.reaches(other, "completed")
        assert await on.entries(run) == before
        assert cleaned == ["cleaned"]
        await _closed(on, run)


async def test_runs_without_a_worker_are_terminated(url: str) -> None:
    async with scene(url) as on:
        for options in ({}, {"start_at": 4_102_444_800_000}):
            run = await on.start("nobody", **options)
            ended = await on.engine.runs.act("terminate", run, OPERATOR)
            assert (ended["status"], ended["error"]) == ("cancelled", TERMINATED)
            await _closed(on, run)
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
        await _closed(on, run)


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
            await _closed(on, run)


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
            await _closed(on, run)


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
        await _closed(on, run)
        async with working(people_app(), on):  # whoever comes next has nothing to take up
            await on.reaches(await on.start("people"), "waiting")
        assert (await on.entries(run))[-1]["type"] == "run.terminated"


# -- workflows nobody knows --------------------------------------------------------------------------------------------


async def test_a_run_nobody_knows_is_blocked_until_a_worker_comes(url: str) -> None:
    clock = ManualClock(1_000_000)
    async with scene(url, clock) as on:
        await on.engine.forsaken.close()  # its own search, by the same clock, would be first now and then
        run = await on.start("people")
        assert await on.engine.forsaken.sweep() == 0  # a worker may be about to come
        clock.advance(forsaken.AFTER_MS)
        assert await on.engine.forsaken.sweep() == 1
        row = await on.engine.runs.get(run)
        assert (row["status"], row["error"]) == ("blocked", {"code": "unknown_workflow", "message": None})
        [entry] = await on.entries(run, "run.blocked")
        assert "'people'" in entry["error"]["message"]
        clock.advance(forsaken.AFTER_MS)
        assert await on.engine.forsaken.sweep() == 0  # it is told once
        async with working(people_app(), on):
            await on.asks(run, "approve:0")
            await on.reaches(run, "waiting")
        types = [entry["type"] for entry in await on.entries(run)]
        assert types[:3] == ["run.started", "run.blocked", "run.unblocked"]


async def test_a_bare_engine_looks_by_itself(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forsaken, "EVERY_S", 0.02)
    monkeypatch.setattr(forsaken, "AFTER_MS", 20)

    async with scene(url) as on:
        run = await on.start("nobody")
        assert (await on.reaches(run, "blocked"))["error"]["code"] == "unknown_workflow"


def test_a_run_is_blocked_within_a_lease() -> None:
    assert forsaken.AFTER_MS + forsaken.EVERY_S * 5 / 4 * 1_000 <= 15_000


async def test_only_what_is_due_is_blocked(url: str) -> None:
    clock = ManualClock(1_000_000)
    async with scene(url, clock) as on:
        async with working(people_app(), on):
            waits = await on.start("people")
            await on.reaches(waits, "waiting")
        later = await on.start("people", start_at=clock.now_ms() + 3_600_000)
        clock.advance(forsaken.AFTER_MS)
        assert await on.engine.forsaken.sweep() == 0
        assert (await on.engine.runs.get(waits))["status"] == "waiting"
        await on.engine.events.send(waits, "go", id="1", payload=None)
        clock.advance(forsaken.AFTER_MS + 3_600_000)
        await on.engine.forsaken.sweep()  # or its own search, for which it has become time, too
        for run in (waits, later):
            await on.reaches(run, "blocked")


async def test_an_event_for_a_blocked_run_is_kept_and_blocks_it_no_second_time(url: str) -> None:
    clock = ManualClock(1_000_000)
    async with scene(url, clock) as on:
        run = await on.start("people")
        clock.advance(forsaken.AFTER_MS)
        await on.engine.forsaken.sweep()
        await on.engine.events.send(run, "go", id="1", payload=None)
        clock.advance(forsaken.AFTER_MS)
        await on.engine.forsaken.sweep()
        assert await on.engine.store.unclaimed("run", [], before=clock.now_ms(), limit=9) == []
        assert len(await on.entries(run, "run.blocked")) == 1
        async with working(people_app(), on):
            await on.reaches(run, "completed")


async def test_many_look_and_one_writes(url: str) -> None:
    clock = ManualClock(1_000_000)
    async with scene(url, clock) as on:
        runs = [await on.start("nobody") for _ in range(300)]
        clock.advance(forsaken.AFTER_MS)
        await asyncio.gather(*(on.engine.forsaken.sweep() for _ in range(5)))
        page = await on.engine.runs.list(RunFilter(statuses=("blocked",)), 500)
        assert len(page.items) == len(runs)
        for run in runs[::50]:
            assert len(await on.entries(run, "run.blocked")) == 1


async def test_one_run_that_cannot_be_read_holds_up_no_other(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock(1_000_000)
    async with scene(url, clock) as on:
        odd, good = await on.start("nobody", run_id="a"), await on.start("nobody", run_id="b")
        clock.advance(forsaken.AFTER_MS)
        forsake = on.engine.runs.forsake

        async def picky(run_id: str) -> bool:
            if run_id == odd:
                raise TypeError("a state of a newer version")
            return await forsake(run_id)

        monkeypatch.setattr(on.engine.runs, "forsake", picky)
        assert await on.engine.forsaken.sweep() == 1
        assert (await on.engine.runs.get(good))["status"] == "blocked"


async def test_cancelling_what_nobody_knows_ends_it(url: str) -> None:
    clock = ManualClock(1_000_000)
    async with scene(url, clock) as on:
        early, late = await on.start("nobody"), await on.start("nobody")
        # Nobody is known to be missing yet: a worker that is deployed anew shall run the cleanup.
        assert (await on.engine.runs.act("cancel", early, OPERATOR, reason="why"))["status"] == "running"
        clock.advance(forsaken.AFTER_MS)
        await on.engine.forsaken.sweep()
        ended = await on.engine.runs.get(early)
        assert (ended["status"], ended["error"]) == ("cancelled", TERMINATED)
        assert (await on.engine.runs.get(late))["status"] == "blocked"
        assert (await on.engine.runs.act("cancel", late, OPERATOR, reason="why"))["status"] == "cancelled"
        for run in (early, late):
            types = [entry["type"] for entry in await on.entries(run)]
            assert types[-1] == "run.terminated"
            assert types.count("run.cancel_requested") == 1
            await _closed(on, run)


async def test_cancelling_a_run_that_is_blocked_and_known_again_runs_its_cleanup(url: str) -> None:
    clock = ManualClock(1_000_000)
    async with scene(url, clock) as on:
        run = await on.start("people")
        clock.advance(forsaken.AFTER_MS)
        await on.engine.forsaken.sweep()
        on.engine.workers.announce("elsewhere", ["people"], 15_000)
        assert (await on.engine.runs.act("cancel", run, OPERATOR))["status"] == "blocked"
        async with working(people_app(), on):
            await on.reaches(run, "cancelled")
        assert await on.entries(run, "run.cancelled")


async def test_a_run_blocked_otherwise_is_ended_when_it_is_cancelled_and_nobody_knows_it(url: str) -> None:
    clock = ManualClock(1_000_000)
    async with scene(url, clock) as on:
        run = await on.start("people")
        loaded = await on.engine.store.load(run_name(run), OPEN_INPUTS)
        assert loaded is not None
        error = Error("non_determinism", "differs")
        before = RunSnapshot(loaded.subject, view_of(loaded))
        blocked = RunChange(before, [RunBlocked(clock.now_ms(), error)], ready=False, wake_at=None)
        await on.engine.committer.commit(blocked.change)
        assert (await on.engine.runs.act("cancel", run, OPERATOR))["status"] == "blocked"
        clock.advance(forsaken.AFTER_MS)
        await on.engine.forsaken.sweep()
        assert (await on.engine.runs.get(run))["error"] == TERMINATED


async def test_a_closed_run_takes_nothing_from_a_late_commit(url: str) -> None:
    async with scene(url) as on:
        run = await on.start("people")
        [held] = await on.engine.store.claim("w1", ["people"], now=0, lease_ms=60_000, limit=1)
        await on.engine.runs.act("terminate", run, OPERATOR)
        assert await on.engine.store.renew("w1", {held.name: held.epoch}, until=99_000) == {run_name(run)}
        assert await on.engine.store.claim("w2", ["people"], now=10**15, lease_ms=1, limit=9) == []
        with pytest.raises((StreamClosed, Conflict409)):
            await on.engine.runs.act("terminate", run, OPERATOR)
