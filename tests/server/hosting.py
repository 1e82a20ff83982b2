"""A real server on a real port, and people who call it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
import uvicorn

from signoff.server.app import create_app
from signoff.server.config import ServerConfig
from signoff.server.http11.limits import HttpLimits
from signoff.server.http11.listener import Listener
from signoff.service.act import view_of
from signoff.service.engine import Engine
from signoff.service.kinds import PartKind, RunFilter, run_name
from signoff.service.run_change import RunChange, RunSnapshot
from signoff.stores.base import PartsWanted, WorkflowStore
from signoff.stores.change import Committed
from signoff.stores.open import open_store
from signoff.testing.store_contract.laws import settle
from signoff.timestamps import rfc3339
from signoff.workflow.entry import Entry
from signoff.workflow.input.entries import InputRequested

SECRET = b"a key for tests, long enough for HS256"
KEYED = ServerConfig(secret=SECRET)
SCHEMA = {
    "type": "object",
    "properties": {"approved": {"type": "boolean"}},
    "required": ["approved"],
    "additionalProperties": False,
}


def bearer(sub: str, *grants: str, groups: tuple[str, ...] = (), key: bytes = SECRET, **claims: Any) -> dict[str, str]:
    """Return the header of a person."""
    token = jwt.encode({"sub": sub, "groups": list(groups), "grants": list(grants), **claims}, key, "HS256")
    return {"authorization": f"Bearer {token}"}


def unsecured(sub: str, *grants: str, groups: tuple[str, ...] = (), **claims: Any) -> dict[str, str]:
    """Return the header of a person who tries a server without a key."""
    token = jwt.encode({"sub": sub, "groups": list(groups), "grants": list(grants), **claims}, "", "none")
    return {"authorization": f"Bearer {token}"}


@dataclass(frozen=True)
class Host:
    """A running server, its engine and a client."""

    url: str
    engine: Engine
    http: httpx.AsyncClient

    async def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """Send JSON."""
        return await self.http.post(path, json=body, headers=headers)

    async def ask(self, run_id: str = "r1", name: str = "approve:0", **how: Any) -> dict[str, Any]:
        """Let a run (started if need be) ask for an input, as a workflow would; return the row."""
        await self.engine.runs.start("expense", {"amount": 120}, run_id=run_id)
        spec = {"title": "Approve?", "schema": SCHEMA, "actions": ["submit"], **how.pop("spec", {})}
        to = how.pop("to", ("group:finance",))
        await self.record(run_id, InputRequested(at=self.engine.clock.now_ms(), id=name, spec=spec, to=to, **how))
        await settle(self.engine.store)
        return await self.engine.inputs.get(run_id, name)

    async def ask_again(self, **how: Any) -> dict[str, Any]:
        """Delete the run that asks, and let another that gets its id ask at the same place; return the row."""
        before = await self.engine.inputs.get("r1", "approve:0")
        for verb in ("terminate", "delete"):
            reply = await self.post(f"/v1/runs/r1/{verb}", {}, **bearer("boss", "operator"))
            assert reply.status_code == 200, reply.text
        while rfc3339(self.engine.clock.now_ms()) <= before["asked_at"]:
            await asyncio.sleep(0.001)
        after = await self.ask(**how)
        assert after["revised"] == before["revised"]  # offsets do not tell the two apart
        return after

    async def record(self, run_id: str, *entries: Entry) -> None:
        """Write entries to a run's journal, as a worker would."""
        loaded = await self.engine.store.load(run_name(run_id), PartsWanted(PartKind.INPUT))
        assert loaded is not None
        run = RunSnapshot(loaded.subject, view_of(loaded))
        write = RunChange(run, entries, ready=False, wake_at=None)
        assert isinstance(await self.engine.committer.commit(write.change), Committed)
        while await self.engine.store.unplaced():  # in inboxes and listings, too
            await self.engine.store.place()

    async def everything(self) -> Any:
        """Return all that is stored about runs but who was refused, to compare before and after."""
        runs = (await self.engine.runs.list(RunFilter(), 500)).items
        histories = [await self.engine.runs.history(run["id"]) for run in runs]
        journals = [[entry for entry in history if entry["type"] != "input.denied"] for history in histories]
        inputs = (await self.engine.inputs.list(audience=None, status=None, limit=500)).items
        return runs, journals, inputs


@asynccontextmanager
async def hosting(
    store: str | WorkflowStore = "memory:", config: ServerConfig | None = None, workflows: Collection[str] | None = None
) -> AsyncIterator[Host]:
    """Serve a store for the time of the block."""
    opened = open_store(store) if isinstance(store, str) else store
    engine = await Engine.open(opened, workflows=workflows)
    try:
        async with serving(engine, config) as host:
            yield host
    finally:
        await engine.close()


@asynccontextmanager
async def serving(
    engine: Engine, config: ServerConfig | None = None, listening: socket.socket | None = None
) -> AsyncIterator[Host]:
    """Serve an engine for the time of the block; on a socket of its own unless one is given."""
    listening = listening or socket.create_server(("127.0.0.1", 0))
    settings = uvicorn.Config(
        create_app(engine, config=config),
        http=Listener(HttpLimits()).protocol(),
        ws="none",
        lifespan="off",
        proxy_headers=False,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(settings)
    task = asyncio.create_task(server._serve([listening]))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as http:
            yield Host(url, engine, http)
    finally:
        server.should_exit = True
        await engine.hub.close()
        await task


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check that a response is a problem document and return it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["code"] == code, document
    assert document["type"] == f"urn:signoff:problem:{code}"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    assert "Traceback" not in response.text
    return document
