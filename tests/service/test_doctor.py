"""The doctor sees what is there, and leaves nothing behind."""

from __future__ import annotations

import asyncio

from signoff import App, Context
from signoff.clock import ManualClock
from signoff.service.diagnosis import judge
from signoff.service.kinds import Kind, run_name
from signoff.stores.base import Listing
from signoff.workflow.entry import Error
from signoff.workflow.run.entries import RunBlocked, RunFailed
from tests.runtime.scene import Scene, scene, working
from tests.service.written import write

NOON = 1_800_000_000_000


def app_of() -> App:
    app = App()

    @app.workflow
    async def expense(ctx: Context) -> None:
        await ctx.await_event("go")

    return app


async def levels(on: Scene) -> dict[str, str]:
    """Return the level of each check; the worst, where there are several."""
    found: dict[str, str] = {}
    for finding in judge(await on.engine.doctor.examine()):
        found[finding.check] = max(found.get(finding.check, ""), finding.level)
    return found


async def test_an_empty_store_is_well(url: str) -> None:
    async with scene(url) as on:
        facts = await on.engine.doctor.examine()
        assert (facts.ready, facts.blocked, facts.failed, facts.workers, facts.unplaced) == ((), {}, {}, (), 0)
        assert facts.backend == url.partition(":")[0]
        assert "wrong" not in (await levels(on)).values()
        assert (await on.engine.store.list_subjects(Listing(Kind.PROBE), limit=10)).items == ()


async def test_what_waits_is_blocked_or_has_failed_is_counted_by_reason(url: str) -> None:
    clock = ManualClock(NOON)
    async with scene(url, clock) as on:
        waits, later = await on.start("expense"), await on.start("expense", start_at=NOON + 5_000)
        for n in range(3):
            run = await on.start("travel")
            error = Error(f"e{n % 2}", "no")
            await write(on, run, RunFailed(NOON, error) if n else RunBlocked(NOON, error))
        await on.start("expense", start_at=NOON + 900_000)
        await on.engine.forsaken.close()  # it would block what waits, as soon as the time has passed
        clock.advance(70_000)
        facts = await on.engine.doctor.examine()
        assert [(run.run_id, run.since) for run in sorted(facts.ready, key=lambda run: run.since)] == [
            (waits, NOON),
            (later, NOON + 5_000),
        ]
        assert (facts.blocked, facts.failed) == ({"e0": 1}, {"e1": 1, "e0": 1})
        found = await levels(on)
        assert (found["queue"], found["blocked"], found["failed"]) == ("wrong", "wrong", "note")
        assert found["unknown_workflow"] == "wrong"


async def test_workers_are_seen_with_what_they_know(url: str) -> None:
    async with scene(url) as on, working(app_of(), on) as worker:
        async with asyncio.timeout(10):
            while not (workers := (await on.engine.doctor.examine()).workers):
                await asyncio.sleep(0.01)
        assert [(one.owner, one.workflows) for one in workers] == [(worker.owner, ("expense",))]
        assert workers[0].until > on.engine.clock.now_ms()


async def test_a_lease_by_a_clock_that_was_wrong_is_found(url: str) -> None:
    async with scene(url) as on:
        run = await on.start("expense")
        now = on.engine.clock.now_ms()
        [record] = await on.engine.store.claim("w", ["expense"], now=now, lease_ms=3_600_000, limit=1)
        assert record.name == run_name(run)
        assert (await on.engine.doctor.examine()).far_leases == (run,)
        assert (await levels(on))["leases"] == "wrong"
