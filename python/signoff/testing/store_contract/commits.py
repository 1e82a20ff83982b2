"""Laws of commit: all or nothing, one winner, neighbours unharmed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from signoff.errors import SignoffError, StoreUnavailable
from signoff.stores.base import (
    Change,
    Committed,
    Conflict,
    EngineAppend,
    InputRecord,
    LedgerEntry,
    Rejected,
    StreamDelete,
    WaitWrite,
    WorkflowStore,
)
from signoff.streams.stream import Write
from signoff.testing.store_contract.laws import Laws, advance, blind, commit, done, head, record, start, text, write


class CommitLaws(Laws):
    """Hold what is true of every commit."""

    def test_a_change_is_written_whole(self, tmp_path: Path) -> None:
        """Everything a Change carries is there afterwards."""

        async def scenario(store: WorkflowStore) -> None:
            change = start("r1", tags=("big",))._replace(
                inputs=(InputRecord("r1", "approve:0", "pending", ("group:finance",), 7, None, b'{"i":1}'),),
                ledger=(LedgerEntry("r1", "answer", "s1", "d1", b'{"o":1}'),),
                waits=(WaitWrite("r1", "w:0", "paid", None),),
                streams=write(head("notes", tail=1), b'"hi"').streams,
            )
            [committed] = await done(store, change)
            assert {path: (b.start, b.end) for path, b in committed.batches.items()} == {
                "runs/r1/journal": (0, 1),
                "runs/r1": (0, 1),
            }
            state = await store.load_run("r1", inputs="all")
            assert state is not None
            assert (state.record, state.inputs) == (record("r1", tags=("big",)), change.inputs)
            assert await store.waiting_on("paid", None) == ["r1"]
            assert await text(store, "runs/r1/journal") == b'{"type":"run.started"}'
            assert await text(store, "notes") == b'"hi"'

        self.hold(tmp_path, scenario)

    def test_a_conflict_changes_nothing(self, tmp_path: Path) -> None:
        """Whichever expectation fails, no part of the Change is there."""
        fine = advance("r1", 1)._replace(
            inputs=(InputRecord("r1", "approve:0", "pending", (), 7, None, b"{}"),),
            ledger=(LedgerEntry("r1", "answer", "fresh", "d", b"{}"),),
            waits=(WaitWrite("r1", "w:0", "paid"),),
            streams=write(head("fresh")).streams,
        )
        blind_fine = fine._replace(run=None)
        failing = {
            Conflict("run", "r1"): fine._replace(run=advance("r1", 3).run),
            Conflict("epoch", "r1"): fine._replace(run=advance("r1", 1, epoch=9).run),
            Conflict("stream", "runs/r1"): blind_fine._replace(
                appends=(*fine.appends[:1], EngineAppend("runs/r1", b"1", 1, at=7))
            ),
            Conflict("stream", "closed"): blind_fine._replace(appends=(*fine.appends, EngineAppend("closed", b"1", 1))),
            Conflict("stream", "notes"): fine._replace(streams=(*fine.streams, StreamDelete("notes", 5))),
            Conflict("ledger", "used"): fine._replace(
                ledger=(*fine.ledger, LedgerEntry("r1", "answer", "used", "d", b"{}"))
            ),
        }

        async def scenario(store: WorkflowStore) -> None:
            used = Change(ledger=(LedgerEntry("r1", "answer", "used", "d", b"{}"),))
            await done(store, start("r1"), used, write(head("notes")), blind("closed", close=True))
            before = await store.load_run("r1", inputs="all")
            for conflict, change in failing.items():
                assert await commit(store, change) == conflict
                assert await store.load_run("r1", inputs="all") == before
                assert await store.tails(["runs/r1", "runs/r1/journal", "fresh"]) == {
                    "runs/r1": (1, False),
                    "runs/r1/journal": (1, False),
                }
                assert await store.waiting_on("paid", None) == []
            assert isinstance(await commit(store, fine), Committed)

        self.hold(tmp_path, scenario)

    def test_one_of_many_wins(self, tmp_path: Path) -> None:
        """Of fifty Changes on one tail exactly one is written; the others conflict. Fifty times over."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1"))
            for tail in range(1, 51):
                outcomes = await asyncio.gather(*(commit(store, advance("r1", tail)) for _ in range(50)))
                assert sum(isinstance(outcome, Committed) for outcome in outcomes) == 1
                assert outcomes.count(Conflict("run", "r1")) == 49
            assert await store.tails(["runs/r1/journal"]) == {"runs/r1/journal": (51, False)}

        self.hold(tmp_path, scenario)

    def test_merged_changes_fail_one_by_one(self, tmp_path: Path) -> None:
        """A conflict harms no neighbour; later Changes see earlier ones."""

        async def scenario(store: WorkflowStore) -> None:
            outcomes = await store.commit(
                [start("a"), start("b"), start("a"), advance("a", 1), advance("b", 7), advance("a", 2)]
            )
            assert [type(one) for one in outcomes] == [Committed, Committed, Conflict, Committed, Conflict, Committed]
            assert await text(store, "runs/a/journal") == b'{"type":"run.started"},{"n":1},{"n":2}'
            assert await text(store, "runs/b/journal") == b'{"type":"run.started"}'

        self.hold(tmp_path, scenario)

    def test_calls_that_overlap_are_written_in_their_order(self, tmp_path: Path) -> None:
        """Who decides ahead, on what a commit under way will leave, need not wait for it."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1"), *(write(head(path, version=1)) for path in ("a", "b")))
            calls = []
            for number in range(1, 101):
                moved = [head(path, version=number + 1, tail=number) for path in ("a", "b")]
                changes = [Change(streams=(Write(one, number, number - 1, b"x"),)) for one in moved]
                calls.append(asyncio.ensure_future(store.commit([*changes, advance("r1", number)])))
            for outcomes in await asyncio.gather(*calls):
                assert [type(one) for one in outcomes] == [Committed] * 3
            assert await store.tails(["a", "b", "runs/r1"]) == {
                "a": (100, False),
                "b": (100, False),
                "runs/r1": (101, False),
            }

        self.hold(tmp_path, scenario)

    def test_a_bad_row_harms_no_neighbour(self, tmp_path: Path) -> None:
        """What cannot be stored is rejected alone, with nothing of it written."""
        bad = [
            start("\ud800"),
            start("bad", wake_at=2**63),
            start("bad", state="text"),
            start("bad", tags=("\udfff",)),
            start("bad")._replace(appends=(EngineAppend("runs/bad", "text", 1),)),  # type: ignore[arg-type]
            start("bad")._replace(ledger=(LedgerEntry("bad", "answer", "\ud800", "d", b""),)),
            start("bad")._replace(inputs=(InputRecord("bad", "a:0", "pending", (), 1, None, None),)),  # type: ignore[arg-type]
        ]

        async def scenario(store: WorkflowStore) -> None:
            for number, change in enumerate(bad):
                outcomes = await store.commit([start(f"a{number}"), change, start(f"b{number}")])
                assert [type(one) for one in outcomes] == [Committed, Rejected, Committed]
                assert isinstance(outcomes[1], Rejected)
                assert isinstance(outcomes[1].error, SignoffError)
                assert await store.load_run("bad") is None
                assert await store.tails(["runs/bad", "runs/bad/journal"]) == {}
                assert len(await store.tails([f"runs/a{number}", f"runs/b{number}"])) == 2
            assert isinstance(await commit(store, start("bad")), Committed)

        self.hold(tmp_path, scenario)

    def test_blind_appends_follow_each_other(self, tmp_path: Path) -> None:
        """Appends without a tail get consecutive positions, whoever comes first."""

        async def scenario(store: WorkflowStore) -> None:
            changes = [blind("inbox/group:finance", b"%d" % n, b"%d" % n) for n in range(40)]
            outcomes = await asyncio.gather(*(commit(store, change) for change in changes))
            batches = [one.batches["inbox/group:finance"] for one in outcomes if isinstance(one, Committed)]
            assert sorted((batch.start, batch.end) for batch in batches) == [(n, n + 2) for n in range(0, 80, 2)]
            found = await store.read("inbox/group:finance", 0, 1 << 20)
            assert found is not None
            assert found[1] == sorted(batches, key=lambda batch: batch.start)

        self.hold(tmp_path, scenario)

    def test_two_appends_to_one_stream_count_as_one_batch(self, tmp_path: Path) -> None:
        """In one Change they follow each other; the second may expect the tail the first leaves."""

        async def scenario(store: WorkflowStore) -> None:
            twice = Change(appends=(EngineAppend("s", b"1,2", 2, at=0), EngineAppend("s", b"3", 1, at=2)))
            [committed] = await done(store, twice)
            assert (committed.batches["s"].start, committed.batches["s"].end) == (0, 3)
            assert committed.batches["s"].data == await text(store, "s") == b"1,2,3"
            loaded = await store.load_stream("s")
            assert loaded is not None
            assert (loaded.head.tail, loaded.head.version) == (3, 2)

        self.hold(tmp_path, scenario)

    def test_ledger_ids_are_unique_in_run_and_scope(self, tmp_path: Path) -> None:
        """The same id in another run or scope is another id; twice in one Change is once too often."""

        async def scenario(store: WorkflowStore) -> None:
            first = LedgerEntry("r1", "answer", "s1", "d1", b'{"n":1}')
            await done(store, start("r1"), Change(ledger=(first,)))
            assert await commit(store, Change(ledger=(replace(first, digest="d2"),))) == Conflict("ledger", "s1")
            twin = replace(first, id="s2")
            assert await commit(store, Change(ledger=(twin, twin))) == Conflict("ledger", "s2")
            await done(store, Change(ledger=(replace(first, scope="event:paid"), replace(first, run_id="r2"))))
            racers = [Change(ledger=(replace(first, id="s3"),)) for _ in range(20)]
            outcomes = await asyncio.gather(*(commit(store, racer) for racer in racers))
            assert sum(isinstance(one, Committed) for one in outcomes) == 1

        self.hold(tmp_path, scenario)

    def test_nothing_is_written_to_a_closed_store(self, tmp_path: Path) -> None:
        """Use after close is refused in words."""

        async def scenario(store: WorkflowStore) -> None:
            await store.close()
            with pytest.raises(StoreUnavailable, match="open"):
                await store.commit([start("r1")])
            await store.open()
            assert await store.load_run("r1") is None

        self.hold(tmp_path, scenario)

    def test_no_changes_no_outcomes(self, tmp_path: Path) -> None:
        """An empty commit is nothing."""

        async def scenario(store: WorkflowStore) -> None:
            assert await store.commit([]) == []

        self.hold(tmp_path, scenario)
