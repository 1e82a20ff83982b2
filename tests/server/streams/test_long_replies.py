"""Long answers: in memory once, within a bound, and the same to the byte however slowly they are taken."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from signoff.server.streams import long_replies
from signoff.server.streams.live import LONG
from signoff.server.streams.long_replies import PIECE, KeptReply, LongReplies, ReplyLost
from tests.server.streams.scene import QUICK, Site, events, problem, site, told
from tests.server.streams.test_live import JSON, TEXT
from tests.service.streams.scene import until

ROOMY = replace(QUICK, chunk=1 << 20, max_body=32 << 20, keep_alive_s=60, max_age_s=60, long_poll_s=10)
BODY = bytes(range(256)) * 2048


def made(*found: bytes | None) -> tuple[list[int], Callable[[], Awaitable[bytes | None]]]:
    """Return how to make an answer anew, each time as the next of these, and a list that grows by each time."""
    calls: list[int] = []

    async def load() -> bytes | None:
        calls.append(len(calls))
        return found[len(calls) - 1]

    return calls, load


class Client:
    """Take pieces when it is told to."""

    def __init__(self) -> None:
        self.got = b""
        self.ready = asyncio.Semaphore(0)

    async def send(self, message: Any) -> None:
        """Wait, and take a piece."""
        await self.ready.acquire()
        assert len(message["body"]) <= PIECE
        self.got += message["body"]


def stays() -> bool:
    """Tell that the client is there."""
    return False


async def test_who_wants_the_same_shares_one_copy_and_nothing_stays_when_all_have_left() -> None:
    room = LongReplies()
    calls, load = made()
    entries = [KeptReply.make(room, "k", bytes(BODY), load) for _ in range(50)]
    clients = [Client() for _ in entries]
    sending = [
        asyncio.create_task(entry.send(client.send, stays, last=True))
        for entry, client in zip(entries, clients, strict=True)
    ]
    assert room.size == len(BODY)
    for client in clients:
        for _ in range(len(BODY) // PIECE):
            client.ready.release()
    await asyncio.gather(*sending)
    assert [client.got == BODY for client in clients] == [True] * 50
    assert (room.size, calls) == (0, [])


async def test_what_does_not_fit_makes_way_and_is_made_anew() -> None:
    room = LongReplies(most=len(BODY))
    calls, load = made(BODY, BODY, BODY)
    first = KeptReply.make(room, 1, BODY, load)
    others = [KeptReply.make(room, number, BODY[::-1], made()[1]) for number in (2, 3)]
    assert room.size == len(BODY)
    client = Client()
    sending = asyncio.create_task(first.send(client.send, stays, last=True))
    for _ in range(len(BODY) // PIECE):
        client.ready.release()
    await sending
    assert (client.got, calls) == (BODY, [0])
    for entry in others:
        room.leave(entry.key)
    assert room.size == 0


async def test_what_cannot_be_made_anew_ends_in_the_middle() -> None:
    room = LongReplies(most=1)
    entry = KeptReply.make(room, 1, BODY, made(None)[1])
    KeptReply.make(room, 2, BODY, made()[1])
    with pytest.raises(ReplyLost):
        await entry.send(Client().send, stays, last=True)


async def test_nothing_is_made_anew_for_a_client_that_has_left() -> None:
    room = LongReplies(most=1)
    calls, load = made(BODY)
    entry = KeptReply.make(room, 1, BODY, load)
    KeptReply.make(room, 2, BODY, made()[1])
    await entry.send(Client().send, lambda: True, last=True)
    assert calls == []


# -- over HTTP ---------------------------------------------------------------------------------------------------------


def message(size: int) -> bytes:
    """Return a message of so many bytes."""
    return b'{"k":"' + b"x" * (size - 8) + b'"}'


async def stalled(s: Site, query: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Ask, and read the head of the answer only."""
    reader, writer = await asyncio.open_connection("127.0.0.1", s.port, limit=1024)
    writer.write(b"GET /v1/stream/s?offset=%s HTTP/1.1\r\nhost: x\r\n\r\n" % query.encode())
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


def buffered(s: Site) -> int:
    """Return the bytes that wait in the connection that has most of them."""
    found: Any = s.listener.state.connections
    return max(int(line._transport.get_write_buffer_size()) for line in found)


@pytest.mark.parametrize("query", ["-1", "-1&live=sse"])
@pytest.mark.parametrize("size", [1_000, 5_000_000])
async def test_a_connection_whose_client_does_not_read_holds_a_few_pieces(
    query: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms: list[LongReplies] = []
    begin = LongReplies.__init__

    def noted(self: LongReplies, *args: int) -> None:
        rooms.append(self)
        begin(self, *args)

    monkeypatch.setattr(LongReplies, "__init__", noted)

    async with site(limits=ROOMY) as s:
        await s.web.put("/s", headers=JSON)
        for _ in range(4):
            body = b"[" + b",".join([message(size)] * (5_000_000 // size)) + b"]"
            assert (await s.web.post("/s", headers=JSON, content=body)).status_code == 204
        await s.web.aclose()
        writers = [(await stalled(s, query))[1] for _ in range(10)]
        await until(lambda: len(s.listener.state.connections) == 10)
        assert buffered(s) <= 4 * PIECE
        (room,) = rooms
        assert room.size <= size + ROOMY.chunk + LONG  # once, for all ten
        for writer in writers:
            writer.close()
        await until(lambda: not s.listener.state.connections)
        await until(lambda: room.size == 0)


async def test_a_slow_reader_gets_what_was_there_when_it_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though its answer had to make way, and the stream has grown and was closed meanwhile."""
    monkeypatch.setattr(long_replies, "PIECE", 4 * 1024)
    begin = LongReplies.__init__
    monkeypatch.setattr(LongReplies, "__init__", lambda self: begin(self, 1))

    async with site(limits=ROOMY) as s:
        await s.web.put("/s", headers=JSON)
        messages = b",".join(message(1_000) for _ in range(700))
        await s.web.post("/s", headers=JSON, content=b"[" + messages + b"]")
        await s.web.put("/other", headers=TEXT, content=b"y" * 700_000)
        async with s.web.stream("GET", "/s?offset=-1") as slow:
            assert slow.headers["content-length"] == str(len(messages) + 2)
            assert slow.headers["stream-next-offset"] == f"{700:016d}"
            await s.web.post("/s", headers={**JSON, "stream-closed": "true"}, content=b"[1,2,3]")
            for _ in range(3):
                assert len((await s.web.get("/other")).content) == 700_000
            got = b"".join([part async for part in slow.aiter_bytes()])
        assert got == b"[" + messages + b"]"


async def test_deleting_cuts_off_who_is_in_the_middle_of_an_answer_that_is_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin = LongReplies.__init__
    monkeypatch.setattr(LongReplies, "__init__", lambda self: begin(self, 1))

    async with site(limits=replace(ROOMY, chunk=8 << 20)) as s:
        await s.web.put("/s", headers=TEXT, content=b"x" * (8 << 20))
        await s.web.put("/other", headers=TEXT, content=b"y" * 700_000)
        reader, writer = await stalled(s, "-1")
        await s.web.delete("/s")
        await s.web.get("/other")
        got = 0
        async with asyncio.timeout(10):
            while piece := await reader.read(1 << 20):
                got += len(piece)
        assert got < 8 << 20
        writer.close()


async def test_one_more_long_answer_than_may_be_is_refused() -> None:
    async with site(limits=replace(ROOMY, max_readers=2, chunk=8 << 20)) as s:
        await s.web.put("/s", headers=TEXT, content=b"x" * (8 << 20))
        await s.web.put("/short", headers=TEXT, content=b"x")
        lines = [await stalled(s, "-1") for _ in range(2)]
        refused = await s.web.get("/s?offset=-1")
        problem(refused, 503, "server_busy")
        assert (await s.web.get("/short?offset=-1")).content == b"x"
        for _, writer in lines:
            writer.close()

        async def served() -> bool:
            return (await s.web.get("/s?offset=-1")).status_code == 200

        async with asyncio.timeout(10):
            while not await served():
                await asyncio.sleep(0)


async def test_a_large_append_of_many_messages_is_several_events_and_responses() -> None:
    async with site(limits=replace(ROOMY, chunk=100_000)) as s:
        await s.web.put("/s", headers=JSON)
        async with s.web.stream("GET", "/s?offset=-1&live=sse") as following:
            follow = events(following)
            await told(follow)
            numbers = [{"n": n, "x": "y" * 80} for n in range(10_000)]
            await s.web.post("/s", headers=JSON, content=json.dumps(numbers).encode())
            async with s.web.stream("GET", "/s?offset=-1&live=sse") as catching_up:
                for found in (follow, events(catching_up)):
                    seen: list[Any] = []
                    parts = 0
                    while True:
                        data, said = await told(found)
                        parts += 1
                        assert all(len(one) < 2 * LONG for one in data)
                        seen += [row for one in data for row in json.loads(one)]
                        assert said["streamNextOffset"] == f"{len(seen):016d}"
                        if "upToDate" in said:
                            break
                    assert seen == numbers
                    assert parts > 10
        seen, at = [], "-1"
        while len(seen) < len(numbers):
            part = await s.web.get("/s", params={"offset": at})
            assert len(part.content) < 200_000
            seen += part.json()
            at = part.headers["stream-next-offset"]
        assert seen == numbers


async def test_a_message_larger_than_all_pieces_reaches_live_readers_whole() -> None:
    large = message(3 << 20)

    async def one(s: Site, response: httpx.Response) -> None:
        found = events(response)
        await told(found)
        await s.web.post("/s", headers=JSON, content=large)
        data, said = await told(found)
        assert data == [f"[{large.decode()}]"]
        assert said["upToDate"] is True

    async with site(limits=ROOMY) as s:
        await s.web.put("/s", headers=JSON)
        async with s.web.stream("GET", "/s?offset=now&live=sse") as response:
            await one(s, response)
        async with s.web.stream("GET", "/s?offset=-1&live=sse") as late:
            data, said = await told(events(late))
            assert (data, said["upToDate"]) == ([f"[{large.decode()}]"], True)
