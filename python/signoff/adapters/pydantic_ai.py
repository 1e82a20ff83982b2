"""Agents of pydantic-ai inside workflows: each call of a model or a tool is a step, each gated tool asks people.

What an agent does between its calls is workflow code and runs again on every replay. Its capability hands each call to
the context that `durable` names, and people's decisions back to the agent. Outside of `durable` it does nothing.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

try:
    from pydantic_ai import RunContext
    from pydantic_ai._agent_graph import set_agent_graph_sleep
    from pydantic_ai._utils import _disable_threads, disable_threads
    from pydantic_ai.agent import EventStreamHandler
    from pydantic_ai.capabilities.abstract import WrapRunHandler, WrapToolExecuteHandler
    from pydantic_ai.durable_exec import (
        JSON_CODEC,
        BaseDurabilityCapability,
        DurabilityEngineSpec,
        DurableOperationBackend,
        DurableOperationId,
        JournalCallableOperationBackend,
        RoleBasedOperationConfig,
        conversation_id_from_run_id,
        record_durable_unit,
        replay_scope,
    )
    from pydantic_ai.exceptions import ToolFailed
    from pydantic_ai.messages import (
        AgentStreamEvent,
        PartDeltaEvent,
        PartStartEvent,
        TextPart,
        TextPartDelta,
        ToolCallPart,
    )
    from pydantic_ai.models import Model
    from pydantic_ai.run import AgentRunResult
    from pydantic_ai.tools import (
        AgentDepsT,
        DeferredToolRequests,
        DeferredToolResults,
        ToolApproved,
        ToolDefinition,
        ToolDenied,
    )
except ImportError as error:
    raise ImportError(
        "signoff.adapters.pydantic_ai needs pydantic-ai 2.68 or a later 2.x: pip install 'signoff[pydantic-ai]'"
    ) from error

from signoff import Approved, Context, Edited, Rejected, Responded, ToolDecision, current_step
from signoff.workflow import guard

_NO_NAME: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST: Final = 128
_REFUSED: Final = "The tool call was denied."
_INSTEAD: Final = "signoff.responded"
"""Where the metadata of a call keep what somebody said in its place."""
_OUTSIDE: Final = ("respond", "reject")
"""What people can do about a tool that has no code: answer in its place, or refuse to."""


@dataclass(slots=True, eq=False)
class _Inside:
    """The workflow an agent runs in.

    Attributes:
        options: of the requests about its gated tools.
        runs: how many runs of agents have begun, for their ids.
    """

    ctx: Context
    options: dict[str, Any]
    runs: int = 0


_inside: ContextVar[_Inside | None] = ContextVar("signoff_pydantic_ai", default=None)
_in_step: ContextVar[bool] = ContextVar("signoff_pydantic_ai_step", default=False)


@contextmanager
def durable(ctx: Context, **options: Any) -> Generator[None]:
    """Let the agents that run in this block use the workflow's context.

    Args:
        ctx: of the workflow.
        options: of the requests about gated tools, as `Context.approve_tool` takes them: `to`, `policy`, `remember`,
            `timeout`, …

    Example:
        >>> with durable(ctx, to=["group:support"]):
        ...     result = await agent.run("Refund order 7.")
    """
    token = _inside.set(_Inside(ctx, options))
    try:
        yield
    finally:
        _inside.reset(token)


class _RecordedCalls(JournalCallableOperationBackend[Mapping[str, Any]]):
    """Operations of an agent as steps."""

    async def execute(
        self,
        *,
        operation_id: DurableOperationId,  # noqa: ARG002 - pydantic-ai names it
        name: str,
        body: Callable[[], Awaitable[object]],
        cache_key: tuple[object, ...],  # noqa: ARG002 - pydantic-ai names it
        config: Mapping[str, Any],
    ) -> object:
        """Run `body` as a step and return what it returned, now or before a restart."""
        inside = _inside.get()
        assert inside is not None, "operations are bound to an agent that runs in a workflow"
        executed = False

        async def operation() -> object:
            nonlocal executed
            executed = True
            _in_step.set(True)
            _disable_threads.set(False)  # a step may wait in a thread; what the workflow has set is seen here too
            return await body()

        payload = await inside.ctx.options(**config).step(step_name(name), operation)
        record_durable_unit(executed=executed)
        return payload


def step_name(name: str) -> str:
    """Return the name of the step of an operation, in the letters that names have.

    Example:
        >>> step_name("mailer__function_toolset__<agent>.call_tool:send_mail")
        'mailer__function_toolset__-agent-.call_tool-send_mail'
    """
    return _NO_NAME.sub("-", name)[:_LONGEST]


class SignoffDurability(BaseDurabilityCapability[AgentDepsT]):
    """A capability of an agent: inside `durable`, its calls are steps and its gated tools ask people.

    Args:
        models: further models by id, for runs that name another than the agent's own.
        event_stream_handler: is given what the agent does, in steps; a model's events while they come.
        tokens: the output of the run that a model's text is written to while it comes, `runs/{id}/out/{tokens}`; None:
            nowhere.
        name: begins the names of the steps; the agent's name unless given. Whoever renames it changes the code of runs
            that are under way.
        options: of the steps, as `Context.options` takes them: `retry`, `timeout`. A tool has its own in its metadata
            under `signoff`.

    Example:
        >>> agent = Agent("openai:gpt-5", name="mailer", capabilities=[SignoffDurability()])
        >>> @agent.tool_plain(requires_approval=True)
        ... def send_mail(to: str, body: str) -> str: ...
        >>> @app.workflow
        ... async def mailer(ctx: Context, task: str) -> str:
        ...     with durable(ctx, to=[ctx.started_by]):
        ...         return (await agent.run(task)).output
    """

    engine_spec = DurabilityEngineSpec(
        engine_name="Signoff",
        durable_unit_noun="step",
        durable_container_noun="workflow",
        codec=JSON_CODEC,
        unsupported_runtime_toolset_kinds=frozenset({"function", "mcp", "dynamic"}),
        toolset_lifecycles={"function": "enter-always", "mcp": "enter-in-durable-unit", "dynamic": "enter-never"},
        tool_config_key="signoff",
    )

    def __init__(
        self,
        *,
        models: Mapping[str, Model] | None = None,
        event_stream_handler: EventStreamHandler[AgentDepsT] | None = None,
        tokens: str | None = None,
        name: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(models=models, event_stream_handler=event_stream_handler, name=name)
        self._tokens = tokens
        self._options: Mapping[str, Any] = dict(options or {})

    @property
    def in_durable_context(self) -> bool:
        """Return True if workflow code runs the agent now, False if a step does."""
        return _inside.get() is not None and not _in_step.get()

    def get_default_run_id(self) -> str | None:
        """Return the id of the agent's run: the same in every replay."""
        inside = _inside.get()
        if inside is None or _in_step.get():
            return None
        inside.runs += 1
        return f"{inside.ctx.run_id}:{self.name}:{inside.runs}"

    def get_default_conversation_id(self, run_id: str) -> str | None:
        """Return the id of the conversation of a run that continues none."""
        return conversation_id_from_run_id(run_id) if self.in_durable_context else None

    def get_run_clock(self) -> Callable[[], datetime] | None:
        """Return the workflow's clock, for the agent's `timeout`."""
        inside = _inside.get()
        return inside.ctx.now if inside is not None and self.in_durable_context else None

    def get_durable_operation_backend(self) -> DurableOperationBackend[Any]:
        """Return what makes a step of each operation."""

        def of_tool(_operation: DurableOperationId, tool: Any, name: str) -> Any:
            return self._build_resolve_tool_config(self._options)(tool, name)

        return _RecordedCalls(
            agent_name=self.name,
            default_model_id=self.default_model_id,
            config=RoleBasedOperationConfig(
                model=self._options,
                event=self._options,
                capability=self._options,
                tool=self._options,
                resolve_tool=of_tool,
            ),
        )

    async def wrap_run(self, ctx: RunContext[AgentDepsT], *, handler: WrapRunHandler) -> AgentRunResult[Any]:
        """Run the agent on the workflow's event loop, without threads."""
        if not self.in_durable_context:
            return await handler()
        with disable_threads(), set_agent_graph_sleep(asyncio.sleep), replay_scope():
            return await super().wrap_run(ctx, handler=handler)

    # -- what is told meanwhile ------------------------------------------------------------------------------------

    @property
    def has_wrap_run_event_stream(self) -> bool:
        """Return True if the model is asked for a stream, to write its words to an output."""
        return super().has_wrap_run_event_stream or (self._tokens is not None and self.in_durable_context)

    def _model_stream_event_handler(self) -> EventStreamHandler[AgentDepsT] | None:
        handler = super()._model_stream_event_handler()
        return handler if self._tokens is None else _writing(self._tokens, handler)

    # -- people ----------------------------------------------------------------------------------------------------

    async def handle_deferred_tool_calls(
        self, ctx: RunContext[AgentDepsT], *, requests: DeferredToolRequests
    ) -> DeferredToolResults | None:
        """Ask people about all of these calls at once, and return what they have decided."""
        inside = _inside.get()
        if inside is None or not self.in_durable_context:
            return None
        tools = ctx.tools
        asked = []
        for calls, actions in ((requests.approvals, None), (requests.calls, _OUTSIDE)):
            for call in calls:
                tool = tools.get(call.tool_name)
                options = {
                    "args_schema": None if tool is None else tool.parameters_json_schema,
                    "tool_call_id": call.tool_call_id,
                    "actions": actions,
                    **inside.options,
                }
                asked.append((call, inside.ctx.approve_tool(call.tool_name, call.args_as_dict(), **options)))
        results = DeferredToolResults()
        gated = {call.tool_call_id for call in requests.approvals}
        for call, request in asked:
            _settle(results, call.tool_call_id, await request, gated=call.tool_call_id in gated)
        return results

    async def wrap_tool_execute(
        self,
        ctx: RunContext[AgentDepsT],
        *,
        call: ToolCallPart,  # noqa: ARG002 - pydantic-ai names it
        tool_def: ToolDefinition,  # noqa: ARG002 - pydantic-ai names it
        args: dict[str, Any],
        handler: WrapToolExecuteHandler,
    ) -> Any:
        """Call the tool, unless somebody has responded in its place."""
        decided = ctx.tool_call_metadata
        if isinstance(decided, dict) and _INSTEAD in decided:
            return decided[_INSTEAD]
        return await handler(args)


def _settle(results: DeferredToolResults, call: str, decision: ToolDecision[Any], *, gated: bool) -> None:
    """Say in pydantic-ai's words what was decided about a call."""
    match decision:
        case Approved():
            results.approvals[call] = ToolApproved()
        case Edited(args=args):
            results.approvals[call] = ToolApproved(override_args=args)
        case Rejected(reason=reason) if gated:
            results.approvals[call] = ToolDenied(reason or _REFUSED)
        case Rejected(reason=reason):
            results.calls[call] = ToolFailed(reason or _REFUSED)
        case Responded(text=text) if gated:  # approved, for nothing else goes on; `wrap_tool_execute` stands in for it
            results.approvals[call] = ToolApproved()
            results.metadata[call] = {_INSTEAD: text}
        case Responded(text=text):
            results.calls[call] = text
    if (by := decision.by.id) is not None:
        results.answered_by[call] = by


def _writing(
    tokens: str, handler: EventStreamHandler[AgentDepsT] | None
) -> Callable[[RunContext[AgentDepsT], AsyncIterable[AgentStreamEvent]], Awaitable[None]]:
    """Return a handler that writes a model's text to an output, and hands all on."""

    async def write(ctx: RunContext[AgentDepsT], events: AsyncIterable[AgentStreamEvent]) -> None:
        out = current_step().output(tokens, keep_open=True)  # the next call of the model goes on with it

        async def told() -> AsyncIterator[AgentStreamEvent]:
            async for event in events:
                if text := _text(event):
                    await out.write(text)
                yield event

        if handler is not None:
            await handler(ctx, told())
        else:
            async for _ in told():
                pass

    return write


def _text(event: AgentStreamEvent) -> str | None:
    match event:
        case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            return text
        case _:
            return None


guard.let_frameworks("pydantic_ai", "pydantic_graph")
