"""`signoff answer` at a terminal: asked field by field, and again where the server says that something does not fit."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from tests.cli.commands import Running, run, running
from tests.cli.terminal import Terminal, at_terminal

FLOW = """
from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, Field
from signoff import Action, App, Context

app = App()

class Line(BaseModel):
    what: str
    price: Decimal = Field(gt=0, decimal_places=2)

class Args(BaseModel):
    path: str = Field(min_length=3, description="Where it goes.")
    due: date
    level: Literal["low", "high"] = "low"
    force: bool
    lines: list[Line] = Field(min_length=1, max_length=3)
    note: str | None = None

class Reason(BaseModel):
    reason: str = Field(min_length=1)

@app.workflow
async def tool(ctx: Context) -> dict:
    answer = await ctx.await_input(
        "tool",
        actions={"approve": None, "edit": Args, "reject": Action(Reason, label="Turn down", confirm="Turn it down?")},
        title="Run the tool?",
        description="It may take long.",
        show={"path": "/tmp/a", "size": 3},
        initial={"path": "/tmp/a"},
        to=["group:finance"],
    )
    value = answer.value
    return {"action": answer.action, "value": value.model_dump(mode="json") if isinstance(value, BaseModel) else value}

@app.workflow
async def plain(ctx: Context) -> dict:
    answer = await ctx.await_input("plain", Reason, title="Why?", actions=["submit", "reject"], to=["group:finance"])
    return {"action": answer.action, "value": None if answer.value is None else answer.value.reason}
"""


ATTACHING = """
from typing import Annotated

from pydantic import BaseModel
from signoff import App, Attachment, AttachmentLimits, Context

app = App()

class Claim(BaseModel):
    scan: Annotated[Attachment, AttachmentLimits(max_bytes=100, types=("application/pdf",))]
    more: list[Attachment] = []

async def content(scan: Attachment) -> str:
    return (await scan.read()).decode()

@app.workflow(expose=("output",))
async def claim(ctx: Context) -> list:
    answer = await ctx.await_input("claim", Claim, title="What for?", to=["group:finance"])
    scan = answer.value.scan
    return [scan.name, scan.type, await ctx.step("content", content, scan), len(answer.value.more)]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an application."""
    folder = tmp_path_factory.mktemp("app")
    (folder / "flow.py").write_text(FLOW)
    return folder


@pytest.fixture(scope="module")
def dev(folder: Path) -> Iterator[Running]:
    """`signoff dev` on a free port."""
    with running(folder, "dev", "flow:app", "--port", "0", "--data", "data") as process:
        yield process


def _asked(dev: Running, workflow: str, run_id: str) -> None:
    """Start a run, and wait until it asks."""
    body = {"workflow": workflow, "run_id": run_id}
    assert httpx.post(f"{dev.url}/v1/runs", json=body, trust_env=False).status_code == 201
    deadline = time.monotonic() + 30
    while not httpx.get(f"{dev.url}/v1/runs/{run_id}", trust_env=False).json()["inputs"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _output(dev: Running, run_id: str) -> Any:
    reply = httpx.get(f"{dev.url}/v1/runs/{run_id}/result?wait=20", timeout=40, trust_env=False)
    return reply.json()["output"]


def _talk(terminal: Terminal, *lines: tuple[str, str]) -> None:
    for question, answer in lines:
        terminal.sees(question)
        terminal.types(answer)


def test_field_by_field_and_again_where_it_does_not_fit(folder: Path, dev: Running) -> None:
    _asked(dev, "tool", "edited")
    with at_terminal(folder, "answer", "edited", "tool:0", SIGNOFF_SERVER=dev.url) as terminal:
        for shown in ("Run the tool?", "It may take long.", "path: /tmp/a", "size: 3", "1. Approve", "3. Turn down"):
            terminal.sees(shown)
        _talk(terminal, ("1 to 3: ", "9"), ("Choose a number from 1 to 3.", "edit"))
        terminal.sees("Where it goes.")
        _talk(
            terminal,
            ("Path [/tmp/a]: ", "x"),
            ("Due (YYYY-MM-DD): ", ""),
            ("This is required.", "2026-13-01"),
            ("2. high", "2"),
            ("Force [y/n]: ", "perhaps"),
            ("Say y or n.", "y"),
            ("What: ", "Train"),
            ("Price: ", "many"),
            ("This must be a number, such as 12.50.", "-3"),
            ("Another one? [y/N]: ", "y"),
            ("What: ", "Hotel"),
            ("Price: ", "120.50"),
            ("Another one? [y/N]: ", ""),
            ("Note (may be left blank): ", ""),
        )
        # What does not fit is said at its field, and nothing else is asked for again.
        _talk(
            terminal,
            ("Path: This must have at least 3 characters.", "/tmp/b"),
            ("Due: This must be a date.", "2026-03-01"),
            ("Price: This must be more than 0.", "84.50"),
        )
        terminal.sees("Accepted: Run the tool? (edit, by local)")
        assert terminal.ends() == 0
        assert [terminal.shown.count(each) for each in ("2. high", "Another one?", "Note (may")] == [1, 2, 1]
    lines = [{"what": "Train", "price": "84.50"}, {"what": "Hotel", "price": "120.50"}]
    value = {"path": "/tmp/b", "due": "2026-03-01", "level": "high", "force": True, "lines": lines, "note": None}
    assert _output(dev, "edited") == {"action": "edit", "value": value}


def test_an_action_that_takes_nothing_asks_for_nothing(folder: Path, dev: Running) -> None:
    _asked(dev, "tool", "approved")
    with at_terminal(folder, "answer", "approved", "tool:0", "--action", "approve", SIGNOFF_SERVER=dev.url) as terminal:
        terminal.sees("Accepted: Run the tool? (approve, by local)")
        assert terminal.ends() == 0
    assert _output(dev, "approved") == {"action": "approve", "value": None}


def test_what_has_to_be_confirmed_is_sent_only_then(folder: Path, dev: Running) -> None:
    _asked(dev, "tool", "rejected")
    command = ("answer", "rejected", "tool:0", "--action", "reject")
    with at_terminal(folder, *command, SIGNOFF_SERVER=dev.url) as terminal:
        _talk(terminal, ("Reason: ", "too dear"), ("Turn it down? [y/N]: ", ""))
        terminal.sees("Nothing was sent.")
        assert terminal.ends() == 130
    row = httpx.get(f"{dev.url}/v1/runs/rejected/inputs/tool:0", trust_env=False).json()["input"]
    assert row["status"] == "pending"
    with at_terminal(folder, *command, SIGNOFF_SERVER=dev.url) as terminal:
        _talk(terminal, ("Reason: ", "too dear"), ("Turn it down? [y/N]: ", "y"))
        terminal.sees("Accepted:")
        assert terminal.ends() == 0
    assert _output(dev, "rejected") == {"action": "reject", "value": {"reason": "too dear"}}


def test_what_is_decided_is_not_asked_for(folder: Path, dev: Running) -> None:
    with at_terminal(folder, "answer", "rejected", "tool:0", SIGNOFF_SERVER=dev.url) as terminal:
        terminal.sees("is already decided")
        assert terminal.ends() == 1


def test_a_type_for_all_actions_is_asked_for_where_it_is_needed(folder: Path, dev: Running) -> None:
    _asked(dev, "plain", "submitted")
    with at_terminal(folder, "answer", "submitted", "plain:0", SIGNOFF_SERVER=dev.url) as terminal:
        _talk(terminal, ("1 to 2: ", "Submit"), ("Reason: ", "why not"))
        assert terminal.ends() == 0
    assert _output(dev, "submitted") == {"action": "submit", "value": "why not"}
    _asked(dev, "plain", "turned")
    with at_terminal(folder, "answer", "turned", "plain:0", "--action", "reject", SIGNOFF_SERVER=dev.url) as terminal:
        assert terminal.ends() == 0
    assert _output(dev, "turned") == {"action": "reject", "value": None}


def test_the_end_of_input_sends_nothing(folder: Path, dev: Running) -> None:
    _asked(dev, "plain", "open")
    with at_terminal(folder, "answer", "open", "plain:0", "--action", "submit", SIGNOFF_SERVER=dev.url) as terminal:
        _talk(terminal, ("Reason: ", "\x04"))
        assert terminal.ends() == 130
    row = httpx.get(f"{dev.url}/v1/runs/open/inputs/plain:0", trust_env=False).json()["input"]
    assert row["status"] == "pending"


def test_without_a_terminal_nobody_is_asked(folder: Path, dev: Running) -> None:
    _asked(dev, "tool", "piped")
    said = run(folder, "answer", "piped", "tool:0", SIGNOFF_SERVER=dev.url)
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr == "signoff: Say --action: one of approve, edit, reject.\n"
    said = run(folder, "answer", "piped", "tool:0", "--action", "edit", SIGNOFF_SERVER=dev.url)
    assert (said.returncode, said.stdout) == (1, "")
    assert "/: This must be a group of fields." in said.stderr
    said = run(folder, "answer", "piped", "tool:0", "--action", "approve", "--json", SIGNOFF_SERVER=dev.url)
    assert json.loads(said.stdout)["row"]["action"] == "approve"


def test_what_was_seen_of_another_request_is_not_answered(folder: Path, dev: Running) -> None:
    _asked(dev, "tool", "twice")
    row = httpx.get(f"{dev.url}/v1/runs/twice/inputs/tool:0", trust_env=False).json()["input"]
    told = ["answer", "twice", "tool:0", "--action", "approve", "--json", "--seen-offset", row["revised"]]
    said = run(folder, *told, "--asked-at", "2026-01-01T00:00:00.000Z", SIGNOFF_SERVER=dev.url)
    assert (said.returncode, said.stdout) == (1, "")
    assert "is another one now" in said.stderr
    said = run(folder, *told, "--asked-at", row["asked_at"], SIGNOFF_SERVER=dev.url)
    assert json.loads(said.stdout)["row"]["action"] == "approve"


def test_an_action_that_is_not_offered_is_said_before_anything_is_asked(folder: Path, dev: Running) -> None:
    with at_terminal(folder, "answer", "open", "plain:0", "--action", "edit", SIGNOFF_SERVER=dev.url) as terminal:
        terminal.sees("--action is one of submit, reject.")
        assert terminal.ends() == 2


# -- what became of it -------------------------------------------------------------------------------------------------

OUTCOMES = """
from signoff import App, Context, Quorum

app = App()

@app.workflow
async def board(ctx: Context) -> str:
    answer = await ctx.await_input(
        "pay", bool, title="Pay?", actions=["approve", "reject"], to=["group:board"], quorum=Quorum(2)
    )
    return answer.action

@app.workflow
async def pages(ctx: Context) -> str:
    asking = ctx.wizard(of=2)
    await asking.ask("first", str, title="First?", to=["user:alice"])
    await asking.ask("second", str, title="Second?", to=["user:alice"])
    return "done"

def check(value: str) -> None:
    return None

@app.workflow
async def checked(ctx: Context) -> str:
    return (await ctx.await_input("name", str, title="Name?", to=["user:alice"], validate=check)).value
"""
KEY = "k" * 32


def _token(who: str, *groups: str) -> str:
    grants = ["operator"] if who == "boss" else ["run:read:held"]
    return jwt.encode({"sub": who, "groups": list(groups), "grants": grants}, KEY, "HS256")


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """`signoff dev` that tells people apart."""
    folder = tmp_path_factory.mktemp("outcomes")
    (folder / "flow.py").write_text(OUTCOMES)
    with running(folder, "dev", "flow:app", "--port", "0", "--data", "data", SIGNOFF_SECRET=KEY) as process:
        yield process


def _boss(keyed: Running, *arguments: str) -> None:
    done = run(Path(), *arguments, SIGNOFF_SERVER=keyed.url, SIGNOFF_TOKEN=_token("boss"))
    assert done.returncode == 0, done.stderr


def _begun(keyed: Running, workflow: str, run_id: str, request: str) -> None:
    """Start a run, and wait until it asks."""
    _boss(keyed, "start", workflow, "--run-id", run_id)
    _until(keyed, run_id, request)


def _until(keyed: Running, run_id: str, request: str) -> None:
    deadline = time.monotonic() + 30
    headers = {"authorization": f"Bearer {_token('boss')}"}
    while True:
        reply = httpx.get(f"{keyed.url}/v1/runs/{run_id}/inputs/{request}", headers=headers, trust_env=False)
        if reply.status_code == 200 and reply.json()["input"]["status"] == "pending":
            return
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _said(keyed: Running, who: str, *arguments: str) -> tuple[int, str, str]:
    """Answer as somebody; return the exit code, and what is printed where."""
    token = _token(who, "board")
    done = run(Path(), "answer", *arguments, SIGNOFF_SERVER=keyed.url, SIGNOFF_TOKEN=token)
    return done.returncode, done.stdout, done.stderr


def test_a_vote_is_no_decision(keyed: Running) -> None:
    _begun(keyed, "board", "votes", "pay:0")
    how = ("votes", "pay:0", "--action", "approve", "--value", "true")
    assert _said(keyed, "alice", *how) == (0, "Voted approve on: Pay? (1 of 2; still pending)\n", "")
    assert _said(keyed, "bora", *how) == (0, "Accepted: Pay? (approve, by user:bora)\n", "")


def test_going_back_is_no_answer(keyed: Running) -> None:
    _begun(keyed, "pages", "wizard", "first:0")
    said = _said(keyed, "alice", "wizard", "first:0", "--action", "submit", "--value", '"a"')
    assert said == (0, "Accepted: First? (submit, by user:alice)\n", "")
    _until(keyed, "wizard", "second:0")
    said = _said(keyed, "alice", "wizard", "second:0", "--action", "back")
    assert said == (0, "Gone back from: Second?\n", "")


def test_an_answer_that_nobody_checks_while_the_run_is_paused_is_told_of(keyed: Running) -> None:
    _begun(keyed, "checked", "held", "name:0")
    _boss(keyed, "pause", "held")
    how = ("held", "name:0", "--value", '"Ada"', "--submission-id", "s1")
    code, said, _ = _said(keyed, "alice", *how)
    assert code == 0
    assert said.startswith("Being checked: Name? (submit). The run is paused")
    _boss(keyed, "resume", "held")
    assert _said(keyed, "alice", *how, "--action", "submit")[1] == "Accepted: Name? (submit, by user:alice)\n"


def test_a_file_is_attached_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(ATTACHING)
    (tmp_path / "a.pdf").write_text("%PDF-1.7")
    (tmp_path / "b.txt").write_text("text")
    (tmp_path / "large.pdf").write_text("x" * 101)
    with running(tmp_path, "dev", "flow:app", "--port", "0", "--data", "data") as dev:
        _asked(dev, "claim", "attached")
        with at_terminal(tmp_path, "answer", "attached", "claim:0", SIGNOFF_SERVER=dev.url) as terminal:
            _talk(
                terminal,
                ("Scan (path of a file, at most 100 bytes, application/pdf): ", "none.pdf"),
                ("none.pdf cannot be read: No such file or directory.", "b.txt"),
                ("This file is text/plain; taken are: application/pdf.", "large.pdf"),
                ("This file has 101 bytes; at most 100 bytes are taken.", "a.pdf"),
                ("Add one? [y/N]: ", "y"),
                ("Item (path of a file, at most 10 MiB): ", "b.txt"),
                ("Another one? [y/N]: ", ""),
            )
            terminal.sees("Accepted: What for?")
            assert terminal.ends() == 0
        assert _output(dev, "attached") == ["a.pdf", "application/pdf", "%PDF-1.7", 1]
