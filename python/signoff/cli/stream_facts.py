"""What responses of the Durable Streams protocol tell, for `signoff stream`."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Any

import httpx
import orjson

from signoff.client import SignoffClient
from signoff.errors import ServerUnreachable, StoreError
from signoff.streams.content_type import is_text
from signoff.streams.stream import JSON, media_type

_AGAIN_S = 1.0
"""Seconds before a follower asks again whom it could not reach."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a response says about a stream; None: it does not."""

    path: str
    content_type: str
    offset: str
    closed: bool
    ttl: int | None
    expires_at: str | None

    @classmethod
    def of(cls, path: str, response: httpx.Response) -> Facts:
        """Read the headers of a response to PUT or HEAD."""
        headers = response.headers
        return cls(
            path=path,
            content_type=headers.get("content-type", "application/octet-stream"),
            offset=headers["stream-next-offset"],
            closed="stream-closed" in headers,
            ttl=int(headers["stream-ttl"]) if "stream-ttl" in headers else None,
            expires_at=headers.get("stream-expires-at"),
        )

    def members(self) -> dict[str, Any]:
        """Return them as the members of a JSON object."""
        return asdict(self)


def messages(response: httpx.Response) -> dict[str, Any]:
    """Return what a response to GET holds, as one member: `messages`, `text`, or `base64`."""
    kind = response.headers.get("content-type", "")
    data = response.content
    if media_type(kind) == JSON or not data:
        return {"messages": orjson.loads(data) if data else []}
    if is_text(kind):
        return {"text": data.decode("utf-8", "replace")}
    return {"base64": base64.b64encode(data).decode("ascii")}


async def taken(client: SignoffClient, path: str, offset: str) -> AsyncIterator[httpx.Response]:
    """Read what is there now, chunk after chunk."""
    while True:
        response = await client.on_stream("GET", path, query={"offset": offset})
        yield response
        offset = response.headers["stream-next-offset"]
        if not {"stream-up-to-date", "stream-closed"}.isdisjoint(response.headers):
            return


async def followed(client: SignoffClient, path: str, offset: str) -> AsyncIterator[httpx.Response]:
    """Read what is there and what comes, until the stream is closed; once it was there, across lost connections."""
    cursor: dict[str, str] = {}
    found = False
    while True:
        try:
            query = {"offset": offset, "live": "long-poll", **cursor}
            response = await client.on_stream("GET", path, query=query)
        except (ServerUnreachable, StoreError):
            if not found:
                raise
            await asyncio.sleep(_AGAIN_S)
            continue
        found = True
        offset = response.headers["stream-next-offset"]
        if "stream-cursor" in response.headers:
            cursor = {"cursor": response.headers["stream-cursor"]}
        closed = "stream-closed" in response.headers
        if response.content or closed:
            yield response
        if closed:
            return
