"""A whole server on a real socket that tells which requests its application was asked about."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from signoff.clock import Clock
from signoff.server.app import create_app
from signoff.server.config import ServerConfig
from signoff.server.fast.port import FastLane, FastRequest, Plan
from signoff.server.http.reply import ASGI, Receive, Scope, Send
from signoff.server.http11.connection import Connection
from signoff.server.http11.limits import HttpLimits
from signoff.server.http11.listener import Listener
from signoff.service.engine import Engine
from signoff.stores.base import WorkflowStore
from tests.service.streams.scene import until


class Counted:
    """Be an application that counts the requests it is asked about.

    Attributes:
        asked: how many those were.
        taken: how many took the lane.
        planned: how many heads were looked at for it.
    """

    def __init__(self, app: ASGI) -> None:
        self.app = app
        self.asked = 0
        self.taken = 0
        self.planned = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count and serve a request."""
        self.asked += 1
        await self.app(scope, receive, send)


class CountedWithLane(Counted):
    """Have the application's lane too."""

    @property
    def lane(self) -> FastLane:
        """Return what serves without a task."""
        return self

    @property
    def prefix(self) -> bytes:
        """Return what the application's paths of the lane begin with."""
        lane: FastLane = self.app.lane  # type: ignore[attr-defined]
        return lane.prefix

    def plan(self, scope: Scope) -> Plan | None:
        """Return the application's plan, with a counter."""
        lane: FastLane = self.app.lane  # type: ignore[attr-defined]
        self.planned += 1
        plan = lane.plan(scope)
        return None if plan is None else _CountedPlan(plan, self)


@dataclass(frozen=True, slots=True)
class _CountedPlan:
    plan: Plan
    counted: Counted

    @property
    def repeats(self) -> bool:
        return self.plan.repeats

    def begin(self, request: FastRequest) -> bool:
        taken = self.plan.begin(request)
        self.counted.taken += taken
        return taken


@dataclass(slots=True)
class Line:
    """Be a client's connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)

    async def answer(self) -> bytes:
        """Read a response, whatever went before it, and what follows if it closes the connection; without its date."""
        async with asyncio.timeout(10):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"\r\ncontent-length: (\d+)", head)
            has_body = length is not None and b" 100 " not in head
            body = await self.reader.readexactly(int(length[1])) if length is not None and has_body else b""
            if b"\r\nconnection: close" in head:
                assert await self.reader.read() == b""
        return re.sub(rb"\r\ndate: [^\r]*", b"", head) + body


@dataclass(slots=True)
class Scene:
    """Be a running server."""

    engine: Engine
    app: Counted
    listener: Listener
    server: uvicorn.Server
    listening: socket.socket
    port: int
    lines: list[Line] = field(default_factory=list)

    @property
    def connections(self) -> set[Connection]:
        """Return who is connected."""
        found: Any = self.server.server_state.connections
        return set(found)

    async def line(self) -> Line:
        """Connect."""
        self.lines.append(Line(*await asyncio.open_connection("127.0.0.1", self.port)))
        return self.lines[-1]

    async def leave(self) -> None:
        """Close all connections, and wait until the server knows."""
        lines, self.lines = self.lines, []
        for line in lines:
            line.writer.close()
        await until(lambda: not self.connections)

    async def ask(self, request: bytes) -> bytes:
        """Send a request in one packet on a connection of its own; return the answer."""
        line = await self.line()
        line.send(request)
        return await line.answer()

    async def stored(self, path: str) -> bytes:
        """Return what a stream holds."""
        return (await self.engine.streams.read(path, max_bytes=1 << 24)).body


@asynccontextmanager
async def running(
    store: WorkflowStore, config: ServerConfig | None = None, *, lane: bool = True, clock: Clock | None = None
) -> AsyncIterator[Scene]:
    """Serve a store that is not open yet."""
    engine = await Engine.open(store, clock)
    app = (CountedWithLane if lane else Counted)(create_app(engine, config=config))
    listening = socket.create_server(("127.0.0.1", 0))
    listener = Listener(HttpLimits())
    settings = uvicorn.Config(
        app,
        http=listener.protocol(),
        ws="none",
        lifespan="off",
        proxy_headers=False,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(settings)
    serving = asyncio.create_task(server._serve([listening]))
    scene = Scene(engine, app, listener, server, listening, listening.getsockname()[1])
    try:
        yield scene
    finally:
        await scene.leave()
        server.should_exit = True
        await engine.hub.close()
        await serving
        await engine.close()


def post(path: str, body: bytes = b"", *headers: str, version: str = "1.1", host: str = "127.0.0.1") -> bytes:
    """Write an append of JSON (or what `headers` say) to a stream."""
    return request("POST", path, body, *headers, version=version, host=host)


def request(
    method: str, path: str, body: bytes = b"", *headers: str, version: str = "1.1", host: str = "127.0.0.1"
) -> bytes:
    """Write a request to a stream; it tells its length unless `headers` bring a coding."""
    names = {line.partition(":")[0] for line in headers}
    lines = [f"{method} /v1/stream/{path} HTTP/{version}", f"host: {host}", *headers]
    if "content-type" not in names:
        lines.append("content-type: application/json")
    if "transfer-encoding" not in names and body:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body
