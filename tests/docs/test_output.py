"""The page on output: what it shows runs, and says what it says."""

from __future__ import annotations

import orjson
import pytest

from tests.docs.test_snippets import ROOT, _namespace, blocks
from tests.runtime.scene import stage
from tests.runtime.test_outputs import closes

pytestmark = pytest.mark.anyio
PAGE = "docs/guide/output.md"


async def test_the_page_on_output_writes_while_steps_run() -> None:
    space = _namespace(blocks(PAGE)[0])
    async with stage(space["app"], "memory:") as on:
        run_id = await on.start("agent", "the disk")
        await on.reaches(run_id, "completed")
        held = {}
        for name in ("tokens", "log", "progress"):
            chunk = await on.engine.streams.read(f"runs/{run_id}/out/{name}")
            assert chunk.closed
            held[name] = chunk.body
    assert orjson.loads(held["tokens"]) == ["Remove ", "the disk", "?"]
    assert held["log"] == b"compiling\n"
    assert orjson.loads(held["progress"]) == [{"done": 2}]


async def test_the_page_on_output_proposes_and_asks() -> None:
    async with stage(_namespace(blocks(PAGE)[1])["app"], "memory:") as on:
        run_id = await on.start("cleaner", "a.txt")
        row = await on.asks(run_id, "remove:0")
        chunks = await closes(on, run_id, "turn-0")
        await on.answer(row, None, action="approve")
        await on.reaches(run_id, "completed")
    assert "".join(chunk.get("delta", "") for chunk in chunks) == "I will remove a.txt."
    assert [chunk["type"] for chunk in chunks][-4:] == [
        *("tool-input-available", "tool-approval-request", "finish-step", "finish"),
    ]


def test_the_recipe_of_the_page_is_the_examples() -> None:
    example = (ROOT / "examples/agent/chat.py").read_text()
    for line in blocks(PAGE)[-1].strip().splitlines():
        assert line in example
    recipe = example.split("# -- the recipe")[1].splitlines()[1:]
    assert len(recipe) <= 40
