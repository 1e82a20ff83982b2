"""The OpenAI Agents SDK inside workflows."""

from __future__ import annotations

from typing import Any

import pytest
from agents import Agent, ModelSettings, Runner, function_tool
from agents.models.interface import ModelProvider
from agents.testing import ModelCall, ModelStep, ScriptedModel, assistant_message, function_call

from signoff import App, Context
from signoff.adapters.openai_agents import durable_run, durable_tools
from signoff.errors import InvalidAnswer
from signoff.testing import TestEngine

done: list[str] = []


@function_tool
def pay(amount: int, to: str = "ann") -> str:
    """Pay."""
    done.append(f"pay {amount} to {to}")
    return f"paid {amount}"


@function_tool
def balance() -> str:
    """Look at the balance."""
    done.append("balance")
    return "7"


def say(call: ModelCall) -> ModelStep:
    came = [one["output"] for one in call.input if isinstance(one, dict) and one.get("type") == "function_call_output"]
    if came:
        return ModelStep(output=[assistant_message(" | ".join(came))])
    calls: list[Any] = [
        function_call("pay", {"amount": 3, "to": "ann"}, call_id="a"),
        function_call("pay", {"amount": 4, "to": "bob"}, call_id="b"),
        function_call("balance", {}, call_id="c"),
    ]
    return ModelStep(output=calls)


def model() -> ScriptedModel:
    return ScriptedModel([ModelStep.respond(say) for _ in range(4)])


class Models(ModelProvider):
    def get_model(self, model_name: str | None) -> ScriptedModel:
        assert model_name == "clever"
        return model()


app = App()


@app.workflow
async def plain(ctx: Context) -> str:
    tools = durable_tools(ctx, [pay, balance], gate={"pay": {"to": ["group:staff"]}})
    result = await Runner.run(Agent("a", tools=tools), "go", run_config=durable_run(ctx, model()))
    return str(result.final_output)


@app.workflow
async def streamed(ctx: Context) -> list[str]:
    agent = Agent("a", tools=durable_tools(ctx, [pay, balance]), model="clever", model_settings=ModelSettings())
    result = Runner.run_streamed(agent, "go", run_config=durable_run(ctx, provider=Models()))
    kinds = [event.data.type async for event in result.stream_events() if event.type == "raw_response_event"]
    return [kinds[-1], str(result.final_output)]


@pytest.fixture(autouse=True)
def nothing_done() -> None:
    done.clear()


async def test_people_approve_and_respond_side_by_side() -> None:
    async with TestEngine(app) as engine:
        run = await engine.start("plain")
        staff = engine.person("user:eve", groups=["staff"])
        row = await staff.sees("tool.pay:1")
        assert row.row["show"] == {"amount": 4, "to": "bob"}
        await staff.answers("tool.pay:1", "He has it already.", action="respond")
        await staff.answers("tool.pay:0", action="approve")
        assert await run.result() == "paid 3 | He has it already. | 7"
        assert sorted(done) == ["balance", "pay 3 to ann"]


async def test_edited_arguments_are_held_to_the_tools_schema() -> None:
    async with TestEngine(app) as engine:
        await engine.start("plain")
        staff = engine.person("user:eve", groups=["staff"])
        with pytest.raises(InvalidAnswer):
            await staff.answers("tool.pay:0", {"amount": "much", "to": "ann"}, action="edit")
        assert done == ["balance"]


async def test_what_is_streamed_is_recorded() -> None:
    async with TestEngine(app) as engine:
        run = await engine.start("streamed")
        assert await run.result() == ["response.completed", "paid 3 | paid 4 | 7"]
        steps = [entry["id"] for entry in await run.journal() if entry["type"] == "step.scheduled"]
        assert steps == ["model:0", "run.pay:0", "run.pay:1", "run.balance:0", "model:1"]


async def test_arguments_that_a_tool_cannot_take_are_for_the_model_and_not_for_people() -> None:
    wrong = ['{"amount": "much", "to": "ann"}', '{"amount": 3', "[3]", '{"to": "ann"}']

    def wants(call: ModelCall) -> ModelStep:
        came = [one["output"] for one in call.input if isinstance(one, dict) and "output" in one]
        if came:
            return ModelStep(output=[assistant_message(" | ".join(came))])
        return ModelStep(output=[function_call("pay", text, call_id=text) for text in wrong])

    fresh = App()

    @fresh.workflow
    async def misfit(ctx: Context) -> str:
        tools = durable_tools(ctx, [pay], gate={"pay": {"to": ["group:staff"]}})
        model = ScriptedModel([ModelStep.respond(wants) for _ in range(4)])
        return str((await Runner.run(Agent("a", tools=tools), "go", run_config=durable_run(ctx, model))).final_output)

    async with TestEngine(fresh) as engine:
        run = await engine.start("misfit")
        told = (await run.result()).split(" | ")
        assert [one.partition("tool: ")[2] or one for one in told] == [
            "/amount: This must be a whole number.",
            "Nothing was done. The arguments of a tool are an object, by name, not str.",
            "Nothing was done. The arguments of a tool are an object, by name, not list.",
            "/amount: This is required.",
        ]
        assert await run.journal("input.requested") == []
        assert done == []


def test_a_gate_without_a_tool_is_a_mistake() -> None:
    seen: list[str] = []

    async def check(engine: TestEngine) -> None:
        run = await engine.start("mistaken")
        await run.result()

    app_ = App()

    @app_.workflow
    async def mistaken(ctx: Context) -> None:
        try:
            durable_tools(ctx, [pay], gate={"pray": {}})
        except ValueError as error:
            seen.append(str(error))

    TestEngine(app_).play(check)
    assert seen[0] == "There is no tool 'pray' to gate; there are: pay."
