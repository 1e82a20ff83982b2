"""Batches of a stream are found by their chain: from any position, at a cost that follows what is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from signoff.stores.base import WorkflowStore
from signoff.stores.change import Batch, Change, RowsWrite, StreamDelete
from signoff.stores.open import open_store
from signoff.stores.sqlite import read_streams
from signoff.stores.sqlite.connection import connect, prepare, statements
from signoff.stores.sqlite.statements import migrations
from signoff.streams.compaction import RowChanges
from signoff.streams.stream import Write
from signoff.testing.store_contract.laws import done, family
from signoff.testing.store_contract.laws import head as application_head
from tests.stores.blind import blind
from tests.stores.sqlite.file import cost, rows

PATHS = ("inbox/a", "inbox/b", "workflows/c")


def grown(seed: int, count: int) -> Iterator[tuple[str, bytes, int]]:
    """Return appends to several streams in turn, most of them small."""
    draw = Random(seed)
    for _ in range(count):
        messages = draw.choice((1, 1, 1, 2, 30))
        size = draw.choice((1, 1, 1, 1, 200, 20_000))
        yield draw.choice(PATHS), b",".join([b"1" * size] * messages), messages


async def fill(store: WorkflowStore, appends: list[tuple[str, bytes, int]]) -> dict[str, list[Batch]]:
    """Append, many in one transaction; return what the streams hold."""
    expected: dict[str, list[Batch]] = {path: [] for path in PATHS}
    for start in range(0, len(appends), 20):
        some = appends[start : start + 20]
        await done(store, *(blind(path, *data.split(b",")) for path, data, _ in some))
    for path, data, count in appends:
        tail = expected[path][-1].end if expected[path] else 0
        expected[path].append(Batch(tail, tail + count, data))
    return expected


def within(batches: list[Batch], start: int, max_bytes: int) -> list[Batch]:
    """Return what a read shall bring."""
    found: list[Batch] = []
    for batch in batches:
        if batch.end > start:
            found.append(batch)
            if sum(len(one.data) for one in found) >= max_bytes:
                break
    return found


async def test_every_position_is_found(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/f.db")
    await store.open()
    expected = await fill(store, list(grown(1, 900)))
    assert rows(tmp_path / "f.db", "waypoints") > 20
    for path, batches in expected.items():
        assert len(batches) > 200
        for start in range(0, batches[-1].end + 2, 7):
            for max_bytes in (1, 1_000, 100_000):
                found = await store.read(path, start, max_bytes)
                assert found is not None
                assert found[1] == within(batches, start, max_bytes)
        everything = await store.read(path, 0, 1 << 30)
        assert everything is not None
        assert everything[1] == batches
    await store.close()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.97, 1.0])
async def test_history_goes_up_to_any_batch_and_the_rest_stays(tmp_path: Path, share: float) -> None:
    store = open_store(f"sqlite:///{tmp_path}/f.db")
    await store.open()
    expected = await fill(store, list(grown(2, 600)))
    path = PATHS[0]
    batches = expected[path]
    base = batches[int((len(batches) - 1) * share)].end
    state = await store.load_stream(path)
    assert state is not None
    changes = RowChanges(clear=False, gone=(), rows=(), at=base)
    drop = RowsWrite(path, state.head.incarnation, 0, changes, base)
    # With appends before and after it in one transaction, as a busy server has them.
    one, two = (blind(path, b"1") for _ in range(2))
    await done(store, one, Change(drop), two)
    tail = batches[-1].end
    kept = [batch for batch in batches if batch.end > base]
    kept += [Batch(tail, tail + 1, b"1"), Batch(tail + 1, tail + 2, b"1")]
    for start in (0, base, tail, tail + 1):
        found = await store.read(path, start, 1 << 30)
        assert found is not None
        assert found[1] == within(kept, start, 1 << 30)
    for other in PATHS[1:]:
        found = await store.read(other, 0, 1 << 30)
        assert found is not None
        assert found[1] == expected[other]
    await store.close()
    assert rows(tmp_path / "f.db", "batches") == len(kept) + sum(len(expected[other]) for other in PATHS[1:])


async def test_what_is_deleted_leaves_nothing_and_a_new_stream_begins_anew(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/f.db")
    await store.open()
    for version in (1, 2):
        head = application_head("notes", version=version, tail=0)
        await done(store, family(Write(head, 0, 0)))
        for count in range(1, 201):
            moved = head._replace(version=head.version + 10, tail=count)
            await done(store, family(Write(moved, head.version, head.tail, b"x")))
            head = moved
        found = await store.read("notes", 0, 1 << 30)
        assert found is not None
        assert [batch.start for batch in found[1]] == list(range(200))
        await done(store, family(StreamDelete("notes", head.version)))
        left = {table: rows(tmp_path / "f.db", table) for table in ("streams", "tails", "batches", "doomed")}
        assert left == {"streams": 0, "tails": 0, "batches": 200, "doomed": 1}
        while await store.purge():
            pass
        assert [rows(tmp_path / "f.db", table) for table in ("batches", "waypoints", "doomed")] == [0, 0, 0]
    await store.close()


async def test_reading_a_little_of_a_long_stream_costs_what_it_costs_of_a_short_one(tmp_path: Path) -> None:
    costs = []
    store = open_store(f"sqlite:///{tmp_path}/f.db")
    await store.open()
    connection = connect(tmp_path / "f.db")
    for length in (500, 10_000):
        appends = [blind("inbox/a", b"1") for _ in range(length)]
        await done(store, *appends)
        starts = range(0, 500, 50)
        costs.append(
            sum(cost(connection, lambda at=at: read_streams.read(connection, "inbox/a", at, 1)) for at in starts)
        )
    connection.close()
    await store.close()
    assert costs[1] < 1.1 * costs[0]


async def test_an_older_file_is_chained_when_it_is_opened(tmp_path: Path) -> None:
    connection = connect(tmp_path / "f.db")
    for script in migrations()[:4]:
        for statement in statements(script):
            connection.execute(statement)
    values = ", ".join(["?"] * 9)
    for number, path in enumerate(("a", "b"), 1):
        columns = "id, path, incarnation, version, tail, base, content_type, closed, engine, created_at, touched_at"
        row = (number, path, "i", 1, 0, 0, "text/plain", 0, 0)
        connection.execute(f"INSERT INTO streams ({columns}) VALUES ({values}, 0, 0)", row)
    for number in range(100):
        batch = (1 + number % 2, number // 2, number // 2 + 1, b"%d" % number)
        connection.execute("INSERT INTO batches (stream, start, stop, data) VALUES (?, ?, ?, ?)", batch)
    connection.execute("UPDATE streams SET tail = 50")
    connection.execute("PRAGMA application_id = 0x5369676E")
    connection.execute("PRAGMA user_version = 4")
    prepare(connection, tmp_path / "f.db")
    connection.close()

    store = open_store(f"sqlite:///{tmp_path}/f.db")
    await store.open()
    for first, path in enumerate(("a", "b")):
        for start in range(51):
            found = await store.read(path, start, 1 << 20)
            assert found is not None
            texts = [batch.data for batch in found[1]]
            assert texts == [b"%d" % number for number in range(2 * start + first, 100, 2)]
        state = await store.load_stream(path)
        assert state is not None
        moved = state.head._replace(version=7, tail=51)
        await done(store, family(Write(moved, 1, moved.tail - 1, b"new")))
        found = await store.read(path, 48, 1 << 20)
        assert found is not None
        assert [batch.start for batch in found[1]] == [48, 49, 50]
    await store.close()
