"""LangChain's agents inside workflows."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain.tools import tool
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.types import Command
from pydantic import BaseModel

from signoff import App, Context
from signoff.adapters.langchain import SignoffMiddleware
from signoff.testing import TestEngine

done: list[str] = []


class Double(BaseChatModel):
    """A model that calls tools, and then says what came of it."""

    calls: list[dict[str, Any]]
    _llm_type = "double"

    def bind_tools(self, *_tools: Any, **_options: Any) -> Double:
        return self

    def _generate(self, messages: list[BaseMessage], *_args: Any, **_options: Any) -> ChatResult:
        done.append("model")
        came = [f"{one.content} ({one.status})" for one in messages if isinstance(one, ToolMessage)]
        said = AIMessage(" | ".join(came)) if came else AIMessage("", tool_calls=self.calls)
        return ChatResult(generations=[ChatGeneration(message=said)])


class Verdict(BaseModel):
    good: bool


@tool
def pay(amount: int, to: str = "ann") -> str:
    """Pay."""
    done.append(f"pay {amount} to {to}")
    return f"paid {amount}"


@tool
def move() -> Command[Any]:
    """Move on, with a word about it."""
    done.append("move")
    return Command(update={"messages": [ToolMessage("moved", tool_call_id="m")]})


app = App()
GO: Any = {"messages": [{"role": "user", "content": "go"}]}
PAYS = [
    {"name": "pay", "args": {"amount": 3, "to": "ann"}, "id": "a"},
    {"name": "pay", "args": {"amount": 4, "to": "bob"}, "id": "b"},
]


@app.workflow
async def pays(ctx: Context) -> str:
    durable = SignoffMiddleware(ctx, gate={"pay": {"to": ["group:staff"]}})
    agent = create_agent(Double(calls=PAYS), [pay], middleware=[durable])
    return str((await agent.ainvoke(GO))["messages"][-1].content)


@app.workflow
async def moves(ctx: Context) -> list[str]:
    agent = create_agent(
        Double(calls=[{"name": "move", "args": {}, "id": "m"}]), [move], middleware=[SignoffMiddleware(ctx)]
    )
    found = [part async for part in agent.astream(GO, stream_mode="updates")]
    await ctx.step("end", done.append, "end")
    return [name for part in found for name in part]


@app.workflow
async def judges(ctx: Context) -> bool:
    calls = [{"name": "Verdict", "args": {"good": True}, "id": "v"}]
    agent = create_agent(
        Double(calls=calls), [pay], middleware=[SignoffMiddleware(ctx)], response_format=ToolStrategy(Verdict)
    )
    found = (await agent.ainvoke(GO))["structured_response"]
    assert isinstance(found, Verdict)
    return found.good


@pytest.fixture(autouse=True)
def nothing_done() -> None:
    done.clear()


async def test_people_approve_and_respond_side_by_side() -> None:
    async with TestEngine(app) as engine:
        run = await engine.start("pays")
        staff = engine.person("user:eve", groups=["staff"])
        assert (await staff.sees("tool.pay:1")).row["show"] == {"amount": 4, "to": "bob"}
        await staff.answers("tool.pay:1", "He has it already.", action="respond")
        await staff.answers("tool.pay:0", action="approve")
        assert await run.result() == "paid 3 (success) | He has it already. (success)"
        assert done == ["model", "pay 3 to ann", "model"]


async def test_a_refusal_is_an_error_to_the_model() -> None:
    async with TestEngine(app) as engine:
        run = await engine.start("pays")
        staff = engine.person("user:eve", groups=["staff"])
        await staff.answers("tool.pay:0", "too much", action="reject")
        await staff.answers("tool.pay:1", {"amount": 1, "to": "cat"}, action="edit")
        assert await run.result() == "This was refused: too much (error) | paid 1 (success)"


async def test_arguments_that_a_tool_cannot_take_are_for_the_model_and_not_for_people() -> None:
    fresh = App()

    @fresh.workflow
    async def misfit(ctx: Context) -> str:
        calls = [{"name": "pay", "args": {"amount": "much"}, "id": "a"}]
        durable = SignoffMiddleware(ctx, gate={"pay": {"to": ["group:staff"]}})
        agent = create_agent(Double(calls=calls), [pay], middleware=[durable])
        return str((await agent.ainvoke(GO))["messages"][-1].content)

    async with TestEngine(fresh) as engine:
        run = await engine.start("misfit")
        told = "Nothing was done. The arguments do not fit the tool: /amount: This must be a whole number. (error)"
        assert await run.result() == told
        assert await run.journal("input.requested") == []
        assert done == ["model", "model"]


async def test_an_agent_streams_and_its_tools_update_the_state() -> None:
    async with TestEngine(app) as engine:
        run = await engine.start("moves")
        assert await run.result() == ["model", "tools", "model"]
        assert done == ["model", "move", "model", "end"]


async def test_a_structured_answer_comes_back_as_what_it_was() -> None:
    async with TestEngine(app) as engine:
        run = await engine.start("judges")
        assert await run.result() is True
