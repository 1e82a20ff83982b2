"""Requests that a chat is told of: once people are asked, each once, and the message ends behind the last."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from signoff import App, Approved, Context, Decided, aisdk, approve, reject
from signoff.errors import InvalidName, StreamNotFound
from signoff.testing import TestEngine, TestRun, crash_everywhere

ALICE = ["user:alice"]


async def held(engine: TestEngine, run: TestRun, name: str = "chat") -> tuple[list[Any], bool]:
    """Return what an output shows, and whether the message has ended."""
    await engine.settled()
    chunk = await engine.services.streams.read(f"runs/{run.id}/out/{name}")
    shown = [one for one in orjson.loads(chunk.body) if not one.get("transient")]
    return [(one["type"], one.get("toolCallId")) if "toolCallId" in one else one["type"] for one in shown], chunk.closed


def proposal(call: str) -> list[Any]:
    return [("tool-input-available", call), ("tool-approval-request", call)]


def agent(tools: list[str], **options: Any) -> App:
    """Return an agent that wants to call some tools at once."""
    app = App()

    async def say() -> None:
        async with aisdk.message("chat", keep_open=True) as chat:
            await chat.text("Well")
            await chat.tool_input("first", {"path": "first"}, tool_call_id="c-first")

    @app.workflow(name="agent", expose=("output",))
    async def run(ctx: Context) -> list[str]:
        if "first" in tools:
            await ctx.step("say", say)

        async def gate(tool: str) -> str:
            for _ in range(tools.index(tool)):  # as tasks of a framework, which do not ask in one breath
                await asyncio.sleep(0)
            call: dict[str, Any] = {"tool_call_id": "c-first"} if tool == "first" else {}
            decision = await ctx.approve_tool(tool, {"path": tool}, to=ALICE, output="chat", **call, **options)
            return type(decision).__name__

        return await asyncio.gather(*map(gate, tools))

    return app


BEGUN = ["start", "start-step"]
SAID = [*BEGUN, "text-start", "text-delta", "text-end", ("tool-input-available", "c-first")]
ENDED = ["finish-step", "finish"]


async def test_requests_of_one_turn_are_announced_together_and_end_the_message() -> None:
    async with TestEngine(agent(["first", "second", "third"])) as engine:
        run = await engine.start("agent")
        await run.asks("tool.third")
        shown, ended = await held(engine, run)
        calls = [("tool-approval-request", "c-first"), *proposal("tool.second:0"), *proposal("tool.third:0")]
        assert (shown, ended) == ([*SAID, *calls, *ENDED], True)
        assert [entry["id"] for entry in await run.journal("step.completed")] == ["say:0", "announce.tool.first:0"]


async def test_a_message_begins_with_its_request_where_nothing_was_said() -> None:
    async with TestEngine(agent(["second"])) as engine:
        run = await engine.start("agent")
        asked = await run.asks("tool.second")
        shown, ended = await held(engine, run)
        assert (shown, ended) == ([*BEGUN, *proposal("tool.second:0"), *ENDED], True)
        chunk = await engine.services.streams.read(f"runs/{run.id}/out/chat")
        proposed, request = orjson.loads(chunk.body)[2:4]
        assert proposed == {
            "type": "tool-input-available",
            "toolCallId": "tool.second:0",
            "toolName": "second",
            "input": {"path": "second"},
        }
        assert request["approvalId"] == f"{run.id}/{asked.row['id']}"


async def test_what_a_policy_decides_is_not_announced_and_the_message_goes_on() -> None:
    async with TestEngine(agent(["first"], policy=lambda _tool, _args: approve("harmless"))) as engine:
        run = await engine.start("agent")
        assert await run.result() == ["Approved"]
        shown, _ = await held(engine, run)
        assert shown == SAID


async def test_what_a_policy_leaves_to_people_is_announced_when_all_of_the_turn_are_known() -> None:
    left = asyncio.Event()

    async def policy(tool: str, _args: Any) -> Decided | None:
        if tool == "third":
            await left.wait()
        return reject("never") if tool == "second" else None

    async with TestEngine(agent(["first", "second", "third"], policy=policy)) as engine:
        run = await engine.start("agent")
        await run.asks("tool.first")
        chunk = await engine.services.streams.read(f"runs/{run.id}/out/chat")
        assert not chunk.closed
        assert b"approval-request" not in chunk.body
        left.set()
        await run.asks("tool.third")
        shown, ended = await held(engine, run)
        assert (shown, ended) == (
            [*SAID, ("tool-approval-request", "c-first"), *proposal("tool.third:0"), *ENDED],
            True,
        )


async def test_what_was_approved_for_the_next_times_too_is_not_announced() -> None:
    app = App()

    @app.workflow(name="agent")
    async def run(ctx: Context) -> list[Any]:
        found = []
        for turn in range(2):
            decision = await ctx.approve_tool("send", {}, to=ALICE, remember=["run"], output=f"turn-{turn}")
            found.append(isinstance(decision, Approved) and decision.grant)
        return found

    async with TestEngine(app) as engine:
        started = await engine.start("agent")
        await engine.person("user:alice").answers("tool.send", {"remember": "run"}, action="approve")
        await started.reaches("completed")
        assert (await held(engine, started, "turn-0"))[0] == [*BEGUN, *proposal("tool.send:0"), *ENDED]
        with pytest.raises(StreamNotFound):
            await held(engine, started, "turn-1")


async def test_a_message_tells_of_each_request_once_whenever_the_worker_dies() -> None:
    async def scenario(engine: TestEngine) -> None:
        run = await engine.start("agent")
        await run.asks("tool.second")
        shown, ended = await held(engine, run)
        calls = [("tool-approval-request", "c-first"), *proposal("tool.second:0")]
        assert (shown, ended) == ([*SAID, *calls, *ENDED], True)
        await engine.person("user:alice").answers("tool.second", "said already", action="respond")
        await engine.person("user:alice").answers("tool.first", action="reject")
        assert await run.result() == ["Rejected", "Responded"]

    assert await crash_everywhere(agent(["first", "second"]), scenario) > 8


async def test_any_request_may_be_announced_and_leave_the_message_open() -> None:
    app = App()

    @app.workflow(name="agent")
    async def run(ctx: Context) -> None:
        await ctx.await_input("ok", bool, title="Fine?", to=ALICE, announce={"output": "chat", "close": False})

    async with TestEngine(app) as engine:
        started = await engine.start("agent")
        await started.asks("ok")
        assert await held(engine, started) == ([*BEGUN, ("tool-approval-request", "ok:0")], False)


async def test_what_is_asked_later_for_a_message_that_has_ended_is_told_to_operators_and_can_be_answered() -> None:
    app = App()

    @app.workflow(name="agent", expose=("output",))
    async def run(ctx: Context) -> list[str]:
        gates = []
        for tool in ("first", "second"):
            gates.append(ctx.approve_tool(tool, {}, to=ALICE, output="chat"))
            await ctx.sleep("1m")
        return [type(await gate).__name__ for gate in gates]

    async with TestEngine(app) as engine:
        started, alice = await engine.start("agent"), engine.person("user:alice")
        await started.asks("tool.second")
        assert (await held(engine, started))[0] == [*BEGUN, *proposal("tool.first:0"), *ENDED]
        await engine.advance("1h")
        [failed] = await started.journal("step.failed")
        assert (failed["id"], failed["error"]["code"]) == ("announce.tool.second:0", "stream_closed")
        for tool in ("first", "second"):
            await alice.answers(f"tool.{tool}", action="approve")
        assert await started.result() == ["Approved", "Approved"]


async def test_where_it_cannot_be_announced_nobody_is_asked() -> None:
    app = App()
    nowhere: Any = {}

    @app.workflow(name="agent")
    async def run(ctx: Context) -> str:
        with pytest.raises(TypeError, match="not both"):
            ctx.approve_tool("send", {}, output="chat", announce={"output": "chat"})
        with pytest.raises(TypeError, match="names an `output`"):
            ctx.await_input("ok", bool, title="?", announce=nowhere)
        with pytest.raises(InvalidName, match="name of an output"):
            ctx.approve_tool("send", {}, output="out/chat")
        return "nothing asked"

    async with TestEngine(app) as engine:
        started = await engine.start("agent")
        assert await started.result() == "nothing asked"
        assert await started.journal("input.requested") == []
