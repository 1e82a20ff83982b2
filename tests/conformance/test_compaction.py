"""A compacted stream is a stream like any other: StreamDB and the npm client read it as they are."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx

from signoff.streams import offset, state
from tests.conformance.running import HERE, Running, running

KEYS = 40


def change(n: int) -> dict[str, Any]:
    """Make the n-th change: of every ten of a row, the first makes it and the last deletes it."""
    key, turn = f"k{n % KEYS}", n // KEYS % 10
    operation = "insert" if turn == 0 else "delete" if turn == 9 else "update"
    headers = {"operation": operation, "timestamp": "2026-01-02T03:04:05.000Z"}
    return {"type": "reading", "key": key, "value": {"id": key, "n": n}, "headers": headers}


def last() -> dict[str, Any]:
    """Make the row that ends the reader."""
    return {"type": "reading", "key": "last", "value": {"id": "last"}, "headers": {"operation": "insert"}}


def read(*arguments: str) -> subprocess.Popen[str]:
    """Start a reader."""
    return subprocess.Popen(["node", "state_reader.js", *arguments], cwd=HERE, stdout=subprocess.PIPE, text=True)


def test_stream_db_reads_rows_and_goes_on(server: Running, packages: Path) -> None:
    assert packages.exists()
    url = server.stream("readings")
    wanted = {"content-type": "application/json", "stream-compaction": "state"}
    httpx.put(url, headers=wanted).raise_for_status()
    sent = [change(n) for n in range(12_900)]
    for start in range(0, len(sent), 300):
        httpx.post(url, json=sent[start : start + 300]).raise_for_status()
    while httpx.get(url, params={"offset": offset.encode(0)}).status_code == 200:
        assert httpx.get(url).status_code == 200  # history goes in the background
    snapshot = httpx.get(url).json()
    assert state.fold(snapshot) == state.fold(sent)
    assert len(snapshot) < 700

    told, _ = read(url, offset.encode(1)).communicate(timeout=60)
    assert json.loads(told) == {"refused": 410}

    reader = read(url)
    assert reader.stdout is not None
    assert json.loads(reader.stdout.readline()) == {"rows": len(state.fold(sent))}
    more = [*(change(n) for n in range(12_900, 13_500)), last()]
    for message in more:
        if message["value"]["id"] in ("k0", "k1", "last"):
            httpx.post(url, json=message).raise_for_status()
            sent.append(message)
    told, _ = reader.communicate(timeout=60)
    assert reader.returncode == 0
    assert {row["id"]: row for row in json.loads(told)} == {key: row for (_, key), row in state.fold(sent).items()}


def history(url: str) -> list[Any]:
    """Read all messages, none of which has gone yet."""
    token, got = offset.encode(0), []
    while True:
        reply = httpx.get(url, params={"offset": token}).raise_for_status()
        got += reply.json()
        token = reply.headers["stream-next-offset"]
        if "stream-up-to-date" in reply.headers:
            return got


def test_rows_are_right_after_a_kill(shared_backend: str, shared_url: str) -> None:
    """Killed while appends are folded, again and again, and right each time it is back."""
    n = folded = 0
    for size in (64, 96, 130, 250):
        with running(shared_url, store=shared_backend) as server:
            url = server.stream("readings")
            wanted = {"content-type": "application/json", "stream-compaction": "state"}
            httpx.put(url, headers=wanted).raise_for_status()
            before = history(url)
            assert len(before) == n
            assert state.fold(httpx.get(url).json()) == state.fold(before)
            folded += len(httpx.get(url).json()) < n
            for _ in range(9):
                httpx.post(url, json=[change(n + index) for index in range(size)]).raise_for_status()
                n += size
            server.process.kill()
    assert folded == 3
