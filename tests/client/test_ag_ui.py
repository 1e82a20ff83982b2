"""What a page that speaks AG-UI posts becomes runs and answers, and it is told what comes of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from ag_ui.core import (
    AssistantMessage,
    EventType,
    FunctionCall,
    ResumeEntry,
    RunAgentInput,
    TextPart,
    ToolCall,
    UserMessage,
)
from ag_ui.encoder import EventEncoder
from pydantic import BaseModel

from signoff import App, Approved, Context, Edited, current_step
from signoff.client import SignoffClient
from signoff.client.ag_ui import events, last_text
from signoff.runtime.worker import Worker
from tests.docs.test_snippets import blocks
from tests.server.hosting import KEYED, Host, bearer, hosting

ALICE = bearer("alice", "run:start:*", "run:read:*", "event:send:*", groups=("support",))["authorization"].removeprefix(
    "Bearer "
)


class Mail(BaseModel):
    to: str
    text: str


async def say(words: str) -> None:
    async with current_step().output("tokens", keep_open=True) as out:
        for word in words.split():
            await out.write(f"{word} ")


async def say_after_a_failure() -> None:
    async with current_step().output("tokens", keep_open=True) as out:
        await out.write(f"{current_step().attempt} ")
        await out.flush()
    if current_step().attempt == 1:
        raise ConnectionError("the model is gone")


def app() -> App:
    app = App()

    @app.workflow(expose=("output",))
    async def agent(ctx: Context, prompt: str) -> list[str]:
        await ctx.step("say", say, f"You said: {prompt}")
        calls = (
            ctx.approve_tool("send_mail", Mail(to=to, text="Hi"), args_type=Mail, to=["group:support"], tool_call_id=to)
            for to in ("ann", "bob")
        )
        came = [
            decided.args.to if isinstance(decided, Approved | Edited) else "nobody"
            for decided in await asyncio.gather(*calls)
        ]
        await ctx.step("say", say, "Done.")
        return came

    @app.workflow(expose=("output",))
    async def fails(ctx: Context, _: str) -> None:
        await ctx.step("say", say_after_a_failure)
        raise RuntimeError("broken")

    @app.workflow
    async def asks(ctx: Context, _: str) -> bool:
        request = ctx.await_input("sure", bool, title="Sure?", to=["group:support"])
        await ctx.await_event("news")
        await request.revise(show={"news": True})
        return (await request).value

    return app


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Host, SignoffClient]]:
    async with hosting(config=KEYED) as host, SignoffClient(host.url, token=ALICE) as client:
        worker = Worker(app(), host.engine)
        working = asyncio.create_task(worker.run())
        try:
            yield host, client
        finally:
            await worker.drain()
            await working


async def turn(
    client: SignoffClient,
    run_id: str,
    *resume: ResumeEntry,
    workflow: str = "agent",
    has: Sequence[AssistantMessage] = (),
    input_of: Callable[[RunAgentInput], Any] = last_text,
) -> list[Any]:
    """Post, as a page that has these messages, and return what comes, as it reads it."""
    said: list[Any] = [TextPart(text="write "), TextPart(text="mails")]
    messages: list[Any] = [UserMessage(id="m", content=said), *has]
    asked = RunAgentInput(thread_id="t", run_id=run_id, messages=messages, resume=list(resume) or None)
    async with asyncio.timeout(30):
        told = [event async for event in events(client, workflow, asked, input_of=input_of)]
    assert all(EventEncoder().encode(event).startswith("data: {") for event in told)
    assert told[0].type == EventType.RUN_STARTED
    return told[1:]


def text(told: list[Any]) -> list[str]:
    """Return the messages that came."""
    ids = [one.message_id for one in told if one.type == EventType.TEXT_MESSAGE_START]
    assert ids == [one.message_id for one in told if one.type == EventType.TEXT_MESSAGE_END]
    deltas = [one for one in told if one.type == EventType.TEXT_MESSAGE_CONTENT]
    return ["".join(one.delta for one in deltas if one.message_id == id_) for id_ in ids]


def interrupts(told: list[Any]) -> list[Any]:
    assert told[-1].type == EventType.RUN_FINISHED
    assert told[-1].outcome.type == "interrupt"
    return list(told[-1].outcome.interrupts)


def resolved(interrupt: Any, payload: Any) -> ResumeEntry:
    return ResumeEntry(interrupt_id=interrupt.id, status="resolved", payload=payload)


async def test_a_run_is_started_interrupted_and_taken_to_its_end() -> None:
    async with serving() as (host, client):
        told = await turn(client, "r1")
        assert text(told) == ["You said: write mails "]
        calls = [one for one in told if one.type == EventType.TOOL_CALL_ARGS]
        assert [(one.tool_call_id, one.delta) for one in calls] == [
            ("ann", '{"to":"ann","text":"Hi"}'),
            ("bob", '{"to":"bob","text":"Hi"}'),
        ]
        first, second = interrupts(told)
        assert (first.reason, first.tool_call_id) == ("tool_call", "ann")
        properties = first.response_schema["properties"]
        assert properties["action"] == {"enum": ["approve", "edit", "reject", "respond"]}
        assert properties["editedArgs"]["properties"].keys() == {"to", "text"}
        assert first.response_schema["anyOf"] == [{"required": ["action"]}, {"required": ["approved"]}]

        again = await turn(client, "r1")
        assert text(again) == text(told), "the same post again starts nothing, and tells the same"

        other = interrupts(await turn(client, "r2", resolved(first, {"approved": True})))
        assert [one.tool_call_id for one in other] == ["bob"]
        edited = {"approved": True, "editedArgs": {"to": "cat", "text": "Ho"}}
        told = await turn(client, "r3", resolved(other[0], edited))
        assert text(told) == ["Done. "], "what the page has been told it is not told again"
        assert told[-1].outcome is None
        assert told[-1].result == ["ann", "cat"]
        assert second.id == other[0].id, "an interrupt is called the same for as long as nothing has changed"
        answered = [one for one in await host.engine.runs.history("r1") if one["type"] == "input.answered"]
        assert [one["by"]["id"] for one in answered] == ["user:alice", "user:alice"]


def call(id_: str, arguments: str) -> ToolCall:
    return ToolCall(id=id_, type="function", function=FunctionCall(name="send_mail", arguments=arguments))


ANN, BOB = '{"to":"ann","text":"Hi"}', '{"to":"bob","text":"Hi"}'


@pytest.mark.parametrize(
    ("content", "has", "rest", "arguments"),
    [
        ("", [], "You said: (earlier) write mails ", [("ann", ANN), ("bob", BOB)]),
        ("You said: (ear", [], "lier) write mails ", [("ann", ANN), ("bob", BOB)]),
        ("You said: (earlier) write mails ", [], "", [("ann", ANN), ("bob", BOB)]),
        ("You said: (earlier) write mails ", [call("ann", "")], "", [("ann", ANN), ("bob", BOB)]),
        ("You said: (earlier) write mails ", [call("ann", ANN)], "", [("bob", BOB)]),
    ],
)
async def test_a_page_that_posts_again_is_told_what_it_does_not_have(
    content: str, has: list[ToolCall], rest: str, arguments: list[tuple[str, str]]
) -> None:
    def all_said(asked: RunAgentInput) -> str:
        said = [last_text(asked) if one.role == "user" else str(one.content) for one in asked.messages]
        return " ".join(reversed(said))

    earlier = AssistantMessage(id="r0/1", role="assistant", content="(earlier)")
    partly = AssistantMessage(id="r1/1", role="assistant", content=content, tool_calls=has)
    async with serving() as (_, client):
        whole = await turn(client, "r1", has=[earlier], input_of=all_said)
        told = await turn(client, "r1", has=[earlier, partly], input_of=all_said)
    assert text(whole) == ["You said: (earlier) write mails "]
    assert text(told) == [rest]
    calls = [one for one in told if one.type == EventType.TOOL_CALL_ARGS]
    assert [(one.tool_call_id, one.delta) for one in calls] == arguments
    starts = [one for one in told if one.type == EventType.TOOL_CALL_START]
    assert [(one.tool_call_id, one.parent_message_id) for one in starts] == [("ann", "r1/1"), ("bob", "r1/1")]
    assert interrupts(told) == interrupts(whole)


async def test_a_tool_call_that_an_earlier_run_told_of_is_not_told_again() -> None:
    async with serving() as (_, client):
        first, _ = interrupts(await turn(client, "r1"))
        has = AssistantMessage(id="r1/1", role="assistant", tool_calls=[call("ann", ANN), call("bob", BOB)])
        told = await turn(client, "r2", resolved(first, {"approved": True}), has=[has])
        assert [one.type for one in told] == [EventType.RUN_FINISHED]
        assert [one.tool_call_id for one in interrupts(told)] == ["bob"]


async def test_what_is_refused_or_left_to_others() -> None:
    async with serving() as (_, client):
        first, second = interrupts(await turn(client, "r1"))
        left = ResumeEntry(interrupt_id=second.id, status="cancelled")
        [bob] = interrupts(await turn(client, "r2", resolved(first, {"approved": False, "reason": "no"}), left))
        told = await turn(client, "r3", resolved(bob, {"action": "reject", "value": "no"}))
        assert told[-1].result == ["nobody", "nobody"]
        told = await turn(client, "r4", resolved(bob, {"action": "approve"}))
        assert told[-1].result == ["nobody", "nobody"], "too late: it is told what came of it"


async def test_an_answer_to_what_has_changed_since_is_none() -> None:
    async with serving() as (host, client):
        [before] = interrupts(await turn(client, "r1", workflow="asks"))
        await client.send("r1", "news", id="e1")
        async with asyncio.timeout(20):
            while (await host.engine.inputs.get("r1", "sure:0"))["revision"] == 0:
                await asyncio.sleep(0.01)
        [now] = interrupts(await turn(client, "r2", resolved(before, {"action": "submit", "value": True})))
        assert now.id != before.id
        assert now.metadata["signoff"]["show"] == {"news": True}
        told = await turn(client, "r3", resolved(now, {"action": "submit", "value": True}))
        assert told[-1].outcome is None


async def test_each_attempt_says_its_own_and_a_failure_is_told() -> None:
    async with serving() as (_, client):
        told = await turn(client, "r1", workflow="fails")
        assert text(told) == ["1 ", "2 "]
        assert text(await turn(client, "r1", workflow="fails")) == ["1 ", "2 "], "also read at once"
        assert told[-1].type == EventType.RUN_ERROR
        assert told[-1].code == "runtime_error"
        assert "broken" not in told[-1].message, "what code says when it breaks is for operators"


async def test_the_guide_s_server_speaks_ag_ui_over_http() -> None:
    source = blocks("docs/guide/agents-ag-ui.md")[0]
    async with serving() as (host, _):
        space: dict[str, Any] = {"__name__": "guide"}
        exec(compile(source.replace("http://127.0.0.1:4437", host.url), "guide", "exec", dont_inherit=True), space)
        transport = httpx.ASGITransport(space["app"])
        async with httpx.AsyncClient(transport=transport, base_url="http://host") as page, asyncio.timeout(30):
            posted = {"threadId": "t", "runId": "r1", "messages": [{"id": "m", "role": "user", "content": "write"}]}
            reply = await page.post("/agent", json=posted, headers={"authorization": f"Bearer {ALICE}"})
        assert reply.headers["content-type"].startswith("text/event-stream")
        told = [json.loads(one.removeprefix("data: ")) for one in reply.text.strip().split("\n\n")]
        assert [one["type"] for one in told][:: len(told) - 1] == ["RUN_STARTED", "RUN_FINISHED"]
        assert [one["reason"] for one in told[-1]["outcome"]["interrupts"]] == ["tool_call", "tool_call"]


@pytest.mark.parametrize(
    ("resume", "code"),
    [
        (ResumeEntry(interrupt_id="nonsense", status="resolved", payload={"approved": True}), "bad_request"),
        (ResumeEntry(interrupt_id="5b315d", status="resolved", payload={"approved": True}), "bad_request"),
        (None, "run_conflict"),
    ],
)
async def test_nonsense_is_refused(resume: ResumeEntry | None, code: str) -> None:
    async with serving() as (_, client):
        [one, _] = interrupts(await turn(client, "r1"))
        told = await turn(client, "r1", *([resume] if resume else []), workflow="asks")
        assert (told[-1].type, told[-1].code) == (EventType.RUN_ERROR, code)
        told = await turn(client, "r5", resolved(one, "yes"))
        assert (told[-1].type, told[-1].code) == (EventType.RUN_ERROR, "bad_request")
        assert interrupts(await turn(client, "r1"))[0].id == one.id
