"""One retry is enough, whatever way the error came to the top; and it does again what failed, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from signoff import App, Context, Retry, StepFailed
from signoff.clock import ManualClock
from signoff.paths import run_path
from signoff.runtime.observe import RunEnded
from signoff.timestamps import rfc3339
from signoff.workflow.entry import DecidedBy
from tests.runtime.scene import Scene, scene, stage, working
from tests.runtime.test_undoing import rows

OPERATOR = DecidedBy("operator", "local")


class Shop:
    """What the steps of a test meet outside.

    Attributes:
        broken: what fails.
        done: what was tried.
    """

    def __init__(self, *broken: str) -> None:
        self.broken = set(broken)
        self.done: list[str] = []

    async def call(self, name: str) -> str:
        self.done.append(name)
        if name in self.broken:
            raise OSError(f"{name} is down")
        return name

    def step(self, ctx: Context, name: str) -> Any:
        return ctx.options(retry=Retry(attempts=1)).step(name, self.call, name)


class Refused(Exception):
    """What code raises in its own words."""


Body = Callable[[Context, Shop], Awaitable[Any]]


async def alone(ctx: Context, shop: Shop) -> None:
    await shop.step(ctx, "a")
    await shop.step(ctx, "pay")


async def gathered(ctx: Context, shop: Shop) -> None:
    await asyncio.gather(shop.step(ctx, "a"), shop.step(ctx, "b"), shop.step(ctx, "pay"))


async def nested(ctx: Context, shop: Shop) -> None:
    async def inner() -> None:
        await asyncio.gather(shop.step(ctx, "a"), shop.step(ctx, "pay"))

    await asyncio.gather(inner(), asyncio.gather(shop.step(ctx, "b")))


async def grouped(ctx: Context, shop: Shop) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(shop.step(ctx, "a"))
        group.create_task(shop.step(ctx, "pay"))


async def in_time(ctx: Context, shop: Shop) -> None:
    await shop.step(ctx, "a")
    await asyncio.wait_for(shop.step(ctx, "pay"), 60)


async def raised_again(ctx: Context, shop: Shop) -> None:
    kept = None
    try:
        await shop.step(ctx, "pay")
    except StepFailed as error:
        kept = error
    if kept is not None:
        await shop.step(ctx, "undo")
        raise kept


async def raised_from(ctx: Context, shop: Shop) -> None:
    try:
        await shop.step(ctx, "pay")
    except StepFailed as error:
        await shop.step(ctx, "undo")
        raise Refused("no money") from error


async def raised_from_none(ctx: Context, shop: Shop) -> None:
    try:
        await shop.step(ctx, "pay")
    except StepFailed:
        await shop.step(ctx, "undo")
        raise Refused("no money") from None


async def first_of_several(ctx: Context, shop: Shop) -> None:
    found = await asyncio.gather(shop.step(ctx, "pay"), shop.step(ctx, "ship"), return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException):
            raise one


async def all_of_several(ctx: Context, shop: Shop) -> None:
    found = await asyncio.gather(shop.step(ctx, "pay"), shop.step(ctx, "ship"), return_exceptions=True)
    if errors := [one for one in found if isinstance(one, StepFailed)]:
        raise ExceptionGroup("some failed", errors)


async def failed_in_its_cleanup(ctx: Context, shop: Shop) -> None:
    try:
        await shop.step(ctx, "pay")
    except StepFailed:
        await shop.step(ctx, "ship")
        raise


async def failed_meanwhile(ctx: Context, shop: Shop) -> None:
    pay, ship = shop.step(ctx, "pay"), shop.step(ctx, "ship")
    try:
        await asyncio.gather(pay, ship)
    finally:
        await shop.step(ctx, "undo")
        await asyncio.wait([ship])


async def gone_on_beside(ctx: Context, shop: Shop) -> None:
    async def branch() -> None:
        for name in ("a", "b", "c"):
            await shop.step(ctx, name)

    found = await asyncio.gather(shop.step(ctx, "pay"), branch(), return_exceptions=True)
    if isinstance(found[0], BaseException):
        raise found[0]


async def cleaned_up_beside(ctx: Context, shop: Shop) -> None:
    async def branch() -> None:
        for name in ("a", "b", "c"):
            await shop.step(ctx, name)

    async def paying() -> None:
        try:
            await shop.step(ctx, "pay")
        except StepFailed:
            await shop.step(ctx, "undo")
            raise

    found = await asyncio.gather(paying(), branch(), return_exceptions=True)
    if isinstance(found[0], BaseException):
        raise found[0]


async def swallowed_before(ctx: Context, shop: Shop) -> None:
    await asyncio.gather(shop.step(ctx, "optional"), return_exceptions=True)
    await shop.step(ctx, "a")
    await shop.step(ctx, "pay")


async def swallowed_beside(ctx: Context, shop: Shop) -> None:
    found = await asyncio.gather(shop.step(ctx, "pay"), shop.step(ctx, "optional"), return_exceptions=True)
    if isinstance(found[0], BaseException):
        raise found[0]


async def swallowed_in_the_cleanup(ctx: Context, shop: Shop) -> None:
    try:
        await shop.step(ctx, "pay")
    finally:
        await asyncio.gather(shop.step(ctx, "optional"), return_exceptions=True)


@pytest.mark.parametrize(
    ("body", "again"),
    [
        (alone, ["pay"]),
        (gathered, ["pay"]),
        (nested, ["pay"]),
        (grouped, ["pay"]),
        (in_time, ["pay"]),
        (raised_again, ["pay"]),
        (raised_from, ["pay"]),
        (raised_from_none, ["pay"]),
        (first_of_several, ["pay", "ship"]),
        (all_of_several, ["pay", "ship"]),
        (failed_in_its_cleanup, ["pay", "ship"]),
        (failed_meanwhile, ["pay", "ship", "undo"]),
        (gone_on_beside, ["pay"]),
        (cleaned_up_beside, ["b", "c", "pay"]),
        (swallowed_before, ["pay"]),
        (swallowed_beside, ["pay"]),
        (swallowed_in_the_cleanup, ["optional", "pay"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_one_retry_does_again_what_failed(url: str, body: Body, again: list[str]) -> None:
    shop, app = Shop("pay", "ship", "optional"), App()

    @app.workflow
    async def order(ctx: Context) -> None:
        await body(ctx, shop)

    async with stage(app, url) as on:
        run = await on.start("order")
        await on.reaches(run, "failed")
        shop.done.clear()
        shop.broken = {"optional"}
        await on.engine.runs.act("retry", run, OPERATOR)
        await on.reaches(run, "completed")
        assert sorted(set(shop.done)) == again
        [failed] = await on.entries(run, "run.failed")
        assert "pay:0" in failed["causes"] or failed["causes"] == ["ship:0"]
        steps = [row for (kind, _), row in (await rows(on, run_path(run))).items() if kind == "step"]
        assert {row["id"] for row in steps if row["status"] != "completed"} <= {"optional:0"}


async def test_code_that_fails_by_itself_does_again_no_step_whose_failure_it_swallowed(url: str) -> None:
    shop, broken = Shop("optional"), [True]
    app = App()

    @app.workflow
    async def order(ctx: Context) -> str:
        await asyncio.gather(shop.step(ctx, "optional"), return_exceptions=True)
        if broken[0]:
            raise Refused("a fault of the code")
        return "mended"

    async with stage(app, url) as on:
        run = await on.start("order")
        await on.reaches(run, "failed")
        assert [entry["causes"] for entry in await on.entries(run, "run.failed")] == [[]]
        broken[0] = False
        await on.engine.runs.act("retry", run, OPERATOR)
        await on.reaches(run, "completed")
        assert shop.done == ["optional"]


async def test_what_fails_again_ends_the_retry(url: str) -> None:
    shop, app = Shop("pay", "ship"), App()

    @app.workflow
    async def order(ctx: Context) -> None:
        await first_of_several(ctx, shop)

    ended: list[RunEnded] = []

    class Watching:
        def observe(self, event: object) -> None:
            if isinstance(event, RunEnded):
                ended.append(event)

    async with scene(url) as on, working(app, on, observers=[Watching()]):
        run = await on.start("order")
        await on.reaches(run, "failed")
        shop.broken = {"ship"}
        await on.engine.runs.act("retry", run, OPERATOR)
        await on.reaches(run, "running")
        await on.reaches(run, "failed")
        assert shop.done == ["pay", "ship", "pay", "ship"]
        retried = await on.entries(run, "run.retried")
        assert [(entry["anew"], entry.get("since")) for entry in retried] == [
            (["pay:0"], None),
            (["ship:0"], retried[0]["at"]),
        ]
        assert len(await on.entries(run, "run.failed")) == 2
    assert [event.status for event in ended] == ["failed", "failed"]


async def test_a_request_and_a_wait_are_open_again_for_as_long_as_they_were(url: str) -> None:
    clock, app = ManualClock(), App()

    @app.workflow
    async def order(ctx: Context) -> list[Any]:
        request = ctx.await_input("approve", bool, title="?", to=["user:alice"], deadline="10m")
        await request.revise(title="Now?", deadline="20m")
        answer = await request
        return [answer.value, await ctx.await_event("paid", timeout="1h")]

    async with scene(url, clock) as on, working(app, on):
        run = await on.start("order")
        await on.asks(run, "approve:0")
        clock.advance(1_200_000)
        await on.reaches(run, "failed")
        assert [entry["causes"] for entry in await on.entries(run, "run.failed")] == [["approve:0"]]
        clock.advance(3_600_000)
        await on.engine.runs.act("retry", run, OPERATOR)
        row = await on.asks(run, "approve:0")
        assert (row["title"], row["deadline"]) == ("Now?", rfc3339(clock.now_ms() + 1_200_000))
        clock.advance(1_100_000)
        await on.answer(row, True)
        await on.reaches(run, "waiting")
        await until_waits(on, run)
        clock.advance(3_600_000)
        await on.reaches(run, "failed")
        assert [entry["causes"] for entry in await on.entries(run, "run.failed")] == [["approve:0"], ["paid:0"]]
        await on.engine.runs.act("retry", run, OPERATOR)
        await on.engine.events.send(run, "paid", id="e1", payload=5)
        await on.reaches(run, "completed")
        assert (await on.engine.outcomes.get(run, operator=True)).output == [True, 5]


async def until_waits(on: Scene, run: str) -> None:
    while not await on.entries(run, "event.awaited"):
        await asyncio.sleep(0.005)
