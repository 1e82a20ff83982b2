"""Writing to streams: many at once, several processes, retries, expiry; over every store."""

from __future__ import annotations

import asyncio

import pytest

from signoff.clock import ManualClock
from signoff.errors import (
    EngineOwned,
    ProducerGap,
    StreamClosed,
    StreamConflict,
    StreamNotFound,
)
from signoff.service.streams import chain, writer
from signoff.stores.change import Change, FamilyWrite, StreamDelete
from signoff.streams.stream import Payload, ProducerMark
from signoff.testing.store_contract.laws import grow
from tests.service.streams.scene import JSON, TEXT, alone, opened, process, text, until


async def test_appends_to_one_stream_are_decided_in_order_and_committed_together(url: str) -> None:
    async with alone(url) as one:
        await one.streams.create("s", TEXT)
        done = await asyncio.gather(*(one.streams.append("s", text(f"{n:03d}")) for n in range(200)))
        assert [written.head.tail for written in done] == [3 * (n + 1) for n in range(200)]
        assert (await one.streams.read("s")).body.decode() == "".join(f"{n:03d}" for n in range(200))
        assert one.committer.most > 50


async def test_pipelined_producers_keep_their_order(url: str) -> None:
    async with alone(url) as one:
        await one.streams.create("s", TEXT)
        sends = [
            one.streams.append("s", text(f"{name}{n} "), producer=ProducerMark(name, 0, n))
            for n in range(20)
            for name in "ab"
        ]
        done = await asyncio.gather(*sends)
        assert all(written.new for written in done)
        parts = (await one.streams.read("s")).body.decode().split()
        for name in "ab":
            assert [part for part in parts if part[0] == name] == [f"{name}{n}" for n in range(20)]


async def test_one_retry_among_many_writes_nothing(url: str) -> None:
    async with alone(url) as one:
        await one.streams.create("s", TEXT)
        mark = ProducerMark("p", 0, 0)
        done = await asyncio.gather(*(one.streams.append("s", text("once"), producer=mark) for _ in range(10)))
        assert [written.new for written in done].count(True) == 1
        assert (await one.streams.read("s")).body == b"once"
        assert all(written.producer == mark for written in done)


async def test_a_refusal_waits_for_what_it_was_decided_on(url: str) -> None:
    """Who is told that the stream is closed can rely on it."""

    async with alone(url) as one:
        await one.streams.create("s", TEXT)
        closing = asyncio.create_task(one.streams.close("s"))
        appending = asyncio.create_task(one.streams.append("s", text("late")))
        with pytest.raises(StreamClosed):
            await appending
        state = await one.store.load_stream("s")
        assert state is not None
        assert state.head.closed
        await closing


async def test_two_processes_write_to_one_stream(url: str) -> None:
    async with opened(url) as store, process(store) as one, process(store) as two:
        await one.streams.create("s", JSON)
        sends = [
            each.streams.append("s", Payload("application/json", b"%d" % n, 1))
            for n in range(40)
            for each in (one, two)
        ]
        await asyncio.gather(*sends)
        chunk = await one.streams.read("s")
        assert chunk.end == 80
        assert sorted(chunk.data.split(b",")) == sorted(b"%d" % n for n in range(40) for _ in "12")


async def test_what_was_decided_ahead_never_fits_what_another_process_wrote(url: str) -> None:
    """Of many appends under way one conflicts; what follows it must not, by its number, fit after the other's."""

    async with opened(url) as store, process(store) as one, process(store) as two:
        await one.streams.create("s", TEXT)
        await two.streams.append("s", text("their "))
        sent = ("a ", "longer ")
        done = await asyncio.gather(*(one.streams.append("s", text(each)) for each in sent))
        data = (await one.streams.read("s")).data.decode()
        assert data in {"their a longer ", "their longer a "}
        assert [written.head.tail for written in done] == [data.index(each) + len(each) for each in sent]
        await two.streams.close("s")
        late = [one.streams.append("s", text("late")), one.streams.append("s", text("too late"))]
        for refused in await asyncio.gather(*late, return_exceptions=True):
            assert isinstance(refused, StreamClosed)


async def test_what_another_process_did_is_never_denied(url: str) -> None:
    """A remembered head is no reason for a refusal: the store is asked first."""

    async with opened(url) as store, process(store) as one, process(store) as two:
        with pytest.raises(StreamNotFound):
            await two.streams.append("s", text("x"))
        await one.streams.create("s", TEXT)
        assert (await two.streams.append("s", text("x"))).head.tail == 1
        await one.streams.append("s", text("y"), producer=ProducerMark("p", 0, 0))
        assert (await two.streams.append("s", text("z"), producer=ProducerMark("p", 0, 1))).new
        with pytest.raises(ProducerGap):
            await one.streams.append("s", text("!"), producer=ProducerMark("p", 0, 3))
        assert not (await one.streams.append("s", text("z"), producer=ProducerMark("p", 0, 1))).new
        await two.streams.close("s")
        with pytest.raises(StreamClosed):
            await one.streams.append("s", text("late"))
        await one.streams.delete("s")
        with pytest.raises(StreamNotFound):
            await two.streams.close("s")
        assert (await two.streams.create("s", TEXT)).new
        assert not (await one.streams.create("s", TEXT)).new


async def test_a_stream_that_took_a_deleted_one_s_place_is_another_stream(url: str) -> None:
    """Who still holds the old head cannot write it over the new one, even at the same number of writes."""

    async with opened(url) as store, process(store) as one, process(store) as two:
        await one.streams.create("s", TEXT)
        await one.streams.append("s", text("old"))
        await two.streams.delete("s")
        await two.streams.create("s", TEXT)
        await two.streams.append("s", text("new"))
        done = await one.streams.append("s", text("er"), producer=ProducerMark("p", 0, 0))
        assert (await one.streams.read("s")).body == b"newer"
        assert done.head.incarnation == (await two.streams.head("s")).incarnation


async def test_creating_at_once_creates_once(url: str) -> None:
    async with opened(url) as store, process(store) as one, process(store) as two:
        both = [each.streams.create("s", text("first")) for each in (one, two) * 5]
        done = await asyncio.gather(*both)
        assert [written.new for written in done].count(True) == 1
        assert len({written.head.incarnation for written in done}) == 1
        with pytest.raises(StreamConflict):
            await two.streams.create("s", JSON)


async def test_deleting_takes_data_and_producers_along(url: str) -> None:
    async with alone(url) as one:
        await one.streams.create("s", TEXT)
        await one.streams.append("s", text("old"), producer=ProducerMark("p", 3, 0))
        await one.streams.delete("s")
        with pytest.raises(StreamNotFound):
            await one.streams.read("s")
        with pytest.raises(StreamNotFound):
            await one.streams.delete("s")
        await one.streams.create("s", TEXT)
        assert (await one.streams.append("s", text("new"), producer=ProducerMark("p", 0, 0))).new
        assert (await one.streams.read("s")).body == b"new"


@pytest.mark.parametrize("path", ["runs/r1", "runs/r1/journal", "inbox/user:a", "workflows/w"])
async def test_the_engine_s_streams_are_for_reading_only(path: str) -> None:
    async with alone("memory:") as one:
        await one.committer.commit(grow(path, 0, b'{"a":1}', b"2"))
        for refused in (
            one.streams.create(path, JSON),
            one.streams.append(path, Payload("application/json", b"1", 1)),
            one.streams.close(path),
            one.streams.delete(path),
        ):
            with pytest.raises(EngineOwned):
                await refused
        chunk = await one.streams.read(path)
        assert chunk.body == b'[{"a":1},2]'
        assert chunk.head.engine


async def test_an_expired_stream_is_absent_and_its_path_is_free(url: str) -> None:
    async with alone(url) as one:
        await one.streams.create("s", text("old"), ttl_s=10)
        one.clock.advance(9_000)
        assert (await one.streams.append("s", text("er"))).new
        one.clock.advance(9_000)
        assert (await one.streams.read("s")).body == b"older"
        one.clock.advance(9_000)
        assert (await one.streams.head("s")).ttl_s == 10
        one.clock.advance(2_000)
        for refused in (one.streams.head("s"), one.streams.read("s"), one.streams.append("s", text("x"))):
            with pytest.raises(StreamNotFound):
                await refused
        assert (await one.streams.create("s", text("new"), ttl_s=10)).new
        one.clock.advance(20_000)
        assert (await one.streams.create("s", TEXT)).new
        assert (await one.streams.read("s")).body == b""


async def test_a_stream_with_live_readers_does_not_go_idle(url: str) -> None:
    """Not in the eyes of another process either, which does not know of them."""

    clock = ManualClock(1_800_000_000_000)
    async with opened(url) as store, process(store, clock) as one, process(store, clock) as other:
        await one.streams.create("s", TEXT, ttl_s=1)
        assert (await other.streams.head("s")).ttl_s == 1
        with one.hub.watch("s") as reader:
            reader.channel.observe((await one.streams.read("s")).head)
            for _ in range(3):
                await until(lambda: clock.waiting == 2)  # the renewal, and the hub's next look
                clock.advance(900)
                one.committer.changes.clear()
                await until(lambda: bool(one.committer.changes) and one.committer.under_way == 0)
                assert (await other.streams.head("s")).touched_at == clock.now_ms()
        clock.advance(2_000)
        for each in (other, one):
            with pytest.raises(StreamNotFound):
                await each.streams.head("s")


async def test_memory_follows_the_streams_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "CACHED_HEADS", 10)
    monkeypatch.setattr(chain, "CACHED_PRODUCERS", 10)

    async with alone("memory:") as one:
        for n in range(50):
            await one.streams.create(f"s/{n}", TEXT)
            with pytest.raises(StreamNotFound):
                await one.streams.append(f"absent/{n}", text("x"))
            await one.streams.append("s/0", text("x"), producer=ProducerMark(f"p{n}", 0, 0))
        chains = one.streams._writer._chains
        assert len(chains) <= 10
        assert all(len(chain.producers) <= 10 for chain in chains.values())
        # What was forgotten is loaded again: these are retries still.
        assert not (await one.streams.append("s/0", text("x"), producer=ProducerMark("p0", 0, 0))).new
        assert (await one.streams.append("s/1", text("y"))).new


async def test_a_cancelled_writer_leaves_no_doubt_behind(url: str) -> None:
    async with alone(url) as one:
        await one.streams.create("s", TEXT)
        task = asyncio.create_task(one.streams.append("s", text("x"), producer=ProducerMark("p", 0, 0)))
        while not one.committer.under_way:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        retry = await one.streams.append("s", text("x"), producer=ProducerMark("p", 0, 0))
        assert (await one.streams.read("s")).body == b"x"
        assert retry.head.tail == 1


async def test_a_conflict_in_the_middle_of_a_pipeline_loses_nothing(url: str) -> None:
    async with opened(url) as store, process(store) as one:
        await one.streams.create("s", TEXT)
        await one.streams.append("s", text("0 "))
        state = await store.load_stream("s")
        assert state is not None
        # Another process deletes and creates the stream while ten appends are under way.
        sends = [asyncio.create_task(one.streams.append("s", text(f"{n} "))) for n in range(1, 11)]
        await store.commit([Change(FamilyWrite((StreamDelete("s", state.head.version),)))])
        done = await asyncio.gather(*sends, return_exceptions=True)
        ended = [isinstance(result, StreamNotFound) for result in done]
        assert ended == sorted(ended)
        with pytest.raises(StreamNotFound):
            await one.streams.head("s")
