"""Runs that are ended from outside, and what is left of them."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from signoff import App, Context
from signoff.paths import journal_path
from signoff.workflow.entry import DecidedBy
from tests.runtime.scene import Scene

OPERATOR = DecidedBy("operator", "local")
TERMINATED = {"code": "terminated", "message": None}


def people_app() -> App:
    app = App()

    @app.workflow
    async def people(ctx: Context) -> None:
        ctx.await_input("approve", bool, title="Approve?", to=["group:finance"])
        asyncio.ensure_future(ctx.sleep("1h"))  # noqa: RUF006 - the run is ended before
        await ctx.await_event("go")

    return app


async def closed(on: Scene, run: str) -> None:
    for path in (f"runs/{run}", journal_path(run)):
        loaded = await on.engine.store.load_stream(path)
        assert loaded is not None
        assert loaded.head.closed
    record = await on.engine.runs.record(run)
    assert (record.lease_owner, record.wake_at) == (None, None)


async def rows(on: Scene, path: str) -> list[dict[str, Any]]:
    await on.placed()
    chunk = await on.engine.streams.read(path)
    return list(orjson.loads(chunk.body))
