"""Laws of leases: disjoint claims, fencing by epoch, losses."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from signoff.stores.base import WorkflowStore
from signoff.stores.change import Committed, Conflict, Name, Subject
from signoff.testing.store_contract.laws import Laws, advance, change, commit, done, load, record, run, start, together

QUEUES = ("expense",)


def name(run_id: str = "r1") -> Name:
    """Return the name of a run."""
    return Name("run", run_id)


async def claim(
    store: WorkflowStore,
    owner: str,
    now: int,
    lease_ms: int,
    *,
    limit: int = 9,
    queues: Collection[str] = QUEUES,
) -> list[Subject]:
    """Take leases on what is due."""
    return await store.claim(owner, queues, now=now, lease_ms=lease_ms, limit=limit)


def ids(subjects: Collection[Subject]) -> list[str]:
    """Return the ids of subjects."""
    return [one.name.id for one in subjects]


def epochs(subjects: Collection[Subject]) -> dict[Name, int]:
    """Return leases as `renew` takes them."""
    return {one.name: one.epoch for one in subjects}


class LeaseLaws(Laws):
    """What is true of every claim."""

    def test_claimers_get_disjoint_subjects(self, tmp_path: Path) -> None:
        """Ten claimers at once share a hundred; nobody gets one twice."""

        async def scenario(store: WorkflowStore) -> None:
            await together(store, [start(f"r{n}", ready=True) for n in range(100)])
            taken = await asyncio.gather(*(claim(store, f"w{n % 10}", 0, 1_000, limit=5) for n in range(30)))
            found = [one for some in taken for one in ids(some)]
            assert len(found) == len(set(found)) == 100
            assert await claim(store, "w0", 999, 1_000) == []

        self.hold(tmp_path, scenario)

    def test_a_claim_tells_what_it_took(self, tmp_path: Path) -> None:
        """The records have the new epoch and lease, and equal what is loaded."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1", ready=True, terms=("a", "b"), wake_at=7))
            [claimed] = await claim(store, "w1", 100, 50)
            assert (claimed.epoch, claimed.lease_owner, claimed.lease_until) == (1, "w1", 150)
            assert (claimed.version, claimed.terms, claimed.tail("runs/r1")) == (1, ("a", "b"), 1)
            assert await record(store) == claimed

        self.hold(tmp_path, scenario)

    def test_the_same_owner_cannot_claim_twice(self, tmp_path: Path) -> None:
        """A live lease hides a subject from everybody; one that ended can be taken, with a higher epoch."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1", ready=True))
            assert len(await claim(store, "w1", 0, 100)) == 1
            assert await claim(store, "w1", 99, 100) == []
            assert await claim(store, "w2", 99, 100) == []
            [again] = await claim(store, "w2", 100, 100)
            assert (again.epoch, again.lease_owner) == (2, "w2")

        self.hold(tmp_path, scenario)

    def test_an_older_epoch_changes_nothing(self, tmp_path: Path) -> None:
        """A worker that lost its lease is refused; one whose lease ended untaken is not."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1", ready=True))
            [first] = await claim(store, "w1", 0, 10)
            await done(store, advance("r1", 1, epoch=first.epoch, ready=True))
            [second] = await claim(store, "w2", 10, 10)
            for version in (1, 2, 3):
                assert await commit(store, advance("r1", version, epoch=first.epoch)) == Conflict("epoch", "r1")
            assert await store.renew("w1", {name(): first.epoch}, until=99) == {name()}
            await store.release("w1", {name(): first.epoch})
            kept = await record(store)
            assert (kept.lease_owner, kept.lease_until, kept.version) == ("w2", 20, 2)
            assert await commit(store, advance("r1", 2, epoch=second.epoch + 1)) == Conflict("epoch", "r1")
            await done(store, advance("r1", 2, epoch=second.epoch))
            assert await commit(store, advance("absent", 1, epoch=1)) == Conflict("epoch", "absent")

        self.hold(tmp_path, scenario)

    def test_a_released_lease_is_gone(self, tmp_path: Path) -> None:
        """Given up by itself or with a commit: later writes of that epoch are refused, others may claim at once."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1", ready=True))
            [first] = await claim(store, "w1", 0, 1_000)
            await store.release("w1", {name(): first.epoch, name("absent"): 1})
            assert await commit(store, advance("r1", 1, epoch=first.epoch)) == Conflict("epoch", "r1")
            assert await store.renew("w1", {name(): first.epoch}, until=99) == {name()}
            [second] = await claim(store, "w1", 1, 1_000)
            assert second.epoch == 2
            await done(store, advance("r1", 1, epoch=2, release=True, ready=True))
            assert await commit(store, advance("r1", 2, epoch=2)) == Conflict("epoch", "r1")
            [third] = await claim(store, "w2", 2, 1_000)
            assert (third.epoch, third.version) == (3, 2)

        self.hold(tmp_path, scenario)

    def test_who_holds_no_lease_writes_beside_the_one_who_does(self, tmp_path: Path) -> None:
        """An answer needs no lease and takes none away; the version alone decides between the two."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1", ready=True))
            [claimed] = await claim(store, "w1", 0, 1_000)
            await done(store, advance("r1", 1, ready=True))
            kept = await record(store)
            assert (kept.epoch, kept.lease_owner, kept.lease_until) == (claimed.epoch, "w1", 1_000)
            assert await commit(store, advance("r1", 1, epoch=claimed.epoch)) == Conflict("version", "r1")
            await done(store, advance("r1", 2, epoch=claimed.epoch))

        self.hold(tmp_path, scenario)

    def test_what_is_given_up_in_the_middle_is_ready(self, tmp_path: Path) -> None:
        """Its owner may have been within a step: it is due at once, though nothing else made it so."""

        async def scenario(store: WorkflowStore) -> None:
            await together(store, [start("r1", ready=True), start("over", ready=True)])
            leases = epochs(await claim(store, "w1", 0, 1_000))
            await done(store, advance("r1", 1, epoch=leases[name()]), advance("over", 1, queue=None))
            assert await store.next_due(QUEUES) == 1_000
            await store.release("w2", leases)
            assert await store.next_due(QUEUES) == 1_000
            await store.release("w1", leases)
            assert await store.next_due(QUEUES) == 0
            [again] = await claim(store, "w2", 1, 1_000)
            assert (again.name, again.epoch, again.ready) == (name(), 2, True)

        self.hold(tmp_path, scenario)

    def test_renewing_keeps_a_lease(self, tmp_path: Path) -> None:
        """Until the subject is nobody's work any more, the lease is lost, or it is given up."""

        async def scenario(store: WorkflowStore) -> None:
            await together(store, [start(run_id, ready=True) for run_id in ("a", "b", "c")])
            leases = epochs(await claim(store, "w1", 0, 10))
            assert await store.renew("w1", leases | {name("absent"): 1}, until=100) == {name("absent")}
            assert (await record(store, "a")).lease_until == 100
            assert await claim(store, "w2", 99, 10) == []
            assert await store.renew("w2", leases, until=200) == set(leases)
            await done(store, advance("a", 1, queue=None), advance("b", 1, release=True))
            assert await store.renew("w1", leases, until=200) == {name("a"), name("b")}
            assert await store.next_due(QUEUES) == 200
            assert await store.renew("w1", {}, until=300) == set()

        self.hold(tmp_path, scenario)

    def test_a_dead_worker_leaves_its_work_to_others(self, tmp_path: Path) -> None:
        """A lease that ended makes its subject due, even in the middle of a step and far from its next timer."""

        async def scenario(store: WorkflowStore) -> None:
            await together(store, [start("a", ready=True), start("b", ready=True)])
            await claim(store, "w1", 0, 100)
            await done(store, advance("a", 1, epoch=1), advance("b", 1, epoch=1, wake_at=10**9))
            assert await store.next_due(QUEUES) == 100
            assert await claim(store, "w2", 99, 100) == []
            assert set(ids(await claim(store, "w2", 100, 100))) == {"a", "b"}

        self.hold(tmp_path, scenario)

    def test_losses_are_counted_until_something_is_appended(self, tmp_path: Path) -> None:
        """Of leases that ended, not of those given up, nor of one that its owner takes again."""

        async def scenario(store: WorkflowStore) -> None:
            async def losses(owner: str, now: int) -> int:
                [one] = await claim(store, owner, now, 10)
                assert await record(store) == one
                return one.lost

            await done(store, start("r1", ready=True, lost=7))
            assert await losses("w1", 0) == 0
            assert await losses("w2", 10) == 1
            assert await losses("w2", 20) == 1
            assert await losses("w3", 30) == 2
            await store.release("w3", {name(): 4})
            assert await losses("w4", 31) == 2
            await done(store, change(run(version=2, ready=True, lost=9), epoch=5, release=True))
            assert await losses("w5", 32) == 2
            assert await losses("w6", 42) == 3
            await done(store, advance("r1", 2, epoch=7, lost=9))
            assert await losses("w7", 52) == 1
            await done(store, advance("r1", 3, ready=True, release=True))
            assert await losses("w8", 53) == 0

        self.hold(tmp_path, scenario)

    def test_a_lease_far_ahead_has_ended(self, tmp_path: Path) -> None:
        """The clock was set back by more than the lease is long; a little less takes no lease from a live worker."""
        every = ("a", "b", "c", "expense")

        async def scenario(store: WorkflowStore) -> None:
            await together(store, [start(run_id, queue=run_id, ready=True) for run_id in ("a", "b", "c")])
            await together(store, [start("timer", wake_at=10**9), start("over", ready=True)])
            hour = 3_600_000
            await claim(store, "w1", hour, 1_000, queues=every)
            await done(store, advance("over", 1, queue=None))
            assert await claim(store, "w2", hour - 1_000, 5, queues=every) == []
            [one] = await claim(store, "w2", hour - 1_001, 1_000, queues=["b", "none"])
            assert (one.name.id, one.epoch, one.lease_until, one.lost) == ("b", 2, hour - 1, 1)
            assert await store.renew("w1", {name("a"): 1, name("b"): 1}, until=1_000) == {name("b")}
            assert ids(await claim(store, "w2", 0, 1_000, limit=1, queues=every)) == ["b"]
            assert ids(await claim(store, "w2", 0, 1_000, queues=every)) == ["c"]

        self.hold(tmp_path, scenario)

    def test_leases_are_kept_from_another_thread(self, tmp_path: Path) -> None:
        """While the loop that opened the store stands still, another thread's renews and releases."""
        worker = replace(run("w1", version=7, queue="workers", wake_at=10), name=Name("worker", "w1"))

        async def scenario(store: WorkflowStore) -> None:
            await together(store, [start(run_id, ready=True) for run_id in ("a", "b")])
            leases = epochs(await claim(store, "w1", 0, 10))
            await done(store, change(worker, 0))

            async def elsewhere() -> set[Name]:
                await store.release("w1", {name("b"): leases[name("b")]})
                await store.renew("w1", {}, until=50, along=Name("worker", "absent"))
                return await store.renew("w1", leases, until=100, along=worker.name)

            with ThreadPoolExecutor(1) as thread:
                lost = thread.submit(asyncio.run, elsewhere()).result(timeout=30)
            assert lost == {name("b")}
            assert await store.due("workers", now=99, limit=9) == []
            assert await store.due("workers", now=100, limit=9) == [replace(worker, wake_at=100)]
            assert await store.next_due(["workers"]) == 100
            assert ids(await claim(store, "w2", 99, 10)) == ["b"]

        self.hold(tmp_path, scenario)

    def test_what_goes_along_with_a_renewal_keeps_its_version(self, tmp_path: Path) -> None:
        """So a Change that was decided before the renewal still holds, and says anew when to wake."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, change(run("w1", wake_at=5)))
            assert await store.renew("w1", {}, until=50, along=name("w1")) == set()
            assert await record(store, "w1") == run("w1", wake_at=50)
            await done(store, change(run("w1", version=2, wake_at=70)))
            assert await store.next_due(QUEUES) == 70
            await done(store, change(run("w1", version=3)))
            assert await store.renew("w1", {}, until=80, along=name("w1")) == set()
            assert await store.next_due(QUEUES) == 80

        self.hold(tmp_path, scenario)

    def test_a_subject_of_no_queue_is_never_claimed(self, tmp_path: Path) -> None:
        """Whatever else its record says; a write that gives it a queue makes it work again."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("new", queue=None, ready=True), start("old", ready=True))
            await claim(store, "w1", 0, 10)
            await done(store, advance("old", 1, queue=None, ready=True, wake_at=1))
            assert await store.next_due(QUEUES) is None
            assert await claim(store, "w1", 10**9, 10) == []
            await done(store, advance("old", 2, ready=True, release=True))
            assert ids(await claim(store, "w1", 0, 10)) == ["old"]

        self.hold(tmp_path, scenario)

    def test_two_pollers_never_hold_one_at_once(self, tmp_path: Path) -> None:
        """And what was due is handed out again if its taker dies."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1", wake_at=10))
            takers = await asyncio.gather(*(claim(store, f"w{n}", 10, 5, limit=1) for n in range(8)))
            [first] = [one for some in takers for one in some]
            assert await store.next_due(QUEUES) == 15
            [second] = await claim(store, "other", 15, 5, limit=1)
            assert second.epoch == first.epoch + 1
            outcomes = [await commit(store, advance("r1", 1, epoch=one.epoch)) for one in (first, second)]
            assert outcomes[0] == Conflict("epoch", "r1")
            assert isinstance(outcomes[1], Committed)
            assert await load(store) is not None

        self.hold(tmp_path, scenario)
