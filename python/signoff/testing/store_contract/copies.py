"""Laws of dumps and of stores that are made from them."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from signoff.errors import BadRequest
from signoff.stores.base import Listing, PartsWanted, WorkflowStore
from signoff.stores.change import Conflict, Name, StreamDelete
from signoff.stores.copies import BatchCopy, PartCopy, ProducerCopy, Record, RowCopy, StreamCopy, SubjectCopy
from signoff.stores.memory import MemoryStore
from signoff.streams.stream import Write
from signoff.testing.store_contract.agreement import IN_MEMORY, ScriptPlay
from signoff.testing.store_contract.filled import ALL, comparable, copy, dumped, everything, fill, in_pieces
from signoff.testing.store_contract.laws import (
    Laws,
    ScenarioOfTwo,
    advance,
    change,
    commit,
    delete,
    done,
    family,
    head,
    journal,
    known,
    own,
    part,
    record,
    run,
    send,
    settle,
    start,
    text,
    write,
)
from signoff.testing.store_contract.leases import claim, ids, name
from signoff.testing.store_contract.scripts import Script, scripts


class CopyLaws(Laws):
    """What is true of what is dumped from one store and restored to another."""

    def hold_apart(self, folder: Path, scenario: ScenarioOfTwo) -> None:
        """Play a scenario on two open stores that have nothing to do with each other."""
        (folder / "source").mkdir()
        (folder / "target").mkdir()

        async def both(source: WorkflowStore) -> None:
            target = self.new_store(folder / "target")
            await target.open()
            try:
                await scenario(source, target)
            finally:
                await target.close()

        self.hold(folder / "source", both)

    def test_an_empty_store_has_nothing_to_dump(self, tmp_path: Path) -> None:
        """And a store that was emptied has nothing either, though some of it may wait for being purged."""

        async def scenario(store: WorkflowStore) -> None:
            assert await dumped(store) == []
            await done(store, start("r1"), write(head(tail=1), b"1"), change(run("p"), parts=(part(),)))
            await done(store, delete("r1", 1), delete("p", 1), family(StreamDelete("notes", 1)))
            assert await dumped(store) == []

        self.hold(tmp_path, scenario)

    def test_a_dump_has_everything_once(self, tmp_path: Path) -> None:
        """As it is loaded, whatever the size of the pieces."""

        async def scenario(store: WorkflowStore) -> None:
            await fill(store)
            records = await dumped(store)
            placed = [one for one in records if isinstance(one, BatchCopy) and one.path == "inbox/a"]
            assert b",".join(one.batch.data for one in placed) == b"1,2,3"  # placed together or not
            kinds = Counter(type(one) for one in records if one not in placed)
            assert kinds == {
                SubjectCopy: 7, PartCopy: 3, StreamCopy: 18, ProducerCopy: 2, BatchCopy: 18, RowCopy: 2,
            }  # fmt: skip
            for one in records:
                await _is_there(store, one)
            small = await dumped(store, max_bytes=1)
            assert Counter(map(repr, small)) == Counter(map(repr, records))
            assert len(small) == len(records)

        self.hold(tmp_path, scenario)

    def test_a_piece_is_about_as_large_as_was_asked(self, tmp_path: Path) -> None:
        """Large batches come in pieces of their own, small ones together; the last piece says that it is the last."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, write(head(tail=1), b"0"))
            for version in range(1, 9):
                await done(store, write(head(version=version + 1, tail=version + 1), b"%d" % version * 10_000))
            pieces = await in_pieces(store, max_bytes=25_000)
            assert 3 <= len(pieces) <= 6
            assert sum(len(piece) for piece in pieces) == 10
            assert all(pieces)
            with pytest.raises(BadRequest):
                await store.dump(after="no cursor", max_bytes=1)

        self.hold(tmp_path, scenario)

    def test_a_dump_is_in_an_order_that_can_be_restored(self, tmp_path: Path) -> None:
        """Subjects before what is theirs, streams before what is in them, batches and rows as they are read."""

        async def scenario(store: WorkflowStore) -> None:
            await fill(store)
            subjects: dict[Name, list[str]] = {}
            ends: dict[str, int] = {}
            positions: dict[str, int] = {}
            for one in await dumped(store):
                match one:
                    case SubjectCopy(subject):
                        subjects[subject.name] = [each.path for each in subject.streams]
                    case PartCopy(owner):
                        assert owner in subjects
                    case StreamCopy(at, owner):
                        ends[at.path] = positions[at.path] = -1
                        if owner is not None:
                            assert subjects[owner].pop(0) == at.path
                    case ProducerCopy(path):
                        assert path in ends
                    case BatchCopy(path, batch):
                        assert ends[path] <= batch.start < batch.end
                        ends[path] = batch.end
                    case RowCopy(path, live):
                        assert positions[path] < live.position
                        positions[path] = live.position
            assert not any(subjects.values())

        self.hold(tmp_path, scenario)

    @pytest.mark.parametrize("max_bytes", [1, ALL])
    def test_a_copy_answers_as_its_source(self, tmp_path: Path, max_bytes: int) -> None:
        """Records, parts, heads, what is read from everywhere, rows, listings and what is due; and so does its copy."""

        async def scenario(source: WorkflowStore, target: WorkflowStore) -> None:
            await fill(source)
            await copy(source, target, max_bytes=max_bytes)
            assert await everything(target) == await everything(source)
            assert comparable(await dumped(target)) == comparable(await dumped(source))

        self.hold_apart(tmp_path, scenario)

    def test_a_copy_by_way_of_another_kind_of_store_answers_as_its_source(self, tmp_path: Path) -> None:
        """So a store can be moved away, and back."""

        async def scenario(source: WorkflowStore, target: WorkflowStore) -> None:
            await fill(source)
            between = MemoryStore()
            await copy(source, between)
            assert await everything(between) == await everything(source)
            await copy(between, target)
            assert await everything(target) == await everything(source)

        self.hold_apart(tmp_path, scenario)

    def test_restoring_again_changes_nothing(self, tmp_path: Path) -> None:
        """Whoever does not know whether a piece was restored restores it once more."""

        async def scenario(source: WorkflowStore, target: WorkflowStore) -> None:
            await fill(source)
            pieces = await in_pieces(source, max_bytes=1_000)
            assert len(pieces) > 5
            for number, piece in enumerate(pieces):
                await target.restore(piece)
                await target.restore(piece)
                await target.restore([*pieces[number - 1], *piece] if number else piece)
            assert await everything(target) == await everything(source)
            assert comparable(await dumped(target)) == comparable(await dumped(source))

        self.hold_apart(tmp_path, scenario)

    def test_a_copy_outlives_its_store_s_closing(self, tmp_path: Path) -> None:
        """It is durable when `restore` has returned."""

        async def scenario(source: WorkflowStore, target: WorkflowStore) -> None:
            await fill(source)
            await copy(source, target)
            await target.close()
            await target.open()
            assert await everything(target) == await everything(source)

        self.hold_apart(tmp_path, scenario)

    def test_writing_goes_on_on_the_copy(self, tmp_path: Path) -> None:
        """On the versions that were, at the positions that follow; what is new is listed after what was copied."""

        async def scenario(source: WorkflowStore, target: WorkflowStore) -> None:
            await fill(source)
            await copy(source, target)
            assert await commit(target, advance("r1", 9)) == Conflict("version", "r1")
            [more] = await done(target, advance("r1", 2))
            assert more.batches[journal("r1")].start == 2
            assert (await record(target)).tail("runs/r1") == 3
            assert await text(target, "runs/r1") == b'{"type":"run"},{"row":1},{"row":2}'
            closed = change(run("closed", version=3), appends=(own("runs/closed", b"1"),))
            assert await commit(target, closed) == Conflict("version", "runs/closed")
            before = await known(target)
            await done(target, family(Write(before.changed(version=77, tail=before.tail + 1), before.version, 4, b"9")))
            assert (await text(target, "notes")).endswith(b",9")
            await done(target, send("late", 0, "inbox/a", b'"late"'))
            await settle(target)
            assert (await text(target, "inbox/a")).endswith(b',"late"')
            await done(target, change(run("newer", sort=1_000), parts=(part("z:9", terms=("x",)),)))
            listed = (await target.list_subjects(Listing("run", oldest_first=True), limit=99)).items
            assert [one.name.id for one in listed][-2:] == ["late", "newer"]
            asked = (await target.list_parts(Listing("request", ("x",)), limit=99)).items
            assert (asked[0].part.key, len(asked)) == ("z:9", 3)

        self.hold_apart(tmp_path, scenario)

    def test_leases_go_on_on_the_copy(self, tmp_path: Path) -> None:
        """One that lives hides its subject until it ends; then the next claim has the next epoch, and one is lost."""

        async def scenario(source: WorkflowStore, target: WorkflowStore) -> None:
            await done(source, start("a", ready=True, updated_at=1), start("b", wake_at=50))
            [held] = await claim(source, "w1", 10, 1_000)
            await copy(source, target)
            assert ids(await claim(target, "w2", 60, 5_000)) == ["b"]
            assert await target.renew("w1", {held.name: held.epoch}, until=1_500) == set()
            assert await target.renew("w3", {held.name: held.epoch}, until=1_500) == {held.name}
            assert await claim(target, "w2", 1_499, 1_000, limit=9) == []
            [taken] = await claim(target, "w4", 1_500, 1_000, limit=9)
            assert (taken.name, taken.epoch, taken.lost, taken.lease_owner) == (name("a"), 2, 1, "w4")
            assert await commit(target, advance("a", 1, epoch=1)) == Conflict("epoch", "a")
            await done(target, advance("a", 1, epoch=2, release=True))

        self.hold_apart(tmp_path, scenario)

    def test_a_lease_too_far_ahead_counts_as_ended_on_the_copy(self, tmp_path: Path) -> None:
        """As it does on its source: how long it was taken for is known."""

        async def scenario(source: WorkflowStore, target: WorkflowStore) -> None:
            await done(source, start("a", ready=True))
            await claim(source, "w1", 10_000, 100)
            await copy(source, target)
            assert await claim(target, "w2", 9_900, 100) == []
            assert ids(await claim(target, "w2", 9_899, 100)) == ["a"]

        self.hold_apart(tmp_path, scenario)

    def test_a_deleted_source_goes_with_its_last_fork_on_the_copy(self, tmp_path: Path) -> None:
        """Until then it is read through the fork."""

        async def scenario(source: WorkflowStore, target: WorkflowStore) -> None:
            await fill(source)
            await copy(source, target)
            gone, fork = await known(target, "gone"), await known(target, "fork")
            assert (gone.deleted, gone.refs) == (True, 1)
            assert await text(target, "gone") == b"1,2"
            last = family(StreamDelete("fork", fork.version), StreamDelete("gone", gone.version))
            await done(target, last)
            assert await target.load_stream("gone") is None
            while await target.purge():
                pass
            assert [one for one in await dumped(target) if isinstance(one, BatchCopy) and one.path == "gone"] == []

        self.hold_apart(tmp_path, scenario)

    @settings(
        max_examples=40,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(script=scripts, more=scripts)
    def test_a_copy_does_what_the_model_does(self, script: Script, more: Script) -> None:
        """Whatever was written before it was made, and whatever is written to it then."""

        async def scenario(source: WorkflowStore, target: WorkflowStore) -> None:
            play = ScriptPlay()
            await play.play(source, script)
            await copy(source, target, max_bytes=2_000)
            await play.check(target)
            await play.play(target, more)
            await play.check(target)

        with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
            self.hold_apart(Path(folder), scenario)


async def _is_there(store: WorkflowStore, one: Record) -> None:
    match one:
        case SubjectCopy(subject):
            loaded = await store.load(subject.name)
            assert loaded is not None
            assert loaded.subject == subject
        case PartCopy(owner, each):
            loaded = await store.load(owner, PartsWanted(each.kind, each.key))
            assert loaded is not None
            assert loaded.parts == (each,)
        case StreamCopy(at):
            assert await known(store, at.path) == at
        case ProducerCopy(path, producer):
            state = await store.load_stream(path, producer.producer_id)
            assert state is not None
            assert state.producer == producer
        case BatchCopy(path, batch):
            found = await store.read(path, batch.start, 1)
            assert found is not None
            assert found[1][0] == batch
        case RowCopy(path, live):
            begun = await store.read_start(path, 1)
            assert begun is not None
            assert live.message in begun.rows
