"""Laws of queues: what is due, in which order, and what nobody takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from signoff.stores.base import WorkflowStore
from signoff.stores.change import Name
from signoff.testing.store_contract.laws import Laws, advance, change, done, record, run, start, together
from signoff.testing.store_contract.leases import QUEUES, claim, ids, name


class QueueLaws(Laws):
    """What is true of all that is due."""

    def test_times_come_in_their_order(self, tmp_path: Path) -> None:
        """Oldest due first, by time and not by name; none before its time."""

        async def scenario(store: WorkflowStore) -> None:
            times = {"z": 10, "a": 30, "m": 20, "q": 40}
            await together(store, [start(run_id, wake_at=at) for run_id, at in times.items()])
            assert await store.next_due(QUEUES) == 10
            assert await claim(store, "w1", 9, 100) == []
            assert ids(await store.due("expense", now=30, limit=9)) == ["z", "m", "a"]
            assert ids(await claim(store, "w1", 30, 100, limit=2)) == ["z", "m"]
            assert ids(await claim(store, "w1", 30, 100)) == ["a"]
            assert await store.next_due(QUEUES) == 40

        self.hold(tmp_path, scenario)

    def test_what_is_ready_and_what_wakes_share_by_age(self, tmp_path: Path) -> None:
        """One that became ready after another's time came is taken after it, and the other way round."""

        async def scenario(store: WorkflowStore) -> None:
            await done(
                store,
                start("ready-late", ready=True, updated_at=2_000),
                start("timer", wake_at=1_500),
                start("ready-early", ready=True, updated_at=1_000),
            )
            assert ids(await store.due("expense", now=9_999, limit=2)) == ["ready-early", "timer"]
            order = ids(await claim(store, "w1", 9_999, 1))
            assert order == ["ready-early", "timer", "ready-late"]

        self.hold(tmp_path, scenario)

    def test_what_stays_ready_keeps_its_place(self, tmp_path: Path) -> None:
        """However often it is written meanwhile: it is not sent to the end of the queue by those who write to it."""

        async def scenario(store: WorkflowStore) -> None:
            await done(store, start("first", ready=True, updated_at=1_000), start("next", ready=True, updated_at=1_500))
            await done(store, advance("first", 1, ready=True, updated_at=2_000))
            assert ids(await store.due("expense", now=0, limit=9)) == ["first", "next"]
            await done(store, advance("first", 2, updated_at=3_000), advance("first", 3, ready=True, updated_at=4_000))
            assert ids(await claim(store, "w1", 0, 9)) == ["next", "first"]

        self.hold(tmp_path, scenario)

    def test_next_due_tells_when_to_look_again(self, tmp_path: Path) -> None:
        """0 for what is ready, the earliest time otherwise, never before a live lease ends."""

        async def scenario(store: WorkflowStore) -> None:
            assert await store.next_due(QUEUES) is None
            await done(store, start("a", wake_at=500))
            assert await store.next_due(QUEUES) == 500
            await done(store, start("b", ready=True))
            assert await store.next_due(QUEUES) == 0
            await claim(store, "w1", 0, 300, limit=1)
            assert await store.next_due(QUEUES) == 300
            await done(store, advance("b", 1, epoch=1, release=True))
            assert await store.next_due(QUEUES) == 500
            await done(store, advance("a", 1))
            assert await store.next_due(QUEUES) is None

        self.hold(tmp_path, scenario)

    def test_a_claim_names_its_queues(self, tmp_path: Path) -> None:
        """They narrow the claim and the look ahead; no queues, no subjects."""

        async def scenario(store: WorkflowStore) -> None:
            await done(
                store,
                start("a", wake_at=10),
                start("b", queue="order", wake_at=5),
                start("c", queue="travel", ready=True),
            )
            assert await store.next_due(["expense"]) == 10
            assert await store.next_due(["expense", "order", "absent"]) == 5
            assert await store.next_due([]) is None
            assert await claim(store, "w1", 99, 9, queues=[]) == []
            assert ids(await claim(store, "w1", 99, 9, queues=["order", "expense", "expense"])) == ["b", "a"]
            assert ids(await claim(store, "w1", 99, 9, queues={"travel"})) == ["c"]

        self.hold(tmp_path, scenario)

    def test_a_limit_is_kept(self, tmp_path: Path) -> None:
        """However many queues there are; nothing is taken for a limit of 0."""

        async def scenario(store: WorkflowStore) -> None:
            await together(store, [start(f"r{n}", queue=f"q{n % 3}", ready=True) for n in range(9)])
            queues = ["q0", "q1", "q2"]
            assert await claim(store, "w1", 0, 9, limit=0, queues=queues) == []
            taken = [await claim(store, "w1", 0, 9, limit=limit, queues=queues) for limit in (4, 4, 4)]
            assert [len(some) for some in taken] == [4, 4, 1]
            assert len({one for some in taken for one in ids(some)}) == 9

        self.hold(tmp_path, scenario)

    def test_a_queue_holds_subjects_of_any_kind(self, tmp_path: Path) -> None:
        """What is due in it is found without a lease, and leaves it with its queue."""
        hook = replace(run("h", queue="hooks", wake_at=5), name=Name("hook", "h"))

        async def scenario(store: WorkflowStore) -> None:
            await done(store, change(hook), change(run("r", queue="hooks", wake_at=7)), start("r1", ready=True))
            assert await store.due("hooks", now=4, limit=9) == []
            assert await store.due("hooks", now=5, limit=9) == [hook]
            assert ids(await store.due("hooks", now=7, limit=9)) == ["h", "r"]
            assert await store.due("hooks", now=7, limit=1) == [hook]
            assert await store.due("none", now=7, limit=9) == []
            assert (await record(store, "r")).epoch == 0
            await done(store, change(replace(hook, version=2, queue="other")))
            assert ids(await store.due("hooks", now=9, limit=9)) == ["r"]
            assert ids(await store.due("other", now=9, limit=9)) == ["h"]
            assert await store.next_due(["hooks"]) == 7
            await done(store, change(replace(hook, version=3, queue="other", wake_at=None)))
            assert await store.due("other", now=9, limit=9) == []
            [claimed] = await claim(store, "w1", 7, 10, queues=["hooks"])
            assert await store.due("hooks", now=16, limit=9) == []
            assert await store.due("hooks", now=17, limit=9) == [claimed]

        self.hold(tmp_path, scenario)

    def test_what_nobody_claims_is_found(self, tmp_path: Path) -> None:
        """It is of queues nobody takes from, and has been due for a while; quiet ones count only if they are ready."""

        async def scenario(store: WorkflowStore) -> None:
            await done(
                store,
                start("known", ready=True, updated_at=50),
                start("due", queue="order", wake_at=50),
                start("later", queue="order", wake_at=500),
                start("idle", queue="order"),
                start("new", queue="order", ready=True, updated_at=70),
                start("ready", queue="travel", ready=True, updated_at=50),
                start("blocked", queue="travel", quiet=True, wake_at=1),
                start("asked", queue="travel", quiet=True, ready=True, updated_at=50),
                start("over", queue=None, ready=True),
                start("held", queue="lease", ready=True),
                change(replace(run("hook", queue="travel", ready=True), name=Name("hook", "h"))),
            )
            await claim(store, "w1", 0, 100, limit=1, queues=["lease"])
            found = await store.unclaimed("run", {"expense", "absent"}, before=60, limit=9)
            assert sorted(found) == [name("asked"), name("due"), name("ready")]
            assert name("held") in await store.unclaimed("run", ["expense"], before=100, limit=9)
            assert await store.unclaimed("run", ["expense"], before=0, limit=9) == []
            assert len(await store.unclaimed("run", [], before=60, limit=2)) == 2
            assert await store.unclaimed("run", {"expense", "order", "travel", "lease"}, before=999, limit=9) == []
            assert await store.unclaimed("hook", ["expense"], before=2_000, limit=9) == [Name("hook", "h")]

        self.hold(tmp_path, scenario)
