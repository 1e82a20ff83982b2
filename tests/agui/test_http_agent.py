"""`HttpAgent` of @ag-ui/client, in Node, starts runs, answers what they ask, and tries again after lost connections.

Its server is the guide's. What is asserted is what the client has at the end: its messages, interrupts and outcome.
"""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from signoff import App, Approved, Context, Edited, Rejected, current_step
from signoff.client import SignoffClient
from signoff.runtime.worker import Worker
from signoff.service.kinds import RunFilter
from tests.docs.test_snippets import blocks
from tests.server.hosting import KEYED, Host, bearer, hosting

HERE = Path(__file__).parent
GRANTS = ("run:start:*", "run:read:*", "event:send:*")
ALICE, BOB = (
    bearer(name, *GRANTS, groups=("support",))["authorization"].removeprefix("Bearer ") for name in ("alice", "bob")
)
APPROVED = {"approved": True}
ANN = {"to": "ann", "text": "Hi"}


class Mail(BaseModel):
    to: str
    text: str


async def say(words: str) -> None:
    async with current_step().output("tokens", keep_open=True) as out:
        for word in words.split():
            await out.write(f"{word} ")


async def say_after_a_failure() -> None:
    async with current_step().output("tokens", keep_open=True) as out:
        await out.write(f"Attempt {current_step().attempt} ")
        await out.flush()
    if current_step().attempt == 1:
        raise ConnectionError("the model is gone")


def app(sent: list[Mail]) -> App:
    app = App()

    async def send(mail: Mail) -> str:
        sent.append(mail)
        return f"sent to {mail.to}"

    async def mail(ctx: Context, to: str) -> str:
        wanted = Mail(to=to, text="Hi")
        decided = await ctx.approve_tool("send_mail", wanted, args_type=Mail, to=["group:support"], tool_call_id=to)
        match decided:
            case Approved(args=args) | Edited(args=args):
                return await ctx.step("send", send, args)
            case Rejected(reason=reason):
                return f"not sent: {reason}"
        return "not sent"

    @app.workflow(expose=("output",))
    async def agent(ctx: Context, prompt: str) -> list[str]:
        await ctx.step("say", say, f"You said: {prompt}")
        came: list[str] = []
        match prompt.split():
            case ["mail", *to]:
                came = list(await asyncio.gather(*(mail(ctx, one) for one in to)))
            case ["ask"]:
                amount = await ctx.await_input("amount", int, title="How many?", to=["group:support"], deadline="1h")
                came = [f"{amount.value} of them"]
            case ["sure"]:
                request = ctx.await_input("sure", bool, title="Sure?", to=["group:support"])
                await ctx.await_event("news")
                await request.revise(title="Sure, after the news?")
                came = [str((await request).value)]
            case ["break"]:
                raise RuntimeError("broken")
            case ["flaky"]:
                await ctx.step("again", say_after_a_failure)
        await ctx.step("say", say, "Done.")
        return came

    return app


@dataclass
class Page:
    """A page in Node, over the guide's server."""

    node: Process
    host: Host
    sent: list[Mail]

    async def post(self, **post: Any) -> dict[str, Any]:
        """Have the client post, and return what it has once that is over."""
        assert self.node.stdin is not None
        assert self.node.stdout is not None
        self.node.stdin.write(json.dumps(post).encode() + b"\n")
        async with asyncio.timeout(30):
            line = await self.node.stdout.readline()
        told: dict[str, Any] = json.loads(line)
        return told


@asynccontextmanager
async def guide(host: Host) -> AsyncIterator[str]:
    """Serve what the guide shows, and return where."""
    space: dict[str, Any] = {"__name__": "guide"}
    source = blocks("docs/guide/agents-ag-ui.md")[0].replace("http://127.0.0.1:4437", host.url)
    exec(compile(source, "guide", "exec", dont_inherit=True), space)
    server = uvicorn.Server(uvicorn.Config(space["app"], port=0, lifespan="off", log_config=None))
    serving = asyncio.create_task(server._serve())
    try:
        async with asyncio.timeout(10):
            while not server.started:
                await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/agent"
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def opened() -> AsyncIterator[Page]:
    sent: list[Mail] = []
    async with hosting(config=KEYED) as host, guide(host) as url:
        worker = Worker(app(sent), host.engine)
        working = asyncio.create_task(worker.run())
        command = ("node", "page.js", url, ALICE)
        node = await asyncio.create_subprocess_exec(*command, cwd=HERE, stdin=PIPE, stdout=PIPE, limit=1 << 20)
        try:
            yield Page(node, host, sent)
        finally:
            node.terminate()
            await node.wait()
            await worker.drain()
            await working


def answers(told: dict[str, Any], *payloads: Any) -> list[dict[str, Any]]:
    """Return what answers the interrupts that the client has, in order; None leaves one to others."""
    said = [{"status": "resolved", "payload": one} if one else {"status": "cancelled"} for one in payloads]
    return [{"interruptId": one["id"], **entry} for one, entry in zip(told["interrupts"], said, strict=True)]


def fine(told: dict[str, Any], outcome: str) -> dict[str, Any]:
    """Check that the client refused nothing, took nothing away from what came, and saw the run end so."""
    assert (told.get("refused"), told["seen"]["failed"], told["seen"]["error"]) == (None, None, None)
    assert told["complaints"] == []
    assert told["seen"]["outcome"] == outcome
    assert (told["interrupts"] != []) == (outcome == "interrupt")
    return told


def chat(told: dict[str, Any]) -> list[tuple[str, str, list[tuple[str, Any]]]]:
    """Return the messages that the client has: who, what, and which tools are called how."""
    return [
        (
            one["role"],
            one.get("content", ""),
            [(call["id"], json.loads(call["function"]["arguments"])) for call in one.get("toolCalls", ())],
        )
        for one in told["messages"]
    ]


async def recorded(page: Page, run_id: str = "r1") -> list[tuple[str, str]]:
    """Return who has answered with which action, as the journal has it."""
    history = await page.host.engine.runs.history(run_id)
    return [(one["by"]["id"], one["action"]) for one in history if one["type"] == "input.answered"]


async def test_text_that_a_step_writes_becomes_one_message_as_it_comes() -> None:
    async with opened() as page:
        told = fine(await page.post(say="hello you", runId="r1"), "success")
        assert chat(told) == [("user", "hello you", []), ("assistant", "You said: hello you Done. ", [])]
        assert told["seen"]["shown"][:4] == ["", "You ", "You said: ", "You said: hello "]
        assert told["seen"]["messages"] == ["You said: hello you Done. "]
        assert told["result"] == []
        told = fine(await page.post(say="hello again"), "success")
        assert [said for _, said, _ in chat(told)][2:] == ["hello again", "You said: hello again Done. "]


@pytest.mark.parametrize(
    ("payload", "action", "sent", "came"),
    [
        ({"approved": True}, "approve", [("ann", "Hi")], "sent to ann"),
        ({"approved": True, "editedArgs": {"to": "cat", "text": "Ho"}}, "edit", [("cat", "Ho")], "sent to cat"),
        ({"approved": False, "reason": "Not her."}, "reject", [], "not sent: Not her."),
        ({"action": "edit", "value": {"to": "cat", "text": "Ho"}}, "edit", [("cat", "Ho")], "sent to cat"),
    ],
)
async def test_a_tool_that_people_decide_about(
    payload: Any, action: str, sent: list[tuple[str, str]], came: str
) -> None:
    async with opened() as page:
        told = fine(await page.post(say="mail ann", runId="r1"), "interrupt")
        proposed = [("user", "mail ann", []), ("assistant", "You said: mail ann ", [("ann", ANN)])]
        assert chat(told) == proposed
        assert told["seen"]["calls"] == [{"name": "send_mail", "arguments": json.dumps(ANN, separators=(",", ":"))}]
        [interrupt] = told["interrupts"]
        assert (interrupt["reason"], interrupt["toolCallId"]) == ("tool_call", "ann")
        assert interrupt["message"] == "Run send_mail?"
        assert Draft202012Validator(interrupt["responseSchema"]).is_valid(payload)
        assert not Draft202012Validator(interrupt["responseSchema"]).is_valid({"reason": "No."})
        assert interrupt["responseSchema"]["properties"]["editedArgs"]["required"] == ["to", "text"], "it may be edited"
        assert page.sent == []

        told = fine(await page.post(runId="r2", resume=answers(told, payload)), "success")
        assert chat(told) == [*proposed, ("assistant", "Done. ", [])]
        assert told["result"] == [came]
        assert [(mail.to, mail.text) for mail in page.sent] == sent
        assert await recorded(page) == [("user:alice", action)]


async def test_several_tools_are_decided_at_once_or_left_to_others() -> None:
    async with opened() as page:
        told = fine(await page.post(say="mail ann bob", runId="r1"), "interrupt")
        proposed = chat(told)
        assert proposed[1:] == [("assistant", "You said: mail ann bob ", [("ann", ANN), ("bob", {**ANN, "to": "bob"})])]

        partly = await page.post(runId="r2", resume=answers(told, APPROVED, None)[:1])
        assert "not addressed by resume" in partly["refused"], "what the client itself wants: an entry for each"

        told = fine(await page.post(runId="r2", resume=answers(told, APPROVED, None)), "interrupt")
        assert [one["toolCallId"] for one in told["interrupts"]] == ["bob"]
        assert chat(told) == proposed, "what it has been told it is not told again"
        told = fine(await page.post(runId="r3", resume=answers(told, APPROVED)), "success")
        assert told["result"] == ["sent to ann", "sent to bob"]
        assert sorted(mail.to for mail in page.sent) == ["ann", "bob"]


async def test_a_request_that_is_no_tool_takes_an_action_and_a_value() -> None:
    async with opened() as page:
        told = fine(await page.post(say="ask", runId="r1"), "interrupt")
        [interrupt] = told["interrupts"]
        assert (interrupt["reason"], interrupt["message"]) == ("input_required", "How many?")
        assert interrupt["responseSchema"]["properties"]["action"] == {"enum": ["submit"]}
        assert interrupt["responseSchema"]["properties"]["value"]["type"] == "integer"
        assert interrupt["metadata"]["signoff"]["id"] == "amount:0"
        assert told["expired"] == [False], "the client can read until when it can be answered"

        wrong = await page.post(runId="r2", resume=answers(told, {"action": "submit", "value": "many"}))
        assert wrong["seen"]["error"]["code"] == "invalid_answer"
        assert wrong["interrupts"] == told["interrupts"], "it can be answered again"

        told = fine(await page.post(runId="r3", resume=answers(wrong, {"action": "submit", "value": 3})), "success")
        assert told["result"] == ["3 of them"]
        assert [said for _, said, _ in chat(told)] == ["ask", "You said: ask ", "Done. "]
        assert await recorded(page) == [("user:alice", "submit")]


async def test_what_was_decided_elsewhere_is_not_decided_again() -> None:
    async with opened() as page:
        told = fine(await page.post(say="mail ann bob", runId="r1"), "interrupt")
        ann, bob = (one["metadata"]["signoff"] for one in told["interrupts"])
        async with SignoffClient(page.host.url, token=BOB) as other:

            async def reject(row: Any) -> None:
                said: Any = {"submission_id": f"no-{row['id']}", "seen_offset": row["revised"]}
                await other.answer("r1", row["id"], action="reject", value="Not today.", **said)

            await reject(ann)
            told = fine(await page.post(runId="r2", resume=answers(told, APPROVED, None)), "interrupt")
            assert [one["toolCallId"] for one in told["interrupts"]] == ["bob"], "what is left to decide"
            await reject(bob)
        told = fine(await page.post(runId="r3", resume=answers(told, APPROVED)), "success")
        assert told["result"] == ["not sent: Not today.", "not sent: Not today."]
        assert chat(told)[-1] == ("assistant", "Done. ", [])
        assert page.sent == []
        assert await recorded(page) == [("user:bob", "reject"), ("user:bob", "reject")]


async def test_what_has_changed_since_comes_as_another_interrupt() -> None:
    async with opened() as page:
        before = fine(await page.post(say="sure", runId="r1"), "interrupt")
        async with SignoffClient(page.host.url, token=BOB) as other, asyncio.timeout(20):
            await other.send("r1", "news", id="e1")
            while (await page.host.engine.inputs.get("r1", "sure:0"))["revision"] == 0:
                await asyncio.sleep(0.01)
        yes = {"action": "submit", "value": True}
        now = fine(await page.post(runId="r2", resume=answers(before, yes)), "interrupt")
        assert [one["message"] for one in now["interrupts"]] == ["Sure, after the news?"]
        assert await recorded(page) == []
        told = fine(await page.post(runId="r3", resume=answers(now, yes)), "success")
        assert told["result"] == ["True"]
        assert await recorded(page) == [("user:alice", "submit")]


@pytest.mark.parametrize(
    ("kind", "after"),
    [
        ("RUN_STARTED", 1),
        ("TEXT_MESSAGE_START", 1),
        ("TEXT_MESSAGE_CONTENT", 2),
        ("TEXT_MESSAGE_END", 1),
        ("TOOL_CALL_START", 1),
        ("TOOL_CALL_ARGS", 1),
        ("TOOL_CALL_END", 2),
    ],
)
async def test_a_page_that_lost_its_connection_posts_again_and_has_the_same(kind: str, after: int) -> None:
    async with opened() as page:
        lost = await page.post(say="mail ann bob", runId="r1", cut={"type": kind, "after": after})
        assert lost["refused"] == "TypeError: terminated"
        assert lost["seen"]["events"].count(kind) == after
        told = fine(await page.post(runId="r1"), "interrupt")
        whole = fine(await page.post(fresh=True, say="mail ann bob", runId="r1"), "interrupt")
        assert told["messages"] == whole["messages"], "as a page that has lost nothing"
        assert told["interrupts"] == whole["interrupts"]
        assert chat(told)[1:] == [
            ("assistant", "You said: mail ann bob ", [("ann", ANN), ("bob", {**ANN, "to": "bob"})])
        ]
        [run] = (await page.host.engine.runs.list(RunFilter(), 10)).items
        assert run["id"] == "r1"


async def test_another_attempt_of_a_step_is_another_message_also_after_a_lost_connection() -> None:
    async with opened() as page:
        await page.post(say="flaky", runId="r1", cut={"type": "TEXT_MESSAGE_START", "after": 2})
        told = fine(await page.post(runId="r1"), "success")
        assert [said for _, said, _ in chat(told)] == ["flaky", "You said: flaky Attempt 1 ", "Attempt 2 Done. "]


@pytest.mark.parametrize(("kind", "after"), [("RUN_STARTED", 1), ("TEXT_MESSAGE_CONTENT", 1), ("TEXT_MESSAGE_END", 1)])
async def test_an_answer_that_is_posted_again_is_one_answer(kind: str, after: int) -> None:
    async with opened() as page:
        told = fine(await page.post(say="mail ann", runId="r1"), "interrupt")
        resume = answers(told, APPROVED)
        lost = await page.post(runId="r2", resume=resume, cut={"type": kind, "after": after})
        assert lost["refused"] == "TypeError: terminated"
        assert lost["interrupts"] == told["interrupts"], "the client does not know what came of it"
        told = fine(await page.post(runId="r2", resume=resume), "success")
        assert [said for _, said, _ in chat(told)] == ["mail ann", "You said: mail ann ", "Done. "]
        assert told["result"] == ["sent to ann"]
        assert len(page.sent) == 1
        assert await recorded(page) == [("user:alice", "approve")]


async def test_a_run_that_fails_or_is_ended_by_others_is_told_so() -> None:
    async with opened() as page:
        told = await page.post(say="break", runId="r1")
        assert told["seen"]["error"]["code"] == "runtime_error"
        assert told["seen"]["events"][-1] == "RUN_ERROR"
        assert chat(told)[1] == ("assistant", "You said: break ", [])

        told = fine(await page.post(say="mail ann", runId="r2"), "interrupt")
        reply = await page.host.post("/v1/runs/r2/terminate", {}, **bearer("boss", "operator"))
        assert reply.status_code == 200
        told = fine(await page.post(runId="r3", resume=answers(told, APPROVED)), "cancelled")
        assert page.sent == []
