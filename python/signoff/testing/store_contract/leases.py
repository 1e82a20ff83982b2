"""Laws of leases and timers: disjoint claims, fencing by epoch, due times in order."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from signoff.stores.base import Change, Committed, Conflict, Record, RecordWrite, RunWrite, WorkflowStore
from signoff.testing.store_contract.laws import Laws, advance, commit, done, record, start


class LeaseLaws(Laws):
    """Hold what is true of every claim."""

    def test_claimers_get_disjoint_runs(self, tmp_path: Path) -> None:
        """Ten claimers at once share a hundred runs; nobody gets one twice."""

        async def scenario(store: WorkflowStore) -> None:
            await store.commit([start(f"r{n}", ready=True) for n in range(100)])
            taken = await asyncio.gather(*(store.claim(f"w{n % 10}", now=0, lease_ms=1000, limit=5) for n in range(30)))
            ids = [run.run_id for runs in taken for run in runs]
            assert len(ids) == len(set(ids)) == 100
            assert await store.claim("w0", now=999, lease_ms=1000, limit=5) == []

        self.hold(tmp_path, scenario)

    def test_a_claim_tells_what_it_took(self, tmp_path: Path) -> None:
        """The records have the new epoch and lease, and equal what is loaded."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1", ready=True, tags=("a", "b"), wake_at=7))
            [claimed] = await store.claim("w1", now=100, lease_ms=50, limit=9)
            assert (claimed.epoch, claimed.lease_owner, claimed.lease_until) == (1, "w1", 150)
            state = await store.load_run("r1")
            assert state is not None
            assert state.record == claimed

        self.hold(tmp_path, scenario)

    def test_the_same_owner_cannot_claim_twice(self, tmp_path: Path) -> None:
        """A live lease hides a run from everybody; one that ended can be taken, with a higher epoch."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1", ready=True))
            assert len(await store.claim("w1", now=0, lease_ms=100, limit=1)) == 1
            assert await store.claim("w1", now=99, lease_ms=100, limit=1) == []
            assert await store.claim("w2", now=99, lease_ms=100, limit=1) == []
            [again] = await store.claim("w2", now=100, lease_ms=100, limit=1)
            assert (again.epoch, again.lease_owner) == (2, "w2")

        self.hold(tmp_path, scenario)

    def test_an_older_epoch_changes_nothing(self, tmp_path: Path) -> None:
        """A worker that lost its lease is refused; one whose lease ended untaken is not."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1", ready=True))
            [first] = await store.claim("w1", now=0, lease_ms=10, limit=1)
            await done(store, advance("r1", 1, epoch=first.epoch, ready=True))
            [second] = await store.claim("w2", now=10, lease_ms=10, limit=1)
            for tail in (1, 2, 3):
                assert await commit(store, advance("r1", tail, epoch=first.epoch)) == Conflict("epoch", "r1")
            assert await store.renew("w1", {"r1": first.epoch}, until=99) == {"r1"}
            await store.release("w1", {"r1": first.epoch})
            state = await store.load_run("r1")
            assert state is not None
            assert (state.record.lease_owner, state.record.lease_until, state.record.journal_tail) == ("w2", 20, 2)
            assert await commit(store, advance("r1", 2, epoch=second.epoch + 1)) == Conflict("epoch", "r1")
            await done(store, advance("r1", 2, epoch=second.epoch))
            assert await commit(store, advance("absent", 1, epoch=1)) == Conflict("epoch", "absent")

        self.hold(tmp_path, scenario)

    def test_a_released_lease_is_gone(self, tmp_path: Path) -> None:
        """Given up by itself or with a commit: later writes of that epoch are refused, others may claim at once."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1", ready=True))
            [first] = await store.claim("w1", now=0, lease_ms=1000, limit=1)
            await store.release("w1", {"r1": first.epoch, "absent": 1})
            assert await commit(store, advance("r1", 1, epoch=first.epoch)) == Conflict("epoch", "r1")
            assert await store.renew("w1", {"r1": first.epoch}, until=99) == {"r1"}
            [second] = await store.claim("w1", now=1, lease_ms=1000, limit=1)
            assert second.epoch == 2
            await done(store, advance("r1", 1, epoch=2, release=True, ready=True))
            assert await commit(store, advance("r1", 2, epoch=2)) == Conflict("epoch", "r1")
            [third] = await store.claim("w2", now=2, lease_ms=1000, limit=1)
            assert (third.epoch, third.journal_tail) == (3, 2)

        self.hold(tmp_path, scenario)

    def test_a_run_given_up_in_the_middle_is_ready(self, tmp_path: Path) -> None:
        """Its owner may have been within a step: the run is claimable at once, though nothing else made it due."""

        async def scenario(store: WorkflowStore) -> None:
            await store.commit([start("r1", ready=True), start("over", ready=True)])
            held = {run.run_id: run.epoch for run in await store.claim("w1", now=0, lease_ms=1000, limit=2)}
            await done(store, advance("r1", 1, epoch=held["r1"]), advance("over", 1, status="completed"))
            assert await store.next_due() == 1000
            await store.release("w2", held)
            assert await store.next_due() == 1000
            await store.release("w1", held)
            assert await store.next_due() == 0
            [again] = await store.claim("w2", now=1, lease_ms=1000, limit=9)
            assert (again.run_id, again.epoch, again.ready) == ("r1", 2, True)

        self.hold(tmp_path, scenario)

    def test_renewing_keeps_a_lease(self, tmp_path: Path) -> None:
        """Until the run is over, the lease is lost, or it is given up."""

        async def scenario(store: WorkflowStore) -> None:
            await store.commit([start(run_id, ready=True) for run_id in ("a", "b", "c")])
            held = {run.run_id: run.epoch for run in await store.claim("w1", now=0, lease_ms=10, limit=3)}
            assert await store.renew("w1", held | {"absent": 1}, until=100) == {"absent"}
            assert await store.claim("w2", now=99, lease_ms=10, limit=3) == []
            assert await store.renew("w2", held, until=200) == set(held)
            await done(store, advance("a", 1, status="completed"), advance("b", 1, status="failed"))
            assert await store.renew("w1", held, until=200) == {"a", "b"}
            assert await store.next_due() == 200

        self.hold(tmp_path, scenario)

    def test_a_dead_worker_leaves_its_run_to_others(self, tmp_path: Path) -> None:
        """A lease that ended makes the run due, even if it was in the middle of a step and far from its next timer."""

        async def scenario(store: WorkflowStore) -> None:
            await store.commit([start("a", ready=True), start("b", ready=True)])
            await store.claim("w1", now=0, lease_ms=100, limit=2)
            await done(store, advance("a", 1, epoch=1), advance("b", 1, epoch=1, wake_at=10**9))
            assert await store.next_due() == 100
            assert await store.claim("w2", now=99, lease_ms=100, limit=2) == []
            assert {run.run_id for run in await store.claim("w2", now=100, lease_ms=100, limit=2)} == {"a", "b"}

        self.hold(tmp_path, scenario)

    def test_losses_are_counted_until_an_entry(self, tmp_path: Path) -> None:
        """Of leases that ended, not of those given up, nor of one that its owner takes again; reset by an entry."""

        async def scenario(store: WorkflowStore) -> None:
            async def claim(owner: str, now: int) -> int:
                [run] = await store.claim(owner, now=now, lease_ms=10, limit=1)
                state = await store.load_run("r1")
                assert state is not None
                assert state.record == run
                return run.lost

            await done(store, start("r1", ready=True, lost=7))
            assert await claim("w1", 0) == 0
            assert await claim("w2", 10) == 1
            assert await claim("w2", 20) == 1
            assert await claim("w3", 30) == 2
            await store.release("w3", {"r1": 4})
            assert await claim("w4", 31) == 2
            as_it_was = record("r1", journal_tail=1, ready=True, lost=9)
            await done(store, Change(run=RunWrite(as_it_was, expect=1, epoch=5, release=True)))
            assert await claim("w5", 32) == 2
            assert await claim("w6", 42) == 3
            await done(store, advance("r1", 1, epoch=7, lost=9))
            assert await claim("w7", 52) == 1
            await done(store, advance("r1", 2, ready=True, release=True))
            assert await claim("w8", 53) == 0

        self.hold(tmp_path, scenario)

    def test_a_lease_far_ahead_has_ended(self, tmp_path: Path) -> None:
        """The clock was set back by more than the lease is long; a little less takes no lease from a live worker."""

        async def scenario(store: WorkflowStore) -> None:
            await store.commit([start(run_id, workflow=run_id, ready=True) for run_id in ("a", "b", "c")])
            await store.commit([start("timer", wake_at=10**9), start("over", ready=True)])
            hour = 3_600_000
            await store.claim("w1", now=hour, lease_ms=1_000, limit=9)
            await done(store, advance("over", 1, status="completed"))
            assert await store.claim("w2", now=hour - 1_000, lease_ms=5, limit=9) == []
            [run] = await store.claim("w2", now=hour - 1_001, lease_ms=1_000, limit=9, workflows=["b", "none"])
            assert (run.run_id, run.epoch, run.lease_until, run.lost) == ("b", 2, hour - 1, 1)
            assert await store.renew("w1", {"a": 1, "b": 1}, until=1_000) == {"b"}
            assert [run.run_id for run in await store.claim("w2", now=0, lease_ms=1_000, limit=1)] == ["b"]
            assert {run.run_id for run in await store.claim("w2", now=0, lease_ms=1_000, limit=9)} == {"c"}

        self.hold(tmp_path, scenario)

    def test_leases_are_kept_from_another_thread(self, tmp_path: Path) -> None:
        """While the loop that opened the store stands still, another thread's renews and releases."""

        async def scenario(store: WorkflowStore) -> None:
            await store.commit([start(run_id, ready=True) for run_id in ("a", "b")])
            held = {run.run_id: run.epoch for run in await store.claim("w1", now=0, lease_ms=10, limit=2)}

            known = Record("worker", "w1", 7, b"{}", 10)
            await done(store, Change(records=(RecordWrite(known, 0),)))

            async def elsewhere() -> set[str]:
                await store.release("w1", {"b": held["b"]})
                await store.renew("w1", {}, until=50, along=("worker", "absent"))
                return await store.renew("w1", held, until=100, along=("worker", "w1"))

            with ThreadPoolExecutor(1) as thread:
                lost = thread.submit(asyncio.run, elsewhere()).result(timeout=30)
            assert lost == {"b"}
            assert await store.list_records("worker", limit=9) == [replace(known, due_at=100)]
            assert await store.due_records("worker", now=99, limit=9) == []
            assert await store.next_record_due("worker") == 100
            assert [run.run_id for run in await store.claim("w2", now=99, lease_ms=10, limit=2)] == ["b"]

        self.hold(tmp_path, scenario)

    @pytest.mark.parametrize("status", ["completed", "cancelled", "failed"])
    def test_runs_that_are_over_are_never_claimed(self, tmp_path: Path, status: str) -> None:
        """Whatever their index says of readiness and time."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("new", status=status, ready=True), start("old", ready=True))
            await store.claim("w1", now=0, lease_ms=10, limit=1)
            await done(store, advance("old", 1, status=status, ready=True, wake_at=1))
            assert await store.next_due() is None
            assert await store.claim("w1", now=10**9, lease_ms=10, limit=9) == []
            await done(store, advance("old", 2, status="running", ready=True, release=True))
            assert len(await store.claim("w1", now=0, lease_ms=10, limit=9)) == 1

        self.hold(tmp_path, scenario)

    def test_timers_come_in_their_order(self, tmp_path: Path) -> None:
        """Oldest due first, by time and not by name; none before its time."""

        async def scenario(store: WorkflowStore) -> None:
            times = {"z": 10, "a": 30, "m": 20, "q": 40}
            await store.commit([start(run_id, wake_at=at, status="sleeping") for run_id, at in times.items()])
            assert await store.next_due() == 10
            assert await store.claim("w1", now=9, lease_ms=100, limit=9) == []
            assert [run.run_id for run in await store.claim("w1", now=30, lease_ms=100, limit=2)] == ["z", "m"]
            assert [run.run_id for run in await store.claim("w1", now=30, lease_ms=100, limit=9)] == ["a"]
            assert await store.next_due() == 40

        self.hold(tmp_path, scenario)

    def test_a_timer_is_handed_out_again_if_its_taker_dies(self, tmp_path: Path) -> None:
        """And two pollers never hold it at once."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("r1", wake_at=10))
            takers = await asyncio.gather(*(store.claim(f"w{n}", now=10, lease_ms=5, limit=1) for n in range(8)))
            [first] = [run for runs in takers for run in runs]
            assert await store.next_due() == 15
            [second] = await store.claim("other", now=15, lease_ms=5, limit=1)
            assert second.epoch == first.epoch + 1
            outcomes = [await commit(store, advance("r1", 1, epoch=one.epoch)) for one in (first, second)]
            assert outcomes[0] == Conflict("epoch", "r1")
            assert isinstance(outcomes[1], Committed)

        self.hold(tmp_path, scenario)

    def test_ready_runs_and_timers_share_by_age(self, tmp_path: Path) -> None:
        """A run that became ready after a timer was due comes after it, and the other way round."""

        async def scenario(store: WorkflowStore) -> None:
            await done(
                store,
                start("ready-late", ready=True, updated_at=2_000),
                start("timer", wake_at=1_500),
                start("ready-early", ready=True, updated_at=1_000),
            )
            order = [run.run_id for run in await store.claim("w1", now=9_999, lease_ms=1, limit=9)]
            assert order == ["ready-early", "timer", "ready-late"]

        self.hold(tmp_path, scenario)

    def test_next_due_tells_when_to_look_again(self, tmp_path: Path) -> None:
        """0 for a run that is ready, the earliest time otherwise, never before a live lease ends."""

        async def scenario(store: WorkflowStore) -> None:
            assert await store.next_due() is None
            await done(store, start("a", wake_at=500))
            assert await store.next_due() == 500
            await done(store, start("b", ready=True))
            assert await store.next_due() == 0
            await store.claim("w1", now=0, lease_ms=300, limit=1)
            assert await store.next_due() == 300
            await done(store, advance("b", 1, epoch=1, release=True))
            assert await store.next_due() == 500
            await done(store, advance("a", 1, ready=False, wake_at=None))
            assert await store.next_due() is None

        self.hold(tmp_path, scenario)

    def test_a_worker_claims_only_workflows_it_knows(self, tmp_path: Path) -> None:
        """Names narrow the claim and the look ahead; no names at all means every one."""

        async def scenario(store: WorkflowStore) -> None:
            await done(
                store,
                start("a", workflow="expense", wake_at=10),
                start("b", workflow="order", wake_at=5),
                start("c", workflow="travel", ready=True),
            )
            assert await store.next_due(["expense"]) == 10
            assert await store.next_due(["expense", "order", "absent"]) == 5
            assert await store.next_due([]) is None
            assert await store.claim("w1", now=99, lease_ms=9, limit=9, workflows=[]) == []
            taken = await store.claim("w1", now=99, lease_ms=9, limit=9, workflows=["order", "expense", "expense"])
            assert [run.run_id for run in taken] == ["b", "a"]
            assert [run.run_id for run in await store.claim("w1", now=99, lease_ms=9, limit=9)] == ["c"]

        self.hold(tmp_path, scenario)

    def test_runs_that_nobody_can_claim_are_found(self, tmp_path: Path) -> None:
        """They are of workflows nobody knows, and have been due for a while; blocked ones only if they are ready."""

        async def scenario(store: WorkflowStore) -> None:
            await done(
                store,
                start("known", workflow="expense", ready=True, updated_at=50),
                start("due", workflow="order", wake_at=50),
                start("later", workflow="order", wake_at=500),
                start("idle", workflow="order"),
                start("new", workflow="order", ready=True, updated_at=70),
                start("ready", workflow="travel", ready=True, updated_at=50),
                start("blocked", workflow="travel", status="blocked", wake_at=1),
                start("asked", workflow="travel", status="blocked", ready=True, updated_at=50),
                start("over", workflow="travel", status="failed", ready=True),
                start("held", workflow="lease", ready=True),
            )
            await store.claim("w1", now=0, lease_ms=100, limit=1, workflows=["lease"])
            found = await store.unclaimed({"expense", "absent"}, before=60, limit=9)
            assert sorted(found) == ["asked", "due", "ready"]
            assert "held" in await store.unclaimed({"expense"}, before=100, limit=9)
            assert await store.unclaimed({"expense"}, before=0, limit=9) == []
            assert len(await store.unclaimed([], before=60, limit=2)) == 2
            assert await store.unclaimed({"expense", "order", "travel", "lease"}, before=999, limit=9) == []

        self.hold(tmp_path, scenario)
