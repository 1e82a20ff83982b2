"""The workflows that the client's tests run against a real server."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import BaseModel, Field

from signoff import App, Context, PublicError

app = App()


class Decision(BaseModel):
    """What a person decides."""

    approved: bool
    amount: int = Field(default=0, ge=0)


@app.workflow(expose=("output",))
async def expense(ctx: Context, amount: int) -> str:
    """Ask finance, and revise what was asked whenever the event `revise` comes."""
    ctx.publish("constructor", "toString", {"$schema": "urn:s", "$id": "urn:i", "__proto__": {"x": 1}})
    request = ctx.await_input(
        "approve",
        Decision,
        title=f"Approve {amount}?",
        show={"amount": amount},
        actions=("approve", "reject"),
        to=["group:finance"],
    )
    revising = asyncio.ensure_future(revise(ctx, request))
    answer = await request
    revising.cancel()
    ctx.publish("stamp", "s1", {"action": answer.action})
    return f"{answer.action} by {answer.by.id}"


async def revise(ctx: Context, request: Any) -> None:
    """Show another amount each time one arrives."""
    while True:
        event = await ctx.await_event("revise", type=int)
        await request.revise(show={"amount": event})


tried: set[str] = set()


@app.workflow(expose=("output",))
async def stuck(ctx: Context) -> str:
    """Get stuck at the first try, and come through at the second."""
    first = ctx.run_id not in tried
    tried.add(ctx.run_id)
    while first:
        pass
    return "came through"


@app.workflow
async def failing(ctx: Context) -> None:
    """Fail, with something to say about it."""
    raise PublicError(f"The ledger of {ctx.run_id} is closed.")
