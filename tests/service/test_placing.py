"""Posts are placed soon after their commit, by whoever committed, and by others if that one has died."""

from __future__ import annotations

import asyncio
from collections import deque

from signoff.clock import ManualClock
from signoff.errors import StoreUnavailable
from signoff.service.commit import GroupCommitter
from signoff.service.engine import Engine
from signoff.service.placing import Placer
from signoff.stores.base import Lanes
from signoff.stores.change import Batch, Post
from signoff.stores.memory import MemoryStore
from signoff.testing.store_contract.laws import done, send, start, tails, text


class LaterStore(MemoryStore):
    """A store in memory that records posts, and waits for somebody to place them; or is away for a while."""

    lanes = Lanes(at_once=8, places_at_once=False)

    def __init__(self) -> None:
        super().__init__()
        self.waiting: deque[Post] = deque()
        self.asked = 0
        self.away = False

    def _post(self, post: Post, batches: dict[str, Batch]) -> None:
        self.waiting.append(post)

    async def place(self, *, limit: int = 1_000) -> int:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("away")
        some = [self.waiting.popleft() for _ in range(min(limit, len(self.waiting)))]
        for post in some:
            self._streams.append(post)
        return len(some)


async def until_placed(store: LaterStore) -> None:
    """Wait until nothing waits for being placed."""
    async with asyncio.timeout(30):
        while store.waiting:
            await asyncio.sleep(0)


async def test_what_is_committed_is_placed_without_a_wait() -> None:
    """Nobody has to move the clock for it."""
    store, clock = LaterStore(), ManualClock()
    engine = await Engine.open(store, clock)
    for number in range(5):
        await engine.committer.commit(send("s", number, "inbox/a", b"%d" % number))
        await until_placed(store)
    assert await text(store, "inbox/a") == b"0,1,2,3,4"
    await engine.close()


async def test_what_another_has_left_is_placed_within_a_second() -> None:
    """At the start, and with the next look."""
    store, clock = LaterStore(), ManualClock()
    await done(store, send("dead", 0, "inbox/a", b"1"))
    engine = await Engine.open(store, clock)
    await until_placed(store)
    await done(store, send("dead", 1, "inbox/a", b"2"))
    await asyncio.sleep(0)
    assert await text(store, "inbox/a") == b"1"
    clock.advance(1_000)
    await until_placed(store)
    assert await text(store, "inbox/a") == b"1,2"
    await engine.close()


async def test_a_store_is_asked_once_for_what_it_places_in_one_transaction() -> None:
    """And again for the rest of what is more."""
    store, clock = LaterStore(), ManualClock()
    for number in range(2_500):
        store.waiting.append(Post("inbox/a", b"%d" % number, 1))
    engine = await Engine.open(store, clock)
    await until_placed(store)
    assert store.asked == 3
    await engine.committer.commit(send("s", 0, "inbox/a", b"last"))
    await until_placed(store)
    await engine.close()
    assert store.asked == 5, "for the commit, and for what may be left at the end"


async def test_a_store_that_is_away_is_asked_again() -> None:
    """Nothing is lost by it, and nobody who commits notices."""
    store, clock = LaterStore(), ManualClock()
    placer = Placer(store, clock)
    committer = GroupCommitter(store, placer.committed, clock=clock)
    store.away = True
    placer.start()
    await committer.commit(send("s", 0, "inbox/a", b"1"))
    async with asyncio.timeout(30):
        while store.asked < 2:
            await asyncio.sleep(0)
    store.away = False
    clock.advance(1_000)
    await until_placed(store)
    assert await text(store, "inbox/a") == b"1"
    await committer.close()
    await placer.close()


async def test_what_is_left_at_the_end_is_placed() -> None:
    """Also what was handed in at the last moment."""
    store = LaterStore()
    engine = await Engine.open(store, ManualClock())
    engine.committer.submit(send("s", 0, "inbox/a", b"1"))
    await engine.close()
    await store.open()
    assert await tails(store, "inbox/a") == {"inbox/a": (1, False)}


async def test_a_store_that_places_at_once_is_left_alone() -> None:
    """Neither asked nor waited for, and so is one to which nobody posts."""
    store, clock = LaterStore(), ManualClock()
    store.lanes = Lanes(at_once=8)
    engine = await Engine.open(store, clock)
    await engine.committer.commit(send("s", 0, "inbox/a", b"1"))
    clock.advance(10_000)
    assert store.asked == 0
    await engine.close()
    quiet = LaterStore()
    engine = await Engine.open(quiet, clock)
    await asyncio.sleep(0)
    asked = quiet.asked
    await engine.committer.commit(start("r1"))
    assert quiet.asked == asked
    await engine.close()
