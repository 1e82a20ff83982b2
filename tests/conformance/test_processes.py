"""Two server processes on one SQLite file: one stream, wherever it is written and read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conformance.running import Running, running

JSON = {"content-type": "application/json"}


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Running, Running]]:
    """Two processes over one file."""
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    with running(url, store="sqlite") as one, running(url, store="sqlite") as two:
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
