"""Processes tell one webhook: each event once and in order, whoever vanishes; after a kill -9 again, by its id."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from tests.runtime.scene import Scene, stage
from tests.service.notify.test_notifier import all_told, application, until

ROOT = Path(__file__).parents[3]


class Receiver:
    """A webhook that keeps what it took, and can be told to do worse."""

    def __init__(self) -> None:
        self.took: list[dict[str, Any]] = []
        self.under_way: set[str] = set()
        self.twice_at_once: list[str] = []
        self.torn = 0
        self.kill: int | None = None
        self.port = 0
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen, at the port of before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Be gone."""
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            [length] = [int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("content-length")]
            event = orjson.loads(await reader.readexactly(length))["data"]
            request = event["run_id"]
            if request in self.under_way:
                self.twice_at_once.append(request)
            self.under_way.add(request)
            await asyncio.sleep(0.01)  # as long as others could be called at the same time
            self.under_way.discard(request)
            if self.torn:
                self.torn -= 1
                return
            self.took.append(event)
            if self.kill is not None:
                os.kill(self.kill, signal.SIGKILL)  # it was sent, and nobody can have noted it
                self.kill = None
                return
            writer.write(b"HTTP/1.1 204 -\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            await writer.drain()
        except asyncio.IncompleteReadError:
            return  # whoever called is dead
        finally:
            writer.close()


@asynccontextmanager
async def senders(url: str, count: int, lease_ms: int) -> AsyncIterator[list[int]]:
    """Have processes tell webhooks for the time of the block; yield their ids."""
    command = [sys.executable, "-m", "tests.server.notify.sender", url, str(lease_ms)]
    started = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    try:
        for one in started:
            assert one.stdout is not None
            assert await asyncio.to_thread(one.stdout.readline) == "tells\n"
        yield [one.pid for one in started]
    finally:
        for one in started:
            one.kill()
            one.communicate()


@asynccontextmanager
async def webhook(on: Scene) -> AsyncIterator[Receiver]:
    """Serve a webhook that is told, for the time of the block."""
    receiver = Receiver()
    await receiver.open()
    await on.engine.targets.add("crm", "webhook", f"http://127.0.0.1:{receiver.port}/")
    try:
        yield receiver
    finally:
        await receiver.close()


async def decided(on: Scene, count: int) -> list[str]:
    """Have so many requests asked and decided; return their runs."""
    runs = [await on.start("expense", f"{n}") for n in range(count)]
    for run_id in runs:
        await on.answer(await on.asks(run_id, "approval:0"), value=True)
    return runs


async def test_two_tell_each_event_once_and_in_order_also_to_one_that_vanishes_for_a_while(shared_url: str) -> None:
    async with stage(application(), shared_url) as on, webhook(on) as receiver, senders(shared_url, 2, 30_000):
        await decided(on, 8)
        await until(lambda: len(receiver.took) == 16)
        receiver.torn = 3
        await decided(on, 3)
        await until(lambda: not receiver.torn)
        await receiver.close()
        await decided(on, 3)
        await until(lambda: away(on))
        await receiver.open()
        await until(lambda: all_told(on))
    assert Counter(event["id"] for event in receiver.took).most_common(1)[0][1] == 1
    assert in_order(receiver.took) == [["asked", "decided"]] * 14
    assert receiver.twice_at_once == []


async def away(on: Scene) -> bool:
    [target] = await on.engine.targets.list()
    return target["last_error"] is not None and "Connect" in target["last_error"]


async def test_what_a_killed_process_sent_and_did_not_note_is_told_again_by_its_id(shared_url: str) -> None:
    async with stage(application(), shared_url) as on, webhook(on) as receiver:
        async with senders(shared_url, 1, 600) as [first]:
            receiver.kill = first
            await decided(on, 5)
            await until(lambda: receiver.kill is None)
        async with senders(shared_url, 1, 600):
            await until(lambda: all_told(on))
    counts = Counter(event["id"] for event in receiver.took)
    assert counts[receiver.took[0]["id"]] == 2
    assert set(counts.values()) <= {1, 2}  # what else was under way at that moment may have come twice
    assert in_order(receiver.took) == [["asked", "decided"]] * 5


def in_order(events: list[dict[str, Any]]) -> list[list[str]]:
    """Return what was told of each run, repeats left out."""
    told: dict[str, dict[str, str]] = {}
    for event in events:
        told.setdefault(event["run_id"], {})[event["id"]] = event["event"]
    return [list(events_of.values()) for events_of in told.values()]
