"""The workflows that the client's tests run against a real server."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from pydantic import BaseModel, Field, SecretStr

from signoff import App, Attachment, AttachmentLimits, Context, PublicError, Quorum, Retry, current_step, step

app = App()


class Decision(BaseModel):
    """What a person decides."""

    approved: bool
    amount: int = Field(default=0, ge=0)


class Handed(BaseModel):
    """What a person hands in."""

    receipt: Annotated[Attachment, AttachmentLimits(max_bytes=3 << 20, types=("image/*",))]


async def length(receipt: Attachment) -> int:
    """Read what was attached."""
    return len(await receipt.read())


@app.workflow(expose=("output",))
async def receipts(ctx: Context) -> int:
    """Take a file."""
    answer = await ctx.await_input("approve", Handed, title="The receipt?", to=["group:finance"], expose=True)
    return await ctx.step("length", length, answer.value.receipt)


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


class Login(BaseModel):
    """What nobody else may see, among what they may."""

    user: str
    pin: SecretStr
    spare: list[SecretStr] = []
    old: SecretStr | None = None


@app.workflow
async def login(ctx: Context) -> None:
    """Ask for secrets."""
    await ctx.await_input("approve", Login, title="Who are you?", to=["group:finance"])


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


class Contact(BaseModel):
    """The first page."""

    email: str


class Address(BaseModel):
    """The second page."""

    city: str


@app.workflow(expose=("output",))
async def onboarding(ctx: Context) -> str:
    """Ask three pages, of whoever is the operator or Alice."""
    pages = ctx.wizard(of=3)
    contact = await pages.ask("contact", Contact, title="Who are you?", to=["user:alice"])
    address = await pages.ask("address", Address, title="Where do you live?", to=["user:alice"])
    await pages.ask("consent", bool, title="Do you agree?", to=["user:alice"])
    return f"{contact.value.email} in {address.value.city}"


@app.workflow(expose=("output",))
async def board(ctx: Context) -> str:
    """Ask two of finance to agree."""
    answer = await ctx.await_input(
        "agree", bool, title="Agreed?", actions=("approve", "reject"), to=["group:finance"], quorum=Quorum(2)
    )
    return answer.action


@step(retry=Retry(attempts=2, first="10ms"))
async def model(words: list[str]) -> str:
    """Say words, and break off at the first attempt."""
    now = current_step()
    async with now.output("tokens") as out, now.output("log", format="text") as lines:
        await lines.write(f"attempt {now.attempt}\n")
        for word in words:
            await out.write(word)
            if now.attempt == 1:
                raise ConnectionError("The model is gone.")
    return "".join(words)


@app.workflow(expose=("output",))
async def talk(ctx: Context, words: list[str]) -> str:
    """Have a model say something, once an event says so."""
    await ctx.await_event("begin")
    ctx.publish("seat", "a1", {"price": 120, "free": True})
    ctx.publish("seat", "a2", {"price": "dear", "free": True})
    return await ctx.step("model", model, words)


@step(retry=Retry(attempts=1))
async def fragile(run_id: str) -> str:
    """Say half of it and fail, unless it has failed before."""
    first = run_id not in tried
    tried.add(run_id)
    async with current_step().output("tokens") as out:
        await out.write("half" if first else "all of it")
    if first:
        raise ConnectionError("The model is gone.")
    return "said"


@app.workflow(expose=("output",))
async def brittle(ctx: Context) -> str:
    """Fail at the first try, and say all of it once it is retried."""
    return await ctx.step("fragile", fragile, ctx.run_id)
