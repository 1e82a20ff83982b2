"""The guides on agents show the examples, which the tests of the adapters run, and say how little they need."""

from __future__ import annotations

import asyncio
import builtins
import importlib
import signal
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from signoff.client import SignoffClient
from signoff.testing import TestEngine
from tests.cli.commands import running
from tests.docs.test_snippets import ROOT, blocks
from tests.runtime.scene import person, stage

FOLDER = ROOT / "examples" / "agents"
EXAMPLES = {
    "agents-langchain": ["langchain_gated"],
    "agents-openai": ["openai_gated"],
    "agents-pydantic-ai": ["pydantic_ai_gated", "pydantic_ai_streamed"],
}
GATED = [names[0] for names in EXAMPLES.values()]


def source(example: str) -> str:
    return Path(FOLDER / f"{example}.py").read_text().partition('"""\n\n')[2]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the person at the terminal types, line by line."""
    lines: list[str] = []
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setattr(builtins, "input", lambda _: lines.pop(0))
    return lines


@pytest.mark.parametrize(("page", "examples"), EXAMPLES.items())
def test_a_guide_shows_the_examples_that_run(page: str, examples: list[str]) -> None:
    assert blocks(f"docs/guide/{page}.md") == [source(example) for example in examples]
    needed = source(examples[0]).partition("# The agent, and all that Signoff needs of it:\n")[2]
    assert 0 < len([line for line in needed.splitlines() if line.strip()]) <= 15


NOTE = """
def note(what):
    with open("done.txt", "a") as file:
        file.write(what + chr(10))
"""


async def decide(url: str, run_id: str, key: str, action: str, value: Any) -> None:
    async with SignoffClient(url) as people:
        row = (await people.input(run_id, key))["input"]
        sent = {"submission_id": uuid.uuid4().hex, "action": action, "value": value, "seen_offset": row["revised"]}
        await people.answer(run_id, key, **sent)


async def until_recorded(url: str, run_id: str, *wanted: str) -> None:
    """Wait until the journal has entries of these types as often as they are named."""
    async with SignoffClient(url) as people:
        seen = await people.history(run_id)
        while Counter(wanted) - Counter(entry["type"] for entry in seen["entries"]):
            await people.outcome(run_id, wait=0.05)
            seen = await people.history(run_id)


AGENT = blocks("docs/guide/agents.md")[0]
COUNTED = f"""
{AGENT}
{NOTE}
_think, _send_mail = think, send_mail

async def think(turn: str, history: list[str]) -> list[Mail]:
    note("model")
    return await _think(turn, history)

def send_mail(mail: Mail) -> str:
    note(f"mail to {{mail.to}}")
    return _send_mail(mail)
"""
DECIDED = [
    "Write to all",
    "sent 'Hello' to boss@example.com",
    "sent 'Hello' to ann@else.example",
    "sent 'Bye' to bea@else.example",
    "refused: not him",
    "dee knows",
]


def said(chunks: list[dict[str, Any]]) -> str:
    """Return what a message says, and which calls it leaves to people."""
    text = "".join(chunk["delta"] for chunk in chunks if chunk["type"] == "text-delta")
    asked = [chunk["approvalId"].partition("/")[2] for chunk in chunks if chunk["type"] == "tool-approval-request"]
    return f"{text} {' '.join(asked)} {chunks[-1]['type']}"


TURNS = {
    "turn-1": "I want to write 5 mails. tool.send_mail:1 tool.send_mail:2 tool.send_mail:3 tool.send_mail:4 finish",
    "turn-6": "All done.  finish",
}


async def test_the_agent_of_the_guide_is_whole_in_forty_lines_and_runs(url: str) -> None:
    assert len([line for line in AGENT.splitlines() if line.strip()]) <= 40
    space: dict[str, Any] = {"__name__": "snippet"}
    exec(compile(AGENT, "agents.md", "exec", dont_inherit=True), space)
    async with stage(space["app"], url) as on:
        run = await on.start("agent", "Write to all")
        asked = {n: await on.pending(run, f"tool.send_mail:{n}") for n in range(1, 5)}
        async with asyncio.timeout(30):  # a chat is shown what is not decided yet
            while "announce.tool.send_mail:0" not in [one["id"] for one in await on.entries(run, "step.completed")]:
                await asyncio.sleep(0.01)
        for n, action, value in (
            (1, "approve", None),
            (2, "edit", {"to": "bea@else.example", "body": "Bye"}),
            (3, "reject", "not him"),
            (4, "respond", "dee knows"),
        ):
            await on.answer(asked[n], value, action=action, who=person("alice"))
        assert (await on.reaches(run, "completed"))["output"] == DECIDED
        for turn, expected in TURNS.items():
            chunk = await on.engine.streams.read(f"runs/{run}/out/{turn}")
            assert chunk.closed
            assert said(orjson.loads(chunk.body)) == expected


async def test_the_agent_of_the_guide_outlives_its_process_and_calls_nothing_twice(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(COUNTED)
    with running(tmp_path, "dev", "flow:app", "--port", "0") as dev:
        url, port = dev.url, dev.url.rpartition(":")[2]
        async with SignoffClient(url) as client:
            await client.start("agent", "Write to all", run_id="r1")
        await until_recorded(url, "r1", *["input.returned"] * 4, *["step.completed"] * 3)
        await decide(url, "r1", "tool.send_mail:1", "approve", None)
        await decide(url, "r1", "tool.send_mail:4", "respond", "dee knows")
        await until_recorded(url, "r1", *["step.completed"] * 4)
        dev.stop(signal.SIGKILL)
    with running(tmp_path, "dev", "flow:app", "--port", port) as dev:
        await decide(url, "r1", "tool.send_mail:2", "edit", {"to": "bea@else.example", "body": "Bye"})
        await until_recorded(url, "r1", *["step.completed"] * 5)
        dev.stop(signal.SIGKILL)
    with running(tmp_path, "dev", "flow:app", "--port", port) as dev:
        await decide(url, "r1", "tool.send_mail:3", "reject", "not him")
        async with SignoffClient(url) as client:
            assert await client.result("r1", timeout=30) == DECIDED
        for turn, expected in TURNS.items():
            assert said(httpx.get(f"{url}/v1/stream/runs/r1/out/{turn}?offset=-1", trust_env=False).json()) == expected
        assert dev.stop()[0] == 0
    mails = {f"mail to {to}": 1 for to in ("boss@example.com", "ann@else.example", "bea@else.example")}
    assert Counter((tmp_path / "done.txt").read_text().splitlines()) == {"model": 2, **mails}


@pytest.mark.parametrize("example", GATED)
def test_an_example_is_played_at_the_terminal(
    example: str, typed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    typed += ["edit {", "edit 7", 'edit {"to": "cat", "text": "Hi"}', "reject not him"]
    importlib.import_module("play").main([example])
    said, error = capsys.readouterr()
    told = "not him" if "pydantic" in example else "This was refused: not him"
    assert said.splitlines()[-1] == f"support: sent 'Hi' to cat; {told}"
    assert "Expecting property name" in said, "what is no JSON is told, and asked again"
    assert typed == []
    assert error == ""


def test_the_example_that_streams_writes_words_and_calls(typed: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    importlib.import_module("play").main(["pydantic_ai_streamed"])
    calls = [{"event": f"function_tool_{one}", "tool": "look_up"} for one in ("call", "result")]
    told = [
        f"  calls: {str(calls).replace(' ', '').replace(chr(39), chr(34))}",
        '  words: ["It ","rains ","in ","Lyon. "]',
    ]
    said = capsys.readouterr().out.splitlines()
    assert said == ["guide: It rains in Lyon. ", *told, "guide_streamed: It rains in Lyon. ", *told]


def test_the_command_of_the_readme_plays_one() -> None:
    readme = (FOLDER / "README.md").read_text()
    command = readme.partition("&& .venv/bin/python ")[2].partition("\n")[0].split()
    played = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        input="approve\nrespond He knows.\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (played.returncode, played.stderr) == (0, "")
    assert played.stdout.endswith("support: sent 'Hello!' to ann; He knows.\n")
    assert [name for name in FOLDER.glob("*.py") if name.name != "play.py" and f"`{name.name}`" not in readme] == []


async def test_an_app_that_includes_questions_works_on_them() -> None:
    space: dict[str, Any] = {"__name__": "snippet"}
    exec(compile(blocks("docs/guide/agents-mcp.md")[0], "<documentation>", "exec", dont_inherit=True), space)
    assert space["app"].names() == ("signoff.ask", "double")
    async with TestEngine(space["app"]) as engine:
        run = await engine.start("signoff.ask", {"title": "Ship?", "to": ["user:eve"], "actions": ["yes", "no"]})
        await engine.person("user:eve").answers("answer", action="yes")
        found = await run.result()
        assert (found["outcome"], found["action"], found["by"]) == ("answered", "yes", "user:eve")


@pytest.fixture(autouse=True)
def _fresh_examples() -> Iterator[None]:
    yield
    for name in ("play", *(name for names in EXAMPLES.values() for name in names)):
        sys.modules.pop(name, None)
