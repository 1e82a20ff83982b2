"""A call and its reply, between the ASGI shell and the endpoints."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import orjson

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

JSON_TYPE: Header = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete response: status, body bytes, headers beyond the length."""

    status: int
    body: bytes = b""
    headers: tuple[Header, ...] = (JSON_TYPE,)

    async def send(self, send: Send, *, head: bool = False) -> None:
        """Write the response; to HEAD its headers alone."""
        headers = [*self.headers]
        if self.status != 204:
            headers.append((b"content-length", str(len(self.body)).encode("ascii")))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if head else self.body})


@dataclass(frozen=True, slots=True)
class PiecedReply:
    """A response whose body comes in pieces.

    Attributes:
        headers: beyond the length.
        length: bytes of the body.
        pieces: the body; begun when the response is sent, so what goes wrong with the first piece can still be said.
    """

    headers: tuple[Header, ...]
    length: int
    pieces: AsyncIterator[bytes]

    async def send(self, send: Send, *, head: bool = False) -> None:
        """Write the response; to HEAD its headers alone."""
        first = b"" if head else await anext(self.pieces, b"")
        headers = [*self.headers, (b"content-length", str(self.length).encode("ascii"))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        more = not head and len(first) < self.length
        await send({"type": "http.response.body", "body": first, "more_body": more})
        if more:
            async for piece in self.pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


def ok(value: Any, status: int = 200, *headers: Header) -> Reply:
    """Reply with JSON."""
    return Reply(status, orjson.dumps(value), (JSON_TYPE, *headers))


def header(scope: Scope, name: bytes) -> str | None:
    """Return a request header (lower-case name); None if it is absent. Repeated ones: the first."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value).decode("latin-1")
    return None
