"""A workflow with a little of everything, for tests of what tests workflows."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from signoff import App, Context, InputExpired, InputWithdrawn


@dataclass
class Decision:
    approved: bool
    note: str = ""


def charge(amount: int) -> str:
    return f"receipt for {amount}"


def expense_app() -> App:
    app = App()

    @app.workflow(expose=("output",))
    async def expense(ctx: Context, amount: int) -> str:
        """Ask whether a claim is approved, twice if it is not the first time, and pay two days later."""
        receipt = await ctx.step("quote", charge, amount)
        for _ in range(2):
            try:
                answer = await ctx.await_input(
                    "approve", Decision, title=f"Approve {amount}?", to=["group:finance"], deadline="3d"
                )
            except InputExpired:
                return "expired"
            except InputWithdrawn:
                return "withdrawn"
            if answer.value.approved:
                await ctx.sleep("2d")
                return await ctx.step("pay", charge, amount)
        return f"refused: {receipt}"

    return app


def revising_app() -> App:
    """A workflow that changes its mind about what it asks, after a day."""
    app = App()

    @app.workflow
    async def revising(ctx: Context) -> bool:
        request = ctx.await_input("ok", bool, title="Old?", to=["user:alice"])
        await ctx.sleep("1d")
        await request.revise(title="New?")
        return (await request).value

    return app


def slow_app(go: asyncio.Event) -> App:
    """A workflow whose step waits for the test, beside a sleep of a day."""
    app = App()

    async def slow() -> str:
        await go.wait()
        return "step"

    @app.workflow
    async def both(ctx: Context) -> list[str]:
        order: list[str] = []

        async def sleep() -> None:
            await ctx.sleep("1d")
            order.append("sleep")

        async def step() -> None:
            order.append(await ctx.step("slow", slow))

        await asyncio.gather(step(), sleep())
        return order

    return app
