"""The group committer: who shares a transaction, who hears of it, and in which order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from pathlib import Path

import pytest

from signoff.errors import BadRequest, StoreUnavailable
from signoff.service.commit import Durable, GroupCommitter, topics_of
from signoff.stores.base import Lanes
from signoff.stores.change import Change, Committed, Conflict, FamilyWrite, Name, Outcome, Rejected, StreamDelete
from signoff.stores.memory import MemoryStore
from signoff.stores.open import open_store
from signoff.testing.store_contract.laws import advance, done, grow, head, send, settle, start, text, write
from tests.servers import fresh_url


class Slow(MemoryStore):
    """Take each transaction when told to, and count what is in it; or fail."""

    def __init__(self, group: int = 256) -> None:
        super().__init__()
        self.lanes = Lanes(group, at_once=8)
        self.sizes: list[int] = []
        self.go = asyncio.Event()
        self.fails: dict[int, Exception] = {}

    async def commit(self, changes: Sequence[Change]) -> list[Outcome | Rejected]:
        self.sizes.append(len(changes))
        number = len(self.sizes)
        await self.go.wait()
        if number in self.fails:
            raise self.fails[number]
        return await super().commit(changes)


async def test_what_waits_shares_the_next_transaction() -> None:
    store = Slow(group=6)
    committer = GroupCommitter(store)
    first = [committer.submit(start("r0"))]
    await asyncio.sleep(0)
    others = [committer.submit(start(f"r{n}")) for n in range(1, 11)]
    assert not any(reply.done() for reply in first + others)
    store.go.set()
    outcomes = await asyncio.gather(*first, *others)
    assert store.sizes == [1, 6, 4]
    assert all(isinstance(outcome, Committed) for outcome in outcomes)
    await committer.close()


async def test_each_change_has_its_own_outcome() -> None:
    committer = GroupCommitter(MemoryStore())
    outcomes = await asyncio.gather(
        committer.commit(start("r1")),
        committer.commit(start("r1")),
        committer.commit(start("\ud800")),
        committer.commit(advance("r1", 1)),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [Committed, Conflict, BadRequest, Committed]
    await committer.close()


async def test_listeners_hear_in_commit_order_before_the_callers() -> None:
    events: list[str] = []
    heard: list[tuple[Change, Committed]] = []

    def listen(durable: Sequence[Durable]) -> None:
        heard.extend(durable)
        events.extend(f"heard {next(iter(committed.batches))}" for _, committed in durable)

    store = Slow()
    committer = GroupCommitter(store, listen)
    first = committer.submit(grow("first", 0, b"1"))
    replies = [committer.submit(change) for change in (grow("a", 0, b"1"), start("x"), grow("b", 0, b"1"))]
    replies.append(committer.submit(start("x")))
    for name, reply in zip(("a", "x", "b", "conflict"), replies, strict=True):
        reply.add_done_callback(lambda _, name=name: events.append(f"replied {name}"))  # type: ignore[misc]
    store.go.set()
    await first
    outcomes = await asyncio.gather(*replies)
    assert store.sizes == [1, 4]
    assert events == [
        "heard first",
        "heard a",
        "heard runs/x/journal",
        "heard b",
        "replied a",
        "replied x",
        "replied b",
        "replied conflict",
    ]
    assert [committed for _, committed in heard[1:]] == outcomes[:3]
    await committer.close()


async def test_an_idle_store_is_given_work_once_half_of_those_who_came_last_are_there_again() -> None:
    store = Slow()
    store.go.set()
    committer = GroupCommitter(store)
    await asyncio.gather(*(committer.commit(start(f"a{n}")) for n in range(32)))
    again = [committer.submit(start(f"b{n}")) for n in range(16)]
    await asyncio.sleep(0)  # the store's turn; those who wait for more to come in get none before it
    assert sum(store.sizes) == 32 + 16
    assert all(isinstance(outcome, Committed) for outcome in await asyncio.gather(*again))
    await committer.close()


async def test_transactions_are_told_in_order_however_they_end() -> None:
    class Gates(MemoryStore):
        def __init__(self) -> None:
            super().__init__()
            self.lanes = Lanes(group=1, at_once=8)
            self.gates = [asyncio.Event() for _ in range(3)]
            self.begun = 0

        async def commit(self, changes: Sequence[Change]) -> list[Outcome | Rejected]:
            gate = self.gates[self.begun]
            self.begun += 1
            outcomes = await super().commit(changes)
            await gate.wait()
            return outcomes

    store = Gates()
    told: list[str] = []
    committer = GroupCommitter(store, lambda durable: told.append(next(iter(durable[0][1].batches))))
    replies = [committer.submit(grow(path, 0, b"1")) for path in ("a", "b", "c")]
    await asyncio.sleep(0.01)
    assert store.begun == 3
    for gate in (store.gates[2], store.gates[1]):
        gate.set()
        await asyncio.sleep(0.01)
    assert told == []
    assert not any(reply.done() for reply in replies)
    closing = asyncio.create_task(committer.close())
    await asyncio.sleep(0.01)
    store.gates[0].set()
    await closing
    assert told == ["a", "b", "c"]
    assert all(isinstance(reply.result(), Committed) for reply in replies)


async def test_an_error_reaches_the_callers_of_its_batch_and_no_others() -> None:
    store = Slow(group=2)
    store.go.set()
    store.fails[2] = StoreUnavailable("the disk is full")
    heard: list[Durable] = []
    committer = GroupCommitter(store, heard.extend)
    replies = [committer.submit(start(f"r{n}")) for n in range(4)]
    outcomes = await asyncio.gather(*replies, return_exceptions=True)
    assert store.sizes == [1, 2, 1]
    assert [type(outcome) for outcome in outcomes] == [Committed, StoreUnavailable, StoreUnavailable, Committed]
    assert len(heard) == 2
    await committer.close()


async def test_a_store_that_fails_at_the_call_fails_its_callers() -> None:
    class Broken(MemoryStore):
        def commit(self, changes: Sequence[Change]) -> Awaitable[list[Outcome | Rejected]]:  # type: ignore[override]
            raise StoreUnavailable("there is no connection")

    committer = GroupCommitter(Broken())
    outcomes = await asyncio.gather(*(committer.commit(start(f"r{n}")) for n in range(3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 3
    await committer.close()


async def test_a_caller_who_gives_up_harms_nobody() -> None:
    store = Slow()
    committer = GroupCommitter(store)
    impatient = asyncio.create_task(committer.commit(start("r1")))
    patient = asyncio.create_task(committer.commit(start("r2")))
    await asyncio.sleep(0)
    impatient.cancel()
    store.go.set()
    assert isinstance(await patient, Committed)
    with pytest.raises(asyncio.CancelledError):
        await impatient
    assert await store.load(Name("run", "r1")) is not None
    await committer.close()


async def test_closing_commits_what_was_handed_in_and_refuses_the_rest() -> None:
    store = Slow(group=2)
    committer = GroupCommitter(store)
    replies = [committer.submit(start(f"r{n}")) for n in range(5)]
    closing = asyncio.create_task(committer.close())
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable, match="nothing was written"):
        await committer.commit(start("late"))
    store.go.set()
    await closing
    assert all(isinstance(reply.result(), Committed) for reply in replies)
    await committer.close()


def test_topics_are_the_streams_touched_and_whether_a_run_may_be_claimed() -> None:
    assert topics_of(start("r1")) == ["stream:runs/r1/journal", "stream:runs/r1"]
    assert topics_of(start("r1", ready=True))[-1] == "ready"
    assert topics_of(start("r1", wake_at=0))[-1] == "ready"
    assert topics_of(start("r1", queue=None, ready=True))[-1] == "ready"  # whoever holds it is to let go
    assert topics_of(start("r1", queue=None, wake_at=0))[-1] == "stream:runs/r1"
    assert topics_of(grow("a", 0, close=True)) == ["stream:a"]
    assert topics_of(write(head("n"))) == ["stream:n"]
    assert topics_of(Change(FamilyWrite((StreamDelete("n", 1),)))) == ["stream:n"]


async def test_commits_wake_those_who_wait(shared_url: str) -> None:
    store = open_store(shared_url)
    await store.open()
    committer = GroupCommitter(store)
    woken: dict[str, asyncio.Event] = {topic: asyncio.Event() for topic in ("ready", "stream:a", "stream:b")}
    for topic, event in woken.items():
        store.bus().subscribe(topic, event.set)
    await committer.commit(grow("a", 0, b"1"))
    await asyncio.wait_for(woken["stream:a"].wait(), 5)
    assert [topic for topic, event in woken.items() if event.is_set()] == ["stream:a"]
    await committer.commit(start("r1", ready=True))
    await asyncio.wait_for(woken["ready"].wait(), 5)
    assert not woken["stream:b"].is_set()
    await committer.close()
    await store.close()


async def test_a_listener_that_fails_does_not_make_a_durable_write_look_lost() -> None:
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context["exception"]))

    def listen(durable: Sequence[Durable]) -> None:
        raise KeyError(next(iter(durable[0][1].batches)))

    store = MemoryStore()
    committer = GroupCommitter(store, listen)
    assert isinstance(await committer.commit(grow("a", 0, b"1")), Committed)
    assert [repr(fault) for fault in faults] == ["KeyError('a')"]
    await committer.close()


async def test_many_writers_of_one_stream_and_of_many(shared_url: str) -> None:
    store = open_store(shared_url)
    await store.open()
    committer = GroupCommitter(store)
    await done(store, *(start(f"r{n}") for n in range(20)))

    async def run(run_id: str) -> None:
        for tail in range(1, 11):
            assert isinstance(await committer.commit(advance(run_id, tail)), Committed)
            await committer.commit(send(f"{run_id}-", tail - 1, "inbox/user:a", b"1"))

    await asyncio.gather(*(run(f"r{n}") for n in range(20)))
    await settle(store)
    found = await store.find_streams(["inbox/user:a"])
    assert (found["inbox/user:a"].tail, found["inbox/user:a"].closed) == (200, False)
    for number in range(20):
        journal = await text(store, f"runs/r{number}/journal")
        assert journal.split(b",")[1:] == [b'{"n":%d}' % tail for tail in range(1, 11)]
    await committer.close()
    await store.close()


async def test_closing_waits_for_what_goes_through_a_transaction(tmp_path: Path) -> None:
    store = open_store(fresh_url("sqlite", tmp_path))
    await store.open()
    committer, ended = GroupCommitter(store), list[Outcome | Exception]()
    async with store.transaction() as transaction:
        committer.hand_in_through(transaction, start("r1"), ended.append)
        await committer.close()
        assert [type(one) for one in ended] == [Committed]
    await store.close()
