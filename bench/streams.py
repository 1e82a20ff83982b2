"""Measure the stream server beside the reference server of Durable Streams (npm), each figure a ratio of one run.

Usage: python bench/streams.py [--quick] [--json] [--only NAME …]

Both servers are started here, one at a time, as processes of their own; this process is nothing but the load: plain
protocols over sockets, one request at a time on each connection, responses counted and not parsed. Ours is `signoff
server` as it is shipped, on SQLite (WAL, synchronous=FULL) and on memory; the reference runs with its data directory
and in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import uvloop

HERE = Path(__file__).parent
PACKAGE = HERE.parent / "js-client/node_modules/@durable-streams/server"
CONNECTIONS = 32
_VALUE = {"type": "reading", "key": "sensor-17", "value": {"t": 1700000000, "v": 21.5}, "note": "x" * 30}
MESSAGE = json.dumps(_VALUE, separators=(",", ":"))
assert len(MESSAGE) == 110, len(MESSAGE)


# -- servers -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Server:
    """Be a server process.

    Attributes:
        name: `ours` or `reference`, and where it keeps its data.
        store: the URL of our store.
    """

    name: str
    port: int
    pid: int
    store: str = ""

    def cpu_s(self) -> float:
        """Return the processor time the process has used, in seconds."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_kb(self) -> int:
        """Return the resident memory of the process in KB."""
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        assert found
        return int(found.group(1))


@contextmanager
def serving(who: str, *, durable: bool) -> Iterator[Server]:
    """Start a server over an empty store, and stop it at the end.

    Args:
        who: `ours` or `reference`.
        durable: on disk, or in memory.
    """
    name = f"{who}, {'durable' if durable else 'memory'}"
    with tempfile.TemporaryDirectory(prefix="signoff-bench-") as folder:
        if who == "ours":
            with _ours(name, f"sqlite:///{folder}/bench.db" if durable else "memory:") as server:
                yield server
        else:
            node = shutil.which("node")
            assert node, "Node.js is needed for the reference server"
            with _started([node, str(HERE / "reference.mjs"), str(PACKAGE), *([folder] if durable else [])]) as found:
                yield Server(name, *found)


@contextmanager
def _ours(name: str, store: str) -> Iterator[Server]:
    """Start a server of ours over a store, which others may have open too."""
    command = [sys.executable, "-m", "signoff.cli", "server", "--store", store, "--port", "0"]
    with _started(command) as (port, pid):
        yield Server(name, port, pid, store)


@contextmanager
def _started(command: list[str]) -> Iterator[tuple[int, int]]:
    """Start a process that prints its address; return its port and its id."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()
            found = re.search(r"http://[\d.]+:(\d+)", line)
            assert found, f"{command[0]} did not start: {line!r}"
            yield int(found[1]), process.pid
        finally:
            process.kill()


# -- load --------------------------------------------------------------------------------------------------------------


def request(method: str, path: str, body: str = "", more: str = "") -> bytes:
    """Write one request; `more` are further header lines."""
    data = body.encode()
    head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n{more}"
    return f"{head}content-length: {len(data)}\r\n\r\n".encode() + data


def stream(name: str) -> str:
    """Return the path of a stream, which is the same on both servers."""
    return f"/v1/stream/{name}"


class Appender(asyncio.Protocol):
    """Send requests over one connection, the next when the last is answered (with no body)."""

    def __init__(self, requests: Callable[[], bytes | None]) -> None:
        self._requests = requests
        self._transport: asyncio.Transport
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast("asyncio.Transport", transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        """Take an answer, which comes in one piece, and send the next request."""
        if not (data.startswith(b"HTTP/1.1 20") and data.endswith((b"\r\n\r\n", b"\r\n0\r\n\r\n"))):
            self.done.set_exception(AssertionError(data))
        else:
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        """End; if there was more to send, badly."""
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed the connection"))

    def _next(self) -> None:
        following = self._requests()
        if following is None:
            self.done.set_result(None)
            self._transport.close()
        else:
            self._transport.write(following)


def alone(path: str) -> bytes:
    """Ask for a stream live, on a connection of its own."""
    return request("GET", f"{path}?offset=now&live=sse")


def together(*paths: str) -> bytes:
    """Ask for streams live that share a connection."""
    joins = [{"id": str(n), "path": path.removeprefix(stream("")), "offset": "now"} for n, path in enumerate(paths)]
    return request("POST", "/v1/live", json.dumps({"join": joins}))


class SseReader(asyncio.Protocol):
    """Read live, and note when each event with the mark `#` arrived.

    Args:
        asked: the request.
        streams: how many there are on it.
    """

    def __init__(self, asked: bytes, arrived: Callable[[], None], streams: int = 1) -> None:
        self._request = asked
        self._arrived = arrived
        self._streams = streams
        self._begun = b""
        self._transport: asyncio.Transport
        self.live: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Take what came; an append is never parted, being small."""
        if not self.live.done():
            self._begun += data
            if self._begun.count(b"upToDate") >= self._streams:
                self._begun = b""
                self.live.set_result(None)
        elif b"#" in data:
            self._arrived()

    def close(self) -> None:
        """Leave."""
        self._transport.abort()


async def call(server: Server, *requests: bytes) -> list[tuple[bytes, bytes]]:
    """Send requests one after another on one connection; return heads and bodies."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 26)
    answers = []
    for one in requests:
        writer.write(one)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 2"), head
        answers.append((head, await _body(head, reader)))
    writer.close()
    return answers


async def _body(head: bytes, reader: asyncio.StreamReader) -> bytes:
    if length := re.search(rb"content-length: (\d+)", head, re.IGNORECASE):
        return await reader.readexactly(int(length[1]))
    parts = []
    if re.search(rb"transfer-encoding: chunked", head, re.IGNORECASE):
        while size := int(await reader.readuntil(b"\r\n"), 16):
            parts.append((await reader.readexactly(size + 2))[:-2])
        await reader.readexactly(2)
    return b"".join(parts)


# -- measurements: each takes a server and returns figures -------------------------------------------------------------

Figures = dict[str, float]


async def appends(server: Server, streams: int, seconds: float, *, producers: bool = False) -> Figures:
    """Append over 32 connections; return appends per second and processor time per append.

    Args:
        producers: each connection is an idempotent producer, so that no two requests are the same.
    """
    paths = [stream(f"append-{n}") for n in range(streams)]
    await call(server, *(request("PUT", path) for path in paths))
    ready = [request("POST", path, MESSAGE) for path in paths]
    name, numbers = os.urandom(4).hex(), [0] * CONNECTIONS
    count = 0
    end = 0.0

    def following(connection: int) -> bytes | None:
        nonlocal count
        if time.perf_counter() >= end:
            return None
        count += 1
        if not producers:
            return ready[count % streams]
        number, numbers[connection] = numbers[connection], numbers[connection] + 1
        told = f"producer-id: {name}-{connection}\r\nproducer-epoch: 0\r\nproducer-seq: {number}\r\n"
        return request("POST", paths[0], MESSAGE, told)

    async def run(length: float) -> tuple[float, float]:
        nonlocal count, end
        count, begin, cpu = 0, time.perf_counter(), server.cpu_s()
        end = begin + length
        loop = asyncio.get_running_loop()
        made = [
            await loop.create_connection(lambda n=n: Appender(partial(following, n)), "127.0.0.1", server.port)  # type: ignore[misc]
            for n in range(CONNECTIONS)
        ]
        await asyncio.gather(*(one.done for _, one in made))
        return count / (time.perf_counter() - begin), (server.cpu_s() - cpu) / count * 1e6

    await run(seconds / 4)  # warm
    rate, cpu_us = await run(seconds)
    return {"rate": rate, "cpu_us": cpu_us}


async def across(server: Server, rounds: int) -> Figures:
    """Append at one process what somebody reads live at another on the same file."""
    with _ours("other", server.store) as other:
        return await fan_out(server, 1, rounds, other)


async def fan_out(
    server: Server, readers: int, rounds: int, other: Server | None = None, asked: Callable[[str], bytes] = alone
) -> Figures:
    """Append to a stream that many read live, at another server if there is one; return percentiles in ms."""
    path = stream("fan")
    await call(server, request("PUT", path))
    times: list[float] = []
    begin = 0.0
    everybody = asyncio.Event()

    def arrived() -> None:
        times.append((time.perf_counter() - begin) * 1000)
        if len(times) % readers == 0:
            everybody.set()

    made = await _attach(other or server, [asked(path)] * readers, arrived)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    post = request("POST", path, MESSAGE.replace("x", "#"))
    cpu = server.cpu_s()
    for _ in range(rounds):
        everybody.clear()
        begin = time.perf_counter()
        writer.write(post)
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.wait_for(everybody.wait(), 30)
        await asyncio.sleep(0.005)
    used = server.cpu_s() - cpu
    writer.close()
    for one in made:
        one.close()
    times.sort()
    return {
        "p50_ms": statistics.median(times),
        "p99_ms": times[len(times) * 99 // 100],
        "cpu_us": used / len(times) * 1e6,
    }


async def _attach(server: Server, asked: list[bytes], arrived: Callable[[], None], streams: int = 1) -> list[SseReader]:
    loop = asyncio.get_running_loop()
    made = []
    for n, one_asked in enumerate(asked):
        _, one = await loop.create_connection(
            lambda asked=one_asked: SseReader(asked, arrived, streams),  # type: ignore[misc]
            "127.0.0.1",
            server.port,
        )
        made.append(one)
        if n % 50 == 49:
            await asyncio.wait_for(asyncio.gather(*(one.live for one in made)), 30)
    await asyncio.wait_for(asyncio.gather(*(one.live for one in made)), 30)
    return made


async def catch_up(server: Server, messages: int, rounds: int) -> Figures:
    """Read a stream of 170-byte messages, appended in hundreds, from its start; return the best time in ms."""
    path = stream("long")
    text = json.dumps({"n": 0, "text": "y" * (170 - 18)}, separators=(",", ":"))
    batch = request("POST", path, f"[{','.join([text] * 100)}]")
    await call(server, request("PUT", path), *([batch] * (messages // 100)))
    times = []
    for _ in range(rounds):
        begin, size, offset = time.perf_counter(), 0, "-1"
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 26)
        while True:
            writer.write(request("GET", f"{path}?offset={offset}"))
            head = await reader.readuntil(b"\r\n\r\n")
            size += len(await _body(head, reader))
            found = re.search(rb"stream-next-offset: (\S+)", head, re.IGNORECASE)
            assert found, head
            offset = found[1].decode()
            if re.search(rb"stream-up-to-date: true", head, re.IGNORECASE):
                break
        writer.close()
        assert size >= messages * 170
        times.append((time.perf_counter() - begin) * 1000)
    return {"best_ms": min(times)}


async def idle_readers(server: Server, readers: int, streams: int | None = None) -> Figures:
    """Attach readers to a hundred streams where nothing happens; return KB of memory for each.

    Args:
        streams: how many each of them reads over one connection; None: one, on a connection of its own.
    """
    paths = [stream(f"idle-{n}") for n in range(100)]
    await call(server, *(request("PUT", path) for path in paths))
    every = streams or 1

    def asked(n: int) -> bytes:
        some = [paths[(n + k) % 100] for k in range(every)]
        return alone(some[0]) if streams is None else together(*some)

    warm = await _attach(server, [asked(n) for n in range(100)], _nothing, every)
    before = server.memory_kb()
    made = await _attach(server, [asked(n) for n in range(readers)], _nothing, every)
    grown = server.memory_kb() - before
    begin = time.perf_counter()
    await call(server, request("POST", paths[0], MESSAGE))
    answered = (time.perf_counter() - begin) * 1000
    for one in [*warm, *made]:
        one.close()
    return {"kb": grown / readers, "append_ms": answered}


def _nothing() -> None:
    """Do nothing."""


# -- the table ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """Hold one comparison.

    Attributes:
        ours, theirs: whether that server is durable; None: it is not measured.
        figure: the one that is compared.
        goal: what the ratio (or, without a reference, our figure) shall reach.
        turns: how often each is measured. With more than one both run, and take turns after one that does not count:
            a machine whose speed changes from minute to minute changes it for both.
    """

    name: str
    measure: Callable[[Server], Awaitable[Figures]]
    figure: str
    goal: str
    ours: bool = True
    theirs: bool | None = True
    turns: int = 1


def lines(scale: int) -> list[Line]:
    """Return what is measured, with `1 / scale` of the work."""
    seconds = 3 / scale
    rounds = 100 // scale

    async def one_stream(server: Server) -> Figures:
        return await appends(server, 1, seconds)

    async def hundred(server: Server) -> Figures:
        return await appends(server, 100, seconds)

    async def idempotent(server: Server) -> Figures:
        return await appends(server, 1, seconds, producers=True)

    return [
        Line("appends, one stream", one_stream, "rate", ">= 12 x", turns=4),
        Line("appends, 100 streams", hundred, "rate", ">= 12 x", turns=4),
        Line("appends of producers", idempotent, "rate", "holds", turns=4),
        Line("appends in memory", one_stream, "rate", ">= 0.7 x", ours=False, theirs=False, turns=4),
        Line("fan-out to 500", lambda s: fan_out(s, 500, rounds), "p50_ms", "<= 1.5 x", theirs=False),
        Line("fan-out to 2,000", lambda s: fan_out(s, 2000, rounds // 4), "p50_ms", "holds", theirs=False),
        Line("append to delivery", lambda s: fan_out(s, 1, 400 // scale), "p50_ms", "<= 3 ms", theirs=False),
        Line("append to live", lambda s: fan_out(s, 1, 400 // scale, asked=together), "p50_ms", "<= 3 ms", theirs=None),
        Line("between processes", lambda s: across(s, 200 // scale), "p50_ms", "<= 50 ms", theirs=None),
        Line("catch-up of 100,000", lambda s: catch_up(s, 100_000, 5), "best_ms", "<= 1 x"),
        Line("idle readers, 5,000", lambda s: idle_readers(s, 5_000), "kb", "<= 30 KB", theirs=None),
        Line("live of 1, 3,000", lambda s: idle_readers(s, 3_000, 1), "kb", "holds", theirs=None),
        Line("live of 3, 2,000", lambda s: idle_readers(s, 2_000, 3), "kb", "holds", theirs=None),
    ]


async def compared(line: Line) -> dict[str, Figures]:
    """Measure one line on both servers."""
    if line.turns > 1 and line.theirs is not None:
        with serving("ours", durable=line.ours) as ours, serving("reference", durable=line.theirs) as reference:
            return await _in_turns(line, (ours, reference))
    found = {}
    for who, durable in (("ours", line.ours), ("reference", line.theirs)):
        if durable is not None:
            with serving(who, durable=durable) as server:
                found[server.name] = await line.measure(server)
    return found


async def _in_turns(line: Line, servers: Sequence[Server]) -> dict[str, Figures]:
    """Measure servers in turns; return the mean of each figure."""
    found: dict[str, list[Figures]] = {server.name: [] for server in servers}
    for turn in range(1 + line.turns):
        for server in servers:
            figures = await line.measure(server)
            if turn:
                found[server.name].append(figures)
    return {
        name: {figure: statistics.fmean(one[figure] for one in some) for figure in some[0]}
        for name, some in found.items()
    }


async def main() -> None:
    """Measure everything and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a quarter of the work")
    options.add_argument("--json", action="store_true")
    options.add_argument("--only", nargs="*", metavar="NAME", help="lines whose name contains one of these")
    args = options.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard) if soft != hard else (soft, hard))
    results = {}
    for line in lines(4 if args.quick else 1):
        if args.only and not any(part in line.name for part in args.only):
            continue
        results[line.name] = found = await compared(line)
        if args.json:
            continue
        values = [figures[line.figure] for figures in found.values()]
        ratio = f"{values[0] / values[1]:.2f} x" if len(values) == 2 else ""
        print(f"{line.name:22} {ratio:>9}  (goal {line.goal})")
        for name, figures in found.items():
            told = "  ".join(f"{figure} {value:,.2f}" for figure, value in figures.items())
            print(f"    {name:20} {told}", flush=True)
    if args.json:
        print(json.dumps(results, indent=2))


if __name__ == "__main__":
    uvloop.run(main())
