"""Laws of streams of a subject's own: appended to with its record, and read by path like all others."""

from __future__ import annotations

import asyncio
from pathlib import Path

from signoff.stores.base import StreamTail, WorkflowStore
from signoff.stores.change import Batch, Change, Committed, Conflict, OwnAppend, OwnStream, RowsWrite, StreamDelete
from signoff.streams.compaction import LiveRow, RowChanges
from signoff.streams.stream import JSON, Fork, Head, Write
from signoff.testing.store_contract.laws import (
    Laws,
    advance,
    change,
    commit,
    delete,
    done,
    family,
    grow,
    head,
    journal,
    known,
    load,
    own,
    record,
    run,
    start,
    tails,
    text,
    together,
)


def counted(source: Head, refs: int, version: int) -> Write:
    """Decide that a source has so many forks, whatever its tail is by now."""
    return Write(source.changed(version=version, refs=refs), source.version, source.tail)


def fork_of(source: Head, at: int, path: str = "fork", **members: object) -> Write:
    """Decide on a fork without units of its own."""
    made = head(path, tail=at, fork=Fork(source.path, source.incarnation, at), **members)
    return Write(made, 0, at)


class OwnStreamLaws(Laws):
    """What is true of every stream of a subject's own."""

    def test_the_first_append_creates_the_stream(self, tmp_path: Path) -> None:
        """It is the engine's and holds JSON; an append of nothing creates it too."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, change(run(), appends=(own("runs/r1", b"1"), own("runs/r1/empty"))))
            made = await known(store, "runs/r1")
            assert (made.tail, made.base, made.rows_at, made.refs) == (1, 0, 0, 0)
            assert (made.content_type, made.engine, made.closed, made.deleted) == (JSON, True, False, False)
            empty = await known(store, "runs/r1/empty")
            assert empty.tail == 0
            assert len({made.incarnation, empty.incarnation, ""}) == 3
            assert await store.read("runs/r1/empty", 0, 100) == (empty, [])
            assert (await record(store)).streams == (OwnStream("runs/r1", 1), OwnStream("runs/r1/empty", 0))

        self.hold(tmp_path, scenario)

    def test_the_record_knows_the_tails(self, tmp_path: Path) -> None:
        """In the order of first appending; they are those of the heads, and of what is read."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1"), start("r2"))
            for version in range(1, 6):
                extra = (own("runs/r1/a-late-one", *[b"0"] * version),) if version > 3 else ()
                appends = (own("runs/r1", b"1", b"2"), own(journal("r1"), b"3"), *extra)
                await done(store, change(run(version=version + 1), appends=appends))
            streams = (await record(store)).streams
            assert streams == (
                OwnStream(journal("r1"), 6),
                OwnStream("runs/r1", 11),
                OwnStream("runs/r1/a-late-one", 9),
            )
            for one in streams:
                found = await store.read(one.path, 0, 1 << 20)
                assert found is not None
                assert (found[0].tail, found[1][-1].end) == (one.tail, one.tail)
                assert found[0] == await known(store, one.path)
            assert (await record(store)).tail("runs/r1") == 11
            assert (await record(store)).tail("runs/none") == 0
            assert (await record(store, "r2")).streams == (OwnStream(journal("r2"), 1), OwnStream("runs/r2", 1))

        self.hold(tmp_path, scenario)

    def test_they_are_found_and_listed_by_path(self, tmp_path: Path) -> None:
        """Among all other streams."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1"), advance("r1", 1), grow("runs/r10", 0, b"1", close=True))
            await done(store, family(Write(head("runs/r1/notes", tail=1), 0, 0, b"1")))
            ids = {path: (await known(store, path)).incarnation for path in ("runs/r1", journal("r1"), "runs/r10")}
            row, entries = StreamTail("runs/r1", ids["runs/r1"], 2), StreamTail(journal("r1"), ids[journal("r1")], 2)
            notes = StreamTail("runs/r1/notes", "i1", 1)
            closed = StreamTail("runs/r10", ids["runs/r10"], 1, closed=True)
            assert await store.list_streams("runs/r1", limit=9) == [row, entries, notes, closed]
            assert await store.list_streams("runs/r1/", limit=9) == [entries, notes]
            assert await store.list_streams("runs/", limit=2, after="runs/r1") == [entries, notes]
            paths = ["runs/none", "runs/r10", journal("r1"), "runs/r1"]
            assert await store.find_streams(paths) == {"runs/r10": closed, journal("r1"): entries, "runs/r1": row}

        self.hold(tmp_path, scenario)

    def test_appends_of_one_change_to_one_stream_follow_each_other(self, tmp_path: Path) -> None:
        """And count as one batch in the outcome."""

        async def scenario(store: WorkflowStore) -> None:
            appends = (own("s", b"1", b"2"), own("other", b"0"), own("s"), own("s", b"3"))
            [committed] = await done(store, change(run(), appends=appends))
            assert committed.batches["s"] == Batch(0, 3, b"1,2,3")
            assert committed.batches["other"] == Batch(0, 1, b"0")
            assert await text(store, "s") == b"1,2,3"
            assert (await record(store)).streams == (OwnStream("s", 3), OwnStream("other", 1))

        self.hold(tmp_path, scenario)

    def test_a_closed_one_takes_no_more(self, tmp_path: Path) -> None:
        """The last append closes it; after that neither data nor another closing gets in, not in one Change either."""

        async def scenario(store: WorkflowStore) -> None:
            [committed] = await done(store, grow("s", 0, b"1", close=True))
            assert committed.batches["s"] == Batch(0, 1, b"1")
            assert await tails(store, "s") == {"s": (1, True)}
            for more in (grow("s", 1, b"2"), grow("s", 1, close=True), grow("s", 1)):
                assert await commit(store, more) == Conflict("version", "s")
            twice = change(run(), appends=(own("t", b"1", close=True), own("t", b"2")))
            assert await commit(store, twice) == Conflict("version", "t")
            assert await text(store, "s") == b"1"
            assert await tails(store, "t") == {}
            await done(store, grow("u", 0, b"1"))
            [empty] = await done(store, grow("u", 1, close=True))
            assert empty.batches["u"] == Batch(1, 1, b"")
            found = await store.read("u", 0, 100)
            assert found is not None
            assert (found[0].closed, found[1]) == (True, [Batch(0, 1, b"1")])
            assert (await record(store, "u")).streams == (OwnStream("u", 1, closed=True),)
            await done(store, change(run("u", version=3)))  # the subject goes on

        self.hold(tmp_path, scenario)

    def test_none_is_made_where_another_stream_is(self, tmp_path: Path) -> None:
        """Neither at the path of an application's, nor at that of another subject's own."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1"), family(Write(head(tail=1), 0, 0, b"1")))
            for path in ("notes", "runs/r1"):
                made = change(run("r2"), appends=(own("runs/r2", b"1"), own(path, b"2")))
                assert await commit(store, made) == Conflict("version", path)
            assert await load(store, "r2") is None
            assert await tails(store, "runs/r2", "notes") == {"notes": (1, False)}

        self.hold(tmp_path, scenario)

    def test_appends_leave_the_version_of_the_head(self, tmp_path: Path) -> None:
        """So whoever forks or compacts does not meet those who append."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1"))
            before = await known(store, "runs/r1")
            await done(store, advance("r1", 1))
            after = await known(store, "runs/r1")
            assert (after.version, after.tail) == (before.version, 2)
            assert after == before.changed(tail=2)

        self.hold(tmp_path, scenario)

    def test_one_that_is_made_anew_is_another(self, tmp_path: Path) -> None:
        """It has an incarnation of its own, by which readers of the one before see that; a stream keeps its own."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1"))
            first = (await known(store, "runs/r1")).incarnation
            await store.close()
            await store.open()
            assert first == (await known(store, "runs/r1")).incarnation != ""
            await done(store, delete("r1", 1))
            await done(store, start("r1"))
            assert (await known(store, "runs/r1")).incarnation != first
            assert (await store.find_streams(["runs/r1"]))["runs/r1"].incarnation != first

        self.hold(tmp_path, scenario)

    def test_one_can_be_forked_while_it_grows(self, tmp_path: Path) -> None:
        """The source counts the fork with a new version, and keeps the tail and the end it has by then."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1"))
            source = await known(store, "runs/r1")
            await done(store, advance("r1", 1), change(run(version=3), appends=(own("runs/r1", close=True),)))
            await done(store, family(fork_of(source, 1), counted(source, 1, source.version + 5)))
            after = await known(store, "runs/r1")
            assert after == source.changed(version=source.version + 5, refs=1, tail=2, closed=True)
            assert await text(store, "runs/r1") == b'{"type":"run"},{"row":1}'
            assert (await record(store)).tail("runs/r1") == 2
            late = family(fork_of(source, 1, "late"), counted(source, 1, source.version + 7))
            assert await commit(store, late) == Conflict("version", "runs/r1")
            assert await tails(store, "fork", "late") == {"fork": (1, False)}
            await done(store, family(StreamDelete("fork", 1), counted(after, 0, after.version + 1)))
            assert (await known(store, "runs/r1")).refs == 0

        self.hold(tmp_path, scenario)

    def test_one_can_be_compacted_while_it_grows(self, tmp_path: Path) -> None:
        """Live rows move without a new version, dropping history with one; appends of the subject hold all along."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1"), *(advance("r1", version) for version in range(1, 5)))
            before = await known(store, "runs/r1")
            rows = RowChanges(clear=False, gone=(), rows=(LiveRow("t", "k", 0, b"{}"),), at=4)
            await done(store, Change(RowsWrite("runs/r1", before.incarnation, 0, rows)), advance("r1", 5))
            middle = await known(store, "runs/r1")
            assert middle == before.changed(rows_at=4, tail=6)
            more = RowChanges(clear=False, gone=(), rows=(), at=6)
            await done(store, Change(RowsWrite("runs/r1", before.incarnation, 4, more, base=2)), advance("r1", 6))
            after = await known(store, "runs/r1")
            assert after == middle.changed(rows_at=6, base=2, tail=7, version=after.version)
            assert after.version != middle.version
            found = await store.read_start("runs/r1", 1 << 20)
            assert found is not None
            assert (found.head, found.rows, found.batches) == (after, (b"{}",), (Batch(6, 7, b'{"row":6}'),))
            late = family(fork_of(before, 1), counted(before, 1, before.version + 1))
            assert await commit(store, late) == Conflict("version", "runs/r1")
            assert (await record(store)).tail("runs/r1") == 7

        self.hold(tmp_path, scenario)

    def test_they_go_with_their_subject(self, tmp_path: Path) -> None:
        """At once for everybody; what is made in their place is another, and no fork of the old is one of it."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1"), advance("r1", 1), start("beside"))
            old = await known(store, "runs/r1")
            await done(store, delete("r1", 2))
            assert await store.load_stream("runs/r1") is None
            assert await store.read(journal("r1"), 0, 100) is None
            assert await store.list_streams("runs/r1", limit=9) == []
            assert isinstance(await commit(store, family(fork_of(old, 1), counted(old, 1, 5))), Conflict)
            await done(store, start("r1"))
            new = await known(store, "runs/r1")
            assert (new.tail, new.refs) == (1, 0)
            assert new.incarnation != old.incarnation
            assert isinstance(await commit(store, family(fork_of(old, 1), counted(old, 1, 5))), Conflict)
            for _ in range(2):
                assert await text(store, "runs/r1") == b'{"type":"run"}'
                assert await text(store, "runs/beside") == b'{"type":"run"}'
                while await store.purge():
                    pass

        self.hold(tmp_path, scenario)

    def test_one_with_forks_is_kept_for_them(self, tmp_path: Path) -> None:
        """Its subject is gone and its name is free, its path is not; with the last fork it goes too."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1"), advance("r1", 1))
            source = await known(store, "runs/r1")
            await done(store, family(fork_of(source, 2), counted(source, 1, source.version + 1)))
            await done(store, delete("r1", 2))
            while await store.purge():
                pass
            assert await load(store) is None
            kept = await known(store, "runs/r1")
            assert kept == source.changed(version=kept.version, refs=1, deleted=True)
            assert kept.version not in {source.version, source.version + 1}
            assert await store.load_stream(journal("r1")) is None
            assert await tails(store, "runs/r1", "fork") == {"fork": (2, False)}
            assert await store.list_streams("runs/", limit=9) == []
            assert await text(store, "runs/r1") == b'{"type":"run"},{"row":1}'
            assert await commit(store, start("r1")) == Conflict("version", "runs/r1")
            await done(store, family(StreamDelete("fork", 1), StreamDelete("runs/r1", kept.version)))
            assert await store.load_stream("runs/r1") is None
            await done(store, start("r1"))
            assert await text(store, "runs/r1") == b'{"type":"run"}'

        self.hold(tmp_path, scenario)

    def test_of_deleting_and_forking_the_first_wins(self, tmp_path: Path) -> None:
        """Also in one commit: a fork that was there keeps its source, one that comes later finds none."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1"), start("r2"))
            one, two = await known(store, "runs/r1"), await known(store, "runs/r2")
            forks = [
                family(fork_of(each, 1, f"fork/{each.path}"), counted(each, 1, each.version + 1)) for each in (one, two)
            ]
            outcomes = await together(store, [forks[0], delete("r1", 1), delete("r2", 1), forks[1]])
            assert [type(outcome) for outcome in outcomes] == [Committed, Committed, Committed, Conflict]
            assert (await known(store, "runs/r1")).deleted
            assert await store.load_stream("runs/r2") is None
            assert await tails(store, "fork/runs/r1", "fork/runs/r2") == {"fork/runs/r1": (1, False)}

        self.hold(tmp_path, scenario)

    def test_what_is_read_is_of_one_moment(self, tmp_path: Path) -> None:
        """The head's tail is the end of the last batch, and each batch begins where the one before it ends."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1"))

            async def write_all() -> None:
                for version in range(1, 100):
                    await done(store, advance("r1", version))

            writing = asyncio.ensure_future(write_all())
            before = 0
            while not writing.done():
                known_by_then = (await record(store)).tail("runs/r1")
                found = await store.read("runs/r1", 0, 1 << 20)
                assert found is not None
                ends = [batch.end for batch in found[1]]
                assert [batch.start for batch in found[1]] == [0, *ends[:-1]]
                assert found[0].tail == ends[-1] >= known_by_then >= before
                before = found[0].tail
                await asyncio.sleep(0)
            await writing
            assert (await record(store)).tail("runs/r1") == 100

        self.hold(tmp_path, scenario)

    def test_a_large_batch_survives(self, tmp_path: Path) -> None:
        """A megabyte in one append comes back as one text."""

        async def scenario(store: WorkflowStore) -> None:
            data = b'"' + b"x" * (1 << 20) + b'"'
            await done(store, change(run("s"), appends=(OwnAppend("s", data, 1),)), grow("s", 1, b"1"))
            assert await text(store, "s") == data + b",1"

        self.hold(tmp_path, scenario)

    def test_a_subject_may_have_many(self, tmp_path: Path) -> None:
        """One for each step that streams, say."""

        async def scenario(store: WorkflowStore) -> None:
            paths = [f"runs/r1/steps/{number}" for number in range(120)]
            for version in range(12):
                appends = tuple(own(path, b"%d" % version) for path in paths[version * 10 : version * 10 + 10])
                await done(store, change(run(version=version + 1), appends=appends))
            assert (await record(store)).streams == tuple(OwnStream(path, 1) for path in paths)
            assert list(await store.find_streams(paths)) == paths

        self.hold(tmp_path, scenario)
