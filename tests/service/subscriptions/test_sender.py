"""One receiver that never answers holds nobody else back, and a wake that is over by its turn is not sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from signoff.clock import ManualClock
from signoff.errors import SubscriptionNotFound
from signoff.server.app import subscriptions_over
from signoff.server.config import ServerConfig
from signoff.service.engine import Engine
from signoff.service.subscriptions.sender import PER_RECEIVER
from signoff.service.subscriptions.subscriptions import Subscriptions
from signoff.stores.open import open_store
from signoff.streams.stream import Payload
from signoff.streams.subscriptions.config import Config
from tests.server.subscriptions.scene import Receiver, Site, receiving, site, until

LEASE_MS = 30_000
ROOT = "http://h/v1/stream/"


async def test_a_receiver_that_never_answers_holds_back_neither_webhooks_nor_events(store: str) -> None:
    async with receiving(hold=asyncio.Event()) as stuck, receiving() as healthy, site(store) as s:
        assert stuck.hold is not None
        await s.stream("wake")
        for number in range(PER_RECEIVER + 60):
            await s.put(f"stuck{number}", type="webhook", streams=["bad"], webhook={"url": stuck.url})
        await s.put("healthy", type="webhook", streams=["good"], webhook={"url": healthy.url})
        await s.put("pull", type="pull-wake", streams=["good"], wake_stream="wake")
        await s.stream("bad", 1)
        await stuck.got(PER_RECEIVER)
        await s.stream("good", 1)
        await healthy.got()
        await until(lambda: _events(s))
        assert [event["generation"] for event in await s.read("wake")] == [1]
        assert len(stuck.calls) == PER_RECEIVER
        stuck.hold.set()
        await stuck.got(PER_RECEIVER + 60)


async def _events(s: Site) -> bool:
    return bool(await s.read("wake"))


@asynccontextmanager
async def full(store: str, receiver: Receiver, clock: ManualClock) -> AsyncIterator[tuple[Engine, Subscriptions]]:
    """Keep a receiver busy with all that it gets at a time, so that the wake of `late` waits for its turn."""
    engine = await Engine.open(open_store(store), clock)
    subscriptions = subscriptions_over(engine, ServerConfig())
    try:
        for number in range(PER_RECEIVER):
            await subscriptions.create(f"early{number}", config(receiver, "early"), ROOT)
        await subscriptions.create("late", config(receiver, "late"), ROOT)
        await append(engine, "early")
        await receiver.got(PER_RECEIVER)
        await append(engine, "late")
        await until(lambda: _woken(subscriptions))
        yield engine, subscriptions
    finally:
        await subscriptions.close()
        await engine.close()


def config(receiver: Receiver, path: str) -> Config:
    return Config("webhook", streams=(path,), webhook=receiver.url, lease_ttl_ms=LEASE_MS)


async def append(engine: Engine, path: str) -> None:
    await engine.streams.create(path, Payload("application/json", b"1", 1))


async def _woken(subscriptions: Subscriptions) -> bool:
    return subscriptions._records.known["late"].wake is not None


def sent(receiver: Receiver) -> list[int]:
    """Return the generations of `late` that arrived."""
    return [call.body["generation"] for call in receiver.calls if call.body["subscription_id"] == "late"]


async def test_a_wake_whose_time_is_over_by_its_turn_is_not_sent(store: str) -> None:
    clock = ManualClock(1_800_000_000_000)
    async with receiving(hold=asyncio.Event()) as receiver, full(store, receiver, clock) as (_, subscriptions):
        clock.advance(LEASE_MS)
        release(receiver)
        await subscriptions.settled()
        assert sent(receiver) == []
        await subscriptions.step()
        clock.advance(2_000)
        await subscriptions.step()
        assert sent(receiver) == [2]


async def test_a_wake_of_what_was_deleted_before_its_turn_is_not_sent(store: str) -> None:
    clock = ManualClock(1_800_000_000_000)
    async with receiving(hold=asyncio.Event()) as receiver, full(store, receiver, clock) as (_, subscriptions):
        await subscriptions.delete("late")
        release(receiver)
        await subscriptions.settled()
        assert sent(receiver) == []
        try:
            await subscriptions.get("late")
        except SubscriptionNotFound:
            return
        raise AssertionError("it came back")


async def test_a_newer_wake_takes_the_place_of_one_that_waits(store: str) -> None:
    clock = ManualClock(1_800_000_000_000)
    async with receiving(hold=asyncio.Event()) as receiver, full(store, receiver, clock) as (_, subscriptions):
        waiting = len(tasks(subscriptions))
        for _ in range(3):
            clock.advance(LEASE_MS)
            subscriptions._advance_soon("late", ())
            await until(lambda: _is_idle(subscriptions))
            clock.advance(60_000)
            subscriptions._advance_soon("late", ())
            await until(lambda: _woken(subscriptions))
            await until(lambda: _so_many(subscriptions, waiting))
        release(receiver)
        await subscriptions.settled()
        assert sent(receiver) == [4]


def tasks(subscriptions: Subscriptions) -> Any:
    return list(subscriptions._sender.under_way)


async def _is_idle(subscriptions: Subscriptions) -> bool:
    return subscriptions._records.known["late"].wake is None


async def _so_many(subscriptions: Subscriptions, count: int) -> bool:
    return len(tasks(subscriptions)) == count


def release(receiver: Receiver) -> None:
    assert receiver.hold is not None
    receiver.hold.set()


async def test_closing_does_not_begin_what_waits(store: str) -> None:
    clock = ManualClock(1_800_000_000_000)
    async with receiving(hold=asyncio.Event()) as receiver:
        async with full(store, receiver, clock) as (_, subscriptions):
            closing = asyncio.create_task(subscriptions.close())
            await until(lambda: _so_many(subscriptions, PER_RECEIVER))
            release(receiver)
            await closing
        assert sent(receiver) == []
