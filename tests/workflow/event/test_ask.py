"""Waits for events as workflow code asks for them: each event goes to one wait, in order."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import BaseModel

from signoff import Context, EventTimedOut
from tests.workflow.drive import Drive, asked, work


class Claim(BaseModel):
    amount: int


def test_an_event_before_the_wait_is_delivered() -> None:
    async def flow(ctx: Context) -> list[Any]:
        await ctx.step("a", work)
        return [await ctx.await_event("paid"), await ctx.await_event("paid")]

    drive = Drive(flow)
    drive.event("paid", 1)
    drive.event("other", 0)
    drive.event("paid", 2)
    drive.done("a:0")
    assert drive.output == [1, 2]


def test_ten_events_meet_ten_waits_in_order() -> None:
    async def flow(ctx: Context) -> list[Any]:
        return [await ctx.await_event("n") for _ in range(10)]

    drive = Drive(flow)
    for number in range(10):
        drive.event("n", number)
    assert drive.output == list(range(10))


def test_a_timed_out_wait_swallows_no_later_event() -> None:
    async def flow(ctx: Context) -> Any:
        try:
            await ctx.await_event("paid", timeout="1s")
        except EventTimedOut:
            return ["late", await ctx.await_event("paid")]

    drive = Drive(flow)
    assert drive.machine.open_events == {"paid:0": 2_000}
    assert asked(drive.timed_out("paid:0")) == ["event.awaited paid:1"]
    drive.event("paid", "money")
    assert drive.output == ["late", "money"]


def test_an_abandoned_wait_swallows_no_later_event() -> None:
    async def flow(ctx: Context) -> Any:
        try:
            async with asyncio.timeout(1):
                await ctx.await_event("paid")
        except TimeoutError:
            return await ctx.await_event("paid")

    drive = Drive(flow)
    assert asked(drive.fire("timer:0")) == ["event.abandoned paid:0", "event.awaited paid:1"]
    drive.event("paid", "money")
    assert drive.output == "money"


def test_event_and_timeout_have_one_outcome_by_order() -> None:
    async def flow(ctx: Context) -> Any:
        try:
            return await ctx.await_event("paid", timeout="1s")
        except EventTimedOut:
            return "late"

    first = Drive(flow)
    first.event("paid", "money")
    assert first.output == "money"
    second = Drive(flow)
    second.timed_out("paid:0")
    assert second.output == "late"


def test_keys_choose_events() -> None:
    async def flow(ctx: Context) -> list[Any]:
        euros = ctx.await_event("paid", key="eur")
        anything = ctx.await_event("paid")
        return [await euros, await anything]

    drive = Drive(flow)
    drive.event("paid", 1, key="usd")
    drive.event("paid", 2, key="eur")
    assert drive.output == [2, 1]


def test_an_event_that_comes_twice_counts_once() -> None:
    async def flow(ctx: Context) -> list[Any]:
        return [await ctx.await_event("paid"), await ctx.await_event("paid")]

    drive = Drive(flow)
    drive.event("paid", 1, event_id="e1")
    drive.event("paid", 1, event_id="e1")
    assert drive.machine.outcome is None
    drive.event("paid", 2, event_id="e2")
    assert drive.output == [1, 2]


def test_a_payload_is_read_as_its_type() -> None:
    async def flow(ctx: Context) -> int:
        return (await ctx.await_event("claim", type=Claim)).amount

    drive = Drive(flow)
    drive.event("claim", {"amount": 3})
    assert drive.output == 3
