"""kill -9 under append load: what was acknowledged is there, nothing is there twice, and producers' state agrees."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.commands import Running, running

JSON = {"content-type": "application/json"}
PRODUCERS = 8
STREAMS = ("/v1/stream/s0", "/v1/stream/s1")


@dataclass
class Load:
    """Append with idempotent producers until the server is gone, and remember what it acknowledged.

    Attributes:
        acked: for each producer, how many of its appends were acknowledged.
        plain: what was acknowledged without a producer.
    """

    acked: dict[str, int] = field(default_factory=dict)
    plain: set[str] = field(default_factory=set)

    async def run(self, url: str, enough: Callable[[Load], bool], kill: Callable[[], None]) -> None:
        """Append over several connections; kill the server in the middle of it."""
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=10) as http:
            tasks = [asyncio.create_task(self._produce(http, f"p{n}")) for n in range(PRODUCERS)]
            tasks += [asyncio.create_task(self._append(http, f"a{n}")) for n in range(4)]
            async with asyncio.timeout(30):
                while not enough(self):
                    await asyncio.wait(tasks, timeout=0.002)
                kill()
                await asyncio.gather(*tasks)

    async def _produce(self, http: httpx.AsyncClient, name: str) -> None:
        path = STREAMS[int(name[1:]) % 2]
        while True:
            seq = self.acked.get(name, 0)
            try:
                answer = await http.post(path, headers=marks(name, seq), json=f"{name}:{seq}")
            except httpx.TransportError:
                return
            assert answer.status_code in {200, 204}, answer.text
            self.acked[name] = seq + 1

    async def _append(self, http: httpx.AsyncClient, name: str) -> None:
        for n in range(1 << 30):
            message = f"{name}:{len(self.plain)}:{n}"
            try:
                answer = await http.post(STREAMS[0], headers=JSON, json=message)
            except httpx.TransportError:
                return
            assert answer.status_code == 204, answer.text
            self.plain.add(message)


def marks(name: str, seq: int) -> dict[str, str]:
    """Return the headers of a producer's append."""
    return {**JSON, "producer-id": name, "producer-epoch": "0", "producer-seq": str(seq)}


def _everything(http: httpx.Client) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for path in STREAMS:
        offset, found[path] = "-1", []
        while True:
            answer = http.get(path, params={"offset": offset})
            found[path] += answer.json()
            offset = answer.headers["stream-next-offset"]
            if "stream-up-to-date" in answer.headers:
                break
    return found


def _check(http: httpx.Client, load: Load) -> None:
    """Compare what is there with what was acknowledged; take over what was written and not acknowledged."""
    found = _everything(http)
    messages = [message for each in found.values() for message in each]
    assert len(messages) == len(set(messages))
    assert load.plain <= set(messages)
    for n in range(PRODUCERS):
        name, path = f"p{n}", STREAMS[n % 2]
        own = [int(message.split(":")[1]) for message in found[path] if re.match(rf"{name}:", message)]
        acked = load.acked.get(name, 0)
        assert own == list(range(len(own)))
        assert len(own) in {acked, acked + 1}  # the one under way may have been written
        if own:
            assert http.post(path, headers=marks(name, len(own) - 1), json="twice").status_code == 204
        assert http.post(path, headers=marks(name, len(own) + 1), json="a gap").status_code == 409
        load.acked[name] = len(own)
    assert _everything(http) == found


@pytest.mark.parametrize("rounds", [4])
async def test_every_acknowledged_append_survives_a_kill_and_none_is_there_twice(
    tmp_path: Path, rounds: int, shared_url: str
) -> None:
    load = Load()
    command = ("server", "--store", shared_url, "--port", "0")
    for n in range(rounds):
        with running(tmp_path, *command) as server:
            with httpx.Client(base_url=server.url, trust_env=False) as http:
                for path in STREAMS:
                    assert http.put(path, headers=JSON).status_code == (200 if n else 201)
                _check(http, load)
            before = sum(load.acked.values())
            await load.run(server.url, _more_than(before + 40 + 37 * n), _killing(server))
    with running(tmp_path, *command) as server, httpx.Client(base_url=server.url, trust_env=False) as http:
        _check(http, load)
        assert sum(load.acked.values()) >= 40 * rounds


def _more_than(count: int) -> Callable[[Load], bool]:
    return lambda load: sum(load.acked.values()) > count


def _killing(server: Running) -> Callable[[], None]:
    return lambda: server.process.send_signal(signal.SIGKILL)
