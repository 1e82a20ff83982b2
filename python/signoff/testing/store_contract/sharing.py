"""Laws of two stores on the same data, as two processes have them; where they share none, that is the law."""

from __future__ import annotations

import asyncio
from pathlib import Path

from signoff.stores.base import WorkflowStore
from signoff.stores.change import Committed, Conflict
from signoff.streams.stream import Fork, Write
from signoff.testing.store_contract.laws import (
    Laws,
    advance,
    change,
    commit,
    delete,
    done,
    family,
    head,
    journal,
    known,
    load,
    part,
    record,
    run,
    send,
    settle,
    start,
    text,
    together,
    write,
)
from signoff.testing.store_contract.leases import claim, ids, name


class SharingLaws(Laws):
    """What is true of two who use the same data."""

    def test_what_one_has_committed_the_other_reads(self, tmp_path: Path) -> None:
        """At once, also where it looked before."""

        async def scenario(one: WorkflowStore, other: WorkflowStore) -> None:
            for version in range(4):
                assert (await load(other) is None) == (version == 0)
                await done(one, start("r1") if version == 0 else advance("r1", version))
                await done(one, change(run("p", version=version + 1), parts=(part(f"{version}"),)))
                await done(one, write(head(version=version + 1, tail=version + 1), b"%d" % version))
                assert (await record(other)).version == version + 1
                assert await record(other) == await record(one)
                assert await load(other, "p") == await load(one, "p")
                assert await other.load_stream("notes") == await one.load_stream("notes")
                assert await text(other, "runs/r1") == await text(one, "runs/r1")
            assert await text(other, "notes") == b"0,1,2,3"

        self.hold_two(tmp_path, scenario)

    def test_they_compare_with_each_other_s_writes(self, tmp_path: Path) -> None:
        """Whoever decided on what the other has changed since is refused, though it has just written itself."""

        async def scenario(one: WorkflowStore, other: WorkflowStore) -> None:
            await done(one, start("r1"), write(head(tail=1), b"1"))
            for version in range(1, 20):
                first, second = (one, other) if version % 2 else (other, one)
                await done(first, advance("r1", version))
                assert await commit(second, advance("r1", version)) == Conflict("version", "r1")
                await done(first, write(head(version=version + 1, tail=version + 1), b"2"))
                late = write(head(version=version + 1, tail=version + 1), b"x")
                assert await commit(second, late) == Conflict("version", "notes")
            assert await text(one, "notes") == await text(other, "notes") == b"1" + b",2" * 19
            assert (await record(other)).tail(journal("r1")) == 20

        self.hold_two(tmp_path, scenario)

    def test_of_both_at_once_one_wins(self, tmp_path: Path) -> None:
        """Of everything both decide on the same version."""

        async def scenario(one: WorkflowStore, other: WorkflowStore) -> None:
            await together(one, [start(f"r{n}") for n in range(4)])
            for version in range(1, 9):
                groups = [[advance(f"r{n}", version) for n in range(4)] for _ in range(2)]
                outcomes = await asyncio.gather(one.commit(groups[0]), other.commit(list(reversed(groups[1]))))
                for first, second in zip(outcomes[0], reversed(outcomes[1]), strict=True):
                    assert {type(first), type(second)} == {Committed, Conflict}
            for number in range(4):
                assert await record(one, f"r{number}") == await record(other, f"r{number}")
                assert (await record(one, f"r{number}")).tail(f"runs/r{number}") == 9

        self.hold_two(tmp_path, scenario)

    def test_they_never_hold_the_same_lease(self, tmp_path: Path) -> None:
        """What one has claimed is hidden from the other; its renewals and what it gives up count for both."""

        async def scenario(one: WorkflowStore, other: WorkflowStore) -> None:
            await together(one, [start(f"r{n}", ready=True) for n in range(20)])
            taken = await asyncio.gather(*(claim(store, "w", 0, 100, limit=3) for store in (one, other) * 5))
            found = [each for some in taken for each in ids(some)]
            assert len(found) == len(set(found)) == 20
            await done(one, start("r1x", ready=True))
            [mine] = await claim(one, "w1", 0, 100)
            assert await claim(other, "w2", 99, 100) == []
            assert await one.renew("w1", {mine.name: 1}, until=250) == set()
            assert mine.name not in {each.name for each in await claim(other, "w2", 100, 100, limit=99)}
            await one.release("w1", {mine.name: 1})
            [theirs] = await claim(other, "w2", 101, 100, limit=99)
            assert (theirs.name, theirs.epoch) == (name("r1x"), 2)
            assert await commit(one, advance("r1x", 1, epoch=1)) == Conflict("epoch", "r1x")

        self.hold_two(tmp_path, scenario)

    def test_what_is_due_is_the_same_for_both(self, tmp_path: Path) -> None:
        """Whoever wrote it."""

        async def scenario(one: WorkflowStore, other: WorkflowStore) -> None:
            await done(one, start("a", wake_at=50))
            assert await other.next_due(["expense"]) == 50
            await done(other, start("b", wake_at=20))
            assert await one.next_due(["expense"]) == 20
            assert ids(await one.due("expense", now=50, limit=9)) == ["b", "a"]
            await done(one, delete("b", 1))
            assert ids(await other.due("expense", now=50, limit=9)) == ["a"]

        self.hold_two(tmp_path, scenario)

    def test_posts_of_both_are_placed_once(self, tmp_path: Path) -> None:
        """By either, in the order of each sender."""

        async def scenario(one: WorkflowStore, other: WorkflowStore) -> None:
            async def send_all(store: WorkflowStore, sender: str) -> None:
                for number in range(15):
                    await done(store, send(sender, number, "inbox/a", b'"%s:%d"' % (sender.encode(), number)))
                    await store.place(limit=2)

            await asyncio.gather(send_all(one, "x"), send_all(other, "y"))
            await asyncio.gather(settle(one), settle(other))
            found = (await text(one, "inbox/a")).split(b",")
            assert len(found) == 30
            for sender in (b"x", b"y"):
                mine = [each for each in found if each[1:2] == sender]
                assert mine == [b'"%s:%d"' % (sender, number) for number in range(15)]
            assert await text(other, "inbox/a") == await text(one, "inbox/a")

        self.hold_two(tmp_path, scenario)

    def test_one_can_find_what_the_other_committed(self, tmp_path: Path) -> None:
        """So whoever takes over can tell."""

        async def scenario(one: WorkflowStore, other: WorkflowStore) -> None:
            mine, next_one = start("r1"), advance("r1", 1)
            await done(one, mine)
            assert await other.find([mine, next_one]) == [True, False]

        self.hold_two(tmp_path, scenario)

    def test_a_fork_and_a_deletion_of_two_are_one_after_the_other(self, tmp_path: Path) -> None:
        """Either the source is kept for the fork, or there is no fork."""

        async def scenario(one: WorkflowStore, other: WorkflowStore) -> None:
            for number in range(10):
                run_id, path = f"r{number}", f"runs/r{number}"
                await done(one, start(run_id))
                source = await known(other, path)
                made = head(f"fork/{number}", tail=1, fork=Fork(path, source.incarnation, 1))
                counted = Write(source.changed(version=source.version + 1, refs=1), source.version, 1)
                calls = [commit(other, family(Write(made, 0, 1), counted)), commit(one, delete(run_id, 1))]
                forked, gone = await asyncio.gather(*(calls if number % 2 else reversed(calls)))
                if not number % 2:
                    forked, gone = gone, forked
                assert isinstance(gone, Committed)
                left = await one.load_stream(path)
                assert (left is not None and left.head.deleted) == isinstance(forked, Committed)
                assert (await other.load_stream(f"fork/{number}") is not None) == isinstance(forked, Committed)

        self.hold_two(tmp_path, scenario)
