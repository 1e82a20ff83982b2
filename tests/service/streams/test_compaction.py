"""Compaction over a real store: whoever starts over gets the rows, whoever goes on gets everything."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from signoff.errors import BadRequest, Gone, StreamConflict
from signoff.service.streams.compaction import Compactor
from signoff.stores.base import WorkflowStore
from signoff.stores.change import Name, RowsWrite
from signoff.stores.open import open_store
from signoff.streams import compaction, json_mode, offset, state
from signoff.streams.state import RowMap
from signoff.streams.stream import Branch, Payload
from signoff.testing.store_contract.laws import grow
from tests.service.streams.scene import JSON, Process, alone, opened, process

AT = "2026-01-02T03:04:05.000Z"


def messages(count: int, *, keys: int = 20, seed: int = 1, start: int = 0) -> list[bytes]:
    """Make changes of a few rows, as a program would: a row is there when it is updated or deleted."""
    chance = random.Random(seed)
    there: set[str] = set()
    made = []
    for n in range(start, start + count):
        key = f"k{chance.randrange(keys)}"
        if key not in there:
            operation = state.Operation.INSERT
            there.add(key)
        elif chance.random() < 0.2:
            operation = state.Operation.DELETE
            there.remove(key)
        else:
            operation = state.Operation.UPDATE
        made.append(state.change(operation, "reading", key, {"n": n}, timestamp=AT, txid=f"t{n}"))
    return made


def payload(some: list[bytes]) -> Payload:
    return Payload("application/json", b",".join(some), len(some))


async def _version(one: Process, path: str) -> int:
    """Return how often the engine has written to a stream."""
    loaded = await one.store.load(Name("run", path))
    return 0 if loaded is None else loaded.subject.version


async def emit(one: Process, path: str, some: list[bytes], *, size: int = 50, close: bool = False) -> None:
    """Append to an engine's stream."""
    for index in range(0, len(some), size):
        part = some[index : index + size]
        last = index + size >= len(some)
        await one.committer.commit(grow(path, await _version(one, path), *part, close=close and last))


async def follow(one: Process, path: str, token: str = offset.START, *, max_bytes: int = 1 << 20) -> tuple[RowMap, str]:
    """Read from an offset to the tail and fold it; return the rows and where the tail is."""
    rows: RowMap = {}
    while True:
        chunk = await one.streams.read(path, token, max_bytes=max_bytes)
        state.fold(json_mode.split(chunk.data), rows)
        token = offset.encode(chunk.end)
        if chunk.up_to_date:
            return rows, token


async def test_a_reader_from_the_start_gets_rows_and_the_rest(url: str) -> None:
    async with alone(url) as one:
        sent = messages(1024)
        await emit(one, "inbox/a", sent, size=64)  # the last append is one of those that have all before it folded
        await one.compactor.idle()
        chunk = await one.streams.read("inbox/a")
        assert chunk.rows_at == 1024
        assert (chunk.start, chunk.end, chunk.up_to_date) == (0, 1024, True)
        got = json_mode.split(chunk.data)
        assert 0 < len(got) <= 20
        assert all(state.Operation.INSERT in str(message) for message in got)
        assert state.fold(got) == state.fold(sent)
        assert list(state.fold(got)) == list(state.fold(sent))
        more = messages(30, seed=2, start=1024)
        await emit(one, "inbox/a", more)
        rows, tail = await follow(one, "inbox/a", max_bytes=200)
        assert (rows, tail) == (state.fold([*sent, *more]), offset.encode(1054))
        # Who was there before goes on where it was.
        rest = await one.streams.read("inbox/a", offset.encode(980))
        assert (rest.rows_at, json_mode.split(rest.data)) == (0, [*sent[980:], *more])


async def test_a_short_stream_is_read_as_it_is(url: str) -> None:
    async with alone(url) as one:
        sent = messages(200)
        await emit(one, "workflows/w", sent)
        await one.compactor.idle()
        chunk = await one.streams.read("workflows/w")
        assert (chunk.rows_at, json_mode.split(chunk.data)) == (0, sent)


async def test_a_run_is_folded_for_those_who_read_it(url: str) -> None:
    async with alone(url) as one:
        sent = messages(3000)
        await emit(one, "runs/r", sent, close=True)
        await emit(one, "runs/r/journal", sent)
        await one.compactor.idle()
        first = await one.streams.read("runs/r", max_bytes=1000)
        assert (first.rows_at, first.start) == (0, 0)
        await one.compactor.idle()
        second = await one.streams.read("runs/r", max_bytes=1000)
        assert (second.rows_at, second.end, second.closed) == (3000, 3000, True)
        assert state.fold(json_mode.split(second.data)) == state.fold(sent)
        # The first reader goes on with history.
        rows = state.fold(json_mode.split(first.data))
        rest = await one.streams.read("runs/r", offset.encode(first.end))
        assert state.fold(json_mode.split(rest.data), rows) == state.fold(sent)
        for _ in range(2):
            journal = await one.streams.read("runs/r/journal")
            await one.compactor.idle()
            assert journal.rows_at == 0
            assert len(json_mode.split(journal.data)) == 3000


async def test_an_application_s_stream_is_compacted_if_it_says_so(url: str) -> None:
    async with alone(url) as one:
        sent = messages(1200)
        await one.streams.create("plain", JSON)
        done = await one.streams.create("wanted", payload(sent[:600]), compacted=True)
        assert done.head.compacted
        for path in ("plain", "wanted"):
            for message in sent[600:] if path == "wanted" else [b",".join(sent)]:
                await one.streams.append(path, Payload("application/json", message, 1))
        await one.compactor.idle()
        assert (await one.streams.read("plain")).rows_at == 0
        chunk = await one.streams.read("wanted")
        assert chunk.rows_at > 1000
        assert (await follow(one, "wanted"))[0] == state.fold(sent)
        with pytest.raises(StreamConflict, match="compaction"):
            await one.streams.create("wanted", JSON)
        assert not (await one.streams.create("wanted", JSON, compacted=True)).new


async def test_what_cannot_be_folded_is_refused(url: str) -> None:
    async with alone(url) as one:
        with pytest.raises(BadRequest, match="application/json"):
            await one.streams.create("text", Payload("text/plain", b"x", 1), compacted=True)
        with pytest.raises(BadRequest, match="State Protocol"):
            await one.streams.create("s", Payload("application/json", b"1", 1), compacted=True)
        await one.streams.create("s", JSON, compacted=True)
        with pytest.raises(BadRequest, match="operation"):
            await one.streams.append("s", Payload("application/json", b'{"headers":{"operation":"upsert"}}', 1))
        with pytest.raises(BadRequest, match="fork"):
            await one.streams.create("f", JSON, fork=Branch("s"), compacted=True)
        assert (await one.streams.read("s")).head.tail == 0


async def test_history_far_behind_goes_and_offsets_into_it_are_gone(url: str) -> None:
    async with alone(url) as one:
        sent = messages(15_000)
        await emit(one, "inbox/a", sent, size=500)
        await one.compactor.idle()
        head = await one.streams.head("inbox/a")
        assert (head.base, head.rows_at) == (4_000, 15_000)
        for gone in (0, 3_999):
            with pytest.raises(Gone):
                await one.streams.read("inbox/a", offset.encode(gone))
        kept = await one.streams.read("inbox/a", offset.encode(4_000))
        assert json_mode.split(kept.data)[0] == sent[4_000]
        assert (await follow(one, "inbox/a"))[0] == state.fold(sent)
        with pytest.raises(StreamConflict, match="beginning"):
            await one.streams.create("f", JSON, fork=Branch("inbox/a", 5_000))


async def test_a_stream_with_forks_keeps_its_history(url: str) -> None:
    async with alone(url) as one:
        sent = messages(15_000)
        await one.streams.create("s", payload(sent[:100]), compacted=True)
        await one.streams.create("f", JSON, fork=Branch("s", 50))
        for index in range(100, 15_000, 500):
            await one.streams.append("s", payload(sent[index : index + 500]))
        await one.compactor.idle()
        head = await one.streams.head("s")
        assert (head.base, head.refs) == (0, 1)
        assert head.rows_at > 14_000
        assert json_mode.split((await one.streams.read("f")).data) == sent[:50]
        await one.streams.delete("f")
        one.compactor.want("s")
        await one.compactor.idle()
        assert (await one.streams.head("s")).base == 4_000


async def test_readers_and_writers_go_on_while_history_goes(url: str) -> None:
    """Nobody ever sees rows that are not those of some moment: each read, wherever, folds to what was sent."""

    async with alone(url) as one:
        sent = messages(13_000, keys=60)
        whole: dict[int, RowMap] = {0: {}}
        for end in range(500, 13_001, 500):
            whole[end] = state.fold(sent[end - 500 : end], dict(whole[end - 500]))
        path, reads, started_over = "inbox/a", 0, 0

        async def read(max_bytes: int) -> None:
            nonlocal reads, started_over
            rows: RowMap = {}
            token, end = offset.START, 0
            while end < len(sent):
                try:
                    chunk = await one.streams.read(path, token, max_bytes=max_bytes)
                except Gone:
                    rows, token, started_over = {}, offset.START, started_over + 1
                    continue
                state.fold(json_mode.split(chunk.data), rows)
                end, token = chunk.end, offset.encode(chunk.end)
                assert rows == whole[end]
                reads += 1
                await asyncio.sleep(0)

        async def start_over() -> None:
            end = 0
            while end < len(sent):
                chunk = await one.streams.read(path)
                end = chunk.end
                assert state.fold(json_mode.split(chunk.data)) == whole[end]
                await asyncio.sleep(0)

        await emit(one, path, sent[:500], size=500)
        writing = asyncio.create_task(emit(one, path, sent[500:], size=500))
        await asyncio.gather(writing, read(1), read(50_000), start_over(), start_over())
        await one.compactor.idle()
        assert (await one.streams.head(path)).base == 2_000
        assert reads > 20


async def test_processes_compact_together(shared_url: str) -> None:
    async with (
        opened(shared_url) as first,
        opened(shared_url) as second,
        process(first) as one,
        process(second) as other,
    ):
        sent = messages(4_000)
        for index in range(0, 4_000, 100):
            await emit(one if index % 200 else other, "inbox/a", sent[index : index + 100])
        await one.compactor.idle()
        await other.compactor.idle()
        for each in (one, other):
            chunk = await each.streams.read("inbox/a")
            assert chunk.rows_at > 3_000
            assert (await follow(each, "inbox/a"))[0] == state.fold(sent)


async def test_too_many_rows_stay_history(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "MOST_BYTES", 40_000)
    monkeypatch.setattr(compaction, "PIECE_BYTES", 10_000)

    async with alone(url) as one:
        sent = messages(1_000, keys=10_000)
        await emit(one, "inbox/a", sent)
        await one.compactor.idle()
        assert await one.store.rows_bytes("inbox/a") <= 40_000
        head = await one.streams.head("inbox/a")
        assert 0 < head.rows_at < 1_000
        assert (await follow(one, "inbox/a", max_bytes=1_000))[0] == state.fold(sent)


async def test_one_large_append_is_folded_in_pieces(url: str) -> None:
    async with alone(url) as one:
        sent = messages(2 * compaction.PIECE_MESSAGES + 7)
        await emit(one, "inbox/a", sent, size=len(sent))
        pieces: list[Any] = []
        commit = one.store.commit

        async def counting(changes: Any) -> Any:
            pieces.extend(change.write.changes.at for change in changes if isinstance(change.write, RowsWrite))
            return await commit(changes)

        one.store.commit = counting  # type: ignore[method-assign]
        await one.compactor.idle()
        assert pieces == [5_000, 10_000, 10_007]
        assert (await follow(one, "inbox/a"))[0] == state.fold(sent)


async def test_a_stream_that_is_no_state_stream_does_no_harm(url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with alone(url) as one:
        await emit(one, "inbox/a", [b"1"] * 300)
        await one.compactor.idle()
        assert (await one.streams.read("inbox/a")).rows_at == 0
        assert "cannot compact: inbox/a: " in caplog.text
        await emit(one, "inbox/b", messages(300))
        await one.compactor.idle()
        assert (await one.streams.read("inbox/b")).rows_at > 0


async def test_a_closed_compactor_does_nothing(url: str) -> None:
    store: WorkflowStore = open_store(url)
    await store.open()
    compactor = Compactor(store)
    await compactor.close()
    compactor.want("inbox/a")
    await compactor.idle()
    await store.close()
