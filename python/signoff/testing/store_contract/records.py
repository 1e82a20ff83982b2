"""Laws of records (documents compared by version, found when due), and of finding streams by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from signoff.stores.base import (
    Change,
    Conflict,
    Outcome,
    Record,
    RecordDelete,
    RecordWrite,
    Rejected,
    StreamDelete,
    WorkflowStore,
)
from signoff.streams.stream import Write
from signoff.testing.store_contract.laws import Laws, blind, commit, done, head, write


def put(record_id: str, version: int = 1, *, due: int | None = None, kind: str = "k", state: bytes = b"{}") -> Change:
    """Write a record whose version follows the one it expects."""
    return Change(records=(RecordWrite(Record(kind, record_id, version, state, due), version - 1),))


def drop(record_id: str, expect: int, kind: str = "k") -> Change:
    """Delete a record."""
    return Change(records=(RecordDelete(kind, record_id, expect),))


class RecordLaws(Laws):
    """Hold what is true of every record, and of every look for streams."""

    def test_a_record_is_written_on_its_version(self, tmp_path: Path) -> None:
        """Whoever decided on another version is refused and changes nothing; kinds do not meet."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, put("a"), put("a", kind="other", state=b"o"), put("a", 2, due=7, state=b"\x00\xff"))
            for change in (put("a"), put("a", 2), put("a", 4), put("b", 2), drop("a", 1), drop("b", 0)):
                assert isinstance(await commit(store, change), Conflict)
            assert await store.load_record("k", "a") == Record("k", "a", 2, b"\x00\xff", 7)
            assert await store.load_record("other", "a") == Record("other", "a", 1, b"o")
            assert await store.load_record("k", "b") is None
            await done(store, drop("a", 2), put("a", state=b"again"))
            assert await store.load_record("k", "a") == Record("k", "a", 1, b"again")

        self.hold(tmp_path, scenario)

    def test_of_two_writes_of_a_record_in_one_commit_one_wins(self, tmp_path: Path) -> None:
        """Later Changes see earlier ones, and a refused one takes its streams along."""

        async def scenario(store: WorkflowStore) -> None:
            late = Change(records=put("a", state=b"2").records, appends=blind("s", b"1").appends)
            outcomes: list[Outcome | Rejected] = await store.commit(
                [put("a", state=b"1"), late, put("a", 2, state=b"3")]
            )
            assert outcomes[1] == Conflict("record", "a")
            assert await store.load_record("k", "a") == Record("k", "a", 2, b"3")
            assert await store.tails(["s"]) == {}
            both = Change(records=(*put("b").records, *drop("b", 1).records, *put("b", state=b"n").records))
            await done(store, both)
            assert await store.load_record("k", "b") == Record("k", "b", 1, b"n")

        self.hold(tmp_path, scenario)

    def test_records_are_found_when_due(self, tmp_path: Path) -> None:
        """The earliest first; one without a time never."""

        async def scenario(store: WorkflowStore) -> None:
            assert await store.next_record_due("k") is None
            await done(
                store, put("a", due=30), put("b", due=10), put("c"), put("d", due=1, kind="other"), put("e", due=20)
            )
            assert await store.next_record_due("k") == 10
            assert [one.id for one in await store.due_records("k", now=20, limit=9)] == ["b", "e"]
            assert [one.id for one in await store.due_records("k", now=99, limit=2)] == ["b", "e"]
            assert await store.due_records("k", now=9, limit=9) == []
            await done(store, put("b", 2), drop("e", 1))
            assert [one.id for one in await store.due_records("k", now=99, limit=9)] == ["a"]
            assert await store.next_record_due("k") == 30

        self.hold(tmp_path, scenario)

    def test_records_are_listed_in_the_order_of_ids(self, tmp_path: Path) -> None:
        """A page begins after an id."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, *(put(name) for name in ("b", "é", "a", "Z", "𝄞")), put("x", kind="other"))
            assert [one.id for one in await store.list_records("k", limit=9)] == ["Z", "a", "b", "é", "𝄞"]
            assert [one.id for one in await store.list_records("k", limit=2, after="a")] == ["b", "é"]
            assert await store.list_records("none", limit=9) == []

        self.hold(tmp_path, scenario)

    def test_records_outlive_the_store(self, tmp_path: Path) -> None:
        """What was committed is there after it is opened again."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, put("a", due=5, state=b"kept"))
            await store.close()
            await store.open()
            assert await store.load_record("k", "a") == Record("k", "a", 1, b"kept", 5)

        self.hold(tmp_path, scenario)

    def test_streams_are_found_when_their_life_is_over(self, tmp_path: Path) -> None:
        """The earliest first; an append renews, and what is deleted, or kept for its forks alone, is not found."""

        async def scenario(store: WorkflowStore) -> None:
            def at(path: str, second: int, version: int = 1, **what: Any) -> Change:
                one = head(path, version=version, tail=version).changed(touched_at=second * 1000, **what)
                return Change(streams=(Write(one, version - 1, version - 1, b"x"),))

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
            await done(store, Change(streams=(StreamDelete("c", 1),)))
            assert await store.ended_streams(now=316_999, limit=9) == ["a"]
            assert await store.ended_streams(now=317_000, limit=9) == ["a", "b"]
            await done(store, at("c", 0, ttl_s=16))
            assert await store.ended_streams(now=17_000, limit=9) == ["c"]

        self.hold(tmp_path, scenario)

    def test_streams_are_listed_by_prefix(self, tmp_path: Path) -> None:
        """In the order of paths, page by page, with how far each has grown."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, *(blind(path, b"1") for path in ("e/b", "e/a", "f", "e", "e/a/x", "e/𝄞", "d/z")))
            await done(store, blind("e/a", b"2"), write(head("e/c", incarnation="i7", tail=0)))
            found = await store.list_streams("e/", limit=9)
            assert [one.path for one in found] == ["e/a", "e/a/x", "e/b", "e/c", "e/𝄞"]
            assert [one.tail for one in found] == [2, 1, 1, 0, 1]
            assert found[3].incarnation == "i7"
            assert found[0].incarnation not in {"", found[2].incarnation}
            assert await store.list_streams("e/", limit=2, after="e/a/x") == found[2:4]
            assert [one.path for one in await store.list_streams("", limit=2)] == ["d/z", "e"]
            assert await store.list_streams("g", limit=9) == []
            assert await store.find_streams(["e/b", "e/none", "e/a"]) == {"e/a": found[0], "e/b": found[2]}
            soft = head("e/c", incarnation="i7", version=2).changed(deleted=True, refs=1)
            await done(store, Change(streams=(Write(soft, 1, soft.tail),)))
            assert await store.find_streams(["e/c"]) == {}
            assert [one.path for one in await store.list_streams("e/c", limit=9)] == []
            await done(store, Change(streams=(StreamDelete("e/c", 2),)))
            assert await store.find_streams(["e/c"]) == {}
            many = [f"m/{number:03}" for number in range(250)]
            await done(store, *(blind(path) for path in many))
            assert list(await store.find_streams(many)) == many

        self.hold(tmp_path, scenario)
