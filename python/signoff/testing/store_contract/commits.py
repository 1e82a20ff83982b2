"""Laws of commit: all or nothing, one winner, neighbours unharmed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from signoff.errors import SignoffError, StoreUnavailable
from signoff.stores.base import Listing, LoadedSubject, WorkflowStore
from signoff.stores.change import (
    Change,
    Committed,
    Conflict,
    FamilyWrite,
    Name,
    OwnAppend,
    OwnStream,
    PartName,
    Post,
    Rejected,
    RowsWrite,
    StreamDelete,
)
from signoff.streams.compaction import LiveRow, RowChanges
from signoff.streams.stream import Write
from signoff.testing.store_contract.laws import (
    Laws,
    advance,
    bare,
    change,
    commit,
    delete,
    done,
    family,
    head,
    journal,
    load,
    own,
    part,
    record,
    run,
    settle,
    start,
    tails,
    text,
    together,
    write,
)

POST = Post("inbox/a", b'"news"', 1)


class CommitLaws(Laws):
    """What is true of every commit."""

    def test_a_change_is_written_whole(self, tmp_path: Path) -> None:
        """Everything a Change carries is there afterwards."""

        async def scenario(store: WorkflowStore) -> None:
            asked = part("approve:0", open=True, terms=("to/finance",))
            subject = run(terms=("big",))
            appends = (own(journal("r1"), b'{"type":"run.started"}'), own("runs/r1", b"1", b"2"))
            [committed] = await done(store, change(subject, 0, POST, parts=(asked,), appends=appends))
            spans = {path: (batch.start, batch.end) for path, batch in committed.batches.items()}
            assert {path: spans[path] for path in (journal("r1"), "runs/r1")} == {
                journal("r1"): (0, 1),
                "runs/r1": (0, 2),
            }
            loaded = await load(store)
            assert loaded is not None
            assert (bare(loaded.subject), loaded.parts) == (subject, (asked,))
            assert loaded.subject.streams == (OwnStream(journal("r1"), 1), OwnStream("runs/r1", 2))
            assert await text(store, journal("r1")) == b'{"type":"run.started"}'
            await settle(store)
            assert await text(store, "inbox/a") == b'"news"'

        self.hold(tmp_path, scenario)

    def test_a_conflict_changes_nothing(self, tmp_path: Path) -> None:
        """Whichever expectation fails, no part of the Change is there."""
        parts = (part("new"), part("kept", state=b"[]"))
        appends = (own("runs/r1", b"9"), own("runs/r1/new", b"9"))
        shut = (*appends, own("runs/r1/shut", b"9"))
        taken = (*appends, own("notes", b"9"))
        new = run(version=5, terms=("late",))
        both = {"parts": parts, "dropped": (PartName("request", "kept"),), "appends": appends}
        away = head("fresh")
        rows = RowChanges(clear=True, gone=(), rows=(LiveRow("t", "k", 0, b"{}"),), at=1)
        failing = [
            (Conflict("version", "r1"), change(new, 2, POST, **both)),
            (Conflict("version", "r1"), change(new, 0, POST, **both)),
            (Conflict("epoch", "r1"), change(new, 1, POST, epoch=9, **both)),
            (Conflict("version", "runs/r1/shut"), change(new, 1, POST, **(both | {"appends": shut}))),
            (Conflict("version", "notes"), change(new, 1, POST, **(both | {"appends": taken}))),
            (Conflict("version", "none"), change(run("none", version=5), 4, POST, parts=parts)),
            (Conflict("version", "r1"), delete("r1", 2, POST)),
            (Conflict("version", "none"), delete("none", 0, POST)),
            (Conflict("version", "notes"), family(Write(away, 0, 0), StreamDelete("notes", 5))._replace(posts=(POST,))),
            (Conflict("version", "notes"), Change(RowsWrite("notes", "i1", 1, rows), (POST,))),
        ]

        async def scenario(store: WorkflowStore) -> None:
            opened = change(
                run(terms=("early",)),
                parts=(part("kept"),),
                appends=(own("runs/r1", b"1"), own("runs/r1/shut", b"1", close=True)),
            )
            await done(store, opened, write(head(tail=1), b"1"))
            before = await load(store)
            for conflict, refused in failing:
                assert await commit(store, refused) == conflict
                assert await load(store) == before
                await settle(store)
                assert await tails(store, "runs/r1", "runs/r1/new", "fresh", "notes", "inbox/a") == {
                    "runs/r1": (1, False),
                    "notes": (1, False),
                }
            assert isinstance(await commit(store, change(new, 1, POST, **both)), Committed)

        self.hold(tmp_path, scenario)

    def test_the_lease_is_compared_first(self, tmp_path: Path) -> None:
        """Who has lost it need not look again; then the version, and the streams of the subject's own last."""

        async def scenario(store: WorkflowStore) -> None:
            shut = own("runs/r1", b"1", close=True)
            await done(store, change(run(), appends=(shut,)))
            assert await commit(store, change(run(version=9), 7, epoch=1, appends=(shut,))) == Conflict("epoch", "r1")
            assert await commit(store, change(run(version=9), 7, appends=(shut,))) == Conflict("version", "r1")
            assert await commit(store, change(run(version=9), 1, appends=(shut,))) == Conflict("version", "runs/r1")
            absent = change(run("absent", version=9), 7, epoch=1)
            assert await commit(store, absent) == Conflict("epoch", "absent")

        self.hold(tmp_path, scenario)

    def test_one_of_many_wins(self, tmp_path: Path) -> None:
        """Of fifty Changes on one version exactly one is written; the others conflict. Fifty times over."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1"))
            for version in range(1, 51):
                outcomes = await asyncio.gather(*(commit(store, advance("r1", version)) for _ in range(50)))
                assert sum(isinstance(outcome, Committed) for outcome in outcomes) == 1
                assert outcomes.count(Conflict("version", "r1")) == 49
            assert await tails(store, journal("r1")) == {journal("r1"): (51, False)}

        self.hold(tmp_path, scenario)

    def test_of_a_group_each_ends_on_its_own(self, tmp_path: Path) -> None:
        """A conflict harms no neighbour; of Changes about one subject later ones see earlier ones."""

        async def scenario(store: WorkflowStore) -> None:
            group = [start("a"), start("b"), start("a"), advance("a", 1), advance("b", 7), advance("a", 2)]
            outcomes = await together(store, group)
            assert [type(one) for one in outcomes] == [Committed, Committed, Conflict, Committed, Conflict, Committed]
            assert await text(store, journal("a")) == b'{"type":"run.started"},{"n":1},{"n":2}'
            assert await text(store, journal("b")) == b'{"type":"run.started"}'

        self.hold(tmp_path, scenario)

    def test_a_group_may_be_as_large_as_the_store_says(self, tmp_path: Path) -> None:
        """Outcomes of every sort come in the order of the Changes, whatever they are about."""
        cycle: list[tuple[type, Change]] = []

        def add(kind: type, one: Change) -> None:
            cycle.append((kind, one))

        for number in range(64):
            name = f"r{number}"
            path = f"notes/{number}"
            add(Committed, start(name))
            add(Committed, write(head(path, tail=1), b"1"))
            add(Conflict, advance(name, 4))
            add(Rejected, start("\ud800"))
            add(Committed, advance(name, 1)._replace(posts=(Post("inbox/a", b"%d" % number, 1),)))
            add(Conflict, write(head(path)))
            add(Committed, delete(name, 2))
            add(Conflict, family(StreamDelete(path, 4)))

        async def scenario(store: WorkflowStore) -> None:
            group = cycle[: store.lanes.group]
            outcomes = await store.commit([one for _, one in group])
            assert [type(outcome) for outcome in outcomes] == [kind for kind, _ in group]
            await settle(store)
            sent = [post for kind, one in group for post in one.posts if kind is Committed]
            placed = (await text(store, "inbox/a")).split(b",") if sent else []
            assert sorted(placed) == sorted(post.data for post in sent)

        self.hold(tmp_path, scenario)

    def test_calls_that_overlap_keep_the_order_of_each_subject(self, tmp_path: Path) -> None:
        """Who decides ahead, on what a commit under way will leave, need not wait for it."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1"), *(write(head(path, version=1)) for path in ("a", "b")))
            calls = []
            for number in range(1, 101):
                moved = [head(path, version=number + 1, tail=number) for path in ("a", "b")]
                changes = [family(Write(one, number, number - 1, b"x")) for one in moved]
                calls.append(asyncio.ensure_future(store.commit([*changes, advance("r1", number)])))
            for outcomes in await asyncio.gather(*calls):
                assert [type(one) for one in outcomes] == [Committed] * 3
            assert await tails(store, "a", "b", "runs/r1") == {
                "a": (100, False),
                "b": (100, False),
                "runs/r1": (101, False),
            }

        self.hold(tmp_path, scenario)

    def test_a_commit_begins_when_the_store_says(self, tmp_path: Path) -> None:
        """At the call, where `lanes.begins_at_call` says so: nobody needs to await it."""

        async def scenario(store: WorkflowStore) -> None:
            assert store.lanes.group >= 1
            assert store.lanes.at_once >= 1
            under_way = store.commit([start("r1")])
            if store.lanes.begins_at_call:
                async with asyncio.timeout(30):
                    while await load(store) is None:  # noqa: ASYNC110 - the store alone knows when
                        await asyncio.sleep(0)
            assert [type(one) for one in await under_way] == [Committed]
            assert (await record(store)).version == 1

        self.hold(tmp_path, scenario)

    def test_a_bad_change_harms_no_neighbour(self, tmp_path: Path) -> None:
        """What cannot be stored is rejected alone, with nothing of it written."""
        fine = run("bad")
        rows = RowChanges(clear=False, gone=(), rows=(LiveRow("t", "\ud800", 0, b"{}"),), at=0)
        bad = [
            start("\ud800"),
            start("bad", wake_at=2**63),
            start("bad", state="text"),
            start("bad", version=0),
            start("bad", sort=-(2**70)),
            start("bad", queue="\udfff"),
            start("bad", ready=None),
            start("bad", terms=("\udfff",)),
            start("bad", terms=("x" * 513,)),
            start("bad", terms=("a\x1fb",)),
            start("bad", terms=(b"a",)),
            change(fine, appends=(OwnAppend("runs/bad", "1", 1),)),  # type: ignore[arg-type]
            change(fine, parts=(part("\ud800"),)),
            change(fine, parts=(part(state=None),)),
            change(fine, parts=(part(terms=("\x00",)),)),
            change(fine, dropped=(PartName("request", "\ud800"),)),
            change(fine, 0, Post("inbox/\ud800", b"1", 1)),
            change(fine, 0, Post("inbox/bad", "1", 1)),  # type: ignore[arg-type]
            change(fine)._replace(mark=2**64),
            delete("\ud800", 1),
            write(head("bad/\ud800")),
            write(head("runs/bad", created_at=2**63)),
            Change(FamilyWrite((StreamDelete("runs/bad", 2**63),))),
            Change(RowsWrite("notes", "i1", 0, rows)),
        ]

        async def scenario(store: WorkflowStore) -> None:
            await done(store, write(head()))
            for number, one in enumerate(bad):
                outcomes = await together(store, [start(f"a{number}"), one, start(f"b{number}")])
                assert [type(outcome) for outcome in outcomes] == [Committed, Rejected, Committed], number
                assert isinstance(outcomes[1], Rejected)
                assert isinstance(outcomes[1].error, SignoffError)
                assert await load(store, "bad") is None
                assert await tails(store, "runs/bad", journal("bad"), "inbox/bad") == {}
                assert len(await tails(store, f"runs/a{number}", f"runs/b{number}")) == 2
            assert isinstance(await commit(store, start("bad")), Committed)

        self.hold(tmp_path, scenario)

    def test_a_closed_store_is_not_used(self, tmp_path: Path) -> None:
        """Every use is refused in words, and nothing is written."""

        async def scenario(store: WorkflowStore) -> None:
            await store.close()
            for use in (
                lambda: store.commit([start("r1")]),
                lambda: store.find([start("r1")]),
                store.describe,
                lambda: load(store),
                lambda: store.list_subjects(Listing("run"), limit=1),
                lambda: store.list_parts(Listing("input"), limit=1),
                lambda: store.load_stream("notes"),
                lambda: store.read("notes", 0, 1),
                lambda: store.read_start("notes", 1),
                lambda: store.rows_bytes("notes"),
                lambda: store.find_streams(["notes"]),
                lambda: store.list_streams("", limit=1),
                lambda: store.ended_streams(now=0, limit=1),
                store.purge,
                lambda: store.claim("w1", ["expense"], now=0, lease_ms=1, limit=1),
                lambda: store.renew("w1", {Name("run", "r1"): 1}, until=1),
                lambda: store.release("w1", {Name("run", "r1"): 1}),
                lambda: store.due("expense", now=0, limit=1),
                lambda: store.next_due(["expense"]),
                lambda: store.unclaimed("run", ["expense"], before=1, limit=1),
                store.place,
                store.unplaced,
            ):
                with pytest.raises(StoreUnavailable, match="open"):
                    await use()
            await store.open()
            assert await load(store) is None

        self.hold(tmp_path, scenario)

    def test_no_changes_no_outcomes(self, tmp_path: Path) -> None:
        """An empty commit is nothing."""

        async def scenario(store: WorkflowStore) -> None:
            assert await store.commit([]) == []
            assert await store.find([]) == []

        self.hold(tmp_path, scenario)

    def test_what_was_committed_outlives_the_store(self, tmp_path: Path) -> None:
        """It is there after the store is opened again."""

        async def scenario(store: WorkflowStore) -> None:
            last = change(run(version=2, terms=("t",)), 1, POST, parts=(part(),))
            await done(store, start("r1"), last, write(head(tail=1), b"1"))
            before: list[LoadedSubject | None] = [await load(store)]
            await store.close()
            await store.open()
            assert [await load(store)] == before
            await settle(store)
            assert await text(store, "inbox/a") == b'"news"'
            assert await text(store, "notes") == b"1"
            assert await store.find([last]) == [True]

        self.hold(tmp_path, scenario)
