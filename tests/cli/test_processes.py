"""`signoff server --workers N`: several processes on one address, as one that does not die."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest

from signoff.cli import processes
from signoff.cli.processes import ServerPlace, ServerProcess
from tests.cli.commands import Running, children, run, running, until

JSON = {"content-type": "application/json"}
UNFINISHED = (
    b"POST /v1/runs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 5\r\n"
    b"expect: 100-continue\r\n\r\n"
)
COMMAND = ("server", "--store", "sqlite:///store.db", "--port", "0", "--workers")


@contextmanager
def only(pid: int, of: set[int]) -> Iterator[None]:
    """Let one of some processes run while the others stand still."""
    for other in of - {pid}:
        os.kill(other, signal.SIGSTOP)
    try:
        yield
    finally:
        for other in of - {pid}:
            os.kill(other, signal.SIGCONT)


@asynccontextmanager
async def calling(server: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=20) as http:
        yield http


async def test_what_is_to_be_said_of_the_file_is_said_once(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    file.touch(mode=0o644)
    file.chmod(0o644)
    with running(tmp_path, *COMMAND, "3") as server:
        code, errors = server.stop()
    assert code == 0
    assert errors.count("may be used by others than the owner") == 1


async def test_a_browser_on_any_process_sees_what_was_committed_by_any_other(shared_url: str, tmp_path: Path) -> None:
    with running(tmp_path, "server", "--store", shared_url, "--port", "0", "--workers", "3") as server:
        pids = children(server.process.pid)
        assert len(pids) == 3
        httpx.put(f"{server.url}/v1/stream/s", headers=JSON).raise_for_status()
        readers = []
        for pid in pids:
            with only(pid, pids):
                readers.append(await _reader(server.url))
        for pid in pids:
            with only(pid, pids):
                httpx.post(f"{server.url}/v1/stream/s", headers=JSON, json=pid).raise_for_status()
        for reader, writer in readers:
            async with asyncio.timeout(10):
                assert [await _message(reader) for _ in pids] == list(pids)
            writer.close()


async def _reader(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Read a stream live, on a connection of one's own; return once it has begun."""
    where = httpx.URL(url)
    reader, writer = await asyncio.open_connection(where.host, where.port)
    writer.write(b"GET /v1/stream/s?offset=-1&live=sse HTTP/1.1\r\nhost: localhost\r\n\r\n")
    await reader.readuntil(b"upToDate")
    return reader, writer


async def _message(reader: asyncio.StreamReader) -> int:
    while not (line := await reader.readline()).startswith(b"data:["):
        assert line
    [message] = json.loads(line[5:])
    return int(message)


async def test_a_rolling_restart_fails_no_request_and_loses_no_append(tmp_path: Path) -> None:
    """SIGHUP under load, on connections that are kept and on new ones: all processes are others afterwards."""
    acknowledged: list[str] = []
    done = asyncio.Event()

    async def write(http: httpx.AsyncClient, name: str) -> None:
        number = 0
        while not done.is_set():
            message = f"{name}:{number}"
            headers = JSON if number % 5 else {**JSON, "connection": "close"}
            reply = await http.post("/v1/stream/s", headers=headers, json=message)
            assert reply.status_code == 204, reply.text
            acknowledged.append(message)
            number += 1

    with running(tmp_path, *COMMAND, "2") as server:
        async with calling(server) as http, calling(server) as quiet:
            (await http.put("/v1/stream/s", headers=JSON)).raise_for_status()
            (await quiet.get("/health")).raise_for_status()
            writers = [asyncio.create_task(write(http, f"w{n}")) for n in range(4)]
            reader, writer = await _reader(server.url)
            before = children(server.process.pid)
            server.process.send_signal(signal.SIGHUP)
            await until(lambda: len(now := children(server.process.pid)) == 2 and not now & before, 60)
            rest = await reader.read()
            writer.close()
            assert rest.endswith(b"\r\n0\r\n\r\n"), "a live read is ended properly, and can be gone on with"
            done.set()
            await asyncio.gather(*writers)
            assert len(acknowledged) > 50
            found = await _everything(quiet)
        assert sorted(found) == sorted(acknowledged)
        for name in ("w0", "w1", "w2", "w3"):
            own = [int(message.split(":")[1]) for message in found if message.startswith(name)]
            assert own == list(range(len(own)))
        assert server.stop() == (0, "")


async def _everything(http: httpx.AsyncClient) -> list[str]:
    offset, found = "-1", list[str]()
    while True:
        reply = await http.get("/v1/stream/s", params={"offset": offset})
        found += reply.json()
        offset = reply.headers["stream-next-offset"]
        if "stream-up-to-date" in reply.headers:
            return found


async def test_a_process_that_dies_is_followed_by_another(tmp_path: Path) -> None:
    with running(tmp_path, *COMMAND, "2") as server:
        before = children(server.process.pid)
        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        await until(lambda: len(children(server.process.pid) - {killed}) == 2)
        async with calling(server) as http:
            for _ in range(4):
                assert (await http.get("/health", headers={"connection": "close"})).status_code == 200
        code, errors = server.stop()
        assert code == 0
        assert f"({killed}) has ended by itself (signal 9); another one starts in 0.25 s" in errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_ends_all_of_them_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    """Also if every process of the group gets it, as from Ctrl-C or systemd."""
    with running(tmp_path, *COMMAND, "2") as server:
        pids = children(server.process.pid)
        for pid in pids:
            os.kill(pid, number)
        assert server.stop(number)[0] == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_the_second_signal_ends_all_of_them_at_once(tmp_path: Path) -> None:
    with running(tmp_path, *COMMAND, "2") as server:
        pids = children(server.process.pid)
        where = httpx.URL(server.url)
        # A request whose body does not come, for each to wait for.
        waiting = []
        for pid in pids:
            with only(pid, pids), socket.create_connection((where.host, where.port)) as one:
                one.sendall(UNFINISHED)
                assert one.recv(100).startswith(b"HTTP/1.1 100")
                waiting.append(one.dup())
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(0.5)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == -signal.SIGTERM
        assert time.monotonic() - began < 2.4, "sooner than the first one alone would have"
        for one in waiting:
            one.close()


async def test_they_end_when_the_one_that_keeps_them_is_killed(tmp_path: Path) -> None:
    with running(tmp_path, *COMMAND, "2") as server:
        pids = children(server.process.pid)
        server.process.kill()
        await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


def test_a_store_of_one_process_is_refused_in_a_line(tmp_path: Path) -> None:
    refused = run(tmp_path, "server", "--store", "memory:", "--workers", "2")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("signoff: --workers 2: memory: is one process's own; take a file")
    assert refused.stderr.count("\n") == 1


def test_what_keeps_them_from_beginning_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"this is no database at all " * 100)
    refused = run(tmp_path, *COMMAND, "3")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.count("\n") == 1
    assert "store.db" in refused.stderr


SCRIPT = """
import os, socket, sys, time
from pathlib import Path
starts = Path(sys.argv[1])
with starts.open("a") as file:
    file.write(f"{time.monotonic()}\\n")
if sys.argv[2] == "serves" or len(starts.read_text().split()) == 1:
    line = socket.socket(fileno=int(os.environ["SIGNOFF_SERVER_PROCESS"].split()[1]))
    line.send(b"s")
    if sys.argv[2] != "serves":
        line.recv(1)
else:
    sys.exit(1)
"""


@asynccontextmanager
async def place(folder: Path, kind: str) -> AsyncIterator[ServerPlace]:
    """Make a place for a process that ends by itself once it serves, or of which only the first one serves."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        async def start(number: int) -> ServerProcess:
            return await ServerProcess.start(
                number, [sys.executable, "-c", SCRIPT, str(folder / "starts"), kind], listening
            )

        made = ServerPlace(1, start)
        yield made
        made.kill()
        await made.end()


async def test_each_start_in_vain_waits_longer_than_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PAUSE_S", 0.05)
    monkeypatch.setattr(processes, "MOST_PAUSE_S", 0.4)
    async with place(tmp_path, "serves") as one:
        assert await one.fill()
        keeping = asyncio.create_task(one.keep())
        await until(lambda: (tmp_path / "starts").read_text().count("\n") == 6)
        keeping.cancel()
    times = [float(line) for line in (tmp_path / "starts").read_text().split()]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert all(gap >= least for gap, least in zip(gaps, (0.05, 0.1, 0.2, 0.4, 0.4), strict=True)), gaps


async def test_one_that_does_not_serve_replaces_nobody(tmp_path: Path) -> None:
    async with place(tmp_path, "first") as one:
        assert await one.fill()
        keeping = asyncio.create_task(one.keep())
        assert not await one.renew()
        assert (tmp_path / "starts").read_text().count("\n") == 2
        keeping.cancel()
        assert await one.end() == [0], "the old one was there until now"
