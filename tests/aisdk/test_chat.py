"""The chat of the AI SDK, both majors, reads a run's output and its approval unchanged, over its own transport."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import environment

HERE = Path(__file__).parent
EXAMPLE = HERE.parent.parent / "examples" / "agent"


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """Serve the example, as its own process, and return where."""
    command = [sys.executable, "-m", "uvicorn", "chat:host", "--port", "0"]
    with subprocess.Popen(command, cwd=EXAMPLE, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if "running on" in line:
                    yield line.split("running on ")[1].split(" ")[0]
                    break
        finally:
            process.terminate()
            process.communicate(timeout=20)


def chat(major: str, origin: str, prompt: str, decision: str) -> dict[str, Any]:
    """Have a chat ask, decide, and read on; return what it has shown."""
    command = ["node", "chat.js", major, origin, prompt, decision]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("major", ["ai6", "ai7"])
@pytest.mark.parametrize(
    ("decision", "state", "said"), [("approve", "output-available", "Done."), ("reject", "output-denied", "I left it.")]
)
def test_a_chat_shows_a_message_and_its_approval_and_goes_on(
    origin: str, major: str, decision: str, state: str, said: str
) -> None:
    told = chat(major, origin, "reports", decision)
    assert told["errors"] == []
    assert told["count"] == 2, "one question, one message that goes on"
    proposed = [part for part in told["proposed"]["parts"] if part["type"] != "step-start"]
    assert [part["type"] for part in proposed] == ["reasoning", "text", "tool-remove"]
    assert proposed[0]["text"] == "Nobody has opened reports this year."
    assert proposed[1]["text"] == "I will remove reports"
    assert proposed[2]["state"] == "approval-requested"
    assert proposed[2]["input"] == {"path": "reports"}
    parts = [part for part in told["last"]["parts"] if part["type"] != "step-start"]
    assert [part["type"] for part in parts] == ["reasoning", "text", "tool-remove", "text"]
    assert (parts[2]["state"], parts[3]["text"]) == (state, said)


@pytest.mark.parametrize("major", ["ai6", "ai7"])
def test_a_chat_asks_about_several_calls_at_once_and_goes_on_when_all_are_decided(origin: str, major: str) -> None:
    told = chat(major, origin, "disk and log", "approve")
    assert told["errors"] == []
    calls = [part for part in told["proposed"]["parts"] if part["type"] == "tool-remove"]
    assert [(call["state"], call["input"]["path"]) for call in calls] == [
        ("approval-requested", "disk"),
        ("approval-requested", "log"),
    ]
    parts = [part for part in told["last"]["parts"] if part["type"] != "step-start"]
    assert [part.get("state") or part["type"] for part in parts] == [
        "done",  # its reasoning
        "done",
        "output-available",
        "output-available",
        "done",
    ]


@pytest.mark.parametrize("major", ["ai6", "ai7"])
def test_a_further_attempt_neither_breaks_nor_doubles_what_is_shown(origin: str, major: str) -> None:
    told = chat(major, origin, "flaky disk", "approve")
    assert told["errors"] == []
    assert [part["text"] for part in told["last"]["parts"] if part["type"] == "text"] == [
        "I will remove flaky disk",
        "Done.",
    ]
    texts = [shown[2] for shown in told["shown"] if len(shown) > 2]
    assert "I will " in texts, "what the first attempt said was shown while the second was not there yet"
    assert all("I will remove flaky disk".startswith(text) for text in texts), "nothing that was shown is shown twice"
