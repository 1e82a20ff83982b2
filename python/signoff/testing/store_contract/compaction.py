"""Laws of compaction: live rows, and history that is dropped behind them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from signoff.stores.base import WorkflowStore
from signoff.stores.change import Batch, Change, Committed, Conflict, RowsWrite, StreamDelete, new_mark
from signoff.streams.compaction import LiveRow, RowChanges
from signoff.streams.stream import Head
from signoff.testing.store_contract.laws import (
    Laws,
    commit,
    done,
    family,
    grow,
    head,
    known,
    together,
    write,
)

NONE = RowChanges(clear=False, gone=(), rows=(), at=0)


def row(key: str, position: int, message: bytes) -> LiveRow:
    """Make a live row of type `t`."""
    return LiveRow("t", key, position, message)


def rows(before: Head, changes: RowChanges, *, base: int | None = None, refs: int = 0) -> Change:
    """Move the live rows of a stream on from what `before` says."""
    return Change(RowsWrite(before.path, before.incarnation, before.rows_at, changes, base, refs), mark=new_mark())


class CompactionLaws(Laws):
    """What is true of live rows and dropped history."""

    def test_live_rows_are_read_first(self, tmp_path: Path) -> None:
        """In the order in which they appeared, and then what was appended from their position on."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, grow("inbox/a", 0, b"1", b"2", b"3"), grow("inbox/a", 1, b"4"))
            before = await known(store, "inbox/a")
            assert before.rows_at == 0
            found = await store.read_start("inbox/a", 1000)
            assert found is not None
            assert (found.head, found.rows) == (before, ())
            assert found.batches == (Batch(0, 3, b"1,2,3"), Batch(3, 4, b"4"))
            made = (row("b", 0, b"first"), row("a", 2, b"second"))
            await done(store, rows(before, replace(NONE, rows=made, at=3)))
            after = await known(store, "inbox/a")
            assert after == before.changed(rows_at=3)
            found = await store.read_start("inbox/a", 1000)
            assert found is not None
            assert (found.head, found.rows, found.batches) == (after, (b"first", b"second"), (Batch(3, 4, b"4"),))
            assert await store.rows_bytes("inbox/a") == 11
            assert await store.rows_bytes("inbox/b") == 0
            assert await store.read_start("inbox/b", 1000) is None

        self.hold(tmp_path, scenario)

    def test_rows_change_in_place(self, tmp_path: Path) -> None:
        """One that is there keeps its place; one that went and came back has a new one; clearing comes first."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, write(head(tail=9), b"1,2,3,4,5,6,7,8,9"))
            first = (row("a", 0, b"a0"), row("b", 1, b"b1"), row("c", 2, b"c2"))
            await done(store, rows(await known(store), replace(NONE, rows=first, at=3)))
            second = (row("a", 3, b"a3"), row("b", 5, b"b5"))
            changes = RowChanges(clear=False, gone=(("t", "b"), ("t", "c"), ("t", "x")), rows=second, at=6)
            await done(store, rows(await known(store), changes))
            found = await store.read_start("notes", 1)
            assert found is not None
            assert found.rows == (b"a3", b"b5")
            other = (LiveRow("u", "a", 6, b"u6"), row("a", 7, b"a7"))
            await done(store, rows(await known(store), RowChanges(clear=True, gone=(), rows=other, at=8)))
            found = await store.read_start("notes", 1)
            assert found is not None
            assert found.rows == (b"u6", b"a7")

        self.hold(tmp_path, scenario)

    def test_appending_and_compacting_do_not_disturb_each_other(self, tmp_path: Path) -> None:
        """Live rows move without a new version, and stay where they are when the head is written."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, write(head(tail=2, compacted=True), b"1,2"))
            decided_on = await known(store)
            await done(store, rows(decided_on, replace(NONE, rows=(row("a", 0, b"a"),), at=2)))
            await done(store, write(decided_on.changed(version=2, tail=3), b"3"))
            after = await known(store)
            assert (after.version, after.tail, after.rows_at, after.compacted) == (2, 3, 2, True)
            assert await commit(store, rows(decided_on, replace(NONE, at=3))) == Conflict("version", "notes")
            assert await commit(store, rows(after, replace(NONE, at=4))) == Conflict("version", "notes")
            stranger = after.changed(incarnation="another")
            assert await commit(store, rows(stranger, replace(NONE, at=3))) == Conflict("version", "notes")
            assert await commit(store, rows(after.changed(path="none"), NONE)) == Conflict("version", "none")
            assert await known(store) == after

        self.hold(tmp_path, scenario)

    def test_history_is_dropped_with_a_new_version(self, tmp_path: Path) -> None:
        """Batches that end at the base or before it go; nobody who forks off meanwhile loses what they forked."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, *(grow("inbox/a", version, b"1", b"2") for version in range(4)))
            before = await known(store, "inbox/a")
            changes = replace(NONE, rows=(row("a", 0, b"a"),), at=8)
            forked = rows(before, changes, base=5, refs=1)
            assert await commit(store, forked) == Conflict("version", "inbox/a")
            await done(store, rows(before, changes, base=5))
            after = await known(store, "inbox/a")
            assert after == before.changed(rows_at=8, base=5, version=after.version)
            assert after.version != before.version
            found = await store.read("inbox/a", 5, 1000)
            assert found == (after, [Batch(4, 6, b"1,2"), Batch(6, 8, b"1,2")])
            assert await store.read("inbox/a", 0, 1000) == found
            [more] = await done(store, grow("inbox/a", 4, b"3"))
            assert more.batches == {"inbox/a": Batch(8, 9, b"3")}
            await done(store, rows(after, replace(NONE, at=8), base=6))
            found = await store.read("inbox/a", 0, 1000)
            assert found is not None
            assert found[1] == [Batch(6, 8, b"1,2"), Batch(8, 9, b"3")]

        self.hold(tmp_path, scenario)

    def test_a_deleted_stream_leaves_no_rows(self, tmp_path: Path) -> None:
        """What is made in its place starts without."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, write(head(tail=1), b"1"))
            await done(store, rows(await known(store), replace(NONE, rows=(row("a", 0, b"a"),), at=1)))
            await done(store, family(StreamDelete("notes", 1)), write(head(tail=1), b"2"))
            found = await store.read_start("notes", 1)
            assert found is not None
            assert (found.head.rows_at, found.rows, found.batches) == (0, (), (Batch(0, 1, b"2"),))
            assert await store.rows_bytes("notes") == 0

        self.hold(tmp_path, scenario)

    def test_of_two_who_compact_one_wins(self, tmp_path: Path) -> None:
        """Also in one transaction: the second finds that the rows have moved."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, write(head(tail=2), b"1,2"))
            before = await known(store)
            both = [rows(before, replace(NONE, rows=(row(key, 0, b"x"),), at=1)) for key in "ab"]
            assert await together(store, both) == [Committed(), Conflict("version", "notes")]
            after = await known(store)
            outcomes = await asyncio.gather(*(store.commit([rows(after, replace(NONE, at=2))]) for _ in range(3)))
            assert sorted(type(one[0]).__name__ for one in outcomes) == ["Committed", "Conflict", "Conflict"]

        self.hold(tmp_path, scenario)
