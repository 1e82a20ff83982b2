"""Something happens between any two commits: a cancellation, or a commit whose outcome nobody knows."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from signoff import App, Context, Retry
from signoff.clock import JumpingClock
from signoff.errors import RunClosed, StoreUnavailable, Withdrawn
from signoff.service.commit import GroupCommitter
from signoff.service.runs import Runs
from signoff.stores.change import Change, Outcome, Rejected
from signoff.workflow.entry import DecidedBy
from tests.runtime.scene import ENDED, Scene, person, scene, working

MANY = 60
"""More commits than the workflow below needs."""


def tour(calls: Counter[str]) -> App:
    app = App()

    async def work(name: str) -> str:
        calls[name] += 1
        if name == "flaky" and calls[name] < 3:
            raise OSError("not yet")
        return name

    @app.workflow(name="tour", expose=("output",))
    async def code(ctx: Context) -> list[Any]:
        try:
            first = await ctx.options(retry=Retry(attempts=3, first="1ms")).step("flaky", work, "flaky")
            answer = await ctx.await_input("ok", bool, title="ok?", to=["group:finance"])
            event = await ctx.await_event("go")
            await ctx.sleep("1ms")
            both = await asyncio.gather(ctx.step("left", work, "left"), ctx.step("right", work, "right"))
            last = await ctx.await_input("last", bool, title="last?", to=["group:finance"])
            end = await ctx.step("end", work, "end")
        except asyncio.CancelledError:
            await ctx.step("clean", work, "clean")
            raise
        return [first, answer.value, event, *both, last.value, end]

    return app


DONE = ["flaky", True, "come", "left", "right", True, "end"]


async def patiently(call: Callable[[], Awaitable[Any]]) -> Any:
    """Repeat a call as a client would whose request got no answer."""
    while True:
        try:
            return await call()
        except StoreUnavailable:
            continue


async def people(on: Scene, run: str) -> dict[str, Any]:
    """Answer what the run asks and send what it waits for, until it has ended."""
    woken = asyncio.Event()
    subscription = on.engine.store.bus().subscribe(f"stream:runs/{run}", woken.set)
    try:
        await patiently(lambda: on.engine.events.send(run, "go", id="1", payload="come"))
        while (row := await on.engine.runs.get(run))["status"] not in ENDED:
            woken.clear()
            for asked in await on.engine.inputs.pending(run):
                with suppress(Withdrawn):
                    await patiently(partial(on.answer, asked, True, submission=asked["id"], who=person()))
            if not await on.engine.inputs.pending(run):
                try:
                    async with asyncio.timeout(0.05):  # a commit of unknown outcome wakes nobody
                        await woken.wait()
                except TimeoutError:
                    continue
    except RunClosed:
        return await on.engine.runs.get(run)
    finally:
        subscription.close()
    return row


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_commit_of_unknown_outcome_is_looked_up(url: str, moment: str) -> None:
    """Each commit in turn is reported lost, whether it was or not: every result and answer still stands once."""

    async with scene(url, JumpingClock(quiet_s=0.001)) as on:
        commit, number, lost = on.engine.store.commit, 0, 0

        async def shaky(changes: Sequence[Change]) -> list[Outcome | Rejected]:
            nonlocal number
            number += 1
            if number == lost and moment == "before":
                raise StoreUnavailable("lost on the way there")
            outcomes = await commit(changes)
            if number == lost:
                raise StoreUnavailable("lost on the way back")
            return outcomes

        on.engine.store.commit = shaky  # type: ignore[method-assign]
        for nth in range(1, MANY):
            calls: Counter[str] = Counter()
            number, lost = 0, nth
            async with working(tour(calls), on), asyncio.timeout(20):
                await patiently(partial(on.start, "tour", run_id=f"r{nth}"))
                row = await people(on, f"r{nth}")
            assert (nth, row["status"], row["output"]) == (nth, "completed", DONE)
            assert (nth, calls) == (nth, Counter(flaky=3, left=1, right=1, end=1))
            ended = await on.entries(row["id"], "step.completed", "step.failed", "input.answered", "event.received")
            names = [(entry["type"], entry.get("id"), entry.get("attempt")) for entry in ended]
            assert (nth, Counter(names)) == (nth, Counter(set(names)))
            assert len(names) == 9
            if number < lost:
                return
        raise AssertionError("the workflow has more commits than were tried")


async def test_a_cancellation_between_any_two_commits_stands(url: str) -> None:
    async with scene(url) as on:
        commit, number, nth = on.engine.store.commit, 0, 0
        beside = GroupCommitter(on.engine.store)
        stopping: list[str] = []

        async def then_cancel(changes: Sequence[Change]) -> list[Outcome | Rejected]:
            nonlocal number
            outcomes = await commit(changes)
            number += 1
            if number == nth:
                number += 1  # the cancellation's own commit comes through here too
                runs = Runs(on.engine.store, beside, on.engine.clock)
                try:
                    await runs.act("cancel", f"r{nth}", DecidedBy("operator", "test"), reason="enough")
                except RunClosed:
                    stopping.append("too late")
                else:
                    stopping.append("accepted")
            return outcomes

        on.engine.store.commit = then_cancel  # type: ignore[method-assign]
        for n in range(1, MANY):
            calls: Counter[str] = Counter()
            number, nth = 0, n
            stopping.clear()
            async with working(tour(calls), on), asyncio.timeout(20):
                await on.start("tour", run_id=f"r{n}")
                row = await people(on, f"r{n}")
            if stopping != ["accepted"]:
                assert row["status"] == "completed"
                return
            assert (n, row["status"], row["error"]) == (n, "cancelled", None)
            assert not await on.engine.inputs.pending(row["id"])
            ended = await on.entries(row["id"], "step.completed")
            cleaned = [entry["id"] for entry in ended].count("clean:0")
            assert (n, cleaned, calls["clean"]) == (n, 1, 1)
        raise AssertionError("the workflow has more commits than were tried")
