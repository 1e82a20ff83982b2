"""Servers and webhook receivers on real sockets, in the loop of the test."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn

from signoff.server.app import create_app, subscriptions_over
from signoff.server.config import ServerConfig
from signoff.service.engine import Engine
from signoff.service.subscriptions.subscriptions import Subscriptions
from signoff.stores.base import WorkflowStore
from signoff.stores.open import open_store

JSON = {"content-type": "application/json"}


@dataclass(slots=True)
class Call:
    """Be one delivery a receiver got."""

    headers: dict[str, str]
    raw: bytes
    body: dict[str, Any]


@dataclass(slots=True)
class Receiver:
    """Be a webhook receiver.

    Attributes:
        answer: status and JSON body of the next answers.
        location: of redirects.
        encoding: of the answer's body, as it says.
    """

    url: str
    answer: tuple[int, Any] = (200, {"done": True})
    location: str | None = None
    encoding: str | None = None
    calls: list[Call] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    hold: asyncio.Event | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Take one delivery."""
        raw = b""
        while True:
            message = await receive()
            raw += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.calls.append(Call(headers, raw, json.loads(raw)))
        self.news.set()
        if self.hold is not None:
            await self.hold.wait()
        status, body = self.answer
        told = [(b"content-type", b"application/json")]
        if self.location is not None:
            told.append((b"location", self.location.encode()))
        if self.encoding is not None:
            told.append((b"content-encoding", self.encoding.encode()))
        await send({"type": "http.response.start", "status": status, "headers": told})
        await send(
            {"type": "http.response.body", "body": body if isinstance(body, bytes) else json.dumps(body).encode()}
        )

    async def got(self, count: int = 1) -> Call:
        """Wait until so many deliveries came; return the last of them."""
        async with asyncio.timeout(15):
            while len(self.calls) < count:
                self.news.clear()
                await self.news.wait()
        return self.calls[count - 1]


@asynccontextmanager
async def served(app: Any, **settings: Any) -> AsyncIterator[int]:
    """Serve an ASGI application on loopback; yields the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
        **settings,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listening]))
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def receiving(**how: Any) -> AsyncIterator[Receiver]:
    """Run a webhook receiver."""
    receiver = Receiver("", **how)
    async with served(receiver) as port:
        receiver.url = f"http://127.0.0.1:{port}/hook"
        yield receiver


@dataclass(slots=True)
class Site:
    """Be a running server, with ways to do what tests do."""

    engine: Engine
    subscriptions: Subscriptions
    web: httpx.AsyncClient
    url: str

    async def put(self, name: str, expect: int = 201, **members: Any) -> dict[str, Any]:
        """Create a subscription."""
        reply = await self.web.put(f"__ds/subscriptions/{name}", json=members)
        assert reply.status_code == expect, reply.text
        shown: dict[str, Any] = reply.json()
        return shown

    async def get(self, name: str) -> dict[str, Any]:
        """Read a subscription."""
        reply = await self.web.get(f"__ds/subscriptions/{name}")
        assert reply.status_code == 200, reply.text
        shown: dict[str, Any] = reply.json()
        return shown

    async def cursors(self, name: str) -> dict[str, int]:
        """Return the cursors of a subscription."""
        return {link["path"]: int(link["acked_offset"]) for link in (await self.get(name))["streams"]}

    async def stream(self, path: str, *messages: Any) -> None:
        """Create a JSON stream, or find it there, with messages appended."""
        assert (await self.web.put(path, headers=JSON)).status_code in {200, 201}
        for message in messages:
            assert (await self.web.post(path, json=message)).status_code == 204

    async def read(self, path: str) -> list[Any]:
        """Read a JSON stream."""
        found: list[Any] = (await self.web.get(path)).json()
        return found

    async def post(self, target: str, token: str | None = None, **members: Any) -> httpx.Response:
        """Send JSON to the control API, below `__ds/subscriptions/`, or to a full URL."""
        target = target if target.startswith("http") else f"__ds/subscriptions/{target}"
        return await self.web.post(target, json=members, headers={"authorization": f"Bearer {token}"} if token else {})


@asynccontextmanager
async def site(
    store: str | WorkflowStore = "memory:", config: ServerConfig | None = None, *, start: bool = True
) -> AsyncIterator[Site]:
    """Serve a store whole, as the command does."""
    config = config or ServerConfig()
    engine = await Engine.open(open_store(store) if isinstance(store, str) else store)
    subscriptions = subscriptions_over(engine, config)
    app = create_app(engine, config=config, subscriptions=subscriptions)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(engine.close)
        port = await stack.enter_async_context(served(app))
        stack.push_async_callback(engine.hub.close)
        stack.push_async_callback(subscriptions.close)
        root = f"http://127.0.0.1:{port}/v1/stream/"
        web = await stack.enter_async_context(httpx.AsyncClient(base_url=root, trust_env=False, timeout=20))
        if start:
            subscriptions.start()
        yield Site(engine, subscriptions, web, root)


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = 15) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.01)


def refusal(reply: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check that a reply refuses as the protocol writes it; return what it says."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/json"
    assert "Traceback" not in reply.text
    told: dict[str, Any] = reply.json()["error"]
    assert told["code"] == code
    assert told["message"]
    return told
