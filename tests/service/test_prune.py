"""Runs that ended long ago are deleted, a bounded number at a time; nothing else is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from signoff.clock import ManualClock
from signoff.errors import RunNotFound
from signoff.service.engine import Engine
from signoff.service.kinds import RunFilter
from signoff.service.prune import PIECE, PruneFilter
from signoff.stores.open import open_store
from signoff.workflow.entry import DecidedBy, Error
from signoff.workflow.run.entries import RunCompleted, RunFailed
from tests.runtime.scene import Scene, scene
from tests.service.written import write

NOON = 1_800_000_000_000
DAY = 86_400_000
BY = DecidedBy("operator", "local")


async def run_of(on: Scene, run_id: str, end: str | None, *, workflow: str = "expense", tags: Any = ()) -> None:
    """Start a run, and bring it to an end now."""
    await on.start(workflow, run_id=run_id, tags=tags)
    now = on.engine.clock.now_ms()
    match end:
        case "completed":
            await write(on, run_id, RunCompleted(now, None))
        case "failed":
            await write(on, run_id, RunFailed(now, Error("e", "no")))
        case "cancelled":
            await on.engine.runs.act("terminate", run_id, BY)


async def left(on: Scene) -> list[str]:
    """Return the ids of the runs that are there."""
    return sorted(row["id"] for row in (await on.engine.runs.list(RunFilter(), 500)).items)


async def test_only_what_has_ended_before_goes(url: str) -> None:
    clock = ManualClock(NOON)
    async with scene(url, clock) as on:
        for end in ("completed", "failed", "cancelled", None):
            await run_of(on, f"old-{end}", end)
        await on.start("expense", run_id="old-late")
        clock.advance(10 * DAY)
        await write(on, "old-late", RunCompleted(clock.now_ms(), None))
        await run_of(on, "new-completed", "completed")
        clock.advance(DAY)
        where = PruneFilter(clock.now_ms() - 5 * DAY)
        would = await on.engine.pruner.prune(where, dry_run=True)
        assert len(await left(on)) == 6
        page = await on.engine.pruner.prune(where)
        assert sorted(row["id"] for row in page.items) == ["old-cancelled", "old-completed"]
        assert (would, page.cursor) == (page, None)
        assert await left(on) == ["new-completed", "old-None", "old-failed", "old-late"]
        page = await on.engine.pruner.prune(replace(where, statuses=("failed",)))
        assert [row["id"] for row in page.items] == ["old-failed"]


async def test_filters_narrow_it(url: str) -> None:
    clock = ManualClock(NOON)
    async with scene(url, clock) as on:
        await run_of(on, "a", "completed", tags=["eu", "q3"])
        await run_of(on, "b", "completed", tags=["eu"])
        await run_of(on, "c", "completed", workflow="travel", tags=["eu", "q3"])
        clock.advance(DAY)
        where = PruneFilter(clock.now_ms(), workflow="expense", tags=("q3", "eu"))
        assert [row["id"] for row in (await on.engine.pruner.prune(where)).items] == ["a"]
        these = await on.engine.pruner.prune_these(
            PruneFilter(clock.now_ms(), workflow="expense"), ["a", "b", "c", "b"]
        )
        assert [row["id"] for row in these.items] == ["b"]
        assert await left(on) == ["c"]


async def test_a_call_looks_at_so_many_and_says_where_to_go_on(url: str) -> None:
    clock = ManualClock(NOON)
    async with scene(url, clock) as on:
        for n in range(7):
            await run_of(on, f"r{n}", "completed")
            clock.advance(1)
        where = PruneFilter(clock.now_ms())
        seen, cursor = [], None
        while True:
            page = await on.engine.pruner.prune(where, 3, cursor)
            seen.append([row["id"] for row in page.items])
            cursor = page.cursor
            if cursor is None:
                break
        assert [run for piece in seen for run in piece] == [f"r{n}" for n in range(7)]
        assert max(map(len, seen)) == 3
        assert await left(on) == []


async def test_a_run_that_was_taken_up_again_stays(url: str) -> None:
    clock = ManualClock(NOON)
    async with scene(url, clock) as on:
        await run_of(on, "r1", "failed")
        clock.advance(DAY)
        where = PruneFilter(clock.now_ms(), ("failed",))
        await on.engine.runs.act("terminate", "r1", BY)  # it ends again, now, and otherwise
        assert (await on.engine.pruner.prune_these(where, ["r1"])).items == ()
        assert (await on.engine.pruner.prune(where)).items == ()
        assert await left(on) == ["r1"]


async def test_two_who_prune_at_once_delete_each_run_once(url: str) -> None:
    clock = ManualClock(NOON)
    async with scene(url, clock) as on:
        for n in range(20):
            await run_of(on, f"r{n}", "completed")
        clock.advance(DAY)
        pages = await asyncio.gather(*(on.engine.pruner.prune(PruneFilter(clock.now_ms())) for _ in range(2)))
        assert sorted(row["id"] for page in pages for row in page.items) == sorted(f"r{n}" for n in range(20))


async def test_retention_deletes_whatever_ended_longer_ago(url: str) -> None:
    clock = ManualClock(NOON)
    async with scene(url, clock) as on:
        for n in range(PIECE + 1):
            await run_of(on, f"r{n}", ("completed", "failed", "cancelled")[n % 3])
        await on.start("expense", run_id="open")
        clock.advance(DAY + 1)
        await run_of(on, "new", "completed")
        assert await on.engine.pruner.sweep(2 * DAY) == 0
        assert await on.engine.pruner.sweep(DAY) == PIECE + 1
        assert await left(on) == ["new", "open"]


async def test_an_engine_with_a_retention_deletes_by_itself(shared_url: str) -> None:
    clock = ManualClock(NOON)
    async with scene(shared_url, clock) as on:
        await run_of(on, "r1", "completed")
        clock.advance(DAY)
    engine = await Engine.open(open_store(shared_url), clock, retention_ms=DAY // 2)
    try:
        async with asyncio.timeout(10):
            while True:
                try:
                    await engine.runs.get("r1")
                except RunNotFound:
                    break
                await asyncio.sleep(0.01)
        assert (await engine.runs.list(RunFilter())).items == ()
    finally:
        await engine.close()
