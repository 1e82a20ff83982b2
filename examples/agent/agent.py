"""An agent that proposes what to remove, shows how it came to that while it thinks, and waits until people decide.

    signoff dev agent:app
    signoff start agent --input '"reports and log"'

It runs offline: `think` stands for a model that streams. Each call of the model and of the tool is a step, so neither
is made twice, whatever dies meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from pydantic import BaseModel, Field

from signoff import App, Approved, Context, Decided, Edited, Rejected, Responded, aisdk, approve, current_step


class Removal(BaseModel):
    """What the tool takes."""

    path: str = Field(title="What is removed")


class Came(BaseModel):
    """What came of a proposal: the tool's result, or what a person said in its place."""

    call: str
    removed: str | None = None
    said: str = ""


# -- the model: a real one goes in its place ---------------------------------------------------------------------------


async def think(prompt: str) -> AsyncIterator[tuple[str, str]]:
    """Stand for a model that streams, first its reasoning and then what it says; `flaky` ones fail once half-way."""
    for word in ("Nobody ", "has ", "opened ", prompt, " this ", "year."):
        yield "reasoning", word
    for word in ("I ", "will ", "remove ", prompt):
        yield "text", word
        if prompt.startswith("flaky") and word == "will " and current_step().attempt == 1:
            raise ConnectionError("the model is gone")


async def propose(prompt: str) -> list[str]:
    """Have the model say what is to be done; whoever may read the run sees it word by word."""
    async with aisdk.message("turn-0", keep_open=True) as chat:
        async for voice, word in think(prompt):
            await (chat.reasoning(word) if voice == "reasoning" else chat.text(word))
    return prompt.split(" and ")


async def conclude(came: list[Came]) -> str:
    """Say what came of it, in the answers' own turn."""
    told = [one.said for one in came if one.said]
    said = "Done." if all(one.removed for one in came) else " ".join(["I left it.", *told])
    async with aisdk.message("turn-1") as chat:
        for one in came:
            result = {"removed": one.removed} if one.removed else {"said": one.said}
            await (chat.tool_output(one.call, result) if one.removed or one.said else chat.tool_denied(one.call))
        await chat.text(said)
    return said


# -- the tool, and who has to agree to it ------------------------------------------------------------------------------


def remove(removal: Removal) -> str:
    """Remove something; here it is only said."""
    return removal.path


def policy(_tool: str, removal: Removal) -> Decided | None:
    """Spare people what nobody would refuse."""
    return approve("temporary files go without asking") if removal.path.startswith("/tmp/") else None


# -- the workflow ------------------------------------------------------------------------------------------------------

app = App()


@app.workflow(expose=["output"])
async def agent(ctx: Context, prompt: str) -> str:
    """Propose, ask about all calls at once, do what was agreed to, conclude."""
    paths = await ctx.options(label="Think").step("propose", propose, prompt)
    came = await asyncio.gather(*(call(ctx, f"call-{n}", Removal(path=path)) for n, path in enumerate(paths)))
    return await ctx.options(label="Tell what came of it").step("conclude", conclude, came)


async def call(ctx: Context, id_: str, removal: Removal) -> Came:
    """Ask about one call, and do what people say: remove it, remove something else, or leave it."""
    gate = ctx.approve_tool(
        "remove",
        removal,
        args_type=Removal,
        title=f"Remove {removal.path}?",
        to=["group:support"],
        policy=policy,
        tool_call_id=id_,
        output="turn-0",
    )
    match await gate:
        case Approved(agreed) | Edited(agreed):
            removed = await ctx.options(label=f"Remove {agreed.path}").step("remove", remove, agreed)
            return Came(call=id_, removed=removed)
        case Responded(text):
            return Came(call=id_, said=text)
        case Rejected():
            return Came(call=id_)
