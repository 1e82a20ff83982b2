"""`signoff withdraw RUN KEY`, and what else may be done to a request."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from signoff.cli.request_verbs import COMMANDS
from signoff.service.inputs import REQUEST_VERBS
from tests.cli.commands import FLOW, Running, run, running

TWO = """
from asyncio import gather

@app.workflow
async def two(ctx: Context) -> None:
    await gather(*(ctx.await_input("ok", bool, title="Fine?", to=[f"user:{who}"]) for who in ("alice", "bora")))

@app.workflow
async def agent(ctx: Context) -> None:
    for _ in range(2):
        await ctx.approve_tool("send", {"to": "a"}, remember=["run", "tool"])
    await ctx.approve_tool("ask", {})
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an application."""
    folder = tmp_path_factory.mktemp("app")
    (folder / "flow.py").write_text(FLOW + TWO)
    return folder


@pytest.fixture(scope="module")
def dev(folder: Path) -> Iterator[Running]:
    """`signoff dev` on a free port."""
    with running(folder, "dev", "flow:app", "--port", "0", "--data", "data") as process:
        yield process


def _asks(folder: Path, dev: Running, workflow: str, run_id: str, value: str = "null") -> None:
    """Start a run and wait until it asks."""
    assert run(folder, "start", workflow, "--input", value, "--run-id", run_id, SIGNOFF_SERVER=dev.url).returncode == 0
    deadline = time.monotonic() + 30
    while httpx.get(f"{dev.url}/v1/runs/{run_id}", trust_env=False).json()["run"]["status"] != "waiting":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_each_verb_has_a_command() -> None:
    assert COMMANDS.keys() == REQUEST_VERBS.keys()


def test_the_one_request_that_is_pending_need_not_be_named(folder: Path, dev: Running) -> None:
    _asks(folder, dev, "expense", "w1", "7")
    done = run(folder, "withdraw", "w1", "--reason", "moot", SIGNOFF_SERVER=dev.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "The request approve:0 is withdrawn.\n", "")
    again = run(folder, "withdraw", "w1", "--reason", "moot", SIGNOFF_SERVER=dev.url)
    assert again.returncode == 2
    assert "The run w1 waits for no answer." in again.stderr


def test_of_several_it_has_to_be_named(folder: Path, dev: Running) -> None:
    def on(*arguments: str) -> Any:
        return run(folder, *arguments, SIGNOFF_SERVER=dev.url)

    _asks(folder, dev, "two", "w2")
    which = on("withdraw", "w2", "--reason", "moot")
    assert which.returncode == 2
    assert "say which: ok:0, ok:1" in which.stderr
    missing = on("withdraw", "w2", "ok:1")
    assert missing.returncode == 2
    assert "Missing option --reason" in missing.stderr
    done = on("withdraw", "w2", "ok:1", "--reason", "moot", "--json")
    assert json.loads(done.stdout)["input"]["reason"] == "moot"


def test_what_is_approved_for_the_next_times_too_is_listed_and_revoked(folder: Path, dev: Running) -> None:
    def on(*arguments: str) -> Any:
        return run(folder, *arguments, SIGNOFF_SERVER=dev.url)

    _asks(folder, dev, "agent", "a1")
    value = '{"remember": "tool", "same_args": true, "until": "2999-01-01T00:00:00Z"}'
    assert on("answer", "a1", "tool.send:0", "--action", "approve", "--value", value).returncode == 0
    listed = on("approvals", "list")
    words = ("a1", "tool.send:0", "send", "agent of nobody, same arguments", "local", "2999-01-01")
    assert [word for word in words if word not in listed.stdout] == [], listed.stdout
    assert json.loads(on("approvals", "list", "--by", "user:alice", "--json").stdout)["approvals"] == []
    done = on("approvals", "revoke", "a1", "tool.send:0", "--reason", "a mistake")
    assert (done.returncode, done.stdout, done.stderr) == (0, "The approval of tool.send:0 is revoked.\n", "")
    [approval] = json.loads(on("approvals", "list", "--json").stdout)["approvals"]
    assert (approval["id"], approval["revoked"]["reason"]) == ("a1/tool.send:0", "a mistake")
    for key, said in (("tool.ask:0", "No approval was remembered of tool.ask:0"), ("no:0", "has no request 'no:0'")):
        refused = on("approvals", "revoke", "a1", key)
        assert refused.returncode == 1
        assert said in refused.stderr
