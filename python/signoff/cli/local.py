"""Requests that travel into an ASGI application in this process, responses that stream back.

So a command that works on a store speaks to the same API, with the same checks, as one that asks a server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx

from signoff.server.http.reply import ASGI, Message


class LocalTransport(httpx.AsyncBaseTransport):
    """The way of requests to an application without a socket.

    Args:
        app: the ASGI application.
    """

    def __init__(self, app: ASGI) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Start the application on one request; return as soon as it has sent the headers."""
        exchange = _LocalCall(await request.aread())
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": request.url.scheme,
            "path": request.url.path,
            "raw_path": request.url.raw_path.partition(b"?")[0],
            "query_string": request.url.query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "server": (request.url.host, request.url.port),
            "client": ("127.0.0.1", 0),
        }
        exchange.run(self._app, scope)
        start = await exchange.started()
        return httpx.Response(start["status"], headers=start["headers"], stream=exchange)


class _LocalCall(httpx.AsyncByteStream):
    """One request to the application, and what it sends."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._asked = False
        self._gone = asyncio.Event()
        self._sent: asyncio.Queue[Message | None] = asyncio.Queue(16)
        self._task: asyncio.Task[None]

    def run(self, app: ASGI, scope: dict[str, Any]) -> None:
        async def call() -> None:
            try:
                await app(scope, self._receive, self._sent.put)
            finally:
                await self._sent.put(None)

        self._task = asyncio.create_task(call())

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def started(self) -> Message:
        message = await self._sent.get()
        if message is None:
            await self._task
            raise httpx.ReadError("the application sent nothing")
        return message

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            message = await self._sent.get()
            if message is None:
                return
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body"):
                return

    async def aclose(self) -> None:
        self._gone.set()
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
