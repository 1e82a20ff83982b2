"""Agents that speak MCP ask people, through the ends of every process in between."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp.types import CallToolResult, TextContent

from mcp import Client, MCPError, StdioServerParameters
from signoff import tokens
from signoff.cli.command import run as command
from signoff.client import SignoffClient
from tests.cli.commands import children, environment, run, running
from tests.server.api.test_answer_links import Page
from tests.service.notify.test_notifier import until

FLOW = """
from signoff import App, Context
from signoff.mcp import asks

app = App()
app.include(asks)

@app.workflow(expose=["output"])
async def double(ctx: Context, number: int) -> int:
    return 2 * number

@app.workflow
async def hidden(ctx: Context) -> int:
    return 7

@app.workflow
async def fails(ctx: Context) -> None:
    raise ValueError("no such account")
"""

ERAS = ["legacy", "auto"]
DECISION = {
    "type": "object",
    "properties": {"amount": {"type": "integer", "minimum": 1}, "note": {"type": "string"}},
    "required": ["amount"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flow.py").write_text(FLOW)
    return tmp_path


@asynccontextmanager
async def agent(folder: Path, *arguments: str, era: str = "auto", **variables: str) -> AsyncIterator[Client]:
    """Start `signoff mcp` as an agent's program does, and speak to it."""
    given = StdioServerParameters(
        command=sys.executable,
        args=["-m", "signoff.cli", "mcp", *arguments],
        env=environment(**variables),
        cwd=folder,
    )
    async with Client(given, mode=era) as client:
        yield client


def read(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, result.content
    assert result.structured_content is not None
    found: dict[str, Any] = result.structured_content
    return found


def told(result: CallToolResult) -> str:
    """Return what a model reads of a call that failed."""
    assert result.is_error
    [content] = result.content
    assert isinstance(content, TextContent)
    return content.text


async def answer(url: str, run_id: str, value: Any = None, action: str = "submit") -> None:
    async with SignoffClient(url) as people:
        row = (await people.input(run_id, "answer:0"))["input"]
        await people.answer(
            run_id,
            "answer:0",
            submission_id=uuid.uuid4().hex,
            action=action,
            value=value,
            seen_offset=row["revised"],
        )


async def asked(url: str, run_id: str) -> dict[str, Any]:
    """Wait until people are asked; return the row of the request."""
    rows: list[dict[str, Any]] = []
    async with SignoffClient(url) as people:
        async for batch in people.tail(f"runs/{run_id}"):
            rows += [one["value"] for one in batch.messages if one.get("type") == "input" and "value" in one]
            if rows:
                break
    return rows[-1]


def servers() -> set[int]:
    """Return the MCP servers that this process has started."""
    return {one for one in children(os.getpid()) if b"\0mcp\0" in Path(f"/proc/{one}/cmdline").read_bytes()}


@pytest.mark.parametrize("era", ERAS)
async def test_an_agent_asks_and_gets_the_answer(folder: Path, era: str) -> None:
    with running(folder, "dev", "flow:app", "--port", "0") as dev:
        async with agent(folder, "--to", "group:finance", era=era, SIGNOFF_SERVER=dev.url) as client:
            names = [tool.name for tool in (await client.list_tools()).tools]
            assert names == ["start_run", "ask_human", "get_answer"]
            given = {"title": "How much?", "schema": DECISION, "actions": ["approve", "reject"], "request_id": "q1"}
            handle = read(await client.call_tool("ask_human", given))
            assert handle == {"run_id": "q1", "url": f"{dev.url}/v1/runs/q1"}
            assert read(await client.call_tool("ask_human", given)) == handle

            row = await asked(dev.url, "q1")
            assert (row["title"], row["audience"], row["actions"]) == (
                "How much?",
                ["group:finance"],
                ["approve", "reject"],
            )
            assert row["schema"]["properties"] == DECISION["properties"]
            found = read(await client.call_tool("get_answer", {"run_id": "q1", "wait_s": 0}))
            assert not found["done"]
            assert found["waiting_for"] == [{"key": "answer:0", "title": "How much?", "to": ["group:finance"]}]

            await answer(dev.url, "q1", {"amount": 7}, "approve")
            found = read(await client.call_tool("get_answer", {"run_id": "q1", "wait_s": 30}))
            assert (found["done"], found["status"]) == (True, "completed")
            told_of = found["answer"]
            assert (told_of["outcome"], told_of["action"], told_of["value"]) == ("answered", "approve", {"amount": 7})


async def test_both_processes_are_killed_while_two_questions_are_pending(folder: Path) -> None:
    gates = {
        key: {"title": f"Pay {key}?", "schema": DECISION, "actions": ["approve", "edit", "reject"], "request_id": key}
        for key in ("q1", "q2")
    }
    with running(folder, "dev", "flow:app", "--port", "0") as dev:
        url, port = dev.url, dev.url.rpartition(":")[2]
        async with agent(folder, "--to", "user:alice", "--server", url) as client:
            for key, given in gates.items():
                read(await client.call_tool("ask_human", given))
                await asked(url, key)
            waiting = asyncio.create_task(client.call_tool("get_answer", {"run_id": "q1", "wait_s": 50}))
            read(await client.call_tool("get_answer", {"run_id": "q1", "wait_s": 0}))  # so it has the other one, too
            dev.stop(signal.SIGKILL)
            [server] = servers()
            os.kill(server, signal.SIGKILL)
            with pytest.raises(MCPError, match="closed"):
                await waiting
    async with agent(folder, "--server", url) as client:
        with running(folder, "dev", "flow:app", "--port", port):
            for key, given in gates.items():
                again = {**given, "to": ["user:alice"]}
                assert read(await client.call_tool("ask_human", again))["run_id"] == key
            await answer(url, "q1", {"amount": 7}, "edit")
            await answer(url, "q2", action="reject")
            found = [
                read(await client.call_tool("get_answer", {"run_id": key, "wait_s": 50}))["answer"] for key in gates
            ]
            async with SignoffClient(url) as people:
                assert len((await people.list())["runs"]) == 2, "nobody was asked twice"
    assert [(one["action"], one["value"]) for one in found] == [("edit", {"amount": 7}), ("reject", None)]


async def test_a_link_decides_where_one_person_is_asked_and_links_are_wanted(folder: Path) -> None:
    secret = {"SIGNOFF_SECRET": "s" * 32}
    grants = ("run:start:*", "run:read:*", "run:link:*")
    token = tokens.mint(b"s" * 32, "agent", grants=grants)
    with running(folder, "dev", "flow:app", "--port", "0", **secret) as dev:
        async with agent(folder, "--links", "--server", dev.url, SIGNOFF_TOKEN=token) as client:
            several = {"title": "Go on?", "to": ["user:alice", "user:bora"], "request_id": "q0"}
            assert read(await client.call_tool("ask_human", several))["url"] == f"{dev.url}/v1/runs/q0"
            one = {**several, "to": ["user:alice", "group:finance"], "request_id": "q1", "actions": ["yes", "no"]}
            url = read(await client.call_tool("ask_human", one))["url"]
            [question] = await until(lambda: open_questions(client, "q1"))
            assert question["url"].startswith(f"{dev.url}/v1/answer/")
            async with httpx.AsyncClient(trust_env=False) as person:
                page = await person.get(url)
                assert page.status_code == 200
                done = await person.post(url, data=Page(page.text).hidden() | {"action": "yes"})
                assert done.status_code == 200
            found = read(await client.call_tool("get_answer", {"run_id": "q1", "wait_s": 30}))
            assert (found["answer"]["by"], found["answer"]["action"]) == ("user:alice", "yes")


async def open_questions(client: Client, run_id: str) -> list[Any]:
    found: list[Any] = read(await client.call_tool("get_answer", {"run_id": run_id, "wait_s": 0}))["waiting_for"]
    return found


def test_links_are_the_servers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["mcp", "--links", "--store", f"sqlite:///{tmp_path}/x.db"]) == 2
    assert "the server signs them" in capsys.readouterr().err


async def test_a_wait_outlives_the_server_it_asks(folder: Path) -> None:
    with running(folder, "dev", "flow:app", "--port", "0") as dev:
        url, port = dev.url, dev.url.rpartition(":")[2]
        async with agent(folder, "--server", url) as client:
            read(await client.call_tool("ask_human", {"title": "Go on?", "request_id": "q1"}))
            await asked(url, "q1")
            dev.stop(signal.SIGKILL)
            gone = await client.call_tool("get_answer", {"run_id": "q1", "wait_s": 0.1})
            assert "No Signoff server answers" in told(gone)
            with running(folder, "dev", "flow:app", "--port", port):
                await answer(url, "q1", "yes")
                found = read(await client.call_tool("get_answer", {"run_id": "q1", "wait_s": 50}))
    assert found["answer"]["value"] == "yes"


async def test_runs_are_started_and_their_ends_told(folder: Path) -> None:
    with running(folder, "dev", "flow:app", "--port", "0") as dev:
        page = "https://app.example/#{run_id}"
        async with agent(folder, "--server", dev.url, "--run-url", page) as client:
            started = await client.call_tool("start_run", {"workflow": "double", "input": 21, "request_id": "d1"})
            assert read(started) == {"run_id": "d1", "url": "https://app.example/#d1"}
            assert read(await client.call_tool("get_answer", {"run_id": "d1"}))["answer"] == 42

            nobodys = await client.call_tool("start_run", {"workflow": "none"})
            assert "There is no workflow 'none' here; nothing was started." in told(nobodys)
            other = await client.call_tool("start_run", {"workflow": "double", "input": 22, "request_id": "d1"})
            assert "d1" in told(other)
            wrong = await client.call_tool("start_run", {"workflow": "double", "input": "much"})
            assert "integer" in told(wrong)
            assert "no run" in told(await client.call_tool("get_answer", {"run_id": "nobody", "wait_s": 0})).lower()
            await client.call_tool("start_run", {"workflow": "fails", "request_id": "f1"})
            failed = await client.call_tool("get_answer", {"run_id": "f1"})
            assert "There will be no answer: the run has failed" in told(failed)


async def test_what_cannot_be_asked_asks_nobody(folder: Path) -> None:
    with running(folder, "dev", "flow:app", "--port", "0") as dev:
        async with agent(folder, "--server", dev.url) as client:
            for given in ({"schema": {"type": "money"}}, {"deadline": "soon"}, {"title": ""}, {"to": ["alice"]}):
                refused = await client.call_tool("ask_human", {"title": "Go on?", "request_id": "q1", **given})
                assert "Nobody was asked: " in told(refused), given
        async with SignoffClient(dev.url) as people:
            assert (await people.list())["runs"] == []


async def test_a_question_ends_without_an_answer(folder: Path) -> None:
    with running(folder, "dev", "flow:app", "--port", "0") as dev:
        async with agent(folder, "--server", dev.url) as client:
            await client.call_tool("ask_human", {"title": "Now?", "deadline": "10ms", "request_id": "q1"})
            await client.call_tool("ask_human", {"title": "Later?", "actions": ["yes", "no"], "request_id": "q2"})
            await asked(dev.url, "q2")
            async with SignoffClient(dev.url) as people:
                await people.act_on("withdraw", "q2", "answer:0", reason="asked by mistake")
            late = read(await client.call_tool("get_answer", {"run_id": "q1"}))["answer"]
            back = read(await client.call_tool("get_answer", {"run_id": "q2"}))["answer"]
    assert late["outcome"] == "expired"
    assert (back["outcome"], back["value"]) == ("withdrawn", "The request answer:0 was withdrawn: asked by mistake.")


async def test_on_a_store_it_works_on_its_questions_itself(folder: Path) -> None:
    store = f"sqlite:///{folder}/asks.db"
    async with agent(folder, "--store", store, "--run-url", "http://here/{run_id}") as client:
        await client.call_tool("ask_human", {"title": "Ship?", "actions": ["yes", "no"], "request_id": "q1"})
        with running(folder, "server", "--store", store, "--port", "0") as server:
            await asked(server.url, "q1")
            await answer(server.url, "q1", action="yes")
        found = read(await client.call_tool("get_answer", {"run_id": "q1", "wait_s": 30}))
    assert (found["answer"]["action"], found["url"]) == ("yes", "http://here/q1")


async def test_it_is_served_over_http_too(folder: Path) -> None:
    with (
        running(folder, "dev", "flow:app", "--port", "0") as dev,
        running(folder, "mcp", "--server", dev.url, "--http", "0") as mcp,
    ):
        async with Client(mcp.url) as client:
            await client.call_tool("start_run", {"workflow": "double", "input": 4, "request_id": "d1"})
            assert read(await client.call_tool("get_answer", {"run_id": "d1"}))["answer"] == 8


def test_without_the_package_it_says_what_to_install(folder: Path) -> None:
    (folder / "mcp.py").write_text("raise ModuleNotFoundError('No module named mcp', name='mcp')")
    done = run(folder, "mcp", PYTHONPATH=f"{folder}:{os.environ.get('PYTHONPATH', '')}")
    assert (done.returncode, done.stderr) == (
        2,
        "signoff: `signoff mcp` needs 'mcp'. Install it: pip install 'signoff[mcp]'\n",
    )
