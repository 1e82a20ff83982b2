"""Clients of others, unmodified: the npm package and the PyPI package read and write our server."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from typing import Literal

import httpx
import pytest
from durable_streams import DurableStream, SeqConflictError, StreamExistsError, StreamNotFoundError, stream

from tests.conformance.running import HERE, Running

MESSAGES = [{"n": 1, "text": "one\nline"}, {"n": 2, "text": "žluťoučký 🐎"}, {"n": 3, "text": ""}]


def test_the_npm_client(server: Running, packages: Path) -> None:
    assert packages.exists()
    done = subprocess.run(
        ["node", "npm_client.js", server.stream("npm/1")],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told == {"caughtUp": MESSAGES[:2], "sse": MESSAGES, "longPoll": MESSAGES, "closed": True}


def test_the_python_client_writes_and_catches_up(server: Running) -> None:
    url = server.stream("python/1")
    with DurableStream.create(url, content_type="application/json") as handle:
        for message in MESSAGES:
            handle.append(message, seq=f"{message['n']:04d}")
        with pytest.raises(SeqConflictError):
            handle.append(MESSAGES[0], seq="0001")
        assert handle.head().offset == f"{len(MESSAGES):016d}"
    with pytest.raises(StreamExistsError):
        DurableStream.create(url, content_type="text/plain")
    with stream(url, offset="-1", live=False) as response:
        assert response.read_json() == MESSAGES
    DurableStream.delete_static(url)
    with pytest.raises(StreamNotFoundError), stream(url, live=False) as response:
        response.read_json()


@pytest.mark.parametrize("live", ["sse", "long-poll"])
def test_the_python_client_follows(server: Running, live: Literal["sse", "long-poll"]) -> None:
    url = server.stream(f"python/{live}")
    httpx.put(url, headers={"content-type": "application/json"}).raise_for_status()
    seen: list[object] = []
    ready = threading.Event()

    def follow() -> None:
        with stream(url, offset="-1", live=live) as response:
            ready.set()
            for item in response.iter_json():
                seen.append(item)
                if len(seen) == len(MESSAGES):
                    return

    follower = threading.Thread(target=follow)
    follower.start()
    assert ready.wait(20)
    for message in MESSAGES:
        httpx.post(url, json=message).raise_for_status()
    follower.join(timeout=20)
    assert not follower.is_alive()
    assert seen == MESSAGES
