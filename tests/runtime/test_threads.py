"""The threads of sync steps: slots are waited for in turn, and a hanging thread costs nobody else anything."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from signoff import App, Context, Retry
from signoff.runtime.threads import HANGING_A_SLOT, Raised, Returned, StepThreads
from tests.runtime.scene import stage


@asynccontextmanager
async def pool(most: int) -> AsyncIterator[StepThreads]:
    threads = StepThreads(most)
    try:
        yield threads
    finally:
        threads.close()


async def call(threads: StepThreads, work: object) -> Returned | Raised:
    await threads.slot()
    return await threads.run(work)  # type: ignore[arg-type]


async def test_what_is_raised_comes_back_as_a_value() -> None:
    def stops() -> None:
        raise StopIteration(7)

    async with pool(1) as threads:
        assert await call(threads, lambda: 7) == Returned(7)
        outcome = await call(threads, stops)
        assert isinstance(outcome, Raised)
        assert isinstance(outcome.error, StopIteration)


async def test_no_more_run_at_a_time_than_there_are_slots_and_they_take_turns() -> None:
    running, most = 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.001)
        with lock:
            running -= 1

    turns: list[int] = []

    async def take(n: int, threads: StepThreads) -> None:
        await threads.slot()
        turns.append(n)
        await threads.run(work)

    async with pool(3) as threads:
        await asyncio.gather(*(take(n, threads) for n in range(60)))
    assert most == 3
    assert turns == list(range(60))


async def test_a_slot_is_given_back_by_whoever_gives_up(caplog: pytest.LogCaptureFixture) -> None:
    go_on = threading.Event()

    with caplog.at_level(logging.WARNING):
        async with pool(1) as threads:
            for hanging in range(1, HANGING_A_SLOT + 1):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await call(threads, go_on.wait)
                assert threads.hanging == hanging
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await call(threads, go_on.wait)
            waiting = asyncio.create_task(call(threads, lambda: "mine"))
            await asyncio.sleep(0.01)
            assert not waiting.done()  # there are too many now: this one waits for a thread to come back
            go_on.set()
            assert await waiting == Returned("mine")
            while threads.hanging:
                await asyncio.sleep(0)
            assert await call(threads, lambda: "and more") == Returned("and more")
    told = [record.getMessage() for record in caplog.records]
    assert [message.split()[0] for message in told] == ["1", "3", "7"]
    assert "wait" in told[0]


async def test_giving_up_while_waiting_for_a_slot_loses_none() -> None:
    async with pool(1) as threads:
        await threads.slot()
        waiting = [asyncio.create_task(call(threads, lambda n=n: n)) for n in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        assert await threads.run(lambda: "first") == Returned("first")
        waiting[1].cancel()  # its turn has come and it has not yet run
        assert await waiting[2] == Returned(2)
        assert await call(threads, lambda: "last") == Returned("last")


async def test_hanging_steps_use_nobody_elses_attempts_up(url: str) -> None:
    app, go_on = App(), threading.Event()

    @app.workflow
    async def hog(ctx: Context) -> None:
        await ctx.options(timeout="150ms", retry=Retry(attempts=1)).step("hang", go_on.wait)

    @app.workflow(expose=("output",))
    async def innocent(ctx: Context) -> int:
        return await ctx.options(timeout="10s", retry=Retry(attempts=1)).step("quick", int, "7")

    async with stage(app, url, threads=2) as on:
        try:
            hogs = [await on.start("hog") for _ in range(5)]
            assert (await on.reaches(await on.start("innocent"), "completed"))["output"] == 7
            for run in hogs:
                await on.reaches(run, "failed")
                (failed,) = await on.entries(run, "step.failed")
                assert failed["error"]["code"] == "step_timed_out"
        finally:
            go_on.set()


async def test_waiting_for_a_thread_is_no_part_of_a_steps_timeout(url: str) -> None:
    app, go_on = App(), threading.Event()

    @app.workflow
    async def holds(ctx: Context) -> None:
        await ctx.step("hold", go_on.wait)

    @app.workflow(expose=("output",))
    async def hurried(ctx: Context) -> int:
        return await ctx.options(timeout="50ms", retry=Retry(attempts=1)).step("quick", int, "7")

    async with stage(app, url, threads=1) as on:
        first = await on.start("holds")
        while not await on.entries(first, "step.scheduled"):
            await asyncio.sleep(0)
        second = await on.start("hurried")
        while not await on.entries(second, "step.scheduled"):
            await asyncio.sleep(0)
        await asyncio.sleep(0.2)
        go_on.set()
        assert (await on.reaches(second, "completed"))["output"] == 7
        await on.reaches(first, "completed")


def test_a_hanging_thread_keeps_no_process() -> None:
    program = """
import asyncio, threading
from signoff.runtime.threads import StepThreads

async def main():
    threads = StepThreads(1)
    await threads.slot()
    try:
        await asyncio.wait_for(threads.run(threading.Event().wait), 0.05)
    except TimeoutError:
        print("given up")

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=240, check=True)
    assert done.stdout == "given up\n"
