"""LangChain's agents inside workflows: `pip install 'signoff[langchain]'`.

One middleware makes a step of each model call and of each tool call, and asks people before the tools that are gated.
The journal does what a checkpointer does elsewhere, so give the agent none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context as Variables
from typing import Any

try:
    import langsmith
    from langchain.agents.middleware import AgentMiddleware
    from langchain.agents.middleware.types import ModelRequest, ModelResponse
    from langchain.tools.tool_node import ToolCallRequest
    from langchain_core.messages import ToolMessage, message_to_dict, messages_from_dict
    from langgraph.types import Command
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"signoff.adapters.langchain needs {missing.name!r}. Install it: pip install 'signoff[langchain]'",
        name=missing.name,
    ) from missing

from pydantic import TypeAdapter

from signoff.adapters.gate import Gates, gates_of, misfit_told, refusal_told, step_name
from signoff.errors import UnsupportedValue
from signoff.workflow import guard
from signoff.workflow.approval.outcome import Edited, Rejected, Responded
from signoff.workflow.context import Context
from signoff.workflow.durations import Duration
from signoff.workflow.step.retry import Retry

ModelOrTool = Callable[[Any], Awaitable[Any]]


class SignoffMiddleware(AgentMiddleware[Any, Any, Any]):
    """The middleware that has an agent survive whatever ends its process; the innermost one, if there are several.

    What other middleware does around it is done again at a replay, and must be the same then.

    Args:
        ctx: of the workflow that runs the agent.
        gate: tools that people decide about, and how they are asked: the options of `Context.approve_tool`, such as
            `{"send_mail": {"to": ["group:support"]}}`.
        retry: how often a call of a model or a tool is tried.
        timeout: how long one may take.

    Raises (by the agent):
        StepFailed: a model or a tool used up its attempts.
        TypeError: a tool returned a `Command` that does more than to update and to go on somewhere.

    Example:
        >>> people = SignoffMiddleware(ctx, gate={"send_mail": {"to": ["user:alice"]}})
        >>> agent = create_agent(model, tools, middleware=[people])
        >>> result = await agent.ainvoke({"messages": [("user", text)]})
    """

    def __init__(
        self, ctx: Context, *, gate: Gates | None = None, retry: Retry | None = None, timeout: Duration | None = None
    ) -> None:
        super().__init__()
        self._ctx = ctx
        self._steps = ctx.options(retry=retry, timeout=timeout)
        self._gate = gates_of(gate)

    async def awrap_model_call(self, request: ModelRequest[Any], handler: ModelOrTool) -> ModelResponse[Any]:
        """Call the model in a step."""
        structured = _structured(request)

        async def call() -> dict[str, Any]:
            response = await handler(request)
            found = response.structured_response
            if found is not None and structured is not None:
                found = structured.dump_python(found, mode="json")
            return {"result": [message_to_dict(one) for one in response.result], "structured": found}

        said = await self._steps.step("model", call)
        found = said["structured"]
        if found is not None and structured is not None:
            found = structured.validate_python(found)
        return ModelResponse(result=messages_from_dict(said["result"]), structured_response=found)

    async def awrap_tool_call(self, request: ToolCallRequest, handler: ModelOrTool) -> ToolMessage | Command[Any]:
        """Ask people if the tool is gated, and call it in a step."""
        call = request.tool_call
        name = call["name"]
        if (options := self._gate.get(name)) is not None and request.tool is not None:
            schema = _schema(request.tool)
            try:
                gate = self._ctx.approve_tool(
                    name, call["args"], args_schema=schema, tool_call_id=call["id"], **options
                )
            except UnsupportedValue as error:
                return ToolMessage(misfit_told(error), tool_call_id=call["id"], name=name, status="error")
            decision = await gate
            match decision:
                case Rejected():
                    told = refusal_told(decision)
                    return ToolMessage(told, tool_call_id=call["id"], name=name, status="error")
                case Responded():
                    return ToolMessage(decision.text, tool_call_id=call["id"], name=name)
                case Edited():
                    request = request.override(tool_call={**call, "args": decision.args})

        async def run() -> dict[str, Any]:
            return _written(await handler(request))

        return _read(await self._steps.step(step_name(name), run))


def _schema(tool: Any) -> dict[str, Any]:
    """Return what the model may give a tool, without what is injected."""
    given = tool.tool_call_schema
    schema: dict[str, Any] = given if isinstance(given, dict) else given.model_json_schema()
    return schema


def _structured(request: ModelRequest[Any]) -> TypeAdapter[Any] | None:
    schema = getattr(request.response_format, "schema", None)
    return None if schema is None or isinstance(schema, dict) else TypeAdapter(schema)


def _written(result: ToolMessage | Command[Any]) -> dict[str, Any]:
    if isinstance(result, ToolMessage):
        return {"message": message_to_dict(result)}
    if not isinstance(result.update, Mapping) or result.resume or result.graph or not _plain(result.goto):
        raise TypeError(f"A durable tool returns a message or a Command with `update` and `goto`, not {result!r:.200}.")
    rest = {name: value for name, value in result.update.items() if name != "messages"}
    messages = [message_to_dict(one) for one in result.update.get("messages", ())]
    return {"messages": messages, "update": rest, "goto": result.goto}


def _plain(goto: Any) -> bool:
    return isinstance(goto, str) or (isinstance(goto, Sequence) and all(isinstance(one, str) for one in goto))


def _read(written: dict[str, Any]) -> ToolMessage | Command[Any]:
    if "message" in written:
        [message] = messages_from_dict([written["message"]])
        assert isinstance(message, ToolMessage)
        return message
    messages = messages_from_dict(written["messages"])
    return Command(update={**written["update"], "messages": messages}, goto=written["goto"])


async def _off_threads(
    default: Callable[..., Awaitable[Any]], variables: Variables, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
) -> Any:
    """Have LangSmith's decorator do in place, in workflow code, what it does in a thread elsewhere."""
    if guard.watching():
        return variables.run(fn, *args, **kwargs)
    return await default(variables, fn, *args, **kwargs)


langsmith.set_runtime_overrides(aio_to_thread=_off_threads)
guard.let_frameworks("langchain", "langchain_core", "langgraph", "langsmith")
