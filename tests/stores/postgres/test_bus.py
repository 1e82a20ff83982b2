"""What one process has committed wakes others, also after lost connections; and nobody tells where nobody hears."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import quote

import pytest

from signoff.stores.postgres.store import PostgresStore
from signoff.testing.store_contract.laws import done, start
from tests.stores.postgres.conftest import Ask, OpenStore


async def until(true: Callable[[], bool]) -> None:
    """Wait for what plain callbacks leave behind."""
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.001)


async def introduced(*stores: PostgresStore) -> None:
    """Wait until they know of each other."""
    for store in stores:
        await until(lambda store=store: len(store.bus()._others) >= len(stores) - 1)  # type: ignore[misc]


async def test_others_are_woken_by_topic(opened: OpenStore) -> None:
    """And by `elsewhere`, which one's own commits are not."""
    one, other = await opened(), await opened()
    await introduced(one, other)
    heard: list[str] = []
    for store, name in ((one, "one"), (other, "other")):
        for topic in ("stream:a", "stream:b", "elsewhere"):
            store.bus().subscribe(topic, lambda name=name, topic=topic: heard.append(f"{name} {topic}"))  # type: ignore[misc]
    one.bus().emit(["stream:a", "ready"])
    await until(lambda: "other elsewhere" in heard)
    assert sorted(heard) == ["one stream:a", "other elsewhere", "other stream:a"]


async def test_who_tells_before_anybody_is_known_is_heard_all_the_same(opened: OpenStore) -> None:
    """A worker that has just begun commits at once, and whoever waits for that learns of it."""
    one = await opened()
    heard: list[str] = []
    one.bus().subscribe("stream:a", lambda: heard.append("a"))
    other = await opened()
    other.bus().emit(["stream:a"])
    assert not other.bus()._others
    await until(lambda: bool(heard))


async def test_more_topics_than_a_notice_holds_make_everybody_look(opened: OpenStore) -> None:
    """Nothing is left out for being large."""
    one, other = await opened(), await opened()
    await introduced(one, other)
    heard: list[str] = []
    other.bus().subscribe("stream:last", lambda: heard.append("last"))
    one.bus().emit([f"stream:{'x' * 500}{number}" for number in range(100)])
    await until(lambda: bool(heard))


async def test_notices_wait_for_each_other_only_where_there_are_many(
    opened: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an answer brings about is told at once; a process that tells all the time tells in batches."""
    bus, now = (await opened()).bus(), 1_000.0
    monkeypatch.setattr("signoff.stores.postgres.bus.time.monotonic", lambda: now)
    assert [bus._wait() for _ in range(3)] == [0.0] * 3
    for _ in range(10):
        waited = bus._wait()
        assert waited == pytest.approx(0.002)
        now += waited
    now += 60
    assert [bus._wait() for _ in range(3)] == [0.0] * 3


async def test_who_has_lost_the_connection_hears_again(opened: OpenStore, ask: Ask) -> None:
    """And looks for what was told meanwhile; who reads and writes on a lost one hardly notices."""
    one, other = await opened(), await opened()
    await introduced(one, other)
    heard: list[str] = []
    other.bus().subscribe("ready", lambda: heard.append("ready"))
    killed = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'signoff' AND query ~ $1"
    for number in range(2):
        heard.clear()
        await ask(killed, f"LISTEN .*{other._bus._channel}")
        await until(lambda: bool(heard))  # it has looked
        heard.clear()
        await introduced(one, other)
        await done(one, start(f"r{number}", ready=True))
        async with asyncio.timeout(60):
            while not heard:
                one.bus().emit(["ready"])
                await asyncio.sleep(0.001)


async def test_nobody_tells_where_nobody_hears(opened: OpenStore) -> None:
    """A process that is alone spends nothing on it; from when another comes until it goes it does."""
    one = await opened()
    one.bus().emit(["ready"])
    assert not one.bus()._heard_by_others()
    other = await opened()
    await introduced(one, other)
    assert one.bus()._heard_by_others()
    await other.close()
    await until(lambda: not one.bus()._others)


async def test_an_address_to_listen_at_that_leads_nowhere_is_named(
    opened: OpenStore, caplog: pytest.LogCaptureFixture
) -> None:
    """And not the one that works; what only its owner may know is left out."""
    await opened(listen=quote("postgresql://me:secret@127.0.0.1:1/else?password=hidden"))
    await until(lambda: "not heard" in caplog.text)
    assert "listen=postgresql://me@127.0.0.1:1/else cannot be used: nothing listens there" in caplog.text
    assert "secret" not in caplog.text
    assert "hidden" not in caplog.text
