"""A real server of streams on a real socket, in the loop of the test, so that its hub can be looked at."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import uvicorn

from signoff.server.http11.limits import HttpLimits
from signoff.server.http11.listener import Listener
from signoff.server.streams.endpoints import Authorize, StreamEndpoints, allow_all
from signoff.server.streams.read import Limits
from tests.service.streams.scene import Process, alone

QUICK = Limits(max_body=64 * 1024, chunk=1024, long_poll_s=0.05, keep_alive_s=0.05, max_age_s=5, stuck_s=5)


@dataclass(slots=True)
class Site:
    """Be a running server.

    Attributes:
        web: a client with the server as its base.
        port: on 127.0.0.1.
        listener: what its connections share.
    """

    one: Process
    web: httpx.AsyncClient
    port: int
    listener: Listener

    async def raw(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send bytes as they are; return status, headers and body of the response."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            await writer.drain()
            async with asyncio.timeout(10):
                head = await reader.readuntil(b"\r\n\r\n")
                status, *lines = head.decode("latin-1").split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
            return int(status.split()[1]), headers, body
        finally:
            writer.close()

    async def ask(self, method: str, target: str | bytes, *headers: str) -> tuple[int, dict[str, str], bytes]:
        """Send a request without a body whose target and headers no client library would let through."""
        raw = target if isinstance(target, bytes) else target.encode("latin-1")
        lines = "".join(f"{line}\r\n" for line in headers).encode("latin-1")
        return await self.raw(
            b"%s %s HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n%s\r\n" % (method.encode(), raw, lines)
        )


@asynccontextmanager
async def site(
    url: str = "memory:",
    *,
    limits: Limits = QUICK,
    http: HttpLimits | None = None,
    authorize: Authorize = allow_all,
    origins: tuple[str, ...] = ("*",),
) -> AsyncIterator[Site]:
    """Serve streams of a fresh store."""
    async with alone(url) as one:
        app = StreamEndpoints(one.streams, authorize, limits=limits, origins=origins)
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        listener = Listener(http or HttpLimits())
        config = uvicorn.Config(
            app,
            http=listener.protocol(),
            lifespan="off",
            proxy_headers=False,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve(sockets=[listening]))
        try:
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}/v1/stream", timeout=10, verify=False
            ) as web:
                yield Site(one, web, port, listener)
        finally:
            await one.hub.close()
            server.should_exit = True
            await serving


def problem(response: httpx.Response, status: int, code: str) -> dict[str, object]:
    """Check that a response is a problem document of this kind; return it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    document: dict[str, object] = response.json()
    assert document["code"] == code
    assert document["status"] == status
    assert "Traceback" not in response.text
    return document


async def events(response: httpx.Response) -> AsyncIterator[tuple[str, str]]:
    """Read Server-Sent Events; comments come as `("", text)`."""
    kind, data = "", list[str]()
    async for line in response.aiter_lines():
        if line == "":
            if data:
                yield kind, "\n".join(data)
            kind, data = "", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "data":
            data.append(value)
        elif name == "":
            yield "", value


async def told(found: AsyncIterator[tuple[str, str]]) -> tuple[list[str], dict[str, object]]:
    """Read up to the next control event; return the data before it and what it says."""
    data: list[str] = []
    async for kind, text in found:
        if kind == "control":
            said: dict[str, object] = json.loads(text)
            return data, said
        if kind == "data":
            data.append(text)
    raise AssertionError(f"the stream ended without a control event, after {data}")
