"""Laws of deleting: the name is free at once, and what the stream held goes in pieces."""

from __future__ import annotations

from pathlib import Path

from signoff.stores.base import StreamState, WorkflowStore
from signoff.stores.change import Batch, Change, Committed, RowsWrite, StreamDelete
from signoff.streams.compaction import LiveRow, RowChanges
from signoff.streams.stream import Fork, ProducerMark, Write
from signoff.testing.store_contract.laws import (
    Laws,
    change,
    delete,
    done,
    family,
    head,
    own,
    run,
    text,
    together,
    write,
)


async def purge(store: WorkflowStore) -> int:
    """Drop all that deleted streams held; return in how many pieces."""
    pieces = 1
    while await store.purge():
        pieces += 1
    return pieces


async def fill(store: WorkflowStore, path: str, count: int, size: int) -> int:
    """Create a stream of so many batches; return its version."""
    await done(store, write(head(path, content_type="text/plain")))
    data = b"x" * size
    for start in range(0, count, 200):
        numbers = range(start, min(count, start + 200))
        heads = [head(path, content_type="text/plain", version=n + 2, tail=(n + 1) * size) for n in numbers]
        changes = [family(Write(one, one.version - 1, one.tail - size, data)) for one in heads]
        assert await together(store, changes) == [Committed()] * len(changes)
    return count + 1


class PurgeLaws(Laws):
    """What is true of deleted streams."""

    def test_a_deleted_stream_s_name_is_free_at_once(self, tmp_path: Path) -> None:
        """What takes it begins with nothing of the old one, before, while and after that is dropped."""

        async def scenario(store: WorkflowStore) -> None:
            mark = ProducerMark("p", 1, 7)
            await done(store, write(head(tail=3), b"1,2,3", mark), write(head("other", tail=1), b"0", mark))
            rows = RowChanges(clear=False, gone=(), rows=(LiveRow("t", "k", 0, b"1"),), at=1)
            await done(store, Change(RowsWrite("notes", "i1", 0, rows)))
            await done(store, family(StreamDelete("notes", 1)))
            assert await store.load_stream("notes") is None
            assert await store.read("notes", 0, 100) is None
            anew = head(incarnation="i2", tail=2)
            await done(store, family(Write(anew, 0, 0, b"8,9")))
            for _ in range(2):
                assert await store.load_stream("notes", "p") == StreamState(anew)
                assert await store.read("notes", 0, 100) == (anew, [Batch(0, 2, b"8,9")])
                found = await store.read_start("notes", 100)
                assert found is not None
                assert found.rows == ()
                assert await store.load_stream("other", "p") == StreamState(head("other", tail=1), mark)
                assert await text(store, "other") == b"0"
                await purge(store)

        self.hold(tmp_path, scenario)

    def test_a_large_stream_goes_in_pieces_beside_which_others_write(self, tmp_path: Path) -> None:
        """No piece holds more than a part of it."""

        async def scenario(store: WorkflowStore) -> None:
            many = await fill(store, "many", 20_000, 1)
            await fill(store, "beside", 1, 1)
            await done(store, family(StreamDelete("many", many)))
            version, pieces = 2, 1
            while await store.purge():
                beside = head("beside", content_type="text/plain", version=version + 1, tail=version)
                await done(store, family(Write(beside, version, version - 1, b"y")))
                version += 1
                pieces += 1
            assert pieces >= 4
            assert await text(store, "beside") == b",".join([b"x"] + [b"y"] * (version - 2))
            assert await store.purge() is False

        self.hold(tmp_path, scenario)

    def test_forks_keep_what_they_have_of_a_deleted_source(self, tmp_path: Path) -> None:
        """A source that is deleted for all but its forks is not dropped; with the last of them it is."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, write(head(tail=3), b"1,2,3"))
            fork = head("fork", tail=3, fork=Fork("notes", "i1", 3))
            kept = head(version=2, tail=3, refs=1, deleted=True)
            await done(store, family(Write(fork, 0, 3), Write(kept, 1, 3)))
            assert await purge(store) == 1
            assert await text(store, "notes") == b"1,2,3"
            await done(store, family(StreamDelete("fork", 1), StreamDelete("notes", 2)))
            await purge(store)
            assert await store.load_stream("notes") is None

        self.hold(tmp_path, scenario)

    def test_what_a_deleted_subject_wrote_goes_in_pieces(self, tmp_path: Path) -> None:
        """Its streams are gone at once; what they held is dropped as an application's."""

        async def scenario(store: WorkflowStore) -> None:
            writes = [
                change(run(version=n + 1), appends=(own("runs/r1", b"1"), own("runs/r1/journal", b"2")))
                for n in range(10_000)
            ]
            assert {type(one) for one in await together(store, writes)} == {Committed}
            await done(store, delete("r1", 10_000))
            assert await store.find_streams(["runs/r1", "runs/r1/journal"]) == {}
            assert await purge(store) >= 4
            assert await store.purge() is False

        self.hold(tmp_path, scenario)
