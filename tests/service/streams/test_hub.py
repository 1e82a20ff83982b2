"""The hub: shared frames, bounded memory, other processes, and ends of all kinds."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from signoff.clock import ManualClock
from signoff.errors import Gone
from signoff.service.streams import channel as channels
from signoff.service.streams.hub import POLL_S
from signoff.stores.bus import LocalBus
from signoff.stores.change import Batch
from signoff.streams import offset
from signoff.streams.stream import Head
from signoff.testing.store_contract.laws import change, grow, own, run
from tests.service.streams.scene import TEXT, Process, alone, opened, process, text, until

HEAD = Head.of("s", "i", 1, 0, "text/plain")


async def seen(one: Process, reader: channels.Reader, path: str = "s") -> int:
    """Do what a reader does first; return its position."""
    chunk = await one.streams.read(path)
    reader.channel.observe(chunk.head)
    return chunk.end


def _has(reader: channels.Reader, length: int) -> bool:
    return reader.channel.tail == length


async def test_all_readers_share_the_bytes_of_an_append() -> None:
    async with alone("memory:") as one:
        await one.streams.create("s", TEXT)
        with one.hub.watch("s") as a, one.hub.watch("s") as b:
            at = await seen(one, a)
            waits = [asyncio.create_task(reader.wait(at, 10)) for reader in (a, b)]
            await asyncio.sleep(0)
            await one.streams.append("s", text("hello"))
            assert await asyncio.gather(*waits) == [True, True]
            first, second = a.channel.after(at), b.channel.after(at)
            assert first
            assert second
            assert first[0] is second[0]
            assert first[0].data == b"event: data\ndata:hello\n\n"
        assert one.hub.watched == 0


async def test_a_wait_ends_with_its_time_or_with_the_client() -> None:
    async with alone("memory:") as one:
        await one.streams.create("s", TEXT)
        with one.hub.watch("s") as reader:
            at = await seen(one, reader)
            assert not await reader.wait(at, 0.001)
            waiting = asyncio.create_task(reader.wait(at, 10))
            await until(lambda: bool(reader.channel.waiting))
            reader.leave()
            assert await waiting
            assert reader.gone
            assert not reader.channel.waiting


def test_the_ring_is_bounded_and_who_falls_behind_reads_from_the_store() -> None:
    ring = channels.Channel("s", ManualClock(1_800_000_000_000))
    ring.adopt(HEAD)
    for n in range(2 * channels.RING_FRAMES):
        assert ring.push(Batch(n, n + 1, b"x"))
    assert len(ring.ring) == channels.RING_FRAMES
    assert ring.after(0) is None
    assert ring.after(ring.tail) == []
    kept = ring.after(ring.tail - 3)
    assert kept is not None
    assert [frame.start for frame in kept] == [ring.tail - 3, ring.tail - 2, ring.tail - 1]
    big = channels.RING_BYTES
    for n in range(3):
        ring.push(Batch(ring.tail, ring.tail + big, b"y" * big))
        assert len(ring.ring) == 1, n
    assert ring.ring_bytes < 2 * big


async def test_a_large_append_is_shared_as_a_whole_until_the_next() -> None:
    size = 3 * channels.RING_BYTES

    async with alone("memory:") as one:
        await one.streams.create("s", TEXT)
        with one.hub.watch("s") as reader:
            at = await seen(one, reader)
            await one.streams.append("s", text("x" * size))
            frames = reader.channel.after(at)
            assert frames is not None
            assert sum(len(frame.batch.data) for frame in frames) == size
            assert len(frames) > 10
            few = reader.channel.after(at, most=150_000)
            assert few is not None
            assert few == frames[: len(few)]
            assert 150_000 <= sum(len(frame.data) for frame in few) < 300_000
            await one.streams.append("s", text("y"))
            assert reader.channel.ring_bytes <= channels.RING_BYTES
            assert reader.channel.after(at) is None


def test_a_position_within_an_append_is_left_to_the_store() -> None:
    ring = channels.Channel("s", ManualClock(1_800_000_000_000))
    ring.adopt(HEAD)
    ring.push(Batch(0, 4, b"abcd"))
    assert ring.after(2) is None
    assert ring.after(0)


def test_doubled_and_missing_appends() -> None:
    ring = channels.Channel("s", ManualClock(1_800_000_000_000))
    ring.adopt(HEAD)
    assert ring.push(Batch(0, 2, b"ab"))
    assert ring.push(Batch(0, 2, b"ab"))
    assert len(ring.ring) == 1
    assert not ring.push(Batch(5, 6, b"x"))
    assert ring.tail == 2


async def test_an_append_while_the_first_reader_still_looks_is_not_lost() -> None:
    async with alone("memory:") as one:
        await one.streams.create("s", TEXT)
        with one.hub.watch("s") as reader:
            chunk = await one.streams.read("s")
            await one.streams.append("s", text("between"))
            reader.channel.observe(chunk.head)
            assert await reader.wait(chunk.end, 10)
            frames = reader.channel.after(chunk.end)
            assert frames is None or frames[0].data == b"event: data\ndata:between\n\n"


async def test_closing_and_deleting_end_the_waiting() -> None:
    async with alone("memory:") as one:
        for path in ("closes", "goes"):
            await one.streams.create(path, TEXT)
        with one.hub.watch("closes") as a, one.hub.watch("goes") as b:
            waits = [
                asyncio.create_task(a.wait(await seen(one, a, "closes"), 10)),
                asyncio.create_task(b.wait(await seen(one, b, "goes"), 10)),
            ]
            await one.streams.append("closes", text("last"), close=True)
            await one.streams.delete("goes")
            assert await asyncio.gather(*waits) == [True, True]
            assert a.channel.closed
            assert a.channel.tail == 4
            assert b.channel.deleted
            # A new stream at the same place has new readers.
            await one.streams.create("goes", TEXT)
            with one.hub.watch("goes") as fresh:
                assert fresh.channel is not b.channel


async def test_closing_the_hub_lets_all_readers_finish() -> None:
    async with alone("memory:") as one:
        await one.streams.create("s", TEXT)
        with one.hub.watch("s") as reader:
            waiting = asyncio.create_task(reader.wait(await seen(one, reader), 10))
            await until(lambda: bool(reader.channel.waiting))
            await one.hub.close()
            assert await waiting
            assert reader.channel.ended
            assert not reader.channel.deleted
        with one.hub.watch("s") as late:
            assert late.channel.ended


async def test_appends_of_another_process_arrive_in_order(url: str) -> None:
    async with opened(url) as store, process(store) as one, process(store) as two:
        await one.streams.create("s", TEXT)
        with one.hub.watch("s") as reader:
            at = await seen(one, reader)
            for n in range(5):
                await two.streams.append("s", text(str(n)))
            await until(lambda: reader.channel.tail == 5)
            frames = reader.channel.after(at)
            assert frames is not None
            assert b"".join(frame.batch.data for frame in frames) == b"01234"
            await two.streams.close("s")
            await until(lambda: reader.channel.closed)


async def test_what_another_process_appends_after_us_waits_for_no_time(url: str) -> None:
    """Such as the rows that a worker writes when it hears of an answer we took. The clock stands still."""
    async with opened(url) as store, process(store) as one, process(store) as two:
        await one.streams.create("s", TEXT)
        with one.hub.watch("s") as reader:
            at = await seen(one, reader)
            for length in (12, 24, 36):
                await one.streams.append("s", text("ours "))
                await asyncio.sleep(0.01)  # until the wake-up of our own append has come
                await two.streams.append("s", text("theirs "))
                await until(partial(_has, reader, length))
            frames = reader.channel.after(at)
            assert frames is not None
            assert b"".join(frame.batch.data for frame in frames) == b"ours theirs " * 3


async def test_the_engine_s_rows_reach_readers_and_end_with_the_run(url: str) -> None:
    async with alone(url) as one:
        await one.committer.commit(grow("runs/r1", 0, b'{"n":1}'))
        with one.hub.watch("runs/r1") as reader:
            at = await seen(one, reader, "runs/r1")
            rows = own("runs/r1", b'{"n":2}', b'{"n":3}')
            end = own("runs/r1", close=True)
            await one.committer.commit(change(run("runs/r1", version=2), appends=(rows, end)))
            await until(lambda: reader.channel.closed)
            frames = reader.channel.after(at)
            assert frames is not None
            assert [frame.data for frame in frames] == [b'event: data\ndata:[{"n":2},{"n":3}]\n\n']


async def test_a_deletion_by_another_process_ends_readers(url: str) -> None:
    async with opened(url) as store, process(store) as one, process(store) as two:
        await one.streams.create("s", TEXT)
        with one.hub.watch("s") as reader:
            await seen(one, reader)
            await two.streams.delete("s")
            await until(lambda: reader.channel.deleted)


async def test_lost_wake_ups_cost_one_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the bus down, the comparison of tails finds what happened."""
    monkeypatch.setattr(LocalBus, "wake", lambda _bus, _topics: None)

    clock = ManualClock(1_800_000_000_000)
    async with opened("memory:") as store, process(store, clock) as one, process(store) as two:
        await one.streams.create("s", TEXT)
        with one.hub.watch("s") as reader:
            at = await seen(one, reader)
            await two.streams.append("s", text("unheard"))
            await until(lambda: clock.waiting == 1)
            assert not reader.channel.after(at)
            clock.advance(round(POLL_S * 1000))
            await until(lambda: bool(reader.channel.after(at)))
            await two.streams.close("s")
            await until(lambda: clock.waiting == 1)
            clock.advance(round(POLL_S * 1000))
            await until(lambda: reader.channel.closed)


async def test_another_stream_of_the_same_length_in_the_place_of_one_ends_its_readers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(LocalBus, "wake", lambda _bus, _topics: None)
    clock = ManualClock(1_800_000_000_000)
    async with opened("memory:") as store, process(store, clock) as one, process(store) as two:
        await one.streams.create("s", text("first"))
        with one.hub.watch("s") as reader:
            at = await seen(one, reader)
            await two.streams.delete("s")
            await two.streams.create("s", text("other"))
            await until(lambda: clock.waiting == 1)
            assert not reader.channel.ended
            clock.advance(round(POLL_S * 1000))
            await until(lambda: reader.channel.deleted)
            head = reader.channel.head
            assert head is not None
            with pytest.raises(Gone, match="another has taken its place"):
                await one.streams.read("s", offset.marked(at, head.incarnation))


async def test_a_close_after_an_append_by_another_process_does_not_hide_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalBus, "wake", lambda _bus, _topics: None)

    async with opened("memory:") as store, process(store) as one, process(store) as two:
        await one.streams.create("s", TEXT)
        with one.hub.watch("s") as reader:
            at = await seen(one, reader)
            await two.streams.append("s", text("foreign"))
            await one.streams.close("s")
            await until(lambda: reader.channel.closed)
            frames = reader.channel.after(at)
            assert frames is not None
            assert [frame.batch.data for frame in frames] == [b"foreign"]


def test_a_reader_never_sees_its_cursor_go_back() -> None:
    ring = channels.Channel("s", ManualClock(1_800_000_000_000))
    ring.adopt(HEAD)
    ring.push(Batch(0, 1, b"x"))
    (frame,) = ring.after(0) or []
    shared = frame.event(last=True, cursor=0)
    assert shared == frame.event(last=True, cursor=frame.cursor)
    assert b'"upToDate":true' in shared
    assert b"upToDate" not in frame.event(last=False, cursor=0)
    assert b'"streamCursor":"%d"' % (frame.cursor + 9) in frame.event(last=True, cursor=frame.cursor + 9)
    assert offset.encode(1).encode() in shared
