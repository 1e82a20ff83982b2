"""Runs in a file of an older version go on where they were: answered, told, slept on, and remembered."""

from __future__ import annotations

import gzip
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from signoff import App, Context
from signoff.errors import RunClosed
from signoff.service.kinds import RunFilter
from tests.runtime.scene import Scene, person, scene, working

FILE = Path(__file__).parents[1] / "stores" / "sqlite" / "files" / "schema-9.db.gz"

app = App()


@app.workflow
async def expense(ctx: Context, data: dict[str, Any]) -> list[Any]:
    first = ctx.await_input(
        "approve", str, title="Pay?", to=["group:finance", "user:alice"], actions=["approve", "reject"]
    )
    second = ctx.await_input("amount", int, title="How much?", to=["group:finance"], deadline="30d")
    third = ctx.await_input("photo", str, title="A photo", to=["user:bob"], deadline="1ms")
    fourth = ctx.await_input("note", str, title="A note", to=["group:audit"])
    with suppress(Exception):
        await third
    a = await first
    if data.get("withdraw"):
        fourth.withdraw("no need")
    ctx.progress(0.5, "halfway")
    b = await second
    return [a.action, b.value]


@app.workflow
async def order(ctx: Context, data: dict[str, Any]) -> str:
    got = [await ctx.await_event("paid", key=data["key"]) if data.get("key") else await ctx.await_event("paid")]
    return str(got)


async def test_runs_of_an_older_file_go_on(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with gzip.open(FILE) as source, path.open("wb") as target:
        shutil.copyfileobj(source, target)
    async with scene(f"sqlite:///{path}") as stage, working(app, stage):
        # An answer that was accepted before is known, and its outcome repeated.
        row = await stage.engine.inputs.get("exp-2", "approve:0")
        again = await stage.answer(row, "fine", who=person("alice", "finance"), submission="sub-exp-2")
        assert again.replayed
        # A request that was open is answered, and the run goes on with what it knew.
        asked = {row["id"]: row for row in await stage.engine.inputs.pending("exp-1")}
        assert set(asked) == {"approve:0", "amount:0", "note:0"}
        await stage.answer(asked["approve:0"], "fine", who=person("alice", "finance"))
        await stage.answer(await stage.engine.inputs.get("exp-1", "amount:0"), 7, who=person("carol", "finance"))
        assert (await stage.reaches("exp-1", "completed"))["id"] == "exp-1"
        # Waits for events are found by topic and key; an event that was sent before is known.
        emitted = await stage.engine.events.emit("paid", id="new", payload=1, key="o-1")
        assert emitted.delivered == 2
        await stage.reaches("ord-1", "completed")
        await stage.reaches("ord-2", "completed")
        assert await _refused(stage)
        listed = await stage.engine.runs.list(RunFilter(workflow="order", statuses=("completed",)), limit=9)
        assert {row["id"] for row in listed.items} == {"ord-1", "ord-2", "ord-3"}


async def _refused(stage: Scene) -> bool:
    """Tell whether an ended run still knows an event it took, and takes no new one."""
    known = await stage.engine.events.send("ord-3", "paid", id="ev-1", payload={"by": "card"}, key="o-3")
    try:
        await stage.engine.events.send("ord-3", "paid", id="other", payload=None)
    except RunClosed:
        return known.duplicate
    return False
