"""Agents of the OpenAI Agents SDK inside workflows: `pip install 'signoff[openai-agents]'`.

`durable_run` makes a step of each model call; `durable_tools` of each tool call, and asks people before those that are
gated. The SDK's tracing is off: it would tell of each replay anew, from a thread of its own.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

try:
    from agents import FunctionTool, Model, ModelProvider, ModelResponse, MultiProvider, RunConfig, Tool
    from agents.items import TResponseStreamEvent
    from agents.tool_context import ToolContext
    from agents.tracing import get_trace_provider
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"signoff.adapters.openai_agents needs {missing.name!r}. Install it: pip install 'signoff[openai-agents]'",
        name=missing.name,
    ) from missing

from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from signoff.adapters.gate import Gates, arguments_of, gates_of, misfit_told, refusal_told, step_name
from signoff.errors import UnsupportedValue
from signoff.workflow import guard
from signoff.workflow.approval.outcome import Edited, Rejected, Responded
from signoff.workflow.context import Context
from signoff.workflow.durations import Duration
from signoff.workflow.step.ask import Steps
from signoff.workflow.step.retry import Retry

_RESPONSE: TypeAdapter[ModelResponse] = TypeAdapter(ModelResponse)
_EVENTS: TypeAdapter[list[TResponseStreamEvent]] = TypeAdapter(list[TResponseStreamEvent])


class DurableModel(Model):
    """A model each of whose calls is a step.

    What is streamed comes once the model has said all of it: the events are recorded whole, and are the same in every
    replay.

    Args:
        ctx: of the workflow that runs the agent, or its `options(...)`.
        model: what is called.

    Example:
        >>> agent = Agent("support", model=DurableModel(ctx, OpenAIResponsesModel("gpt-5", client)))
    """

    def __init__(self, ctx: Steps, model: Model) -> None:
        self._ctx = ctx
        self._model = model

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        """Call the model in a step."""

        async def call() -> dict[str, Any]:
            written: dict[str, Any] = _RESPONSE.dump_python(
                await self._model.get_response(*args, **kwargs), mode="json"
            )
            return written

        return _RESPONSE.validate_python(await self._ctx.step("model", call))

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[TResponseStreamEvent]:
        """Call the model in a step, and hand out what it streamed."""

        async def call() -> list[dict[str, Any]]:
            events = [event async for event in self._model.stream_response(*args, **kwargs)]
            written: list[dict[str, Any]] = _EVENTS.dump_python(events, mode="json")
            return written

        for event in _EVENTS.validate_python(await self._ctx.step("model", call)):
            yield event


class _DurableModels(ModelProvider):
    """Models by name, each of whose calls is a step."""

    def __init__(self, ctx: Steps, models: ModelProvider) -> None:
        self._ctx = ctx
        self._models = models

    def get_model(self, model_name: str | None) -> Model:
        """Return a model."""
        return DurableModel(self._ctx, self._models.get_model(model_name))


def durable_run(
    ctx: Context,
    model: Model | None = None,
    *,
    provider: ModelProvider | None = None,
    retry: Retry | None = None,
    timeout: Duration | None = None,
    **options: Any,
) -> RunConfig:
    """Return how the SDK is to run an agent inside a workflow: each model call is a step, and tracing is off.

    Args:
        ctx: of the workflow.
        model: of all agents of this run; None: as each agent names its own.
        provider: where named models come from; the SDK's own unless given.
        retry: how often a call is tried.
        timeout: how long one may take.
        options: further ones of the SDK's `RunConfig`.

    Example:
        >>> result = await Runner.run(agent, text, run_config=durable_run(ctx, model))
    """
    steps = ctx.options(retry=retry, timeout=timeout)
    return RunConfig(
        model=None if model is None else DurableModel(steps, model),
        model_provider=_DurableModels(steps, provider or MultiProvider()),
        tracing_disabled=True,
        **options,
    )


def durable_tools(
    ctx: Context,
    tools: Sequence[Tool],
    *,
    gate: Gates | None = None,
    retry: Retry | None = None,
    timeout: Duration | None = None,
) -> list[Tool]:
    """Return tools for an agent inside a workflow: each call is a step, and people decide about gated ones.

    Args:
        ctx: of the workflow.
        tools: function tools; those of the model's own provider stay as they are.
        gate: tools that people decide about, and how they are asked: the options of `Context.approve_tool`.
        retry: how often a tool that raises is tried; the SDK tells the model of most errors instead.
        timeout: how long a call may take.

    Raises:
        TypeError, ValueError: a gate is malformed, or for none of the tools.

    Example:
        >>> agent = Agent("support", tools=durable_tools(ctx, [send_mail], gate={"send_mail": {"to": ["user:alice"]}}))
    """
    gates = gates_of(gate)
    if unknown := set(gates) - {one.name for one in tools}:
        raise ValueError(
            f"There is no tool {min(unknown)!r} to gate; there are: {', '.join(one.name for one in tools)}."
        )
    steps = ctx.options(retry=retry, timeout=timeout)
    return [_durable(ctx, steps, one, gates.get(one.name)) if isinstance(one, FunctionTool) else one for one in tools]


def _durable(ctx: Context, steps: Steps, tool: FunctionTool, gate: dict[str, Any] | None) -> FunctionTool:
    async def invoke(context: ToolContext[Any], arguments: str) -> Any:
        if gate is not None:
            try:
                asked = ctx.approve_tool(
                    tool.name,
                    arguments_of(arguments),
                    args_schema=tool.params_json_schema,
                    tool_call_id=context.tool_call_id,
                    **gate,
                )
            except UnsupportedValue as error:
                return misfit_told(error)
            decision = await asked
            match decision:
                case Rejected():
                    return refusal_told(decision)
                case Responded():
                    return decision.text
                case Edited():
                    arguments = json.dumps(decision.args)

        async def call() -> Any:
            return to_jsonable_python(await tool.on_invoke_tool(context, arguments))

        return await steps.step(step_name(tool.name), call)

    return dataclasses.replace(tool, on_invoke_tool=invoke)


guard.let_frameworks("agents", "openai")
get_trace_provider()  # it opens a client of HTTP, off or not, when it is first asked for: not within a workflow
