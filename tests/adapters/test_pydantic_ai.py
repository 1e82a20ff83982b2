"""Agents of pydantic-ai in workflows: every call once, whatever dies meanwhile, and people's four answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic_ai import Agent, ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel

from signoff import App, Context
from signoff.adapters.pydantic_ai import SignoffDurability, durable, step_name
from signoff.errors import InvalidAnswer
from tests.runtime.scene import Scene, person, stage

ALICE = person("alice")
ANSWERS = [("approve", None), ("edit", {"to": "z", "body": "b"}), ("reject", "too soon"), ("respond", "I wrote it")]
TOLD = "c0=sent to a; c1=sent to z; c2=too soon; c3=I wrote it; c4=3"


def replies(messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
    """Call five tools at once, and then say what they returned."""
    returned = [part for one in messages for part in one.parts if isinstance(part, ToolReturnPart)]
    if returned:
        return ModelResponse([TextPart("; ".join(f"{part.tool_call_id}={part.content}" for part in returned))])
    mails = [ToolCallPart("send_mail", {"to": to, "body": ""}, f"c{n}") for n, to in enumerate("abcd")]
    return ModelResponse([*mails, ToolCallPart("look", {}, "c4")])


async def streams(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
    """Say the same piece by piece."""
    for n, part in enumerate(replies(messages, info).parts):
        if isinstance(part, ToolCallPart):
            yield {n: DeltaToolCall(part.tool_name, json.dumps(part.args), tool_call_id=part.tool_call_id)}
        elif isinstance(part, TextPart):
            for piece in part.content.split(" "):
                yield f"{piece} "


def app_of(**options: Any) -> App:
    app = App()
    durability = SignoffDurability(**options)
    agent = Agent(FunctionModel(replies, stream_function=streams), name="mailer", capabilities=[durability])

    @agent.tool_plain(requires_approval=True)
    def send_mail(to: str, body: str) -> str:
        return f"sent to {to}"

    @agent.tool_plain
    def look() -> int:
        return 3

    @app.workflow(expose=("output",))
    async def mailer(ctx: Context, task: str) -> str:
        with durable(ctx, to=["user:alice"]):
            return (await agent.run(task)).output

    @app.workflow(expose=("output",))
    async def streamer(ctx: Context, task: str) -> list[str]:
        with durable(ctx, to=["user:alice"]):
            async with agent.run_stream_events(task) as events:
                return [event.event_kind async for event in events]

    return app


async def decides_all(on: Scene, run: str) -> None:
    for n, (action, value) in enumerate(ANSWERS):
        await on.answer(await on.asks(run, f"tool.send_mail:{n}"), value, action=action, who=ALICE)


def steps(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["id"] for entry in entries]


async def test_gates_at_once_are_decided_each_in_one_of_four_ways(url: str) -> None:
    async with stage(app_of(), url) as on:
        run = await on.start("mailer", "write")
        await decides_all(on, run)
        assert (await on.reaches(run, "completed"))["output"] == TOLD
        scheduled = steps(await on.entries(run, "step.scheduled"))
        assert scheduled == [
            "mailer__model.request:0",
            "mailer__function_toolset__-agent-.call_tool-look:0",
            "mailer__function_toolset__-agent-.call_tool-send_mail:0",
            "mailer__function_toolset__-agent-.call_tool-send_mail:1",
            "mailer__model.request:1",
        ]
        completed = steps(await on.entries(run, "step.completed"))
        assert sorted(completed) == sorted(scheduled)  # the two that run at once may end in either order
        assert completed[-1] == scheduled[-1]


async def test_an_agent_that_streams_waits_for_people_too(url: str) -> None:
    async with stage(app_of(), url) as on:
        run = await on.start("streamer", "write")
        await decides_all(on, run)
        kinds = (await on.reaches(run, "completed"))["output"]
        assert kinds.count("function_tool_result") == 5
        assert kinds[-1] == "agent_run_result"
        assert steps(await on.entries(run, "step.completed"))[-1] == "mailer__model.request_stream:1"


async def test_a_models_words_are_written_to_an_output_while_they_come(url: str) -> None:
    async with stage(app_of(tokens="words"), url) as on:
        run = await on.start("mailer", "write")
        await decides_all(on, run)
        assert (await on.reaches(run, "completed"))["output"] == f"{TOLD} "
        written = await on.engine.streams.read(f"runs/{run}/out/words")
        assert "".join(json.loads(written.body)) == f"{TOLD} "


async def test_a_handler_is_given_each_event_once_though_the_code_is_replayed(url: str) -> None:
    told: list[str] = []

    async def handler(_ctx: Any, events: Any) -> None:
        told.extend([event.event_kind async for event in events])

    async with stage(app_of(event_stream_handler=handler), url) as on:
        run = await on.start("mailer", "write")
        await decides_all(on, run)
        assert (await on.reaches(run, "completed"))["output"] == f"{TOLD} "
        assert told.count("function_tool_result") == 5
        assert told.count("part_start") == 6


async def test_edited_arguments_must_fit_the_tool(url: str) -> None:
    async with stage(app_of(), url) as on:
        run = await on.start("mailer", "write")
        row = await on.asks(run, "tool.send_mail:0")
        with pytest.raises(InvalidAnswer):
            await on.answer(row, {"to": 7, "body": ""}, action="edit", who=ALICE)


async def test_outside_of_a_workflow_an_agent_is_as_it_was() -> None:
    agent = Agent(FunctionModel(lambda _messages, _info: ModelResponse([TextPart("hello")])), name="plain",
                  capabilities=[SignoffDurability()])  # fmt: skip
    assert (await agent.run("hi")).output == "hello"


def test_names_of_steps_have_the_letters_of_names() -> None:
    assert step_name("a b__<agent>.call_tool:x") == "a-b__-agent-.call_tool-x"
    assert len(step_name("x" * 200)) == 128
