"""A run keeps so many events that nobody awaits, and no more."""

from __future__ import annotations

import pytest

from signoff import App, Context
from signoff.errors import TooManyEvents
from signoff.service.events import Emitted
from signoff.workflow.event.decide import MOST_BYTES, MOST_EVENTS
from tests.runtime.scene import scene, working

MB = "x" * (1 << 20)


async def test_so_many_are_kept_and_one_more_is_refused() -> None:
    async with scene("memory:") as on:
        run = await on.start("waits")
        for n in range(MOST_EVENTS):
            await on.engine.events.send(run, "go", id=f"e{n}", payload=n)
        before = await on.engine.runs.record(run)
        with pytest.raises(TooManyEvents, match="was not stored") as refused:
            await on.engine.events.send(run, "go", id="more", payload=0)
        assert refused.value.status == 409
        assert await on.engine.runs.record(run) == before
        again = await on.engine.events.send(run, "go", id="e0", payload=0)
        assert again.duplicate


async def test_so_many_bytes_are_kept(url: str) -> None:
    app = App()

    @app.workflow(expose=("output",))
    async def waits(ctx: Context) -> int:
        return len([await ctx.await_event("go") for _ in range(9)])

    async with scene(url) as on:
        run = await on.start("waits")
        most = MOST_BYTES // (len(MB) + 2)
        for n in range(most):
            await on.engine.events.send(run, "go", id=f"e{n}", payload=MB)
        with pytest.raises(TooManyEvents):
            await on.engine.events.send(run, "go", id="more", payload=MB)
        await on.engine.events.send(run, "go", id="small", payload=1)
        async with working(app, on):
            await on.reaches(run, "waiting")  # it has taken them, and there is room again
            await on.engine.events.send(run, "go", id="more", payload=MB)
            assert (await on.reaches(run, "completed"))["output"] == most + 2 == 9


async def test_an_event_that_is_awaited_takes_no_room_and_others_are_told_of(url: str) -> None:
    app = App()

    @app.workflow
    async def waits(ctx: Context) -> None:
        await ctx.await_event("go")
        await ctx.await_event("end")

    async def _always(run: str) -> list[str]:
        return [run]

    async with scene(url) as on:
        run = await on.start("waits")
        async with working(app, on):
            await on.reaches(run, "waiting")
        for n in range(7):
            await on.engine.events.send(run, "other", id=f"e{n}", payload=MB)
        with pytest.raises(TooManyEvents):
            await on.engine.events.send(run, "other", id="e7", payload=MB + MB)
        assert await on.engine.events.emit("go", id="b1", payload=MB + MB) == Emitted(1)
        # The store still says that it waits when the broadcast looks, and no longer when it arrives.
        waiting = on.engine.events._waiting
        on.engine.events._waiting = lambda topic, key: _always(run)  # type: ignore[method-assign]
        assert await on.engine.events.emit("go", id="b2", payload=MB + MB) == Emitted(0, refused=1)
        on.engine.events._waiting = waiting  # type: ignore[method-assign]
