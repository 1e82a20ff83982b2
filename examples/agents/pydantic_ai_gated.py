"""An agent of pydantic-ai whose mails people approve. It runs offline: its model is a function."""

from pydantic_ai import Agent, ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from signoff import App, Context
from signoff.adapters.pydantic_ai import SignoffDurability, durable

app = App()


def say(messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
    """Stand for a model: want to send two mails, then say what came of them; a real one goes in its place."""
    came = [str(part.content) for one in messages for part in one.parts if isinstance(part, ToolReturnPart)]
    if came:
        return ModelResponse([TextPart("; ".join(came))])
    return ModelResponse([ToolCallPart("send_mail", {"to": to, "text": "Hello!"}, to) for to in ("ann", "bob")])


# The agent, and all that Signoff needs of it:
agent = Agent(FunctionModel(say), name="support", capabilities=[SignoffDurability()])


@agent.tool_plain(requires_approval=True)
def send_mail(to: str, text: str) -> str:
    """Send a mail."""
    return f"sent {text!r} to {to}"


@app.workflow(expose=["output"])
async def support(ctx: Context, text: str) -> str:
    """Run an agent; people decide about each mail."""
    with durable(ctx, to=["group:support"]):
        return (await agent.run(text)).output
