"""Several processes over one store, and processes that die: whatever happens a wake is sent, and by one of them."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from signoff.clock import ManualClock
from signoff.server.app import subscriptions_over
from signoff.server.config import ServerConfig
from signoff.service.engine import Engine
from signoff.service.subscriptions.follower import SWEEP_S
from signoff.service.subscriptions.subscriptions import Subscriptions
from signoff.stores.open import open_store
from signoff.streams.stream import Payload
from signoff.streams.subscriptions.config import Config
from tests.server.subscriptions.scene import JSON, Receiver, receiving, site, until

ROOT = Path(__file__).parents[3]


def hook(receiver: Receiver, *, lease_ms: int = 1_000) -> dict[str, Any]:
    return {"type": "webhook", "pattern": "e/*", "webhook": {"url": receiver.url}, "lease_ttl_ms": lease_ms}


async def test_two_servers_over_one_store_deliver_once(shared_url: str) -> None:
    async with receiving() as receiver, site(shared_url) as one, site(shared_url) as two:
        # Longer than a busy machine stands still: who has no answer within its lease sends again, and may.
        await one.put("jobs", **hook(receiver, lease_ms=20_000))
        await until(lambda: _knows(two.subscriptions))
        for number in range(20):
            server = (one, two)[number % 2]
            await server.stream(f"e/{number}", number)
        await until(lambda: _all_acked(one, 20))
        told = [link["path"] for call in receiver.calls for link in call.body["streams"] if link["has_pending"]]
        assert sorted(told) == sorted(f"e/{number}" for number in range(20)), "each was told of once"
        generations = [call.body["generation"] for call in receiver.calls]
        assert generations == list(range(1, len(generations) + 1)), "nobody delivered twice"


async def _knows(subscriptions: Subscriptions) -> bool:
    return "jobs" in subscriptions._records.known


async def _all_acked(one: Any, count: int) -> bool:
    cursors = await one.cursors("jobs")
    return len(cursors) == count and set(cursors.values()) == {1}


async def test_what_another_process_appends_wakes_within_a_moment(shared_url: str) -> None:
    async with receiving() as receiver, site(shared_url) as server:
        await server.put("jobs", **hook(receiver))
        other = await Engine.open(open_store(shared_url))  # a worker's process: no subscriptions there
        times = []
        for number in range(5):
            began = time.monotonic()
            await other.streams.create(f"e/{number}", Payload("application/json", b"1", 1))
            call = await receiver.got(number + 1)
            times.append(time.monotonic() - began)
            assert f"e/{number}" in [link["path"] for link in call.body["streams"] if link["has_pending"]]
        await other.close()
        assert statistics.median(times) < SWEEP_S / 2, times


async def test_what_grew_while_nobody_served_wakes_after_the_start(shared_url: str) -> None:
    async with receiving() as receiver:
        async with site(shared_url) as server:
            await server.put("jobs", **hook(receiver))
        writer = await Engine.open(open_store(shared_url))
        await writer.streams.create("e/a", Payload("application/json", b"1,2", 2))
        await writer.close()
        async with site(shared_url) as server:
            call = await receiver.got()
            assert call.body["streams"][0]["tail_offset"] == "0000000000000002"
            await until(lambda: _acked(server, 2))


async def _acked(server: Any, position: int) -> bool:
    return bool((await server.cursors("jobs")).get("e/a") == position)


async def test_a_server_killed_in_the_middle_of_a_delivery_delivers_again_after_its_restart(shared_url: str) -> None:
    hold = asyncio.Event()
    async with receiving(hold=hold) as receiver:
        process, url = await _start(shared_url)
        async with httpx.AsyncClient(base_url=f"{url}/v1/stream/", trust_env=False) as web:
            assert (await web.put("__ds/subscriptions/jobs", json=hook(receiver))).status_code == 201
            assert (await web.put("e/a", content=b"[1]", headers=JSON)).status_code == 201
        first = await receiver.got(1)
        with process:
            process.send_signal(signal.SIGKILL)
        hold.set()
        process, url = await _start(shared_url)
        with process:
            second = await receiver.got(2)
            assert second.body["generation"] == first.body["generation"] + 1
            assert second.body["streams"][0]["acked_offset"] == "0000000000000000"
            process.terminate()


async def _start(store: str) -> tuple[subprocess.Popen[str], str]:
    """Start the command over a store; return its process and its address."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SIGNOFF_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "signoff.cli", "server", "--store", store, "--port", "0"],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    line = await asyncio.to_thread(process.stdout.readline)
    return process, line.split()[-1]


async def test_the_schedule_of_retries_survives_a_restart(shared_url: str) -> None:
    """By a clock that is moved: the second process waits as long as the first would have."""
    clock = ManualClock(1_800_000_000_000)

    async with receiving(answer=(500, {})) as receiver:
        for round_, wait in enumerate((0, 1_250, 2_500)):
            engine = await Engine.open(open_store(shared_url), clock)
            subscriptions = _service(engine)
            if not round_:
                await subscriptions.create("jobs", _config(receiver), "http://h/v1/stream/")
                await engine.streams.create("e/a", Payload("application/json", b"1", 1))
            await subscriptions.step()
            assert len(receiver.calls) == max(1, round_), "not before its time"
            clock.advance(wait)
            await subscriptions.step()
            assert len(receiver.calls) == max(1, round_ + 1)
            assert (await subscriptions.get("jobs"))["status"] == "failed"
            await subscriptions.close()
            await engine.close()


async def test_what_is_due_for_all_is_sent_by_one(shared_url: str) -> None:
    """A retry is due: each process finds it at the same moment, and the receiver gets one wake of each generation."""
    clock = ManualClock(1_800_000_000_000)
    async with receiving(answer=(500, {})) as receiver:
        engines = [await Engine.open(open_store(shared_url), clock) for _ in range(3)]
        all_ = [_service(engine) for engine in engines]
        await all_[0].create("jobs", _config(receiver), "http://h/v1/stream/")
        await engines[0].streams.create("e/a", Payload("application/json", b"1", 1))
        for _ in range(6):
            await asyncio.gather(*(one.step() for one in all_))
            clock.advance(3_600_000)
        generations = [call.body["generation"] for call in receiver.calls]
        assert len(generations) >= 6
        assert generations == sorted(set(generations)), "nobody sent what another one sent"
        for one, engine in zip(all_, engines, strict=True):
            await one.close()
            await engine.close()


async def test_a_clock_that_is_set_back_stops_no_retry(shared_url: str) -> None:
    clock = ManualClock(1_800_000_000_000)

    async with receiving(answer=(500, {})) as receiver:
        engine = await Engine.open(open_store(shared_url), clock)
        subscriptions = _service(engine)
        await subscriptions.create("jobs", _config(receiver), "http://h/v1/stream/")
        await engine.streams.create("e/a", Payload("application/json", b"1", 1))
        await subscriptions.step()
        assert len(receiver.calls) == 1
        clock.advance(-86_400_000)
        receiver.answer = (200, {"done": True})
        await subscriptions.step()
        assert len(receiver.calls) == 2
        assert (await subscriptions.get("jobs"))["status"] == "active"
        await subscriptions.close()
        await engine.close()


async def test_what_a_killed_server_gave_out_is_taken_back_by_the_other(shared_url: str) -> None:
    """A lease is the store's: its holder acknowledges to whichever server is there, and with no token but its own."""

    one, url = await _start(shared_url)
    two, other = await _start(shared_url)
    with one, two:
        async with httpx.AsyncClient(base_url=f"{url}/v1/stream/", trust_env=False) as web:
            assert (await web.put("wake", headers=JSON)).status_code == 201
            pull = {"type": "pull-wake", "pattern": "e/*", "wake_stream": "wake"}
            assert (await web.put("__ds/subscriptions/jobs", json=pull)).status_code == 201
            assert (await web.put("e/a", content=b"[1,2]", headers=JSON)).status_code == 201
            claimed = (await web.post("__ds/subscriptions/jobs/claim", json={"worker": "w"})).json()
        one.send_signal(signal.SIGKILL)
        said = {"wake_id": claimed["wake_id"], "generation": claimed["generation"], "done": True}
        ack = {"stream": "e/a", "offset": "0000000000000001"}
        async with httpx.AsyncClient(base_url=f"{other}/v1/stream/__ds/subscriptions/", trust_env=False) as web:
            bearer = {"authorization": f"Bearer {claimed['token']}"}
            reply = await web.post("jobs/ack", json=said | {"acks": [ack]}, headers=bearer)
            assert reply.json() == {"ok": True, "next_wake": True}
            replay = await web.post("jobs/ack", json=said | {"acks": [ack]}, headers=bearer)
            assert replay.status_code == 409
            again = (await web.post("jobs/claim", json={"worker": "v"})).json()
            assert again["generation"] == claimed["generation"] + 1
            assert again["streams"][0]["acked_offset"] == "0000000000000001"
            mixed = said | {"wake_id": again["wake_id"], "generation": again["generation"]}
            stale = await web.post("jobs/ack", json=mixed, headers=bearer)
            assert stale.status_code == 409, "an old token does not act in the name of a new wake"
        two.terminate()


async def test_an_answer_to_what_was_deleted_says_nothing_to_its_namesake(shared_url: str) -> None:
    async with receiving(hold=asyncio.Event()) as receiver, site(shared_url) as server:
        assert receiver.hold is not None
        await server.put("jobs", **hook(receiver) | {"lease_ttl_ms": 60_000})
        await server.stream("e/a", 1)
        first = (await receiver.got(1)).body
        assert (await server.web.delete("__ds/subscriptions/jobs")).status_code == 204
        await server.put("jobs", **hook(receiver) | {"lease_ttl_ms": 60_000})
        await server.stream("e/a", 2)
        second = (await receiver.got(2)).body
        assert (first["generation"], second["generation"]) == (1, 1)
        said = {"wake_id": first["wake_id"], "generation": 1, "done": True}
        assert (await server.post("jobs/callback", first["callback_token"], **said)).status_code == 409
        assert await server.cursors("jobs") == {"e/a": 1}
        receiver.hold.set()
        await until(lambda: _acked(server, 2))
        assert len(receiver.calls) == 2


def _service(engine: Engine) -> Subscriptions:
    return subscriptions_over(engine, ServerConfig())


def _config(receiver: Receiver) -> Config:
    return Config("webhook", pattern="e/*", webhook=receiver.url)


async def test_one_of_many_wins_each_claim(shared_url: str) -> None:
    async with site(shared_url) as one, site(shared_url) as two:
        await one.stream("wake")
        await one.put("jobs", type="pull-wake", pattern="e/*", wake_stream="wake")
        for number in range(10):
            await one.stream("e/a", number)
            replies = await asyncio.gather(
                *((one, two)[worker % 2].post("jobs/claim", worker=f"w{worker}") for worker in range(8))
            )
            assert sorted(reply.status_code for reply in replies) == [200, *[409] * 7]
            [won] = [reply.json() for reply in replies if reply.status_code == 200]
            tail = {"stream": "e/a", "offset": won["streams"][0]["tail_offset"]}
            said = {"wake_id": won["wake_id"], "generation": won["generation"], "acks": [tail]}
            done = await asyncio.gather(
                *(server.post("jobs/ack", won["token"], **said, done=True) for server in (one, two))
            )
            assert sorted(reply.status_code for reply in done) == [200, 409], "the lease is given up once"
