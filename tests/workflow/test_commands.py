"""What workflow code asks for and never awaits is told, once a place."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from signoff import Context
from signoff.workflow.definition import define
from signoff.workflow.machine import Machine
from tests.workflow.drive import Drive, work


def test_what_is_never_awaited_is_told_with_its_line(caplog: pytest.LogCaptureFixture) -> None:
    async def flow(ctx: Context) -> str:
        ctx.step("forgotten", work)
        ctx.step("done_by_then", work)
        ctx.sleep("1h")
        ctx.await_event("never")
        kept = ctx.step("kept", work)
        watched = ctx.step("watched", work)
        watched.add_done_callback(lambda _done: None)
        await ctx.step("last", work)
        return f"{await kept}"

    first = flow.__code__.co_firstlineno
    drive = Drive(flow)
    for id_ in ("done_by_then:0", "kept:0", "watched:0", "last:0"):
        drive.done(id_)
    told = [record.getMessage() for record in caplog.records]
    assert [line.partition(": RuntimeWarning: ")[0] for line in told] == [
        f"{__file__}:{first + number}" for number in (2, 1, 4, 3)
    ]
    assert "done_by_then:0 was never awaited (run r1)" in told[0]
    caplog.clear()
    Machine(define(flow, "flow")).advance(drive.journal)
    assert caplog.records == []  # each place is told once


def test_a_step_that_is_never_awaited_is_told_with_the_line_where_its_name_was_used_first(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def flow(ctx: Context) -> None:
        await ctx.step("again", work)
        ctx.step("again", work)

    drive = Drive(flow)
    drive.done("again:0")
    (told,) = [record.getMessage() for record in caplog.records]
    assert told.startswith(f"{__file__}:{flow.__code__.co_firstlineno + 1}: RuntimeWarning: again:1 was never awaited")


def test_what_was_awaited_once_is_not_told_though_nobody_waits_any_more(caplog: pytest.LogCaptureFixture) -> None:
    async def flow(ctx: Context) -> None:
        slow, late = ctx.step("slow", work), ctx.step("late", work)
        await asyncio.wait({slow}, timeout=5)
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(late), 5)

    drive = Drive(flow)
    drive.fire("timer:0")
    drive.fire("timer:1")
    assert drive.output is None
    assert caplog.records == []


def test_a_run_that_is_cancelled_may_leave_things_unawaited(caplog: pytest.LogCaptureFixture) -> None:
    async def flow(ctx: Context) -> None:
        later = ctx.step("later", work)
        await ctx.sleep(60)
        await later

    drive = Drive(flow)
    drive.cancel()
    assert caplog.records == []
