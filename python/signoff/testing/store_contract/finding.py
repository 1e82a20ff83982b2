"""Laws of unknown outcomes: by its mark it can be told, later and for certain, whether a Change was committed."""

from __future__ import annotations

from pathlib import Path

from signoff.stores.base import WorkflowStore
from signoff.stores.change import Change, Committed, FamilyWrite, RowsWrite, StreamDelete, new_mark
from signoff.streams.compaction import RowChanges
from signoff.streams.stream import Write
from signoff.testing.store_contract.laws import Laws, advance, change, delete, done, head, run, start, together, write


class FindLaws(Laws):
    """What is true of every `find`."""

    def test_what_was_committed_last_is_found(self, tmp_path: Path) -> None:
        """Of each subject, and each stream, whatever was written."""

        async def scenario(store: WorkflowStore) -> None:
            changes = [
                start("r1"),
                change(run("r2", version=2**60), 0),
                write(head(tail=1), b"1"),
                write(head("other"), b""),
            ]
            await done(store, *changes)
            assert await store.find(changes) == [True] * 4
            changes[0] = advance("r1", 1)
            changes[2] = write(head(version=2, tail=2), b"2")
            await done(store, changes[0], changes[2])
            assert await store.find(list(reversed(changes))) == [True] * 4

        self.hold(tmp_path, scenario)

    def test_what_never_arrived_is_not_found(self, tmp_path: Path) -> None:
        """It may be sent again: what it expects is still there. Of what would be made anew that proves nothing, since
        it may have been made and deleted."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1"), write(head(tail=1), b"1"))
            rows = RowChanges(clear=False, gone=(), rows=(), at=1)
            new = [start("r2"), write(head("other"))]
            waiting = [
                advance("r1", 1),
                delete("r1", 1),
                write(head(version=2, tail=2), b"2"),
                Change(FamilyWrite((StreamDelete("notes", 1),)), mark=new_mark()),
                Change(RowsWrite("notes", "i1", 0, rows), mark=new_mark()),
            ]
            for _ in range(2):
                assert await store.find(waiting) == [False] * len(waiting)
                assert True not in await store.find(new)

        self.hold(tmp_path, scenario)

    def test_what_was_refused_is_never_found(self, tmp_path: Path) -> None:
        """Though another Change made of it just what it wanted."""

        async def scenario(store: WorkflowStore) -> None:
            first, twin = start("r1"), start("r1")
            bad = start("bad", wake_at=2**63)
            one, other = write(head(tail=1), b"1"), write(head(tail=1), b"1")
            changes = [first, twin, bad, one, other]
            outcomes = await together(store, changes)
            found = await store.find([first, twin, one, other])
            assert (found[0], found[2]) == (True, True)
            assert True not in (found[1], found[3])
            assert [isinstance(outcome, Committed) for outcome in outcomes] == [True, False, False, True, False]

        self.hold(tmp_path, scenario)

    def test_what_was_overwritten_since_is_not_denied(self, tmp_path: Path) -> None:
        """Whether it was there may be forgotten; that it was not is never claimed."""

        async def scenario(store: WorkflowStore) -> None:
            made = [start("r1"), *(advance("r1", version) for version in range(1, 4))]
            streams = [write(head(version=number, tail=number), b"%d" % number) for number in range(1, 5)]
            gone = [start("r2"), delete("r2", 1), change(run("r2", version=5), 0), delete("r2", 5)]
            left = Change(FamilyWrite((StreamDelete("notes", 4),)), mark=new_mark())
            await done(store, *made, *streams, *gone, left)
            found = await store.find([*made, *streams, *gone, left])
            assert False not in found
            assert found[len(made) - 1] is True

        self.hold(tmp_path, scenario)

    def test_without_a_mark_nothing_can_be_told(self, tmp_path: Path) -> None:
        """None says so."""

        async def scenario(store: WorkflowStore) -> None:
            unmarked = start("r1")._replace(mark=0)
            assert await store.find([unmarked]) == [None]
            await done(store, unmarked)
            assert await store.find([unmarked, advance("r1", 1)]) == [None, False]

        self.hold(tmp_path, scenario)

    def test_of_a_new_stream_with_several_writes_both_are_told(self, tmp_path: Path) -> None:
        """A Change that made a stream in place of another is found by what it left."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, write(head(tail=1), b"1"))
            anew = head(incarnation="i2", version=2**50, tail=1)
            replaced = Change(FamilyWrite((StreamDelete("notes", 1), Write(anew, 0, 0, b"2"))), mark=new_mark())
            assert await store.find([replaced]) == [False]
            await done(store, replaced)
            assert await store.find([replaced]) == [True]

        self.hold(tmp_path, scenario)
