"""Laws of applications' streams: heads, positions, reading, producers, forks, deleting, and how they are found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from signoff.stores.base import StreamState, StreamTail, WorkflowStore
from signoff.stores.change import Batch, Change, Committed, Conflict, StreamDelete
from signoff.stores.parting import TOGETHER
from signoff.streams import json_mode
from signoff.streams.stream import JSON, Fork, Payload, ProducerMark, Write
from signoff.testing.store_contract.laws import (
    Laws,
    commit,
    done,
    family,
    grow,
    head,
    known,
    tails,
    text,
    together,
    write,
)


class StreamLaws(Laws):
    """What is true of every application's stream."""

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
            assert await commit(store, write(head(version=2, tail=1), b"1")) == Conflict("version", "notes")
            await done(store, write(head()))
            assert await commit(store, write(head())) == Conflict("version", "notes")
            await done(store, write(head(version=2, tail=3), b"1,2,3"))
            assert await commit(store, write(head(version=2, tail=4), b"4")) == Conflict("version", "notes")
            await done(store, write(head(version=3, tail=3, touched_at=8)))
            assert await store.read("notes", 0, 100) == (head(version=3, tail=3, touched_at=8), [Batch(0, 3, b"1,2,3")])

        self.hold(tmp_path, scenario)

    def test_a_fork_keeps_what_follows_its_source(self, tmp_path: Path) -> None:
        """Its own units begin where it leaves its source; what is before them is read from the source."""
        fork = head("fork", tail=5, fork=Fork("notes", "i1", 3))

        async def scenario(store: WorkflowStore) -> None:
            await done(store, write(head(tail=3), b"1,2,3"))
            await done(store, write(fork, b"4,5"))
            await done(store, write(fork.changed(version=2, tail=6), b"6"))
            for start, batches in ((0, [Batch(3, 5, b"4,5"), Batch(5, 6, b"6")]), (5, [Batch(5, 6, b"6")])):
                found = await store.read("fork", start, 100)
                assert found == (fork.changed(version=2, tail=6), batches)
            await done(store, write(head("bare", tail=3, fork=Fork("notes", "i1", 3))))
            assert await tails(store, "bare", "fork") == {"bare": (3, False), "fork": (6, False)}

        self.hold(tmp_path, scenario)

    def test_a_family_changes_together(self, tmp_path: Path) -> None:
        """One Change writes to a fork and to its source: all of it, or nothing when one of them has moved."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, write(head(tail=2), b"1,2"))
            fork = head("fork", tail=2, fork=Fork("notes", "i1", 2))
            source = head(version=2, tail=2, refs=1)
            await done(store, family(Write(fork, 0, 2), Write(source, 1, 2)))
            assert await store.load_stream("notes") == StreamState(source)
            again = family(Write(fork.changed(path="other"), 0, 2), Write(source, 1, 2))
            assert await commit(store, again) == Conflict("version", "notes")
            assert await store.load_stream("other") is None
            gone = family(StreamDelete("fork", 1), Write(source.changed(version=3, refs=0), 2, 2))
            moved = family(StreamDelete("fork", 2), Write(source.changed(version=3, refs=0), 2, 2))
            assert await commit(store, moved) == Conflict("version", "fork")
            assert await known(store) == source
            await done(store, gone)
            assert await store.load_stream("fork") is None
            assert (await known(store)).refs == 0

        self.hold(tmp_path, scenario)

    def test_writes_of_one_change_see_each_other(self, tmp_path: Path) -> None:
        """A stream may be made, written to, deleted and made again in it."""

        async def scenario(store: WorkflowStore) -> None:
            one, two = head(tail=1), head(version=2, tail=2)
            again = head(incarnation="i2", version=7, tail=1)
            writes = (Write(one, 0, 0, b"1"), Write(two, 1, 1, b"2"))
            await done(store, family(*writes))
            assert await text(store, "notes") == b"1,2"
            await done(store, family(StreamDelete("notes", 2), Write(again, 0, 0, b"3")))
            assert await store.load_stream("notes") == StreamState(again)
            assert await text(store, "notes") == b"3"
            late = family(StreamDelete("notes", 7), StreamDelete("notes", 7))
            assert await commit(store, late) == Conflict("version", "notes")
            assert await known(store) == again

        self.hold(tmp_path, scenario)

    def test_a_deleted_stream_can_be_kept(self, tmp_path: Path) -> None:
        """It has no tail to wait for, but its head and its batches are there."""
        kept = head(version=2, tail=1, refs=1, deleted=True)

        async def scenario(store: WorkflowStore) -> None:
            await done(store, write(head(tail=1), b"1"), write(kept))
            assert await tails(store, "notes") == {}
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
            assert await commit(store, family(StreamDelete("notes", 2))) == Conflict("version", "notes")
            await done(store, family(StreamDelete("notes", 1)))
            assert await store.load_stream("notes") is None
            assert await store.read("notes", 0, 100) is None
            assert await tails(store, "notes") == {}
            assert await commit(store, family(StreamDelete("notes", 1))) == Conflict("version", "notes")
            await done(store, write(head(incarnation="i2", tail=1), b"2"))
            assert await store.load_stream("notes", "one") == StreamState(head(incarnation="i2", tail=1))
            assert await text(store, "notes") == b"2"

        self.hold(tmp_path, scenario)

    def test_create_delete_create_in_one_commit(self, tmp_path: Path) -> None:
        """Merged Changes take effect in their order, even on one path."""

        async def scenario(store: WorkflowStore) -> None:
            delete = family(StreamDelete("notes", 1))
            again = write(head(incarnation="i2", tail=1), b"2")
            other = write(head("other", tail=1), b"3")
            outcomes = await together(store, [write(head(tail=1), b"1"), delete, delete, again, other])
            assert [type(one) for one in outcomes] == [Committed, Committed, Conflict, Committed, Committed]
            assert await text(store, "notes") == b"2"
            assert await text(store, "other") == b"3"

        self.hold(tmp_path, scenario)

    def test_reading_begins_at_the_batch_that_holds_the_position(self, tmp_path: Path) -> None:
        """It stops after the batch that fills the measure, and brings at least one."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, *(grow("s", n - 1, *[b"%d" % n] * n) for n in (1, 2, 3)))  # [0,1) [1,3) [3,6)
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
                change = family(Write(after, 1, 0, payload.data, cuts=payload.cuts))
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
            await together(store, [write(head(path, tail=1), b"%d" % n) for n, path in enumerate(paths)])
            assert await tails(store, *paths, "absent") == dict.fromkeys(paths, (1, False))
            for number, path in enumerate(paths):
                assert await text(store, path) == b"%d" % number

        self.hold(tmp_path, scenario)

    def test_streams_are_found_when_their_life_is_over(self, tmp_path: Path) -> None:
        """The earliest first; an append renews, and what is deleted, or kept for its forks alone, is not found."""

        async def scenario(store: WorkflowStore) -> None:
            def at(path: str, second: int, version: int = 1, **what: Any) -> Change:
                one = head(path, version=version, tail=version).changed(touched_at=second * 1000, **what)
                return family(Write(one, version - 1, version - 1, b"x"))

            zone = "1970-01-01t01:01:40.9+01:00"
            await done(store, at("a", 0, ttl_s=160), at("b", 90, ttl_s=16), at("c", 0, expires_at=zone), at("d", 0))
            await done(
                store, at("e", 0, expires_at="2999-12-31T23:59:59Z"), at("f", 0, ttl_s=10**12), at("g", 0, ttl_s=0)
            )
            assert await store.ended_streams(now=99_999, limit=9) == ["g"]
            assert await store.ended_streams(now=100_899, limit=9) == ["g"]
            assert await store.ended_streams(now=100_900, limit=9) == ["g", "c"]
            assert await store.ended_streams(now=107_000, limit=9) == ["g", "c", "b"]
            assert await store.ended_streams(now=169_999, limit=9) == ["g", "c", "b"]
            assert await store.ended_streams(now=170_000, limit=9) == ["g", "c", "b", "a"]
            assert await store.ended_streams(now=170_000, limit=2) == ["g", "c"]
            await done(store, at("b", 300, 2, ttl_s=16), at("g", 0, 2, ttl_s=0, deleted=True, refs=1))
            await done(store, family(StreamDelete("c", 1)))
            assert await store.ended_streams(now=316_999, limit=9) == ["a"]
            assert await store.ended_streams(now=317_000, limit=9) == ["a", "b"]
            await done(store, at("c", 0, ttl_s=16))
            assert await store.ended_streams(now=17_000, limit=9) == ["c"]

        self.hold(tmp_path, scenario)

    def test_streams_are_listed_by_prefix(self, tmp_path: Path) -> None:
        """In the order of paths, page by page, with how far each has grown, and whether it has ended."""

        async def scenario(store: WorkflowStore) -> None:
            paths = ("e/b", "e/a", "f", "e", "e/a/x", "e/𝄞", "d/z")
            await together(store, [write(head(path, tail=1, incarnation=f"i:{path}"), b"1") for path in paths])
            await done(store, write(head("e/a", incarnation="i:e/a", version=2, tail=2, closed=True), b"2"))
            await done(store, write(head("e/c", incarnation="i7")))
            found = await store.list_streams("e/", limit=9)
            assert found == [
                StreamTail("e/a", "i:e/a", 2, closed=True),
                StreamTail("e/a/x", "i:e/a/x", 1),
                StreamTail("e/b", "i:e/b", 1),
                StreamTail("e/c", "i7", 0),
                StreamTail("e/𝄞", "i:e/𝄞", 1),
            ]
            assert await store.list_streams("e/", limit=2, after="e/a/x") == found[2:4]
            assert [one.path for one in await store.list_streams("", limit=2)] == ["d/z", "e"]
            assert await store.list_streams("g", limit=9) == []
            assert await store.find_streams(["e/b", "e/none", "e/a"]) == {"e/a": found[0], "e/b": found[2]}
            soft = head("e/c", incarnation="i7", version=2).changed(deleted=True, refs=1)
            await done(store, family(Write(soft, 1, soft.tail)))
            assert await store.find_streams(["e/c"]) == {}
            assert await store.list_streams("e/c", limit=9) == []
            await done(store, family(StreamDelete("e/c", 2)))
            assert await store.find_streams(["e/c"]) == {}
            many = [f"m/{number:03}" for number in range(250)]
            await together(store, [write(head(path)) for path in many])
            assert list(await store.find_streams(many)) == many

        self.hold(tmp_path, scenario)
