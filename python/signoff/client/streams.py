"""Read streams over HTTP: what is there, and what comes, batch by batch.

The client's reading half without its addresses and tokens: how a response becomes batches.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

_SILENCE_S = 90.0
"""Seconds without a byte after which a live connection counts as dead."""


@dataclass(frozen=True, slots=True)
class StreamBatch:
    """What one reading of a stream brought.

    Attributes:
        messages: in order; of a stream that is not JSON, one text.
        offset: from where to read on.
        closed: nothing comes after it.
        up_to_date: there was nothing after it when it was read.
    """

    messages: list[Any]
    offset: str
    closed: bool = False
    up_to_date: bool = False


Open = Callable[..., Awaitable[httpx.Response]]


async def catch_up(open_: Open, url: str, offset: str) -> AsyncIterator[StreamBatch]:
    """Read what is there now."""
    while True:
        response = await open_("GET", url, params={"offset": offset})
        data = await response.aread()
        offset = response.headers["stream-next-offset"]
        closed = "stream-closed" in response.headers
        current = closed or "stream-up-to-date" in response.headers
        yield StreamBatch(_messages(data, json=_is_json(response)), offset, closed=closed, up_to_date=current)
        if current:
            return


async def follow(open_: Open, url: str, offset: str) -> AsyncIterator[StreamBatch]:
    """Read over server-sent events; each batch waits for the control event that tells its offset."""
    # Events do not tell the stream's type, and a HEAD would not tell why it is refused.
    json = _is_json(await _closed(await open_("GET", url, params={"offset": "now"})))
    timeout = httpx.Timeout(10.0, read=_SILENCE_S)
    extensions = {"timeout": timeout.as_dict()}
    response = await open_("GET", url, params={"offset": offset, "live": "sse"}, extensions=extensions)
    messages: list[Any] = []
    try:
        async for event, data in _events(response):
            if event == "data":
                messages += _messages(data.encode(), json=json)
            elif event == "control":
                control = orjson.loads(data)
                closed, current = control.get("streamClosed") is True, control.get("upToDate") is True
                yield StreamBatch(messages, control["streamNextOffset"], closed=closed, up_to_date=closed or current)
                messages = []
    except httpx.TransportError:
        return
    finally:
        await response.aclose()


async def _closed(response: httpx.Response) -> httpx.Response:
    await response.aclose()
    return response


async def _events(response: httpx.Response) -> AsyncIterator[tuple[str, str]]:
    """Split server-sent events: (event, data)."""
    event = "message"
    data: list[str] = []
    async for line in response.aiter_lines():
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            if data:
                yield event, "\n".join(data)
            event, data = "message", []
        elif name == "event":
            event = value
        elif name == "data":
            data.append(value)


def _is_json(response: httpx.Response) -> bool:
    return str(response.headers.get("content-type", "")).split(";")[0].strip().lower() == "application/json"


def _messages(data: bytes, *, json: bool) -> list[Any]:
    if not json:
        return [data.decode("utf-8", "replace")] if data else []
    found = orjson.loads(data) if data else []
    return found if isinstance(found, list) else [found]


class WatchedRun:
    """What is known of a run whose stream is read: whether it has failed."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._status: str | None = None

    @classmethod
    def of(cls, path: str) -> WatchedRun | None:
        """Return what watches the run whose stream this is; None if it is none."""
        kind, _, run_id = path.partition("/")
        return cls(run_id) if kind == "runs" and run_id and "/" not in run_id else None

    async def has_failed(self, batch: StreamBatch, get: Callable[[str], Awaitable[dict[str, Any]]]) -> bool:
        """Tell whether the run has failed, as its rows say or, where they were not read so far, the run itself."""
        for message in batch.messages:
            if isinstance(message, dict) and message.get("type") == "run" and message.get("value"):
                self._status = message["value"].get("status")
        if not batch.up_to_date:
            return False
        if self._status is None:
            self._status = (await get(self._run_id))["run"]["status"]
        return self._status == "failed"
