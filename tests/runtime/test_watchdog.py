"""Code that goes on and on, blocks or freezes is its own run's trouble: that is blocked, the worker goes on."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from signoff import App, Context
from signoff.clock import ManualClock
from signoff.errors import NotBlocked
from signoff.runtime import watchdog
from signoff.runtime.driver import STUCK_RETRY_MS
from signoff.runtime.worker import Worker
from signoff.stores.change import Subject
from signoff.workflow.entry import DecidedBy
from tests.runtime.scene import Scene, scene, stage, working

NOON = 1_800_000_000_000
OPERATOR = DecidedBy("operator", "test")
BUDGET_S = 0.15
Body = Callable[[Context], Awaitable[Any]]


def app_of(body: Body, version: str = "1") -> App:
    app = App()

    @app.workflow(name="flow", version=version, expose=("output",))
    async def flow(ctx: Context) -> Any:
        return await body(ctx)

    @app.workflow(expose=("output",))
    async def good(ctx: Context) -> int:
        return await ctx.step("seven", int, "7")

    return app


# -- code that does not come to a wait ---------------------------------------------------------------------------------


async def spins(ctx: Context) -> None:
    while True:
        pass


async def spins_after_a_step(ctx: Context) -> None:
    await ctx.step("one", int, "1")
    await spins(ctx)


async def swallows(ctx: Context) -> None:
    while True:
        try:
            while True:
                pass
        except:  # noqa: E722
            pass


async def swallows_within(ctx: Context) -> None:
    while True:
        with suppress(BaseException):
            await swallows(ctx)


async def swallows_in_two_layers(ctx: Context) -> None:
    while True:
        try:  # noqa: SIM105
            await swallows_within(ctx)
        except:  # noqa: E722
            pass


async def spins_in_its_cleanup(ctx: Context) -> None:
    try:
        await spins(ctx)
    finally:
        while True:
            pass


async def spins_in_a_part(ctx: Context) -> None:
    async with asyncio.TaskGroup() as parts:
        parts.create_task(ctx.sleep("1h"))  # type: ignore[arg-type]
        parts.create_task(spins(ctx))


async def ends_late(ctx: Context) -> str:
    with suppress(BaseException):
        await spins(ctx)
    return "as if nothing had been"


class Endless:
    def __iter__(self) -> Iterator[int]:
        while True:
            pass


async def returns_what_is_endless(ctx: Context) -> object:
    return [*Endless()]


@pytest.mark.parametrize(
    "body",
    [
        spins,
        spins_after_a_step,
        swallows,
        swallows_within,
        swallows_in_two_layers,
        spins_in_its_cleanup,
        spins_in_a_part,
        ends_late,
        returns_what_is_endless,
    ],
)
async def test_code_that_goes_on_too_long_is_stopped_and_its_run_blocked(url: str, body: Body) -> None:
    async with stage(app_of(body), url, activation_s=BUDGET_S) as on:
        run, other = await on.start("flow"), await on.start("good")
        assert (await on.reaches(run, "blocked"))["error"]["code"] == "workflow_stuck"
        assert (await on.reaches(other, "completed"))["output"] == 7
        (blocked,) = await on.entries(run, "run.blocked")
        assert f"{__file__}:" in blocked["error"]["message"]
        assert f"signoff retry {run}" in blocked["error"]["message"]
        assert "frames" not in blocked["error"]  # they would be the engine's own
        assert len(blocked["fingerprint"]) == 32
        assert not await on.entries(run, "run.completed", "run.failed")
        assert (await on.reaches(await on.start("good"), "completed"))["output"] == 7


async def test_the_step_before_is_not_run_again_by_the_code_that_comes_after(url: str) -> None:
    calls: list[str] = []

    def pay() -> str:
        calls.append("paid")
        return "receipt"

    async def before(ctx: Context) -> None:
        await ctx.step("pay", pay)
        await spins(ctx)

    async def after(ctx: Context) -> str:
        return await ctx.step("pay", pay)

    async with scene(url) as on:
        async with working(app_of(before), on, activation_s=BUDGET_S):
            run = await on.start("flow")
            await on.reaches(run, "blocked")
        async with working(app_of(after), on, poll_ms=60_000):
            assert (await on.reaches(run, "completed"))["output"] == "receipt"
        assert calls == ["paid"]


def work_of(seconds: float) -> Callable[[], object]:
    """Return what takes about so long, and asks no clock."""
    began = time.perf_counter()
    sum(range(1_000_000))
    numbers = range(int(1_000_000 * seconds / (time.perf_counter() - began)))
    return lambda: sum(number for number in numbers)


async def test_a_long_replay_is_no_code_that_is_stuck(url: str) -> None:
    work = work_of(BUDGET_S / 20)

    async def body(ctx: Context) -> int:
        total = 0
        for _ in range(40):
            total += await ctx.step("one", int, "1")
            work()
        await ctx.await_event("go")
        return total

    async with scene(url) as on:
        for _ in range(2):
            async with working(app_of(body), on, activation_s=BUDGET_S):
                run = await on.start("flow", run_id="long")
                await on.reaches(run, "waiting")
        async with working(app_of(body), on, activation_s=BUDGET_S):
            await on.engine.events.send(run, "go", id="1", payload=None)
            assert (await on.reaches(run, "completed"))["output"] == 40


async def test_without_a_budget_code_takes_its_time(url: str) -> None:
    work = work_of(3 * BUDGET_S)

    async def body(ctx: Context) -> str:
        work()
        return "slow"

    async with stage(app_of(body), url, activation_s=0) as on:
        assert (await on.reaches(await on.start("flow"), "completed"))["output"] == "slow"


def spins_when_it_is_put_away(topic: str) -> Body:
    async def waits(ctx: Context) -> Any:
        try:
            return await ctx.await_event(topic)
        except BaseException:
            await spins(ctx)
            raise

    return waits


async def test_code_that_resists_being_put_away_holds_up_neither_eviction_nor_the_workers_end(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_of(spins_when_it_is_put_away("paid"))

    with caplog.at_level(logging.WARNING):
        async with stage(app, url, activation_s=BUDGET_S, cache=1) as on:
            first, second = await on.start("flow"), await on.start("flow")
            await on.reaches(first, "waiting")
            await on.reaches(second, "waiting")
            assert (await on.reaches(await on.start("good"), "completed"))["output"] == 7
            await on.engine.events.send(first, "paid", id="1", payload=5)
            assert (await on.reaches(first, "completed"))["output"] == 5
    assert "its code resisted" in caplog.text


async def test_code_that_resists_its_disagreement_with_the_journal_is_told_of_both(url: str) -> None:
    before, after = (app_of(spins_when_it_is_put_away(topic)) for topic in ("paid", "payment"))

    async with scene(url) as on:
        async with working(before, on, activation_s=BUDGET_S):
            run = await on.start("flow")
            await on.reaches(run, "waiting")
        async with working(after, on, activation_s=BUDGET_S):
            await on.engine.events.send(run, "paid", id="1", payload=5)
            await on.reaches(run, "blocked")
            (blocked,) = await on.entries(run, "run.blocked")
            assert blocked["error"]["code"] == "workflow_stuck"
            assert "Besides: " in blocked["error"]["message"]
        async with working(before, on, activation_s=BUDGET_S):
            assert (await on.reaches(run, "completed"))["output"] == 5


async def test_what_was_set_for_the_code_is_set_back_when_it_was_interrupted(url: str) -> None:
    before = gc.isenabled(), time.time, asyncio.get_running_loop(), sys.get_asyncgen_hooks()
    async with stage(app_of(spins), url, activation_s=BUDGET_S) as on:
        await on.reaches(await on.start("flow"), "blocked")
        assert (gc.isenabled(), time.time, asyncio.get_running_loop(), sys.get_asyncgen_hooks()) == before


# -- trying again ------------------------------------------------------------------------------------------------------


async def test_a_profiler_goes_on_after_an_interruption(url: str) -> None:
    async with stage(app_of(spins), url, activation_s=BUDGET_S) as on:
        await on.reaches(await on.start("flow"), "blocked")
    calls: list[str] = []
    sys.setprofile(lambda _frame, event, _argument: calls.append(event))
    try:
        place_of_nothing = watchdog.place_of(None)
    finally:
        sys.setprofile(None)
    assert place_of_nothing == "an unknown place"
    assert calls[:2] == ["call", "return"]


async def test_a_run_that_is_stuck_waits_for_other_code_or_an_operator(url: str) -> None:
    tries: list[str] = []
    stuck = True

    async def body(ctx: Context) -> str:
        tries.append("once more")
        if stuck:
            await spins(ctx)
        return "done"

    clock = ManualClock(NOON)
    async with scene(url, clock) as on:
        async with working(app_of(body), on, activation_s=BUDGET_S):
            run = await on.start("flow")
            await on.reaches(run, "blocked")
            await _settled(on, run)
            await on.engine.events.send(run, "poke", id="1", payload=None)
            await _settled(on, run)
            clock.advance(STUCK_RETRY_MS)
            on.engine.store.bus().emit(["ready"])
            await _taken_and_given_back(on, run)
        async with working(app_of(body), on, activation_s=BUDGET_S):
            assert (await on.reaches(await on.start("good"), "completed"))["output"] == 7
            assert len(tries) == 1
            assert (await on.engine.runs.get(run))["status"] == "blocked"
            row = await on.engine.runs.act("retry", run, OPERATOR)
            assert (row["status"], row["error"]) == ("running", None)
            await on.reaches(run, "blocked")
            assert len(tries) == 2
        async with working(app_of(body, version="2"), on, activation_s=BUDGET_S):
            while len(await on.entries(run, "run.blocked")) < 3:
                await asyncio.sleep(0.01)
            await _settled(on, run)
        stuck = False
        async with working(app_of(body), on), working(app_of(body, version="2"), on):
            await on.reaches(await on.start("good"), "completed")
            assert (await on.engine.runs.get(run))["status"] == "blocked", "both have been stuck in it"
            await on.engine.runs.act("retry", run, OPERATOR)
            assert (await on.reaches(run, "completed"))["output"] == "done"
        with pytest.raises(NotBlocked, match="only a blocked or a failed one can be tried again"):
            await on.engine.runs.act("retry", run, OPERATOR)
        assert len(await on.entries(run, "run.retried")) == 2


async def _settled(on: Scene, run: str) -> Subject:
    """Wait until nobody has anything to do for the run."""
    async with asyncio.timeout(20):
        while (record := await on.engine.runs.record(run)).ready or record.lease_owner:
            await asyncio.sleep(0.005)
        return record


async def _taken_and_given_back(on: Scene, run: str) -> None:
    async with asyncio.timeout(20):
        while (await on.engine.runs.record(run)).wake_at != NOON + 2 * STUCK_RETRY_MS:
            await asyncio.sleep(0.005)


async def test_a_run_that_costs_worker_after_worker_is_blocked_without_being_run(url: str) -> None:
    calls: list[str] = []

    async def body(ctx: Context) -> str:
        calls.append("run")
        return "done"

    clock = ManualClock(NOON)
    async with scene(url, clock) as on:
        run = await on.start("flow")
        for n in range(3):
            assert len(await on.engine.store.claim(f"dead{n}", ["flow"], now=clock.now_ms(), lease_ms=10, limit=1)) == 1
            clock.advance(10)
        async with working(app_of(body), on):
            assert (await on.reaches(run, "blocked"))["error"]["code"] == "worker_lost"
            assert calls == []
            assert (await _settled(on, run)).lost == 0
            await on.engine.runs.act("retry", run, OPERATOR)
            assert (await on.reaches(run, "completed"))["output"] == "done"


async def test_two_lost_workers_are_no_reason_yet(url: str) -> None:
    async def body(ctx: Context) -> str:
        return "done"

    clock = ManualClock(NOON)
    async with scene(url, clock) as on:
        run = await on.start("flow")
        for n in range(2):
            await on.engine.store.claim(f"dead{n}", ["flow"], now=clock.now_ms(), lease_ms=10, limit=1)
            clock.advance(10)
        async with working(app_of(body), on):
            assert (await on.reaches(run, "completed"))["output"] == "done"


# -- a loop that stands still ------------------------------------------------------------------------------------------


@contextmanager
def elsewhere(app: App, url: str, **options: Any) -> Iterator[None]:
    """Run a worker in a thread with a loop of its own, which can be blocked without blocking the test."""
    ready, stop = threading.Event(), threading.Event()

    async def main() -> None:
        async with scene(url) as on:
            worker = Worker(app, on.engine, **options)
            task = asyncio.create_task(worker.run())
            ready.set()
            while not stop.is_set():
                await asyncio.sleep(0.02)
            await worker.drain(timeout_s=1)
            await task

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert ready.wait(20)
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


async def test_a_step_that_blocks_its_loop_keeps_its_lease_and_runs_once(
    shared_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []

    async def blocks() -> str:
        calls.append("called")
        time.sleep(5)
        return "late"

    async def body(ctx: Context) -> str:
        return await ctx.step("block", blocks)

    with caplog.at_level(logging.WARNING):
        async with scene(shared_url) as on:
            with elsewhere(app_of(body), shared_url, lease_ms=1_500, poll_ms=20):
                run = await on.start("flow")
                while not calls:
                    await asyncio.sleep(0.01)
                async with working(app_of(body), on, lease_ms=1_500, poll_ms=20):
                    assert (await on.reaches(run, "completed"))["output"] == "late"
    assert calls == ["called"]
    told = [record.getMessage() for record in caplog.records if "stood still" in record.getMessage()]
    assert len(told) == 1
    assert "time.sleep(5)" in told[0]


async def test_a_worker_whose_loop_a_step_blocks_is_still_known_to_live(shared_url: str) -> None:
    begun = threading.Event()
    go_on = threading.Event()

    async def blocks() -> None:
        begun.set()
        go_on.wait(20)

    async def body(ctx: Context) -> None:
        await ctx.step("block", blocks)

    async with scene(shared_url) as on:
        with elsewhere(app_of(body), shared_url, lease_ms=1_500, poll_ms=20):
            await on.start("flow")
            assert await asyncio.to_thread(begun.wait, 20)
            try:
                ends = {on.engine.clock.now_ms() + 1_500 * n for n in (1, 2, 3)}
                while ends:  # three leases later, looked at all the time
                    assert await on.engine.workers.known() == {"flow", "good"}
                    ends = {end for end in ends if end > on.engine.clock.now_ms()}
                    await asyncio.sleep(0.02)
            finally:
                go_on.set()


async def test_a_worker_that_is_frozen_by_one_run_gives_the_others_up(
    shared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "FROZEN_S", 0.3)
    gate = threading.Lock()
    begun = threading.Event()

    async def body(ctx: Context) -> None:
        begun.set()
        with gate:  # outside the main thread nothing can interrupt this
            pass

    app = app_of(body)

    @app.workflow(expose=("output",))
    async def patient(ctx: Context) -> int:
        return await ctx.step("wait", waiting)

    async def waiting() -> int:
        waits.set()
        await asyncio.sleep(0.5 if over.is_set() else 3600)
        return 1

    waits, over = threading.Event(), threading.Event()

    gate.acquire()

    async with scene(shared_url) as on:
        with elsewhere(app, shared_url, lease_ms=1_500, poll_ms=20, activation_s=0.1):
            try:
                innocent = await on.start("patient")
                while not waits.is_set():
                    await asyncio.sleep(0.01)
                culprit = await on.start("flow")
                while not begun.is_set():
                    await asyncio.sleep(0.01)
                async with asyncio.timeout(20):
                    while (await on.engine.runs.record(innocent)).lease_owner is not None:
                        await asyncio.sleep(0.02)
                    assert (await on.engine.runs.record(innocent)).lost == 0
                    taken: list[Subject] = []
                    while not taken:
                        await asyncio.sleep(0.02)
                        now = on.engine.clock.now_ms()
                        taken = await on.engine.store.claim("other", ["flow"], now=now, lease_ms=50, limit=1)
                assert (taken[0].name.id, taken[0].lost) == (culprit, 1)
            finally:
                over.set()
                gate.release()
            await on.reaches(culprit, "completed")
            assert (await on.reaches(innocent, "completed"))["output"] == 1


# -- a backlog ---------------------------------------------------------------------------------------------------------


async def test_a_backlog_is_worked_off_without_waiting_for_the_next_poll(url: str) -> None:
    async def body(ctx: Context) -> int:
        return await ctx.step("one", int, "1")

    async with stage(app_of(body), url, concurrency=3, poll_ms=60_000) as on:
        for run in [await on.start("flow") for _ in range(50)]:
            await on.reaches(run, "completed")


async def test_no_workflow_waits_longer_than_those_that_began_to_wait_before_it(url: str) -> None:
    order: list[int] = []

    async def note(n: int) -> None:
        order.append(n)

    app = App()

    @app.workflow
    async def busy(ctx: Context, n: int) -> None:
        await ctx.step("note", note, n)

    @app.workflow
    async def rare(ctx: Context, n: int) -> None:
        await ctx.step("note", note, n)

    clock = ManualClock(NOON)
    async with scene(url, clock) as on:
        runs = []
        for n in range(20):
            runs.append(await on.start("rare" if n == 7 else "busy", n))
            clock.advance(1)
        async with working(app, on, concurrency=1, poll_ms=60_000):
            for run in runs:
                await on.reaches(run, "completed")
    assert order == list(range(20))
