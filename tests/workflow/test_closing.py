"""How generators and whole machines end: with their cleanup, in their place, and quietly."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import weakref
from contextvars import ContextVar
from typing import Any

import anyio
import pytest

from signoff import Context, NonDeterminism, NotAllowedInWorkflow
from signoff.workflow.definition import define
from signoff.workflow.machine import Machine
from tests.workflow.drive import Drive, asked, work

variable: ContextVar[str] = ContextVar("variable", default="unset")


# -- generators --------------------------------------------------------------------------------------------------------


def test_a_generator_that_the_code_lets_go_of_runs_its_cleanup() -> None:
    async def flow(ctx: Context) -> str:
        async def pages() -> Any:
            try:
                for number in range(3):
                    yield number
            finally:
                await ctx.step("close", work)

        async for _ in pages():
            break
        await ctx.sleep(1)
        return "done"

    drive = Drive(flow)
    assert asked(drive.journal)[1:] == ["timer.started sleep:0", "step.scheduled close:0"]
    drive.done("close:0")
    assert asked(drive.fire("sleep:0")) == ["run.completed"]


def test_generators_end_before_their_run_does() -> None:
    async def flow(ctx: Context) -> int:
        async def pages(name: str) -> Any:
            try:
                yield 1
                yield 2
            finally:
                await ctx.step(f"close_{name}", work)

        kept = pages("kept")
        await anext(kept)
        async for page in pages("dropped"):
            return int(page)
        raise AssertionError(kept)

    drive = Drive(flow)
    closing = {"step.scheduled close_dropped:0", "step.scheduled close_kept:0"}
    assert set(asked(drive.journal)[1:]) == closing
    drive.done("close_kept:0")
    drive.done("close_dropped:0")
    assert drive.output == 1


def test_cancelling_a_run_that_ends_its_generators_ends_them() -> None:
    async def flow(ctx: Context) -> None:
        async def pages() -> Any:
            try:
                yield 1
            finally:
                await ctx.step("close", work)

        await anext(pages())

    drive = Drive(flow)
    assert asked(drive.journal)[1:] == ["step.scheduled close:0"]
    assert asked(drive.cancel()) == ["step.cancelled close:0", "run.cancelled"]


def test_what_fails_in_the_cleanup_of_a_generator_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def flow(ctx: Context) -> int:
        async def pages() -> Any:
            try:
                yield 1
            finally:
                raise ValueError("no end")

        kept = pages()
        return int(await anext(kept))

    assert Drive(flow).output == 1
    assert "no end" in caplog.text


def test_generators_in_garbage_end_with_the_run() -> None:
    async def flow(ctx: Context) -> str:
        async def pages() -> Any:
            try:
                yield 1
            finally:
                ctx.publish("note", "n", {"text": "collected"})

        held: list[Any] = [pages()]
        held.append(held)  # only the garbage collector finds it
        await anext(held[0])
        del held
        await ctx.step("a", work)
        await ctx.step("b", work)
        return "done"

    def run(collects: bool) -> list[str]:
        drive = Drive(flow)
        for id_ in ("a:0", "b:0"):
            if collects:
                gc.collect()
            drive.done(id_)
        return asked(drive.journal)

    assert run(collects=True) == run(collects=False)
    assert run(collects=True)[-2:] == ["row.published", "run.completed"]


def test_garbage_is_collected_as_before_after_each_turn() -> None:
    async def flow(ctx: Context) -> bool:
        return gc.isenabled()

    assert gc.isenabled()
    assert Drive(flow).output is False
    assert gc.isenabled()


def test_a_run_begun_before_generators_were_ended_goes_on_without() -> None:
    async def flow(ctx: Context) -> int:
        async def pages() -> Any:
            try:
                yield 1
            finally:
                await ctx.step("close", work)

        async for page in pages():
            return int(page)
        return 0

    assert Drive(flow, python=None).output == 1


# -- machines ----------------------------------------------------------------------------------------------------------


def test_a_dropped_machine_cleans_up_in_its_loop_task_and_context(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Any] = []

    async def flow(ctx: Context) -> None:
        async def inner() -> None:
            token = variable.set("inner")
            try:
                await ctx.sleep(60)
            finally:
                task = asyncio.current_task()
                seen.append((variable.get(), task and task.get_name(), asyncio.get_running_loop().is_closed()))
                variable.reset(token)

        token = variable.set("outer")
        try:
            async with asyncio.timeout(90), asyncio.TaskGroup() as group:
                group.create_task(inner(), name="inner")
                await ctx.step("a", work)
        finally:
            seen.append(variable.get())
            variable.reset(token)

    Drive(flow).machine.close()
    assert seen == ["outer", ("inner", "inner", True)]
    assert caplog.text == ""


def test_cleanup_of_a_dropped_machine_reaches_nothing() -> None:
    seen: list[str] = []

    async def flow(ctx: Context) -> None:
        try:
            await ctx.step("a", work)
        finally:
            try:
                socket.socket()
            except NotAllowedInWorkflow:
                seen.append("refused")
            await ctx.step("b", work)

    drive = Drive(flow)
    drive.machine.close()
    assert seen == ["refused"]
    assert asked(drive.journal) == ["run.started", "step.scheduled a:0"]


async def waits_for_an_event_again(ctx: Context) -> None:
    while True:
        try:
            await ctx.await_event("paid")
        except:  # noqa: E722
            continue


async def sleeps_again(ctx: Context) -> None:
    while True:
        try:
            await asyncio.sleep(60)
        except BaseException:
            continue


async def asks_again(ctx: Context) -> None:
    while True:
        try:
            await ctx.await_input("ok", bool, title="?")
        except BaseException:
            continue


async def steps_again(ctx: Context) -> None:
    while True:
        with contextlib.suppress(BaseException):
            await ctx.step("a", work)


async def begins_tasks_again(ctx: Context) -> None:
    async def part() -> None:
        await ctx.step("part", work)

    while True:
        with contextlib.suppress(BaseException):
            await asyncio.gather(part())


@pytest.mark.parametrize("flow", [waits_for_an_event_again, sleeps_again, asks_again, steps_again, begins_tasks_again])
def test_code_that_swallows_its_end_is_let_go_of(flow: Any, caplog: pytest.LogCaptureFixture) -> None:
    drive = Drive(flow)
    coroutine = weakref.ref(drive.machine._execution._main.get_coro())
    drive.machine.close()
    assert coroutine() is None
    assert "test_closing.py:" in caplog.text
    assert "except Exception:" in caplog.text


async def waits_for_another_event_again(ctx: Context) -> None:
    while True:
        try:
            await ctx.await_event("payment")
        except:  # noqa: E722
            continue


def test_code_that_swallows_its_end_cannot_hide_that_it_has_changed() -> None:
    drive = Drive(waits_for_an_event_again)
    machine = Machine(define(waits_for_another_event_again, "flow"))
    with pytest.raises(NonDeterminism, match=r"event.awaited payment:0"):
        machine.advance(drive.journal)
    machine.close()
    assert machine.outcome is None


def test_a_dropped_machine_ends_generators_whose_cleanup_waits_where_they_were() -> None:
    seen: list[str] = []

    async def flow(ctx: Context) -> None:
        async def pages() -> Any:
            token = variable.set("inner")
            try:
                with anyio.CancelScope():
                    await ctx.sleep(60)
                    yield 1
            finally:
                with anyio.CancelScope(shield=True):
                    try:
                        await ctx.sleep(60)
                    finally:
                        variable.reset(token)
                        seen.append(variable.get())

        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep_forever)
            async for _ in pages():
                pass

    drive = Drive(flow)
    drive.machine.close()
    del drive
    gc.collect()
    assert seen == ["unset"]


def test_a_dropped_machine_ends_generators_that_the_code_has_let_be_where_they_were() -> None:
    seen: list[Any] = []

    async def flow(ctx: Context) -> None:
        async def pages() -> Any:
            token = variable.set("inner")
            try:
                with anyio.CancelScope():
                    yield 1
            finally:
                variable.reset(token)
                task = asyncio.current_task()
                seen.append((variable.get(), task and task.get_name()))

        async def reader() -> None:
            kept.append(pages())
            await anext(kept[0])
            await ctx.sleep(60)

        kept: list[Any] = []
        async with asyncio.TaskGroup() as group:
            group.create_task(reader(), name="reader")

    drive = Drive(flow)
    drive.machine.close()
    assert seen == [("unset", "reader")]
    del drive
    gc.collect()
    assert len(seen) == 1
