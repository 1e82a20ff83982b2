"""Two server processes on one SQLite file: one stream, wherever it is written and read."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.conformance.running import Running, running

JSON = {"content-type": "application/json"}


@pytest.fixture
def pair(shared_backend: str, shared_url: str) -> Iterator[tuple[Running, Running]]:
    """Two processes over one store."""
    with running(shared_url, store=shared_backend) as one, running(shared_url, store=shared_backend) as two:
        yield one, two


def test_live_readers_see_what_another_process_appends(pair: tuple[Running, Running]) -> None:
    one, two = pair
    httpx.put(one.stream("s"), headers=JSON).raise_for_status()
    seen: list[int] = []
    with httpx.stream("GET", two.stream("s"), params={"offset": "-1", "live": "sse"}, timeout=20) as response:
        sent = 0
        for line in response.iter_lines():
            if line.startswith("data:["):
                seen += json.loads(line[5:])
            if line.startswith("data:{"):
                if json.loads(line[5:]).get("streamClosed"):
                    break
                if len(seen) == sent and sent < 5:
                    httpx.post(one.stream("s"), headers=JSON, content=str(sent)).raise_for_status()
                    sent += 1
                elif len(seen) == sent:
                    httpx.post(one.stream("s"), headers={"stream-closed": "true"}).raise_for_status()
    assert seen == [0, 1, 2, 3, 4]


def test_a_server_that_is_told_to_stop_ends_live_reads_cleanly() -> None:
    with running("memory:", store="memory") as server:
        httpx.put(server.stream("s"), headers=JSON).raise_for_status()
        with httpx.stream("GET", server.stream("s"), params={"offset": "now", "live": "sse"}, timeout=20) as response:
            lines = response.iter_lines()
            assert next(lines) == "event: control"
            server.process.terminate()
            # The chunked body ends as it should, or httpx would raise RemoteProtocolError.
            assert [line for line in lines if line.startswith("event")] == []
        assert server.process.wait(timeout=5) in {0, -15}


def test_producers_may_change_the_process_between_two_appends(pair: tuple[Running, Running]) -> None:
    httpx.put(pair[0].stream("s"), headers=JSON).raise_for_status()
    told: list[int] = []
    for seq in (0, 1, 1, 2, 3, 2, 5):
        marks = {"producer-id": "p", "producer-epoch": "0", "producer-seq": str(seq)}
        response = httpx.post(pair[len(told) % 2].stream("s"), headers={**JSON, **marks}, content=str(seq))
        told.append(response.status_code)
    assert told == [200, 200, 204, 200, 200, 204, 409]
    assert httpx.get(pair[1].stream("s")).json() == [0, 1, 2, 3]


def test_readers_learn_of_another_process_long_before_the_next_poll(pair: tuple[Running, Running]) -> None:
    """Tails are compared once a second in case a wake-up is lost; what is measured here is the wake-up."""
    one, two = pair
    httpx.put(one.stream("s"), headers=JSON).raise_for_status()
    times: list[float] = []
    with (
        httpx.Client() as writer,
        httpx.stream("GET", two.stream("s"), params={"offset": "now", "live": "sse"}, timeout=20) as response,
    ):
        begin = 0.0
        for line in response.iter_lines():
            if line.startswith("data:["):
                times.append(time.perf_counter() - begin)
            if line.startswith("data:{"):
                if len(times) == 21:
                    break
                begin = time.perf_counter()
                writer.post(one.stream("s"), headers=JSON, content="1").raise_for_status()
    assert statistics.median(times) < 0.25


async def test_many_writers_in_two_processes_lose_nothing(pair: tuple[Running, Running]) -> None:
    for one in ("s0", "s1"):
        httpx.put(pair[0].stream(one), headers=JSON).raise_for_status()

    async def write(http: httpx.AsyncClient, name: int) -> None:
        for n in range(15):
            answer = await http.post(pair[(name + n) % 2].stream(f"s{name % 2}"), headers=JSON, json=f"{name}:{n}")
            assert answer.status_code == 204, answer.text

    async with httpx.AsyncClient(timeout=20) as http:
        await asyncio.gather(*(write(http, name) for name in range(8)))
    for number in (0, 1):
        seen = [httpx.get(process.stream(f"s{number}")).json() for process in pair]
        assert seen[0] == seen[1]
        assert sorted(seen[0]) == sorted(f"{name}:{n}" for name in range(number, 8, 2) for n in range(15))
        for name in range(number, 8, 2):
            assert [text for text in seen[0] if text.startswith(f"{name}:")] == [f"{name}:{n}" for n in range(15)]
