"""Runs whose workflow nobody knows: they are blocked, said to be, and can be ended."""

from __future__ import annotations

import asyncio

import pytest

from signoff.clock import ManualClock
from signoff.service import forsaken
from signoff.service.act import OPEN_INPUTS, view_of
from signoff.service.kinds import RunFilter, run_name
from signoff.service.run_change import RunChange, RunSnapshot
from signoff.workflow.entry import Error
from signoff.workflow.run.entries import RunBlocked
from tests.runtime.ended import OPERATOR, TERMINATED, closed, people_app
from tests.runtime.scene import scene, working


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
        await on.engine.forsaken.close()  # its own search would be first now and then
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
            await closed(on, run)


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
