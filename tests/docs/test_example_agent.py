"""The example of an agent, played: what it thinks comes as it thinks it, and people decide what it does."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import pytest

from signoff.testing import TestEngine

FOLDER = Path(__file__).parents[2] / "examples" / "agent"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module("agent")
    del sys.modules["agent"]


async def told(engine: TestEngine, run_id: str, turn: str) -> list[dict[str, Any]]:
    """Return the chunks of a turn."""
    chunks: list[dict[str, Any]] = orjson.loads(await engine.services.outputs.read(f"runs/{run_id}/out/{turn}"))
    return chunks


def said(chunks: list[dict[str, Any]], voice: str) -> str:
    return "".join(chunk["delta"] for chunk in chunks if chunk["type"] == f"{voice}-delta")


async def test_it_shows_its_reasoning_and_people_decide_about_each_call(example: ModuleType) -> None:
    async with TestEngine(example.app) as engine:
        bora = engine.person("bora", groups=["support"])
        run = await engine.start("agent", "reports and /tmp/x and log and mail")
        asked = [request.row for request in await run.pending()]
        assert [row["title"] for row in asked] == ["Remove reports?", "Remove log?", "Remove mail?"]
        turn = await told(engine, run.id, "turn-0")
        assert said(turn, "reasoning") == "Nobody has opened reports and /tmp/x and log and mail this year."
        assert said(turn, "text") == "I will remove reports and /tmp/x and log and mail"
        calls = [chunk["input"] for chunk in turn if chunk["type"] == "tool-input-available"]
        assert calls == [{"path": "reports"}, {"path": "log"}, {"path": "mail"}], "the policy decides the other"
        reports, log, mail = await run.pending()
        await bora.answers(reports, {"path": "reports/2019"}, action="edit")
        await bora.answers(log, "no, we need it", action="reject")
        await bora.answers(mail, "Ask me next week.", action="respond")
        assert await run.result() == "I left it. Ask me next week."
        assert [(step["label"], step["status"]) for step in await run.rows("step") if step["name"] == "remove"] == [
            ("Remove /tmp/x", "completed"),
            ("Remove reports/2019", "completed"),
        ]
        ends = [
            (chunk["toolCallId"], chunk["type"])
            for chunk in await told(engine, run.id, "turn-1")
            if "toolCallId" in chunk
        ]
        assert ends == [
            ("call-0", "tool-output-available"),
            ("call-1", "tool-output-available"),
            ("call-2", "tool-output-denied"),
            ("call-3", "tool-output-available"),
        ]


async def test_a_model_that_fails_half_way_is_asked_again_and_says_nothing_twice(example: ModuleType) -> None:
    async with TestEngine(example.app) as engine:
        run = await engine.start("agent", "flaky disk")
        await engine.person("bora", groups=["support"]).answers("tool.remove", action="approve")
        assert await run.result() == "Done."
        assert said(await told(engine, run.id, "turn-0"), "text") == "I will remove flaky disk"
