"""An agent of pydantic-ai that is watched at work: its words and its calls go to outputs of the run while they come.

It runs offline: its model is a function.
"""

from collections.abc import AsyncIterable, AsyncIterator

from pydantic_ai import Agent, ModelMessage, RunContext, ToolReturnPart
from pydantic_ai.messages import AgentStreamEvent, FunctionToolCallEvent, FunctionToolResultEvent
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel

from signoff import App, Context, current_step
from signoff.adapters.pydantic_ai import SignoffDurability, durable

app = App()


async def say(messages: list[ModelMessage], _info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
    """Stand for a model that streams: look something up, then say it word by word; a real one goes in its place."""
    came = [str(part.content) for one in messages for part in one.parts if isinstance(part, ToolReturnPart)]
    if not came:
        yield {0: DeltaToolCall("look_up", '{"city": "Lyon"}', tool_call_id="call-1")}
    for word in " and ".join(came).split():
        yield f"{word} "


# The agent, and all that Signoff needs of it:
async def tell(_ctx: RunContext[None], events: AsyncIterable[AgentStreamEvent]) -> None:
    """Write which tools are called; it is given each event in a step, once."""
    calls = current_step().output("calls", keep_open=True)
    async for event in events:
        if isinstance(event, FunctionToolCallEvent | FunctionToolResultEvent):
            await calls.write({"event": event.event_kind, "tool": event.part.tool_name})


durability = SignoffDurability(tokens="words", event_stream_handler=tell)
agent = Agent(FunctionModel(stream_function=say), name="guide", capabilities=[durability])


@agent.tool_plain
def look_up(city: str) -> str:
    """Look up the weather."""
    return f"It rains in {city}."


@app.workflow(expose=["output"])
async def guide(ctx: Context, question: str) -> str:
    """Answer, in one piece for whoever waits for the end."""
    with durable(ctx):
        return (await agent.run(question)).output


@app.workflow(expose=["output"])
async def guide_streamed(ctx: Context, question: str) -> str:
    """The same by `run_stream`: the code has what the model says once the model has said it."""
    with durable(ctx):
        async with agent.run_stream(question) as result:
            return await result.get_output()
