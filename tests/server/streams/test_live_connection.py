"""Many live reads over one connection: each is what it would be alone, and none holds up another for good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest

from signoff.server.http.reply import Message, Receive, Scope, Send
from signoff.server.streams.live_connection import BEGINNING, LiveConnections
from signoff.streams.stream import Payload
from tests.server.hosting import KEYED, Host, bearer, hosting, problem

ALICE = bearer("alice", "run:read:r1", groups=("finance",))


class Frames:
    """The frames of one connection, read one by one."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines
        self.name = ""
        self.bodies: dict[str, str] = {}

    async def next(self) -> tuple[str, dict[str, Any]]:
        """Return the next frame."""
        async with asyncio.timeout(10):
            event = (await anext(self._lines)).removeprefix("event: ")
            data = orjson.loads((await anext(self._lines)).removeprefix("data: "))
            assert await anext(self._lines) == ""
        if event == "body":
            self.bodies[data["id"]] = self.bodies.get(data["id"], "") + data["body"]
        return event, data

    async def until(self, event: str, read: str) -> dict[str, Any]:
        """Return the next frame of a kind about a read."""
        while True:
            kind, data = await self.next()
            if kind == event and data["id"] == read:
                return data

    async def shows(self, read: str, text: str) -> None:
        """Wait until the response of a read holds a text."""
        while text not in self.bodies.get(read, ""):
            await self.next()


@asynccontextmanager
async def connected(host: Host, *joins: dict[str, str], headers: dict[str, str] | None = None) -> AsyncIterator[Frames]:
    """Open a connection."""
    async with host.http.stream("POST", "/v1/live", json={"join": list(joins)}, headers=headers) as response:
        assert (response.status_code, response.headers["content-type"]) == (200, "text/event-stream")
        assert response.headers["cache-control"] == "private, no-store, no-cache"
        frames = Frames(response.aiter_lines())
        kind, data = await frames.next()
        assert kind == "connection"
        frames.name = data["connection"]
        yield frames


def join(read: str, path: str, offset: str = "-1", **more: str) -> dict[str, str]:
    return {"id": read, "path": path, "offset": offset, **more}


async def test_streams_join_and_leave_without_a_new_connection(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask("r1")
        async with connected(host, join("a", "runs/r1"), headers=ALICE) as frames:
            opened = await frames.until("opened", "a")
            assert (opened["status"], opened["headers"]["content-type"]) == (200, "text/event-stream")
            await frames.shows("a", '"approve:0"')
            change = {"join": [join("b", "inbox/group:finance")], "leave": ["a"]}
            changed = await host.http.post(f"/v1/live/{frames.name}", json=change, headers=ALICE)
            assert changed.status_code == 204
            await frames.shows("b", '"r1/approve:0"')
            assert "upToDate" in frames.bodies["b"]
            await host.ask("r2")
            await frames.shows("b", '"r2/approve:0"')


async def test_what_comes_is_what_the_read_alone_would_get(store: str) -> None:
    async with hosting(store) as host:
        await host.engine.streams.create("chat", Payload("application/json", '["ä","x"]'.encode(), 2), closed=True)
        alone = await host.http.get("/v1/stream/chat?offset=-1&live=sse")
        async with connected(host, join("a", "chat")) as frames:
            opened = await frames.until("opened", "a")
            await frames.until("ended", "a")
        assert frames.bodies["a"].partition('"streamCursor"')[0] == alone.text.partition('"streamCursor"')[0]
        assert opened["headers"].items() >= {"content-type": "text/event-stream", "cache-control": "no-cache"}.items()


async def test_each_read_has_its_own_rights_and_its_own_refusal() -> None:
    async with hosting(config=KEYED) as host:
        await host.ask("r1")
        bob = bearer("bob")["authorization"]
        joins = [
            join("mine", "inbox/group:finance"),
            join("not", "inbox/group:sales"),
            join("bobs", "inbox/group:finance", authorization=bob),
            join("gone", "runs/r9", authorization=bearer("root", "operator")["authorization"]),
            join("journal", "runs/r1/%6aournal"),
            join("odd", "runs/r1", offset="-1&offset=-1"),
        ]
        found: dict[str, int] = {}
        async with connected(host, *joins, headers=ALICE) as frames:
            while len(found) < len(joins):
                kind, data = await frames.next()
                if kind == "opened":
                    found[data["id"]] = data["status"]
            assert found == {"mine": 200, "not": 403, "bobs": 403, "gone": 404, "journal": 403, "odd": 400}
            await frames.until("ended", "odd")
            assert orjson.loads(frames.bodies["odd"])["code"] == "invalid_offset"
        async with connected(host, join("nobody", "runs/r1")) as frames:
            assert (await frames.until("opened", "nobody"))["status"] == 401


async def test_a_revoked_token_ends_its_reads_and_no_others() -> None:
    async with hosting(config=KEYED) as host:
        await host.ask("r1")
        boss = bearer("root", "operator")
        bob = bearer("bob", groups=("finance",))["authorization"]
        both = [join("a", "inbox/group:finance"), join("b", "inbox/group:finance", authorization=bob)]
        async with connected(host, *both, headers=ALICE) as frames:
            await frames.shows("a", "upToDate")
            await frames.shows("b", "upToDate")
            revoked = await host.http.post("/v1/tokens/revoke", json={"sub": "bob"}, headers=boss)
            assert revoked.status_code == 200
            await frames.until("ended", "b")
            await host.ask("r2")
            await frames.shows("a", "r2/approve:0")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "/join is missing"),
    ({"join": []}, "names no stream"),
    ({"join": [{"id": "a", "path": "x"}]}, "/join/0/offset is missing"),
    ({"join": [join("a", "x?live=long-poll")]}, "/join/0/path"),
    ({"join": [join("a", "x", authorization="a\r\nb: c")]}, "/join/0/authorization"),
    ({"join": [join("a", "x"), join("a", "y")]}, "an `id` of its own"),
    ({"join": [join(str(n), "x") for n in range(257)]}, "/join must have at most 256 items"),
]


@pytest.mark.parametrize(("sent", "told"), WRONG)
async def test_what_is_wrong_is_told_and_nothing_is_opened(sent: dict[str, Any], told: str) -> None:
    async with hosting() as host:
        answer = problem(await host.http.post("/v1/live", json=sent), 400, "bad_request")
        assert told in answer["detail"]


async def test_other_ways_to_ask_are_refused() -> None:
    async with hosting() as host:
        problem(await host.http.get("/v1/live"), 405, "method_not_allowed")
        problem(await host.http.post("/v1/live", content=b"{}"), 415, "unsupported_media_type")
        problem(await host.http.post("/v1/live/none", json={"leave": ["a"]}), 404, "not_found")
        assert (await host.http.options("/v1/live")).headers["allow"] == "OPTIONS, POST"


async def test_a_name_is_taken_until_its_read_has_ended() -> None:
    async with hosting() as host:
        await host.engine.streams.create("chat", Payload("application/json", b"", 0))
        async with connected(host, join("a", "chat")) as frames:
            await frames.shows("a", "upToDate")
            again = {"join": [join("a", "chat")]}
            problem(await host.http.post(f"/v1/live/{frames.name}", json=again), 400, "bad_request")
            assert (await host.http.post(f"/v1/live/{frames.name}", json={"leave": ["a"]})).status_code == 204
            await frames.until("ended", "a")
            assert (await host.http.post(f"/v1/live/{frames.name}", json=again)).status_code == 204
            await frames.until("opened", "a")


async def test_a_connection_that_carries_nothing_ends_and_so_does_one_whose_client_left() -> None:
    async with hosting() as host:
        async with connected(host, join("a", "nowhere")) as frames:
            await frames.until("ended", "a")
            with pytest.raises((StopAsyncIteration, httpx.RemoteProtocolError)):
                await frames.next()
        await host.engine.streams.create("chat", Payload("application/json", b"", 0))
        async with connected(host, join("a", "chat")) as frames:
            await frames.shows("a", "upToDate")
            assert host.engine.hub.watched == 1
        async with asyncio.timeout(5):
            while host.engine.hub.watched:
                await asyncio.sleep(0.01)
        left = await host.http.post(f"/v1/live/{frames.name}", json={"leave": ["a"]})
        problem(left, 404, "not_found")


async def test_a_server_that_stops_ends_its_connections_at_once() -> None:
    async with hosting() as host:
        await host.engine.streams.create("chat", Payload("application/json", b"", 0))
        async with connected(host, join("a", "chat")) as frames:
            await frames.shows("a", "upToDate")
            await host.engine.hub.close()
            await frames.until("ended", "a")
            async with asyncio.timeout(10):
                with pytest.raises((StopAsyncIteration, httpx.RemoteProtocolError)):
                    await frames.next()


async def test_a_long_catch_up_lets_others_through() -> None:
    async with hosting() as host:
        big = b"[" + b",".join(b'"%d%s"' % (n, b"x" * 1000) for n in range(4000)) + b"]"
        await host.engine.streams.create("big", Payload("application/json", big, 4000))
        await host.engine.streams.create("small", Payload("application/json", b'["here"]', 1))
        order: list[str] = []
        async with connected(host, join("big", "big"), join("small", "small")) as frames:
            while not ("upToDate" in frames.bodies.get("big", "") and "here" in frames.bodies.get("small", "")):
                _, data = await frames.next()
                order.append(data["id"])
        assert order.index("small") < len(order) / 2
        assert frames.bodies["big"].count("xxx") > 0


async def test_a_client_that_does_not_read_has_few_of_its_reads_begun() -> None:
    begun, reading, room = 0, asyncio.Event(), asyncio.Event()

    async def streams(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal begun
        begun += 1
        room.set()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x"})

    body = orjson.dumps({"join": [join(f"r{n}", "big") for n in range(50)]})
    sent: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if not sent:
            await asyncio.Event().wait()
        return sent.pop()

    async def send(message: Message) -> None:
        if b"opened" in message.get("body", b""):
            await reading.wait()

    scope = {"type": "http", "method": "POST", "path_params": {}, "headers": [(b"content-type", b"application/json")]}
    serving = asyncio.create_task(LiveConnections(streams, 64)(scope, receive, send))
    await room.wait()
    for _ in range(100):
        await asyncio.sleep(0)
    assert begun == BEGINNING
    reading.set()
    async with asyncio.timeout(10):
        await serving
    assert begun == 50
