"""Many append to few streams by way of two servers, over connections that break, while others read them live."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Protocol

import httpx
import pytest

from signoff.streams import offset
from signoff.testing.histories import RecordedCall, Recorder, check
from signoff.testing.histories.order import AppendCall, Reading, faults, missed
from tests.histories.scene import LOST, Site, judge, serving
from tests.histories.stream_model import AppendGiven, Content, StreamModel
from tests.testing.histories.faulty import DoubledStreamAppend, FaultyStore, LostWrite

JSON = {"content-type": "application/json"}
WRITERS, OPERATIONS = 6, 40
LIVE, SHORT = ("live/a", "live/b"), ("short/a", "short/b")
"""Streams that are read live to their end; streams that are deleted and made anew, too. To these connections do not
break: where replies are lost, too little is known of a stream that is gone to decide by."""


class Records(Protocol):
    """What has a recorder."""

    @property
    def recorder(self) -> Recorder:
        """Return what the clients saw."""
        ...


class Writer:
    """Somebody who appends, with and without being a producer, and reads."""

    def __init__(
        self, name: str, http: httpx.AsyncClient, site: Records, breaking: httpx.AsyncClient | None = None
    ) -> None:
        self.name = name
        self._http = http
        self._breaking = breaking or http
        self._site = site
        self._next: dict[str, int] = {}

    async def play(self, chance: Random, operations: int) -> None:
        """Do so many things."""
        for number in range(operations):
            path = chance.choice(LIVE + SHORT)
            name = chance.choice(["append"] * 8 + ["read"] * 2 + ["create"])
            if path in SHORT and chance.random() < 0.1:
                name = chance.choice(["close", "delete", "delete"])
            if name == "append" and chance.random() < 0.6:
                await self._produce(path, f"{self.name}:{number}", chance)
            else:
                await self.do(path, name, AppendGiven(f"{self.name}:{number}") if name == "append" else None)

    async def _produce(self, path: str, message: str, chance: Random) -> None:
        """Append as a producer, and again until there is a reply; now and then once more, or with a gap."""
        seq = self._next.get(path, 0)
        if chance.random() < 0.05:
            await self.do(path, "append", AppendGiven(f"{message}!", self.name, seq + 2))
        again = chance.random() < 0.2
        while True:
            result = await self.do(path, "append", AppendGiven(message, self.name, seq))
            if isinstance(result, int) or result == "repeated":
                self._next[path] = seq + 1
                if not again:
                    return
                again = False
            elif result is not None:  # there is none, it is closed, or it is another stream than it was
                self._next[path] = 0
                return

    async def produce_for_ever(self, paths: Sequence[str]) -> None:
        """Append as a producer to one stream after the other, each message until there is a reply."""
        for number, path in zip(itertools.count(), itertools.cycle(paths)):
            given = AppendGiven(f"{self.name}:{number}", self.name, self._next.get(path, 0))
            while await self.do(path, "append", given) is None:
                await asyncio.sleep(0.01)
            self._next[path] = given.seq + 1
            await asyncio.sleep(0.01)

    async def until_known(self, path: str, name: str) -> None:
        """Do something that may be done twice, until there is a reply."""
        while await self.do(path, name) is None:
            await asyncio.sleep(0.01)

    async def do(self, path: str, name: str, given: AppendGiven | None = None) -> object:
        """Do one thing, and record it."""
        return await self._site.recorder.record(self.name, path, name, given, lambda: self._call(path, name, given))

    async def _call(self, path: str, name: str, given: AppendGiven | None) -> object:
        url = f"/v1/stream/{path}"
        http = self._breaking if path in LIVE else self._http
        match name:
            case "create":
                reply = _known(await http.put(url, headers=JSON))
                return {201: "created", 200: "exists", 409: "conflict"}[reply.status_code]
            case "close":
                reply = _known(await http.post(url, headers={"stream-closed": "true"}))
                return {204: "closed", 404: "missing"}[reply.status_code]
            case "delete":
                reply = _known(await http.delete(url))
                return {204: "deleted", 404: "missing"}[reply.status_code]
            case "read":
                reply = _known(await http.get(url, params={"offset": "-1"}))
                if reply.status_code == 404:
                    return "missing"
                assert "stream-up-to-date" in reply.headers
                return Content(tuple(reply.json()), "stream-closed" in reply.headers)
        assert given is not None
        return _appended(_known(await http.post(url, headers=JSON | _marks(given), json=given.message)), given)


def _known(reply: httpx.Response) -> httpx.Response:
    """Refuse a reply that does not say what became of the request."""
    if reply.status_code == 503:
        raise httpx.ReadError("The store is not there, or was lost.")
    return reply


def _marks(given: AppendGiven) -> dict[str, str]:
    if given.producer is None:
        return {}
    return {"producer-id": given.producer, "producer-epoch": "0", "producer-seq": str(given.seq)}


def _appended(reply: httpx.Response, given: AppendGiven) -> int | str:
    if reply.status_code == 404:
        return "missing"
    if reply.status_code == 409:
        return "closed" if "stream-closed" in reply.headers else "gap"
    if reply.status_code == 204 and given.producer is not None:
        return "repeated"
    assert reply.is_success, reply.text
    return offset.decode(reply.headers["stream-next-offset"])


class LiveReader:
    """Somebody who reads a stream live from its start, and goes on where the connection broke, until it is closed."""

    def __init__(self, name: str, path: str, called: int) -> None:
        self.name = name
        self.path = path
        self._called = called
        self._seen: list[str] = []
        self._ends: list[tuple[int, int]] = []
        self._at = "-1"

    @property
    def reading(self) -> Reading:
        """Return what was read."""
        return Reading(self.name, 0, tuple(self._seen), tuple(self._ends), self._called)

    async def run(self, http: httpx.AsyncClient, live: str) -> None:
        """Read to the end, by SSE or by long-polls."""
        read = self._events if live == "sse" else self._poll
        while True:
            try:
                if await read(http):
                    return
            except LOST:
                await asyncio.sleep(0.005)

    async def _poll(self, http: httpx.AsyncClient) -> bool:
        params = {"offset": self._at, "live": "long-poll"}
        reply = _known(await http.get(f"/v1/stream/{self.path}", params=params))
        assert reply.status_code in (200, 204), reply.text
        self._take(reply.json() if reply.status_code == 200 else [], reply.headers["stream-next-offset"])
        return "stream-closed" in reply.headers

    async def _events(self, http: httpx.AsyncClient) -> bool:
        params = {"offset": self._at, "live": "sse"}
        async with http.stream("GET", f"/v1/stream/{self.path}", params=params) as reply:
            assert _known(reply).status_code == 200
            data: list[str] = []
            async for line in reply.aiter_lines():
                if line.startswith("data:["):
                    data += json.loads(line[5:])
                elif line.startswith("data:{"):
                    control = json.loads(line[5:])
                    self._take(data, control["streamNextOffset"])
                    data = []
                    if control.get("streamClosed"):
                        return True
        return False

    def _take(self, messages: Sequence[str], at: str) -> None:
        self._seen += messages
        self._ends.append((len(self._seen), offset.decode(at)))
        self._at = at


@asynccontextmanager
async def reading(site: Site) -> AsyncIterator[list[LiveReader]]:
    """Have the live streams read in both ways by way of both servers; wait for their ends after the block."""
    readers: list[LiveReader] = []

    async def run(number: int, path: str, live: str) -> None:
        async with site.client(number) as http:
            readers.append(reader := LiveReader(f"{live}{number}", path, site.recorder.now()))
            await reader.run(http, live)

    ways = [(number, path, live) for number in (0, 1) for path in LIVE for live in ("sse", "long-poll")]
    tasks = [asyncio.create_task(run(*way)) for way in ways]
    try:
        yield readers
        async with asyncio.timeout(20):
            await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _write(site: Site, number: int) -> None:
    async with site.direct(number) as http, site.client(number) as breaking:
        await Writer(f"c{number}", http, site, breaking).play(site.chance(number), OPERATIONS)


@pytest.mark.parametrize("seed", [1, 2])
async def test_what_all_saw_of_a_stream_could_have_been_one_after_the_other(
    store_url: str, tmp_path: Path, seed: int
) -> None:
    async with serving(store_url, seed) as site, site.direct() as http:
        last = Writer("last", http, site)
        for path in LIVE + SHORT:
            await last.do(path, "create")
        async with reading(site) as readers:
            async with site.troubled():
                await asyncio.gather(*(_write(site, number) for number in range(WRITERS)))
            for path in LIVE:
                assert await last.do(path, "append", AppendGiven("too early", "last", 2)) == "gap"
                assert await last.do(path, "close") == "closed"
        for path in LIVE + SHORT:
            await last.do(path, "read")
        calls = site.recorder.operations
        judge(site, tmp_path, StreamModel(calls), more=_faults(calls, readers))
    assert 0 < sum(one.unknown for one in calls) < len(calls) / 3, "connections broke, and most replies came"
    assert {"closed", "repeated", "gap", "missing", "created", "deleted"} <= {one.result for one in calls}


@pytest.mark.parametrize("kind", [DoubledStreamAppend, LostWrite], ids=lambda kind: kind.__name__)
async def test_a_store_that_is_wrong_now_and_then_is_found_out_through_http(kind: type[FaultyStore]) -> None:
    found = 0
    for seed in range(2):
        store = kind(seed)
        store.faulty = False
        async with serving(store, seed) as site, site.direct() as http:
            last = Writer("last", http, site)
            for path in LIVE + SHORT:
                await last.do(path, "create")
            store.faulty = True
            await asyncio.gather(*(_write(site, number) for number in range(WRITERS)))
            store.faulty = False
            for path in LIVE + SHORT:
                await last.do(path, "read")
        calls = site.recorder.operations
        found += check(calls, StreamModel(calls)) is not None
    assert found


def _faults(calls: Sequence[RecordedCall], readers: Sequence[LiveReader]) -> list[str]:
    """Look at the order of the streams that were read live, and at what each reader had of them."""
    found = []
    for path in LIVE:
        own = [one for one in calls if one.subject == path]
        final = own[-1].result.messages
        appends = appends_of([one for one in own if one.name == "append"])
        whole = [reader.reading for reader in readers if reader.path == path]
        reads = [
            Reading(f"{one.client} at {one.called}", 0, one.result.messages, called=one.called)
            for one in own
            if one.name == "read" and not one.unknown
        ]
        found += faults(appends, final, [*whole, *reads])
        found += [fault for read in reads for fault in missed(read, appends, final)]
        found += [f"{read.reader} has not read to the end" for read in whole if len(read.messages) != len(final)]
    return found


def appends_of(calls: Sequence[RecordedCall]) -> list[AppendCall]:
    """Put the tries of one append together: it began with the first, and was there by the first reply that says so."""
    found: dict[str, AppendCall] = {}
    for one in calls:
        there = isinstance(one.result, int) or one.result == "repeated"
        before = found.get(one.given.message)
        called = before.called if before else one.called
        if before is not None and before.returned is not None and not before.refused:
            continue
        end = one.result if isinstance(one.result, int) else None
        refused = not there and not one.unknown
        found[one.given.message] = AppendCall(one.given.message, called, one.returned, refused, end)
    return list(found.values())
