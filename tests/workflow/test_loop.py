"""asyncio's own primitives on the deterministic loop; what reaches for the world is refused."""

from __future__ import annotations

import asyncio
import math
import socket
import threading
from contextvars import ContextVar
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from signoff import Context, NotAllowedInWorkflow
from signoff.errors import BadRequest
from tests.workflow.drive import Drive, asked, work


def test_sleep_of_asyncio_is_a_durable_timer() -> None:
    async def flow(ctx: Context) -> float:
        before = asyncio.get_running_loop().time()
        await asyncio.sleep(1.5)
        return asyncio.get_running_loop().time() - before

    drive = Drive(flow)
    assert drive.machine.open_timers == {"timer:0": 2_500}
    drive.fire("timer:0")
    assert drive.output == 1.5


def test_sleeping_for_nothing_needs_no_timer() -> None:
    async def flow(ctx: Context) -> int:
        await asyncio.sleep(0)
        await asyncio.sleep(-1)
        return 1

    assert Drive(flow).output == 1


def test_a_timeout_that_is_not_needed_is_cancelled() -> None:
    async def flow(ctx: Context) -> Any:
        async with asyncio.timeout(60):
            return await ctx.step("a", work)

    drive = Drive(flow)
    assert asked(drive.done("a:0", 1)) == ["timer.cancelled timer:0", "run.completed"]


def test_a_timeout_that_is_rescheduled_is_another_timer() -> None:
    async def flow(ctx: Context) -> str:
        try:
            async with asyncio.timeout(1) as scope:
                scope.reschedule(asyncio.get_running_loop().time() + 5)
                await ctx.step("a", work)
        except TimeoutError:
            return "late"
        return "in time"

    drive = Drive(flow)
    assert drive.machine.open_timers == {"timer:1": 6_000}
    drive.fire("timer:1")
    assert drive.output == "late"


def test_wait_for_gives_the_step_up() -> None:
    async def flow(ctx: Context) -> str:
        try:
            await asyncio.wait_for(ctx.step("a", work), 1)
        except TimeoutError:
            return "late"
        return "in time"

    drive = Drive(flow)
    assert asked(drive.fire("timer:0")) == ["step.cancelled a:0", "run.completed"]


def test_wait_returns_what_came_first() -> None:
    async def flow(ctx: Context) -> list[Any]:
        steps = [ctx.step("a", work), ctx.step("b", work)]
        done, pending = await asyncio.wait(steps, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        return [len(done), len(pending), done.pop().result()]

    drive = Drive(flow)
    drive.done("b:0", "b")
    assert drive.output == [1, 1, "b"]


def test_gather_keeps_order_and_returns_exceptions() -> None:
    async def flow(ctx: Context) -> list[str]:
        found = await asyncio.gather(ctx.step("a", work), ctx.step("b", work), return_exceptions=True)
        return [type(item).__name__ for item in found]

    drive = Drive(flow)
    drive.broken("b:0")
    drive.done("a:0", 1)
    assert drive.output == ["int", "StepFailed"]


def test_create_task_takes_what_a_task_group_is_given() -> None:
    async def flow(ctx: Context) -> list[Any]:
        task = asyncio.create_task(ctx.step("a", work), name="mine")
        other = asyncio.create_task(ctx.step("b", work))
        return [await task, await other, task.get_name(), asyncio.current_task() in asyncio.all_tasks()]

    drive = Drive(flow)
    drive.done("a:0", 1)
    drive.done("b:0", 2)
    assert drive.output == [1, 2, "mine", True]


def test_what_is_no_coroutine_is_no_task() -> None:
    async def flow(ctx: Context) -> None:
        asyncio.create_task(3)  # type: ignore[arg-type]  # noqa: RUF006

    assert Drive(flow).error.code == "type_error"


def test_sets_of_futures_have_the_same_order_in_every_replay() -> None:
    async def flow(ctx: Context) -> list[str]:
        steps = {ctx.step(f"s{number}", work): f"s{number}" for number in range(50)}
        return [steps[step] for step in set(steps)]

    assert Drive(flow).output == Drive(flow).output


@pytest.mark.parametrize("seconds", [1e17, math.inf, math.nan, 101 * 366 * 86_400.0])
def test_sleeping_beyond_all_bounds_is_refused_in_the_code(seconds: float) -> None:
    async def sleeps() -> None:
        await asyncio.sleep(seconds)

    async def waits() -> None:
        await asyncio.wait_for(asyncio.get_running_loop().create_future(), seconds)

    async def has_a_timeout() -> None:
        async with asyncio.timeout(seconds):
            await asyncio.sleep(0)

    async def calls_later() -> None:
        asyncio.get_running_loop().call_later(seconds, print)

    async def calls_at() -> None:
        loop = asyncio.get_running_loop()
        loop.call_at(loop.time() + seconds, print)

    async def flow(ctx: Context) -> list[str]:
        refused = []
        for way in (sleeps, waits, has_a_timeout, calls_later, calls_at):
            try:
                await way()
            except (BadRequest, ValueError) as error:
                refused.append(f"{way.__name__} {error}")
        try:
            await ctx.sleep(seconds)
        except BadRequest as error:
            refused.append(f"sleep {error}")
        return refused

    drive = Drive(flow)
    ways = [told.partition(" ")[0] for told in drive.output]
    assert ways == ["sleeps", "waits", "has_a_timeout", "calls_later", "calls_at", "sleep"]
    assert "is no duration" in drive.output[3]
    assert asked(drive.journal) == ["run.started", "run.completed"]


def test_anyio_runs_on_the_loop() -> None:
    async def flow(ctx: Context) -> list[Any]:
        found: list[Any] = []

        async def part(number: int) -> None:
            found.append(await ctx.step("part", work, number))

        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep_forever)
            async with anyio.create_task_group() as inner:
                inner.start_soon(part, 1)
                inner.start_soon(part, 2)
            with anyio.move_on_after(2) as scope:
                await anyio.sleep(5)
            found.append(scope.cancelled_caught)
            with anyio.fail_after(60):
                await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
        return found

    drive = Drive(flow)
    drive.done("part:1", 2)
    drive.done("part:0", 1)
    assert asked(drive.journal[-2:]) == ["timer.started timer:0", "timer.started timer:1"]
    drive.fire("timer:0")
    assert drive.output == [2, 1, True]


def test_sleeping_for_ever_ends_when_the_run_is_cancelled() -> None:
    async def flow(ctx: Context) -> None:
        await anyio.sleep_forever()

    drive = Drive(flow)
    assert drive.machine.outcome is None
    assert drive.machine.wake_at() is None
    assert asked(drive.cancel("enough")) == ["run.cancelled"]


def test_a_timers_callback_never_finds_itself_too_early() -> None:
    async def flow(ctx: Context) -> bool:
        await ctx.await_event("go")
        with anyio.move_on_after(0.2) as scope:  # asks the loop for the time, and for another timer if it is too early
            await anyio.sleep_forever()
        return scope.cancelled_caught

    for ms in range(20):  # in some of them 0.2 s later is, as a float, a hair after the whole millisecond
        drive = Drive(flow)
        drive.now = 1_795_887_374_000 + ms
        drive.event("go")
        assert asked(drive.fire("timer:0")) == ["run.completed"]
        assert drive.output is True


def test_threads_of_anyio_are_refused() -> None:
    async def flow(ctx: Context) -> None:
        await anyio.to_thread.run_sync(print)

    assert Drive(flow).error.code == NotAllowedInWorkflow.code


def test_an_error_in_a_callback_stops_the_machine() -> None:
    async def flow(ctx: Context) -> None:
        asyncio.get_running_loop().call_soon(int, "no number")
        await ctx.step("a", work)

    drive = Drive(flow)
    assert drive.error.code == "value_error"
    assert asked(drive.journal) == ["run.started", "step.scheduled a:0", "step.cancelled a:0", "run.failed"]


def test_an_error_told_to_the_loop_stops_the_machine() -> None:
    async def flow(ctx: Context) -> None:
        asyncio.get_running_loop().call_exception_handler({"message": "bad", "exception": KeyError("k")})
        await ctx.sleep(1)

    assert Drive(flow).error.code == "key_error"


def test_background_tasks_that_fail_do_not_stop_the_run(caplog: pytest.LogCaptureFixture) -> None:
    async def flow(ctx: Context) -> int:
        async def bad() -> None:
            raise ValueError("unseen")

        task = asyncio.create_task(bad())
        await ctx.step("a", work)
        del task
        await ctx.step("b", work)
        return 1

    drive = Drive(flow)
    drive.done("a:0")
    drive.done("b:0")
    assert drive.output == 1


def test_call_later_and_its_cancellation() -> None:
    async def flow(ctx: Context) -> list[int]:
        seen: list[int] = []
        loop = asyncio.get_running_loop()
        loop.call_later(1, seen.append, 1)
        never = loop.call_later(2, seen.append, 2)
        never.cancel()
        never.cancel()
        assert never.cancelled()
        loop.call_soon(seen.append, 0).cancel()
        await ctx.sleep(3)
        return seen

    drive = Drive(flow)
    assert asked(drive.journal)[1:4] == ["timer.started timer:0", "timer.started timer:1", "timer.cancelled timer:1"]
    drive.fire("timer:0")
    drive.fire("sleep:0")
    assert drive.output == [1]


def test_the_loop_knows_what_it_is() -> None:
    async def flow(ctx: Context) -> list[Any]:
        loop = asyncio.get_running_loop()
        return [loop.is_running(), loop.is_closed(), loop.get_debug(), loop.get_task_factory()]

    assert Drive(flow).output == [True, False, False, None]


def test_control_flow_of_ours_passes_users_handlers() -> None:
    async def flow(ctx: Context) -> None:
        try:
            await ctx.step("a", work)
        except Exception:
            raise AssertionError("never") from None

    drive = Drive(flow)
    drive.machine.close()
    assert asked(drive.journal) == ["run.started", "step.scheduled a:0"]


async def in_a_thread(ctx: Context) -> None:
    await asyncio.to_thread(print)


async def in_an_executor(ctx: Context) -> None:
    await asyncio.get_running_loop().run_in_executor(None, print)


async def a_connection(ctx: Context) -> None:
    await asyncio.open_connection("127.0.0.1", 9)


async def a_server(ctx: Context) -> None:
    await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)


async def a_process(ctx: Context) -> None:
    await asyncio.create_subprocess_exec("true")


async def from_a_thread(ctx: Context) -> None:
    asyncio.get_running_loop().call_soon_threadsafe(print)


async def its_own_loop(ctx: Context) -> None:
    nothing = asyncio.sleep(0)
    try:
        asyncio.get_running_loop().run_until_complete(nothing)
    finally:
        nothing.close()


async def a_raw_socket(ctx: Context) -> None:
    socket.socket()


async def a_thread(ctx: Context) -> None:
    threading.Thread(target=print).start()


@pytest.mark.parametrize(
    "flow", [in_a_thread, in_an_executor, a_connection, a_server, a_process, from_a_thread, a_raw_socket, a_thread]
)
def test_what_belongs_in_a_step_is_refused(flow: Any) -> None:
    error = Drive(flow).error
    assert error.code == NotAllowedInWorkflow.code
    assert "ctx.step" in error.message


def test_the_loop_cannot_be_run_from_within() -> None:
    assert Drive(its_own_loop).error.code == NotAllowedInWorkflow.code


def test_context_variables_of_the_host_are_not_seen() -> None:
    ambient: ContextVar[str] = ContextVar("ambient", default="nothing")

    async def flow(ctx: Context) -> str:
        return ambient.get()

    ambient.set("host")
    assert Drive(flow).output == "nothing"
