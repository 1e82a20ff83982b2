"""Laws of streams: heads, positions, reading, producers, closing, deleting."""

from __future__ import annotations

from pathlib import Path

from signoff.stores.base import (
    Batch,
    Change,
    Committed,
    Conflict,
    EngineAppend,
    StreamDelete,
    StreamState,
    WorkflowStore,
)
from signoff.stores.parting import TOGETHER
from signoff.streams import json_mode
from signoff.streams.stream import JSON, Fork, Payload, ProducerMark, Write
from signoff.testing.store_contract.laws import Laws, blind, commit, done, head, text, write


class StreamLaws(Laws):
    """Hold what is true of every stream."""

    def test_an_append_creates_an_engine_stream(self, tmp_path: Path) -> None:
        """The head says whose it is, and its version counts what touched it."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, blind("runs/r1", b"1"), blind("runs/r1", b"2", b"3"))
            loaded = await store.load_stream("runs/r1")
            assert loaded is not None
            assert (loaded.head.version, loaded.head.tail, loaded.head.base) == (2, 3, 0)
            assert (loaded.head.content_type, loaded.head.engine, loaded.head.closed) == (JSON, True, False)
            assert loaded.head.incarnation
            await done(store, blind("runs/r2"))
            assert await store.read("runs/r1", 3, 100) == (loaded.head, [])
            other = await store.load_stream("runs/r2")
            assert other is not None
            assert (other.head.tail, other.head.version) == (0, 1)
            assert other.head.incarnation != loaded.head.incarnation

        self.hold(tmp_path, scenario)

    def test_a_closed_stream_refuses(self, tmp_path: Path) -> None:
        """The last append closes it; after that neither data nor another closing gets in."""

        async def scenario(store: WorkflowStore) -> None:
            [committed] = await done(store, blind("s", b"1", close=True))
            assert committed.batches["s"] == Batch(0, 1, b"1")
            assert await store.tails(["s"]) == {"s": (1, True)}
            for change in (blind("s", b"2"), blind("s", close=True)):
                assert await commit(store, change) == Conflict("stream", "s")
            assert await text(store, "s") == b"1"
            [empty] = await done(store, blind("t", b"1"))
            [empty] = await done(store, blind("t", close=True))
            assert empty.batches["t"] == Batch(1, 1, b"")
            found = await store.read("t", 0, 100)
            assert found is not None
            assert (found[0].closed, found[1]) == (True, [Batch(0, 1, b"1")])

        self.hold(tmp_path, scenario)

    def test_a_head_is_kept_as_given(self, tmp_path: Path) -> None:
        """Every member of a head comes back; the incarnation is the application's."""
        full = head(
            "a/b c",
            content_type="text/plain; charset=utf-8",
            closed=True,
            closed_by=ProducerMark("p", 1, 2),
            last_seq="",
            ttl_s=0,
            expires_at="2030-01-01T00:00:00Z",
            touched_at=9,
            fork=Fork("notes", "i9", 3, 2),
            tail=3,
            refs=4,
            deleted=True,
        )

        async def scenario(store: WorkflowStore) -> None:
            await done(store, write(full))
            assert await store.load_stream("a/b c") == StreamState(full)
            await done(store, write(head("plain")))
            assert await store.load_stream("plain") == StreamState(head("plain"))

        self.hold(tmp_path, scenario)

    def test_a_write_is_compared_with_the_version(self, tmp_path: Path) -> None:
        """Creation expects nothing there, every later write the version it was decided on."""

        async def scenario(store: WorkflowStore) -> None:
            assert await commit(store, write(head(version=2, tail=1), b"1")) == Conflict("stream", "notes")
            await done(store, write(head()))
            assert await commit(store, write(head())) == Conflict("stream", "notes")
            await done(store, write(head(version=2, tail=3), b"1,2,3"))
            assert await commit(store, write(head(version=2, tail=4), b"4")) == Conflict("stream", "notes")
            await done(store, write(head(version=3, tail=3, touched_at=8)))
            assert await store.read("notes", 0, 100) == (head(version=3, tail=3, touched_at=8), [Batch(0, 3, b"1,2,3")])

        self.hold(tmp_path, scenario)

    def test_a_fork_keeps_what_follows_its_source(self, tmp_path: Path) -> None:
        """Its own units begin where it leaves its source; what is before them is read from the source."""
        fork = head("fork", tail=5, fork=Fork("notes", "i1", 3))

        async def scenario(store: WorkflowStore) -> None:
            await done(store, write(head(tail=3), b"1,2,3"))
            await done(store, write(fork, b"4,5"))
            await done(store, write(fork._replace(version=2, tail=6), b"6"))
            for start, batches in ((0, [Batch(3, 5, b"4,5"), Batch(5, 6, b"6")]), (5, [Batch(5, 6, b"6")])):
                found = await store.read("fork", start, 100)
                assert found == (fork._replace(version=2, tail=6), batches)
            await done(store, write(head("bare", tail=3, fork=Fork("notes", "i1", 3))))
            assert await store.tails(["bare", "fork"]) == {"bare": (3, False), "fork": (6, False)}

        self.hold(tmp_path, scenario)

    def test_streams_change_together(self, tmp_path: Path) -> None:
        """One Change may write to several streams, of the engine too: all of it, or nothing when one has moved."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, blind("runs/r", b"1", b"2"), write(head()))
            loaded = await store.load_stream("runs/r")
            assert loaded is not None
            source = loaded.head
            counted = Write(source.changed(version=source.version + 1, refs=1), source.version, source.tail)
            fork = head("fork", tail=2, fork=Fork("runs/r", source.incarnation, 2))
            both = Change(streams=(Write(fork, 0, 2), counted, StreamDelete("notes", 1)))
            await done(store, both)
            assert await store.load_stream("runs/r") == StreamState(counted.head)
            assert await store.load_stream("notes") is None
            again = Change(streams=(Write(fork.changed(path="other"), 0, 2), counted))
            assert await commit(store, again) == Conflict("stream", "runs/r")
            assert await store.load_stream("other") is None
            await done(store, blind("runs/r", b"3", close=True))
            loaded = await store.load_stream("runs/r")
            assert loaded is not None
            assert (loaded.head.tail, loaded.head.refs, loaded.head.engine) == (3, 1, True)

        self.hold(tmp_path, scenario)

    def test_a_deleted_stream_can_be_kept(self, tmp_path: Path) -> None:
        """It has no tail to wait for, but its head and its batches are there."""
        kept = head(version=2, tail=1, refs=1, deleted=True)

        async def scenario(store: WorkflowStore) -> None:
            await done(store, write(head(tail=1), b"1"), write(kept))
            assert await store.tails(["notes"]) == {}
            assert await store.read("notes", 0, 100) == (kept, [Batch(0, 1, b"1")])

        self.hold(tmp_path, scenario)

    def test_producers_are_kept_apart(self, tmp_path: Path) -> None:
        """Each producer of each stream has its own mark."""

        async def scenario(store: WorkflowStore) -> None:
            one, two = ProducerMark("one", 0, 0), ProducerMark("two", 3, 9)
            await done(store, write(head(tail=1), b"1", one), write(head(version=2, tail=2), b"2", two))
            await done(store, write(head(version=3, tail=3), b"3", ProducerMark("one", 0, 1)), write(head("other")))
            for path, producer, mark in (
                ("notes", "one", ProducerMark("one", 0, 1)),
                ("notes", "two", two),
                ("notes", "three", None),
                ("other", "one", None),
            ):
                loaded = await store.load_stream(path, producer)
                assert loaded is not None
                assert loaded.producer == mark
            assert await store.load_stream("absent", "one") is None

        self.hold(tmp_path, scenario)

    def test_deleting_takes_everything(self, tmp_path: Path) -> None:
        """Batches and producers go with the stream; a new one at the path starts empty."""

        async def scenario(store: WorkflowStore) -> None:
            mark = ProducerMark("one", 0, 0)
            await done(store, write(head(tail=1), b"1", mark))
            assert await commit(store, Change(streams=(StreamDelete("notes", 2),))) == Conflict("stream", "notes")
            await done(store, Change(streams=(StreamDelete("notes", 1),)))
            assert await store.load_stream("notes") is None
            assert await store.read("notes", 0, 100) is None
            assert await store.tails(["notes"]) == {}
            assert await commit(store, Change(streams=(StreamDelete("notes", 1),))) == Conflict("stream", "notes")
            await done(store, write(head(incarnation="i2", tail=1), b"2"))
            assert await store.load_stream("notes", "one") == StreamState(head(incarnation="i2", tail=1))
            assert await text(store, "notes") == b"2"

        self.hold(tmp_path, scenario)

    def test_create_delete_create_in_one_commit(self, tmp_path: Path) -> None:
        """Merged Changes take effect in their order, even on one path."""

        async def scenario(store: WorkflowStore) -> None:
            delete = Change(streams=(StreamDelete("notes", 1),))
            again = write(head(incarnation="i2", tail=1), b"2")
            outcomes = await store.commit([write(head(tail=1), b"1"), delete, delete, again, blind("other", b"3")])
            assert [type(one) for one in outcomes] == [Committed, Committed, Conflict, Committed, Committed]
            assert await text(store, "notes") == b"2"
            assert await text(store, "other") == b"3"

        self.hold(tmp_path, scenario)

    def test_reading_begins_at_the_batch_that_holds_the_position(self, tmp_path: Path) -> None:
        """It stops after the batch that fills the measure, and brings at least one."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, *(blind("s", *[b"%d" % n] * n) for n in (1, 2, 3)))  # [0,1) [1,3) [3,6)
            for begin, most, spans in (
                (0, 1000, [(0, 1), (1, 3), (3, 6)]),
                (1, 1000, [(1, 3), (3, 6)]),
                (2, 1000, [(1, 3), (3, 6)]),
                (5, 1000, [(3, 6)]),
                (6, 1000, []),
                (99, 1000, []),
                (0, 0, [(0, 1)]),
                (0, 2, [(0, 1), (1, 3)]),
            ):
                found = await store.read("s", begin, most)
                assert found is not None
                assert [(batch.start, batch.end) for batch in found[1]] == spans, (begin, most)
                assert found[0].tail == 6

        self.hold(tmp_path, scenario)

    def test_bytes_are_positions_in_byte_mode(self, tmp_path: Path) -> None:
        """A stream that is not JSON counts bytes; NUL and invalid UTF-8 are bytes like others."""
        data = bytes(range(256))

        async def scenario(store: WorkflowStore) -> None:
            plain = {"content_type": "application/octet-stream"}
            await done(store, write(head(**plain)), write(head(version=2, tail=256, **plain), data))
            found = await store.read("notes", 100, 1 << 20)
            assert found is not None
            assert found[1] == [Batch(0, 256, data)]

        self.hold(tmp_path, scenario)

    def test_a_large_batch_survives(self, tmp_path: Path) -> None:
        """A megabyte in one append comes back as one batch."""

        async def scenario(store: WorkflowStore) -> None:
            data = b'"' + b"x" * (1 << 20) + b'"'
            await done(store, Change(appends=(EngineAppend("s", data, 1),)), blind("s", b"1"))
            assert await text(store, "s") == data + b",1"

        self.hold(tmp_path, scenario)

    def test_much_that_is_written_at_once_is_kept_in_parts(self, tmp_path: Path) -> None:
        """Bytes and messages, so that no read has to bring all of it; together they are what was written."""
        messages = [b'"%d%s"' % (n, b"x" * 5_000) for n in range(60)]
        body = b"[" + b" , ".join(messages) + b"]"
        many = json_mode.payload(JSON, body)
        plain = Payload("text/plain", bytes(range(256)) * 1_000, 256_000)

        async def scenario(store: WorkflowStore) -> None:
            for path, payload in (("many", many), ("plain", plain)):
                kind = payload.content_type
                before = head(path, content_type=kind)
                after = head(path, content_type=kind, version=2, tail=payload.units)
                change = Change(streams=(Write(after, 1, 0, payload.data, cuts=payload.cuts),))
                await done(store, write(before), change)
                whole = await store.read(path, 0, 1 << 30)
                assert whole is not None
                parts = whole[1]
                assert len(parts) >= 3
                assert max(len(part.data) for part in parts) <= TOGETHER + 5_010
                assert [part.start for part in parts] == [0, *(part.end for part in parts[:-1])]
                assert parts[-1].end == payload.units
                joint = b"," if after.json else b""
                assert joint.join(part.data for part in parts) == payload.data
                one = await store.read(path, parts[1].start, 1)
                assert one is not None
                assert one[1] == [parts[1]]
                if after.json:
                    assert [len(json_mode.split(part.data)) for part in parts] == [p.end - p.start for p in parts]

        self.hold(tmp_path, scenario)

    def test_paths_are_just_text(self, tmp_path: Path) -> None:
        """Paths that look alike are different streams."""
        paths = ["s", "S", "s/", "s%2F", "ß", "ss", "s s", "", "inbox/user:a_b", "inbox/user:aXb", "流/🙂", "a" * 1000]

        async def scenario(store: WorkflowStore) -> None:
            await store.commit([blind(path, b"%d" % n) for n, path in enumerate(paths)])
            assert await store.tails([*paths, "absent"]) == dict.fromkeys(paths, (1, False))
            for number, path in enumerate(paths):
                assert await text(store, path) == b"%d" % number

        self.hold(tmp_path, scenario)
