"""A workflow for each thing the console shows.

signoff dev consoled:app
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from pydantic import BaseModel, Field

from signoff import App, Attachment, AttachmentLimits, Context, Quorum, Retry, current_step, step

app = App()


class Decision(BaseModel):
    """What a person adds to a decision."""

    comment: str = Field("", title="Comment")


class Expenses(BaseModel):
    """What somebody hands in."""

    receipt: Annotated[Attachment, AttachmentLimits(max_bytes=1 << 20, types=("image/*", "application/pdf"))] = Field(
        description="A photo or a PDF of it."
    )
    others: list[Attachment] = Field(default=[], max_length=3)
    note: str = ""


async def size_of(receipt: Attachment) -> int:
    """Read what was attached."""
    return len(await receipt.read())


@step(label="Exchange rate")
def look(number: int) -> int:
    """Be a step."""
    return number


@step(retry=Retry(attempts=1))
def refuse(number: int) -> int:
    """Be a step that fails."""
    raise ValueError(f"The ledger refused {number}")


async def think() -> str:
    """Say something while it runs."""
    async with current_step().output("reasoning", format="text") as out:
        await out.write("It seems right.")
    return "right"


@app.workflow(expose=["input", "output"])
async def approve(ctx: Context, question: dict[str, Any]) -> dict[str, Any]:
    """Ask whom the question names, and end with the answer."""
    spec = dict(question)
    if "quorum" in spec:
        spec["quorum"] = Quorum(spec["quorum"])
    await ctx.step("look", look, 1)
    if need := spec.pop("need", None):
        spec["quorum"] = Quorum(need)
    answer = await ctx.await_input(
        "approve",
        Decision,
        title=spec.pop("title", "Shall we?"),
        to=spec.pop("to", ["group:finance"]),
        actions=["approve", "reject"],
        show=spec.pop(
            "show",
            {"total": "412.50", "lines": [{"what": "Hotel", "amount": "320.00"}, {"what": "Tax", "amount": "9.60"}]},
        ),
        **spec,
    )
    return {"action": answer.action}


class Contact(BaseModel):
    """The first page."""

    email: str = Field(title="E-mail")


class Address(BaseModel):
    """The second page."""

    street: str = Field(title="Street")
    city: str = Field(title="City")


@app.workflow(expose=["output"])
async def join(ctx: Context) -> str:
    """Ask page by page."""
    pages = ctx.wizard(of=2)
    contact = await pages.ask("contact", Contact, title="Who are you?", to=["group:finance"])
    address = await pages.ask("address", Address, title="Where do you live?", to=["group:finance"])
    return f"{contact.value.email}, {address.value.street}, {address.value.city}"


@app.workflow(expose=["output"])
async def expenses(ctx: Context) -> dict[str, Any]:
    """Take a receipt, and show it to who decides."""
    handed = await ctx.await_input("receipt", Expenses, title="Hand in the receipt", to=["group:finance"], expose=True)
    size = await ctx.step("size", size_of, handed.value.receipt)
    await ctx.await_input(
        "check",
        Decision,
        title="Is the receipt right?",
        to=["group:audit"],
        actions=["approve", "reject"],
        show={"receipt": handed.value.receipt, "others": handed.value.others, "note": handed.value.note},
    )
    return {"size": size}


@app.workflow
async def ledger(ctx: Context, number: int) -> None:
    """Fail at a step."""
    await ctx.step("post", refuse, number)


@app.workflow
async def thinking(ctx: Context) -> None:
    """Say something, then wait long."""
    await ctx.step("think", think)
    await ctx.sleep("3h")


@app.workflow
async def crowd(ctx: Context, requests: int) -> None:
    """Ask many things at once."""
    actions = {"approve": None}
    titles = (f"Crowd {number:04}" for number in range(requests))
    to = [f"group:crowd{requests}"]
    await asyncio.gather(*(ctx.await_input("approve", actions=actions, title=title, to=to) for title in titles))


@app.workflow
async def busy(ctx: Context, steps: int) -> None:
    """Take many steps, then wait for a person."""
    for begin in range(0, steps, 100):
        await asyncio.gather(*(ctx.step("look", look, number) for number in range(begin, min(begin + 100, steps))))
    await ctx.await_input("approve", actions={"approve": None}, title="Go on?", to=["user:busy"])
