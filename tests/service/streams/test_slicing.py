"""Long work and the event loop: all else has its turns meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import pytest

from signoff.errors import BadRequest, StreamClosed, StreamNotFound
from signoff.service.streams.slicing import TimeSlicer
from signoff.streams import json_mode, offset
from signoff.streams.slices import Sliced
from signoff.streams.stream import Branch
from tests.service.streams.scene import JSON, TEXT, alone

T = TypeVar("T")

COUNT = 300_000
BODY = b"[" + b",".join([b"[0]"] * COUNT) + b"]"


async def turns_during(done: Awaitable[T]) -> tuple[T, int]:
    """Return a result, and how many turns the loop made until it was there."""
    task = asyncio.ensure_future(done)
    turns = 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    return task.result(), turns


async def test_one_slice_in_a_turn_whoever_asks() -> None:
    shared, log = TimeSlicer(), list[str]()

    def work(name: str) -> Sliced[str]:
        for _ in range(4):
            log.append(name)
            yield
        return name

    async def turn() -> None:
        while len(log) - log.count("|") < 12:
            log.append("|")
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    assert await asyncio.gather(*(shared.run(work(name)) for name in "abc")) == ["a", "b", "c"]
    await turning
    assert log.count("|") >= 9


async def test_short_work_is_done_at_once() -> None:
    (payload, turns) = await turns_during(TimeSlicer().run(json_mode.payload_in_slices("application/json", b"[1,2]")))
    assert (payload.units, turns) == (2, 1)


async def test_reading_inside_of_a_large_append_lets_all_else_go_on() -> None:
    async with alone("memory:") as one:
        await one.streams.create("s", JSON)
        payload, turns = await turns_during(one.streams.payload("application/json", BODY))
        assert (payload.units, payload.fault) == (COUNT, None)
        assert turns >= 30
        # Stored as one batch, as earlier versions did.
        await one.streams.append("s", payload._replace(cuts=()))
        chunk, turns = await turns_during(one.streams.read("s", offset.encode(COUNT - 1)))
        assert chunk.body == b"[[0]]"
        assert turns >= 30
        await one.streams.create("f", JSON, fork=Branch("s", COUNT - 1))
        chunk, turns = await turns_during(one.streams.read("f", offset.encode(COUNT - 2)))
        assert chunk.body == b"[[0]]"
        assert turns >= 60


async def test_a_large_append_to_a_compacted_stream_lets_all_else_go_on() -> None:
    row = b'{"type":"t","key":"k","value":1,"headers":{"operation":"insert"}}'
    rows = b"[" + b",".join([row] * 20_000) + b"]"

    async with alone("memory:") as one:
        await one.streams.create("s", JSON, compacted=True)
        payload = await one.streams.payload("application/json", rows)
        done, turns = await turns_during(one.streams.append("s", payload))
        assert done.head.tail == 20_000
        assert turns >= 30
        bad = await one.streams.payload("application/json", rows[:-1] + b",1]")
        with pytest.raises(BadRequest, match="message"):
            await one.streams.append("s", bad)
        await one.compactor.idle()
        # The rows are read together with what is not folded yet, which is a part of a large append.
        assert (await one.streams.read("s")).end == 20_000


@pytest.mark.parametrize("wrong", [("garbage", b"1"), ("application/json", b"{"), (None, b"1")])
async def test_a_stream_that_is_closed_says_so_whatever_is_sent(wrong: tuple[str | None, bytes]) -> None:
    async with alone("memory:") as one:
        payload = await one.streams.payload(*wrong)
        with pytest.raises(StreamNotFound):
            await one.streams.append("s", payload)
        with pytest.raises(BadRequest):
            await one.streams.create("s", payload)
        await one.streams.create("s", TEXT)
        with pytest.raises(BadRequest):
            await one.streams.append("s", payload)
        await one.streams.close("s")
        with pytest.raises(StreamClosed):
            await one.streams.append("s", payload)
