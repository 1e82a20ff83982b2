from __future__ import annotations

import asyncio

import pytest

from signoff import App, Context, PublicError
from signoff.errors import CancelledRun, FailedRun, RunNotFound
from signoff.service.runs import Runs
from signoff.stores.change import Subject
from signoff.workflow.entry import DecidedBy
from tests.runtime.scene import scene, stage, working

OPERATOR = DecidedBy("operator", "local")


def app_of_ends() -> App:
    app = App()

    @app.workflow(expose=("output",))
    async def shows(ctx: Context) -> dict[str, int]:
        await ctx.await_event("go")
        return {"n": 2**60}

    @app.workflow
    async def hides(_: Context) -> int:
        return 7

    @app.workflow
    async def nothing(_: Context) -> None:
        pass

    @app.workflow
    async def fails(_: Context) -> None:
        raise ValueError("the password is 12345")

    @app.workflow
    async def says(_: Context) -> None:
        raise PublicError("The account is closed.")

    return app


async def test_an_exposed_output_is_told_to_everybody_who_may_ask(url: str) -> None:
    async with stage(app_of_ends(), url) as on:
        run = await on.start("shows")
        early = await on.engine.outcomes.get(run)
        assert (early.run["id"], early.shown) == (run, False)
        waiting = asyncio.create_task(on.engine.outcomes.get(run, wait_s=30))
        await on.reaches(run, "waiting")
        await on.engine.events.send(run, "go", id="1", payload=None)
        outcome = await waiting
        assert (outcome.run["status"], outcome.shown) == ("completed", True)
        assert outcome.output == {"n": str(2**60)}


async def test_what_is_not_exposed_is_told_to_operators_alone(url: str) -> None:
    async with stage(app_of_ends(), url) as on:
        run, none = await on.start("hides"), await on.start("nothing")
        outcome = await on.engine.outcomes.get(run, wait_s=30)
        assert (outcome.run["status"], outcome.shown, outcome.output) == ("completed", False, None)
        outcome = await on.engine.outcomes.get(run, operator=True)
        assert (outcome.shown, outcome.output) == (True, 7)
        outcome = await on.engine.outcomes.get(none, wait_s=30, operator=True)
        assert (outcome.shown, outcome.output) == (True, None)


async def test_a_failure_is_raised_as_far_as_it_may_be_told(url: str) -> None:
    async with stage(app_of_ends(), url) as on:
        run = await on.start("fails")
        with pytest.raises(FailedRun) as told:
            await on.engine.outcomes.get(run, wait_s=30)
        assert told.value.extra["error"] == {"code": "value_error", "message": None}
        assert "12345" not in told.value.detail
        with pytest.raises(FailedRun, match="12345") as told:
            await on.engine.outcomes.get(run, operator=True)
        assert told.value.extra["error"] == {
            "code": "value_error",
            "message": "the password is 12345",
            "type": "builtins.ValueError",
        }
        with pytest.raises(FailedRun, match=r"public_error: The account is closed\."):
            await on.engine.outcomes.get(await on.start("says"), wait_s=30)


async def test_a_cancellation_is_raised(url: str) -> None:
    async with stage(app_of_ends(), url) as on:
        run, other = await on.start("shows"), await on.start("shows")
        waiting = asyncio.create_task(on.engine.outcomes.get(run, wait_s=30))
        await on.reaches(run, "waiting")
        await on.engine.runs.act("cancel", run, OPERATOR)
        with pytest.raises(CancelledRun, match="was cancelled"):
            await waiting
        await on.engine.runs.act("terminate", other, OPERATOR)
        with pytest.raises(CancelledRun, match="was terminated") as told:
            await on.engine.outcomes.get(other, wait_s=30)
        assert told.value.extra["error"]["code"] == "terminated"
        with pytest.raises(RunNotFound):
            await on.engine.outcomes.get("nowhere")


async def counts(ctx: Context, fails: bool) -> int:
    total = 0
    for number in range(10):
        total += await ctx.step("add", add, number)
    if fails:
        raise PublicError("It does not add up.")
    return total


async def add(number: int) -> int:
    return number


@pytest.mark.parametrize("fails", [False, True])
async def test_whoever_waits_looks_at_the_run_only_when_its_own_row_has_changed(
    url: str, fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many steps it takes: another page that waits costs next to nothing."""
    app, looks = App(), 0
    app.workflow(expose=("output",))(counts)
    record = Runs.record

    async def look(self: Runs, run_id: str) -> Subject:
        nonlocal looks
        looks += 1
        return await record(self, run_id)

    async with scene(url) as on:
        run = await on.start("counts", fails)
        monkeypatch.setattr(Runs, "record", look)
        waiting = asyncio.create_task(on.engine.outcomes.get(run, wait_s=30))
        while not on.engine.hub.watched:
            await asyncio.sleep(0)
        async with working(app, on):
            if fails:
                with pytest.raises(FailedRun, match="does not add up"):
                    await waiting
            else:
                assert (await waiting).output == 45
        assert looks <= 5


async def test_the_end_is_heard_of_in_another_process(shared_url: str) -> None:
    app = App()
    app.workflow(expose=("output",))(counts)
    async with stage(app, shared_url) as on, scene(shared_url) as other:
        added = await on.start("counts", False)
        assert (await other.engine.outcomes.get(added, wait_s=30)).output == 45
        failed = await on.start("counts", True)
        with pytest.raises(FailedRun, match="does not add up"):
            await other.engine.outcomes.get(failed, wait_s=30)


async def test_nobody_waits_longer_than_asked_nor_than_the_process_lives() -> None:
    async with scene("memory:") as on:
        run = await on.start("nobody")
        assert (await on.engine.outcomes.get(run, wait_s=0.01)).run["status"] == "running"
        waiting = asyncio.create_task(on.engine.outcomes.get(run, wait_s=3_600))
        while not on.engine.hub.watched:
            await asyncio.sleep(0)
        await on.engine.hub.close()
        assert (await waiting).run["status"] == "running"
