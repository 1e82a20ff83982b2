"""What type checkers make of the public API; a wrong line here is an error of mypy, not of pytest."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any, assert_type

from pydantic import BaseModel

from signoff import Answer, App, Context, InputRequest, Retry, step
from tests.workflow.drive import Drive


class Decision(BaseModel):
    approved: bool


def check(amount: int, *, strict: bool = False) -> bool:
    return amount > 0


@step(retry=Retry(attempts=2))
async def fetch(currency: str) -> Decimal:
    return Decimal(1)


app = App()


@app.workflow
async def typed(ctx: Context, amount: int) -> str:
    assert_type(await ctx.step("check", check, amount), bool)
    assert_type(await ctx.step("check", check, amount, strict=True), bool)
    assert_type(await ctx.options(timeout="1s").step("rate", fetch, "EUR"), Decimal)
    both = await asyncio.gather(ctx.step("check", check, 1), ctx.step("rate", fetch, "EUR"))
    assert_type(both, tuple[bool, Decimal])
    async with asyncio.TaskGroup() as group:
        task = group.create_task(ctx.step("rate", fetch, "EUR"))
    assert_type(task.result(), Decimal)
    request = assert_type(ctx.await_input("approve", Decision, title="?"), InputRequest[Decision])
    answer = assert_type(await request, Answer[Decision])
    assert_type(await ctx.await_event("paid", type=int), int)
    anything: Any = await ctx.await_event("paid")
    return f"{answer.value.approved} {anything}"


async def refused(ctx: Context) -> None:
    ctx.step("check", check, "one")  # type: ignore[call-overload]
    ctx.step("check", check)  # type: ignore[call-overload]
    ctx.step("rate", fetch, 1)  # type: ignore[call-overload]
    ctx.await_input("approve", Decision)  # type: ignore[call-overload]


def test_what_is_typed_also_runs() -> None:
    drive = Drive(typed, 1)
    for id_ in ("check:0", "check:1", "rate:0", "check:2", "rate:1", "rate:2"):
        drive.done(id_, True if id_.startswith("check") else "1")
    drive.answer("approve:0", {"approved": True})
    drive.event("paid", 1)
    drive.event("paid", 2)
    assert drive.output == "True 2"
    assert asyncio.iscoroutinefunction(refused)
