"""An agent of the OpenAI Agents SDK whose mails people approve. It runs offline: its model is a double."""

from typing import Any

from agents import Agent, Runner, function_tool
from agents.testing import ModelCall, ModelStep, ScriptedModel, assistant_message, function_call

from signoff import App, Context
from signoff.adapters.openai_agents import durable_run, durable_tools

app = App()


def say(call: ModelCall) -> ModelStep:
    """Stand for a model: want to send two mails, then say what came of them."""
    came = [one["output"] for one in call.input if isinstance(one, dict) and one.get("type") == "function_call_output"]
    if came:
        return ModelStep(output=[assistant_message("; ".join(came))])
    mails: list[Any] = [function_call("send_mail", {"to": to, "text": "Hello!"}, call_id=to) for to in ("ann", "bob")]
    return ModelStep(output=mails)


def model() -> ScriptedModel:
    """Return a model; a real one goes in its place."""
    return ScriptedModel([ModelStep.respond(say) for _ in range(10)])


# The agent, and all that Signoff needs of it:
@function_tool
def send_mail(to: str, text: str) -> str:
    """Send a mail."""
    return f"sent {text!r} to {to}"


@app.workflow(expose=["output"])
async def support(ctx: Context, text: str) -> str:
    """Run an agent; people decide about each mail."""
    tools = durable_tools(ctx, [send_mail], gate={"send_mail": {"to": ["group:support"]}})
    agent = Agent("support", instructions="Write to everybody.", tools=tools)
    result = await Runner.run(agent, text, run_config=durable_run(ctx, model()))
    return str(result.final_output)
