"""Reading: from everywhere, in chunks, and within what was appended at once."""

from __future__ import annotations

import json

import pytest

from signoff.errors import BadRequest, InvalidOffset, StreamNotFound
from signoff.streams import json_mode, offset
from signoff.streams.stream import Payload
from tests.service.streams.scene import JSON, TEXT, alone, text

BIG = b"12345678901234567890123456789"


async def test_bytes_from_every_position(url: str) -> None:
    async with alone(url) as one:
        await one.streams.create("s", TEXT)
        for part in ("abc", "d", "efgh"):
            await one.streams.append("s", text(part))
        for n in range(9):
            chunk = await one.streams.read("s", offset.encode(n))
            assert chunk.body == b"abcdefgh"[n:]
            assert (chunk.start, chunk.end, chunk.up_to_date) == (n, 8, True)


async def test_messages_from_every_position_are_as_they_were_sent(url: str) -> None:
    sent = [b'{"a": 1.0}', b'"x,y]"', BIG, b"[1,[2]]", b"null", b"1e2", b'{"b":"\\u00e9"}']

    async with alone(url) as one:
        await one.streams.create("s", JSON)
        for part in (sent[:3], sent[3:4], sent[4:]):
            body = b"[ " + b" , ".join(part) + b" ]"
            await one.streams.append("s", json_mode.payload("application/json", body))
        for n in range(len(sent) + 1):
            chunk = await one.streams.read("s", offset.encode(n))
            assert json_mode.split(chunk.data) == sent[n:]
            assert json.loads(chunk.body) == [json.loads(message) for message in sent[n:]]


async def test_chunks_say_whether_there_is_more(url: str) -> None:
    async with alone(url) as one:
        await one.streams.create("s", TEXT)
        for part in ("aaa", "bbb", "ccc"):
            await one.streams.append("s", text(part))
        await one.streams.close("s")
        token, seen = offset.START, b""
        told = []
        while True:
            chunk = await one.streams.read("s", token, max_bytes=4)
            seen += chunk.data
            told.append((chunk.up_to_date, chunk.closed))
            token = offset.encode(chunk.end)
            if chunk.closed:
                break
        assert seen == b"aaabbbccc"
        assert told == [(False, False), (True, True)]


async def test_now_is_the_tail_and_brings_nothing(url: str) -> None:
    async with alone(url) as one:
        await one.streams.create("s", text("abc"))
        chunk = await one.streams.read("s", offset.NOW)
        assert (chunk.start, chunk.end, chunk.body) == (3, 3, b"")


@pytest.mark.parametrize("token", ["", "3", "nonsense", "0000000000000004", "-2", "NOW"])
async def test_offsets_that_are_none_of_this_stream(token: str) -> None:
    async with alone("memory:") as one:
        await one.streams.create("s", text("abc"))
        with pytest.raises(InvalidOffset):
            await one.streams.read("s", token)


async def test_absent_streams_and_impossible_paths() -> None:
    async with alone("memory:") as one:
        for token in (offset.START, offset.NOW, offset.encode(0)):
            with pytest.raises(StreamNotFound):
                await one.streams.read("absent", token)
        for path in ("", "a//b", "../a", "a\x00", "a" * 1025):
            with pytest.raises(BadRequest):
                await one.streams.read(path)
            with pytest.raises(BadRequest):
                await one.streams.create(path, Payload("text/plain", b"", 0))
