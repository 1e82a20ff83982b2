"""Forks over every store: reading across them, many at once, several processes, live readers."""

from __future__ import annotations

import asyncio

import pytest

from signoff.errors import SignoffError, StreamClosed, StreamConflict, StreamDeleted, StreamNotFound
from signoff.stores.change import StreamDelete
from signoff.streams import fork, offset
from signoff.streams.stream import Branch, Payload, ProducerMark, Write
from signoff.testing.store_contract.laws import grow
from tests.service.streams.scene import JSON, TEXT, Process, alone, opened, process, text, until, written


async def refs(one: Process, path: str) -> int:
    state = await one.store.load_stream(path)
    assert state is not None
    return state.head.refs


async def whole(one: Process, path: str) -> bytes:
    return (await one.streams.read(path)).data


async def test_a_fork_is_read_as_one_from_anywhere_in_any_size(url: str) -> None:
    async with alone(url) as one:
        messages: list[bytes] = []
        await one.streams.create("0", JSON)
        for level in range(6):
            here = str(level)
            if level:
                # Each leaves the one before in the middle of what that was given at once.
                del messages[-2:]
                await one.streams.create(here, JSON, fork=Branch(str(level - 1), len(messages)))
            for size in (3, 4):
                more = [b'{"n":[%d,"a,%d"]}' % (level, n) for n in range(size)]
                await one.streams.append(here, Payload("application/json", b",".join(more), size))
                messages += more
        for start in range(len(messages) + 1):
            for size in (1, 50, 1 << 20):
                position, parts = start, list[bytes]()
                while True:
                    chunk = await one.streams.read("5", offset.encode(position), max_bytes=size)
                    assert chunk.start == position
                    position = chunk.end
                    parts += [chunk.data] if chunk.data else []
                    if chunk.up_to_date:
                        break
                assert b",".join(parts) == b",".join(messages[start:])


async def test_a_read_that_has_enough_stops_within_the_source() -> None:
    async with alone("memory:") as one:
        await one.streams.create("s", text("a" * 10))
        await one.streams.append("s", text("b" * 10))
        await one.streams.create("f", text("c" * 10), fork=Branch("s"))
        await one.streams.append("f", text("d" * 10))
        for size, end in ((1, 10), (10, 10), (11, 20), (20, 20), (21, 30), (31, 40)):
            chunk = await one.streams.read("f", max_bytes=size)
            assert (chunk.end, len(chunk.data), chunk.up_to_date) == (end, end, end == 40)


async def test_fork_and_source_go_their_own_ways(url: str) -> None:
    async with alone(url) as one:
        mark = ProducerMark("p", 5, 0)
        await one.streams.create("s", TEXT)
        await one.streams.append("s", text("shared "), seq="m", producer=mark)
        await one.streams.create("f", TEXT, fork=Branch("s"))
        assert (await one.streams.append("f", text("mine"), seq="a", producer=ProducerMark("p", 0, 0))).new
        assert not (await one.streams.append("s", text("again"), producer=mark)).new
        await one.streams.append("s", text("theirs"), close=True)
        assert (await whole(one, "s"), await whole(one, "f")) == (b"shared theirs", b"shared mine")
        await one.streams.create("g", text("!"), fork=Branch("s", 7))
        assert await whole(one, "g") == b"shared !"
        await one.streams.append("g", text("!"))
        with pytest.raises(StreamClosed):
            await one.streams.append("s", text("?"))


async def test_making_and_collecting_are_one_change_each(url: str) -> None:
    async with alone(url) as one:
        await one.streams.create("0", text("x"))
        for level in range(1, 6):
            await one.streams.create(str(level), text("x"), fork=Branch(str(level - 1)))
            assert len(written(one.committer.changes[-1])) == 2
        for level in range(5):
            await one.streams.delete(str(level))
        assert await whole(one, "5") == b"xxxxxx"
        before = len(one.committer.changes)
        await one.streams.delete("5")
        [change] = one.committer.changes[before:]
        assert {write.path for write in written(change) if isinstance(write, StreamDelete)} == set("012345")
        for level in range(6):
            assert await one.store.load_stream(str(level)) is None


async def test_a_chain_has_an_end_and_can_be_collected_as_a_whole(url: str) -> None:
    async with alone(url) as one:
        await one.streams.create("0", text("x"))
        for level in range(1, fork.DEEPEST + 1):
            await one.streams.create(str(level), TEXT, fork=Branch(str(level - 1)))
        deepest = str(fork.DEEPEST)
        with pytest.raises(StreamConflict):
            await one.streams.create("more", TEXT, fork=Branch(deepest))
        assert await whole(one, deepest) == b"x"
        for level in range(fork.DEEPEST):
            await one.streams.delete(str(level))
        await one.streams.delete(deepest)
        assert await one.store.load_stream("0") is None


async def test_a_source_that_is_written_to_can_be_forked_all_the_time(url: str) -> None:
    async with opened(url) as store, process(store) as one, process(store) as two:
        await one.streams.create("s", TEXT)
        appends = [one.streams.append("s", text(f"{n:03d}")) for n in range(100)]
        forks = [(two if n % 2 else one).streams.create(f"f{n}", TEXT, fork=Branch("s")) for n in range(20)]
        await asyncio.gather(*(each for pair in zip(appends, forks, strict=False) for each in pair), *appends[20:])
        complete = "".join(f"{n:03d}" for n in range(100)).encode()
        assert await whole(one, "s") == complete
        assert await refs(one, "s") == 20
        for n in range(20):
            inherited = await whole(one, f"f{n}")
            assert complete.startswith(inherited)
            assert len(inherited) % 3 == 0


async def test_forking_and_deleting_at_once_never_leaves_a_fork_without_its_source(url: str) -> None:
    async with opened(url) as store, process(store) as one, process(store) as two:
        for n in range(25):
            source, made = f"s{n}", [f"f{n}/{m}" for m in range(3)]
            await one.streams.create(source, text("data"))
            done = await asyncio.gather(
                *(two.streams.create(path, TEXT, fork=Branch(source)) for path in made[:2]),
                one.streams.delete(source),
                one.streams.create(made[2], TEXT, fork=Branch(source)),
                *(one.streams.delete(path) for path in made[:1]),
                return_exceptions=True,
            )
            assert all(result is None or not isinstance(result, BaseException) or isinstance(result, SignoffError)
                       for result in done)  # fmt: skip
            there = [path for path in made if await store.load_stream(path) is not None]
            for path in there:
                assert await whole(two, path) == b"data"
            state = await store.load_stream(source)
            assert (state is not None) == bool(there)
            assert state is None or (state.head.refs, state.head.deleted) == (len(there), True)
            for path in there:
                await two.streams.delete(path)
            assert await store.load_stream(source) is None


async def test_reading_what_is_being_collected_brings_all_of_it_or_says_that_it_is_gone(url: str) -> None:
    async with opened(url) as store, process(store) as one, process(store) as two:
        for n in range(10):
            await one.streams.create(f"s{n}", text("inherited "))
            await one.streams.create(f"f{n}", text("own"), fork=Branch(f"s{n}"))
            await one.streams.delete(f"s{n}")
            reads = [asyncio.create_task(whole(two, f"f{n}")) for _ in range(5)]
            await one.streams.delete(f"f{n}")
            reads += [asyncio.create_task(whole(two, f"f{n}"))]
            for result in await asyncio.gather(*reads, return_exceptions=True):
                assert isinstance(result, StreamNotFound) or result == b"inherited own"


async def test_a_source_s_appends_do_not_wake_a_fork_s_readers() -> None:
    async with alone("memory:") as one:
        await one.streams.create("s", text("shared"))
        await one.streams.create("f", TEXT, fork=Branch("s"))
        with one.hub.watch("f") as reader:
            chunk = await one.streams.read("f", offset.NOW)
            reader.channel.observe(chunk.head)
            assert await reader.wait(3, 5)  # in the inherited range: at once
            await one.streams.append("s", text(" theirs"))
            await one.streams.delete("s")
            assert not await reader.wait(chunk.end, 0.01)
            await one.streams.append("f", text(" mine"))
            assert await reader.wait(chunk.end, 5)
            assert [frame.batch.data for frame in reader.channel.after(chunk.end) or ()] == [b" mine"]


async def test_readers_of_a_source_learn_that_it_was_deleted_wherever_they_are(url: str) -> None:
    async with opened(url) as store, process(store) as one, process(store) as two:
        await one.streams.create("s", text("data"))
        await one.streams.create("f", TEXT, fork=Branch("s"))
        with one.hub.watch("s") as here, two.hub.watch("s") as there:
            for reader, where in ((here, one), (there, two)):
                reader.channel.observe((await where.streams.read("s")).head)
            await one.streams.delete("s")
            assert here.channel.deleted
            await until(lambda: there.channel.deleted)
        with pytest.raises(StreamDeleted):
            await two.streams.read("s")
        found = await store.find_streams(["s", "f"])
        assert {path: (one.tail, one.closed) for path, one in found.items()} == {"f": (4, False)}


async def test_an_engine_s_stream_is_forked_while_the_engine_writes(url: str) -> None:
    async with alone(url) as one:
        await one.committer.commit(grow("runs/r", 0, b"0"))

        async def run() -> None:
            for n in range(1, 40):
                await one.committer.commit(grow("runs/r", n, b"%d" % n, close=n == 39))

        forks = [one.streams.create(f"f{n}", JSON, fork=Branch("runs/r")) for n in range(10)]
        await asyncio.gather(run(), *forks)
        complete = b",".join(b"%d" % n for n in range(40))
        assert await whole(one, "runs/r") == complete
        assert await refs(one, "runs/r") == 10
        for n in range(10):
            assert complete.startswith(await whole(one, f"f{n}"))
            await one.streams.delete(f"f{n}")
        assert await refs(one, "runs/r") == 0


async def test_an_expired_fork_lets_go_of_what_was_kept_for_it(url: str) -> None:
    async with alone(url) as one:
        await one.streams.create("s", text("data"), ttl_s=10)
        await one.streams.create("f", TEXT, fork=Branch("s"), ttl_s=100)
        one.clock.advance(20_000)
        with pytest.raises(StreamDeleted):
            await one.streams.read("s")
        with pytest.raises(StreamConflict):
            await one.streams.create("s", TEXT, ttl_s=10)
        with pytest.raises(StreamConflict):
            await one.streams.create("g", TEXT, fork=Branch("s"))
        assert await whole(one, "f") == b"data"
        one.clock.advance(200_000)
        with pytest.raises(StreamNotFound):
            await one.streams.read("f")
        with pytest.raises(StreamNotFound):
            await one.streams.read("s")
        assert (await one.streams.create("s", TEXT)).new


async def test_forking_what_has_expired_finds_nothing(url: str) -> None:
    async with alone(url) as one:
        await one.streams.create("s", text("data"), ttl_s=10)
        one.clock.advance(20_000)
        with pytest.raises(StreamNotFound):
            await one.streams.create("f", TEXT, fork=Branch("s"))
        assert await one.store.load_stream("s") is None


async def test_a_source_counts_its_forks_while_what_stands_beside_it_expires(url: str) -> None:
    async with opened(url) as store, process(store) as one, process(store, one.clock) as other:
        await one.streams.create("expired", text("data"), ttl_s=100)
        for _ in range(2):
            one.clock.advance(60_000)
        await other.streams.create("s", text("data"))
        with pytest.raises(StreamNotFound):
            await one.streams.create("refused", TEXT, fork=Branch("expired"))
        await one.streams.create("f", TEXT, fork=Branch("s"))
        assert await refs(other, "s") == 1
        await other.streams.delete("f")
        assert await refs(one, "s") == 0
        for path in ("expired", "refused", "f"):
            assert await store.load_stream(path) is None


async def test_a_refused_fork_counts_nowhere(url: str) -> None:
    async with alone(url) as one:
        await one.streams.create("s", text("data"))
        await one.streams.create("taken", JSON)
        for path, payload, at in (("f", JSON, None), ("f", TEXT, 5), ("taken", TEXT, None)):
            with pytest.raises(SignoffError):
                await one.streams.create(path, payload, fork=Branch("s", at))
        writes = [write for change in one.committer.changes for write in written(change)]
        assert [write.head.path for write in writes if isinstance(write, Write)] == ["s", "taken"]
        with pytest.raises(StreamNotFound):
            await one.streams.create("self", TEXT, fork=Branch("self"))


async def test_a_fork_is_let_go_of_by_whoever_knew_its_source_before_it_was_made_anew(url: str) -> None:
    async with opened(url) as store, process(store) as one, process(store) as two:
        await one.streams.create("s", text("x"))
        await two.streams.close("s")
        await one.streams.delete("s")
        await one.streams.create("s", text("x"))
        await one.streams.create("f", TEXT, fork=Branch("s"))
        await two.streams.delete("f")
        assert await refs(one, "s") == 0
