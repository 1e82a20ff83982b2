"""One asyncio on every Python: it behaves as asyncio does, in an order that no Python, address or hash changes."""

# ruff: noqa: PERF401
from __future__ import annotations

import asyncio
import inspect
from asyncio import wait_for as imported_before
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from signoff import Context, NotAllowedInWorkflow, StepFailed
from tests.workflow.drive import Drive, asked, work

# -- the same as asyncio -----------------------------------------------------------------------------------------------


async def value(number: Any, turns: int = 0) -> Any:
    for _ in range(turns):
        await asyncio.sleep(0)
    return number


async def fails(turns: int = 0) -> None:
    await value(None, turns)
    raise ValueError("it fails")


async def resists(log: list[str]) -> str:
    try:
        await asyncio.get_running_loop().create_future()
    except asyncio.CancelledError:
        await asyncio.sleep(0)
        log.append("cleaned")
    return "after all"


async def waits_for_a_value() -> list[Any]:
    future = asyncio.get_running_loop().create_future()
    future.set_result(3)
    return [
        await asyncio.wait_for(value(1, 2), 60),
        await asyncio.wait_for(value(2), None),
        await asyncio.wait_for(future, 0),
        await imported_before(value(4), timeout=60),
    ]


async def waits_for_a_failure() -> str:
    try:
        await asyncio.wait_for(fails(1), 60)
    except ValueError as error:
        return str(error)
    return "nothing"


async def has_no_time() -> list[str]:
    log: list[str] = []
    try:
        await asyncio.wait_for(value(1), 0)
    except TimeoutError:
        log.append("late")
    task = asyncio.create_task(resists(log))
    await asyncio.sleep(0)
    log.append(await asyncio.wait_for(task, -1))
    return log


async def is_cancelled_while_it_waits() -> list[str]:
    log: list[str] = []
    task = asyncio.create_task(asyncio.wait_for(resists(log), 60))
    await value(None, 3)
    task.cancel()
    log.append(await task)
    return log


async def gathers() -> list[Any]:
    same = asyncio.create_task(value("same"))
    found = await asyncio.gather(value(1, 3), fails(1), value(2), same, same, return_exceptions=True)
    return [*(repr(one) for one in found), await asyncio.gather()]


async def gathers_what_fails() -> list[Any]:
    log: list[Any] = []
    other = asyncio.create_task(value("goes on", 5))
    try:
        await asyncio.gather(fails(1), other, fails(2))
    except ValueError:
        log.append(other.done())
    return [*log, await other]


async def gathers_and_cancels() -> list[Any]:
    log: list[str] = []
    gathered = asyncio.gather(resists(log), value(1), return_exceptions=True)
    await value(None, 2)
    asked = gathered.cancel()
    try:
        await gathered
    except asyncio.CancelledError:
        log.append("cancelled")
    return [asked, gathered.cancelled(), gathered.cancel(), log]


async def gathers_cancelled_children() -> list[Any]:
    child = asyncio.create_task(value(1, 9))
    child.cancel()
    found = await asyncio.gather(child, value(2), return_exceptions=True)
    try:
        await asyncio.gather(asyncio.create_task(asyncio.sleep(0)), child)
    except asyncio.CancelledError:
        return [type(found[0]).__name__, found[1], "cancelled"]
    return [*found]


async def takes_what_comes_first() -> list[Any]:
    found: list[Any] = []
    for first in asyncio.as_completed([value("c", 6), value("a", 2), value("b", 4)]):
        found.append(await first)
    for first in asyncio.as_completed([fails(), value("d", 3)], timeout=60):
        try:
            found.append(await first)
        except ValueError as error:
            found.append(str(error))
    return [*found, *asyncio.as_completed([])]


async def takes_nothing_in_time() -> list[str]:
    never = [asyncio.get_running_loop().create_future() for _ in range(2)]
    found = []
    for first in asyncio.as_completed(never, timeout=-1):
        try:
            await first
        except TimeoutError:
            found.append("late")
    return found


async def groups_that_fail_while_cancelled() -> list[str]:
    log = []
    task = asyncio.current_task()
    assert task is not None

    async def inner() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fails(2))
                await asyncio.sleep(60)
        except* ValueError:
            log.append("failed")

    await inner()
    log.append(f"{task.cancelling()}")
    return log


async def hands_places_on() -> list[Any]:
    few, log = asyncio.Semaphore(1), []

    async def use(number: int) -> None:
        async with few:
            log.append(number)
            await value(None, 2)

    tasks = [asyncio.create_task(use(number)) for number in range(5)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.sleep(0)
    tasks[3].cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    return [log, [type(one).__name__ for one in found], few.locked()]


async def tells_one_another() -> list[Any]:
    changed = asyncio.Condition()
    log: list[Any] = []

    async def wait(number: int) -> None:
        async with changed:
            await changed.wait()
            log.append(number)

    tasks = [asyncio.create_task(wait(number)) for number in range(3)]
    await value(None, 2)
    async with changed:
        changed.notify(1)
    tasks[0].cancel()
    await value(None, 6)
    async with changed:
        changed.notify_all()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    try:
        await changed.wait()
    except RuntimeError as error:
        log.append(str(error))
    return [log, [type(one).__name__ for one in found]]


@pytest.mark.parametrize(
    "fn",
    [
        waits_for_a_value,
        waits_for_a_failure,
        has_no_time,
        gathers,
        gathers_what_fails,
        gathers_and_cancels,
        gathers_cancelled_children,
        takes_what_comes_first,
        takes_nothing_in_time,
        groups_that_fail_while_cancelled,
        hands_places_on,
        tells_one_another,
    ],
)
def test_workflow_code_gets_of_asyncio_what_any_code_gets(fn: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    async def flow(ctx: Context) -> Any:
        return await fn()

    drive = Drive(flow)
    assert drive.output == asyncio.run(fn())


def test_a_wait_that_is_cancelled_gives_what_its_task_makes_of_that() -> None:
    async def flow(ctx: Context) -> Any:
        return await is_cancelled_while_it_waits()

    assert Drive(flow).output == ["cleaned", "after all"]  # on 3.11 itself the result is thrown away


def test_one_awaitable_is_not_several() -> None:
    async def flow(ctx: Context) -> None:
        asyncio.as_completed(ctx.step("a", work))

    assert Drive(flow).error.code == "type_error"


# -- one order ---------------------------------------------------------------------------------------------------------


async def waits_beside(ctx: Context) -> None:
    async def part(name: str) -> None:
        await ctx.step(name, work)

    await asyncio.gather(asyncio.wait_for(part("a"), 60), part("b"))


def test_a_coroutine_that_is_waited_for_runs_at_once() -> None:
    assert asked(Drive(waits_beside).journal)[1:] == [
        "timer.started timer:0",
        "step.scheduled a:0",
        "step.scheduled b:0",
    ]


def test_runs_begun_before_journals_recorded_their_python_go_on_as_on_311() -> None:
    drive = Drive(waits_beside, python=None)
    assert asked(drive.journal)[1:] == ["timer.started timer:0", "step.scheduled b:0", "step.scheduled a:0"]


def test_what_is_done_is_gathered_without_a_turn_of_the_loop() -> None:
    async def flow(ctx: Context) -> None:
        ready = [asyncio.get_running_loop().create_future()]
        ready[0].set_result(None)

        async def gathers() -> None:
            await asyncio.gather(*ready)
            await ctx.step("gathered", work)

        async def other() -> None:
            await asyncio.sleep(0)
            await ctx.step("other", work)

        await asyncio.gather(other(), gathers())

    assert asked(Drive(flow).journal)[1:] == ["step.scheduled gathered:0", "step.scheduled other:0"]
    assert asked(Drive(flow, python=None).journal)[1:] == ["step.scheduled other:0", "step.scheduled gathered:0"]


def test_coroutines_are_begun_in_the_order_in_which_they_are_given() -> None:
    async def flow(ctx: Context) -> None:
        async def job(number: int) -> None:
            await ctx.step(f"job{number}", work)

        for first in asyncio.as_completed([job(number) for number in range(40)]):
            await first

    assert asked(Drive(flow).journal)[1:] == [f"step.scheduled job{number}:0" for number in range(40)]


def test_what_arrives_can_be_taken_in_an_async_loop_on_every_python() -> None:
    async def flow(ctx: Context) -> list[Any]:
        steps = {ctx.step("a", work): "a", ctx.step("b", work): "b"}
        arrivals: Any = asyncio.as_completed(steps)
        return [steps[first] async for first in arrivals]

    drive = Drive(flow)
    drive.done("b:0")
    drive.done("a:0")
    assert drive.output == ["b", "a"]


def test_a_group_that_fails_while_it_is_cancelled_passes_the_cancellation_on() -> None:
    async def flow(ctx: Context) -> str:
        async def inner() -> None:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(ctx.step("part", work))
                    group.create_task(stubborn())
            except* StepFailed:
                await ctx.step("undo", work)

        async def stubborn() -> None:
            try:
                await ctx.sleep(60)
            except asyncio.CancelledError:
                await ctx.step("tidy", work)

        task = asyncio.create_task(inner())
        try:
            await ctx.step("go", work)
        finally:
            task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return "cancelled"
        return "went on"

    drive = Drive(flow)
    drive.broken("part:0")
    drive.done("go:0")
    assert asked(drive.done("tidy:0")) == ["step.scheduled undo:0", "step.cancelled undo:0", "run.completed"]
    assert drive.output == "cancelled"


def test_sets_of_what_gather_returns_have_one_order() -> None:
    async def flow(ctx: Context) -> list[str]:
        groups = {asyncio.gather(ctx.step(f"s{number}", work)): f"s{number}" for number in range(50)}
        done, _ = await asyncio.wait(groups, timeout=0)
        return [groups[group] for group in set(groups)] + [str(len(done))]

    first, second = Drive(flow), Drive(flow)
    for drive in (first, second):
        drive.fire("timer:0") if drive.machine.open_timers else None
    assert first.machine.outcome == second.machine.outcome
    assert len(first.output) == 51


def test_all_tasks_are_those_of_the_run_in_one_order() -> None:
    async def flow(ctx: Context) -> list[str]:
        others = [asyncio.create_task(asyncio.sleep(1), name=f"t{number}") for number in range(20)]
        found = [task.get_name() for task in asyncio.all_tasks()]
        for other in others:
            other.cancel()
        return found

    found = Drive(flow).output
    assert sorted(found) == sorted(["flow", *(f"t{number}" for number in range(20))])
    assert found == Drive(flow).output


# -- what is not the same everywhere, and what is left alone -----------------------------------------------------------


def test_what_only_a_newer_python_has_is_no_way() -> None:
    async def flow(ctx: Context) -> None:
        queue: Any = asyncio.Queue()
        queue.shutdown()

    assert Drive(flow).error.code in {NotAllowedInWorkflow.code, "attribute_error"}


def test_work_cannot_be_handed_to_another_loop() -> None:
    other = asyncio.new_event_loop()

    async def flow(ctx: Context) -> None:
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), other)

    try:
        assert Drive(flow).error.code == NotAllowedInWorkflow.code
    finally:
        other.close()


def test_asyncio_is_what_it_was_for_everybody_else() -> None:
    Drive(waits_beside)
    assert asyncio.wait_for is imported_before
    assert inspect.iscoroutinefunction(asyncio.wait_for)
    assert list(inspect.signature(asyncio.wait_for).parameters) == ["fut", "timeout"]
    assert list(inspect.signature(asyncio.gather).parameters) == ["coros_or_futures", "return_exceptions"]
    assert asyncio.gather.__doc__ is not None

    async def host() -> list[Any]:
        futures = [asyncio.ensure_future(value(number)) for number in range(2)]
        came = [await first for first in asyncio.as_completed(futures, timeout=5)]
        tasks = len(asyncio.all_tasks())
        return [await asyncio.wait_for(value(1), 5), await asyncio.gather(*futures), sorted(came), tasks]

    assert asyncio.run(host()) == [1, [0, 1], [0, 1], 1]
