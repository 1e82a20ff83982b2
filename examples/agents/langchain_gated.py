"""A LangChain agent whose mails people approve. It runs offline: its model is a double."""

from typing import Any

from langchain.agents import create_agent
from langchain.tools import tool
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from signoff import App, Context
from signoff.adapters.langchain import SignoffMiddleware

app = App()


class Double(BaseChatModel):
    """A model that wants to send two mails, and then says what came of them; a real one goes in its place."""

    _llm_type = "double"

    def bind_tools(self, *_tools: Any, **_options: Any) -> "Double":
        """Take any tools."""
        return self

    def _generate(self, messages: list[BaseMessage], *_args: Any, **_options: Any) -> ChatResult:
        came = [str(one.content) for one in messages if isinstance(one, ToolMessage)]
        calls = [{"name": "send_mail", "args": {"to": to, "text": "Hello!"}, "id": to} for to in ("ann", "bob")]
        said = AIMessage("; ".join(came)) if came else AIMessage("", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=said)])


# The agent, and all that Signoff needs of it:
@tool
def send_mail(to: str, text: str) -> str:
    """Send a mail."""
    return f"sent {text!r} to {to}"


@app.workflow(expose=["output"])
async def support(ctx: Context, text: str) -> str:
    """Run an agent; people decide about each mail."""
    durable = SignoffMiddleware(ctx, gate={"send_mail": {"to": ["group:support"]}})
    agent = create_agent(Double(), [send_mail], middleware=[durable])
    result = await agent.ainvoke({"messages": [{"role": "user", "content": text}]})
    return str(result["messages"][-1].content)
