"""Live reads end when the server around is told to stop: uvicorn and hypercorn as they come, as own processes."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
JSON = {"content-type": "application/json"}


async def test_a_stop_with_a_live_reader_is_prompt(store: str) -> None:
    """With uvicorn's own settings, which wait for responses without end, and a reader whose time is a minute."""
    command = [sys.executable, "-m", "tests.server.embedded", store]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            got = await read_until_the_end(port, "/x", lambda: process.send_signal(signal.SIGTERM))
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert b"event: control" in got
    assert got.endswith(b"\r\n0\r\n\r\n"), "the response is complete, not broken off"
    assert process.returncode == -signal.SIGTERM, errors  # uvicorn ends by the signal it caught
    assert errors == ""


@contextmanager
def hypercorn(app: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command of hypercorn; its output is the process's stdout."""
    command = [sys.executable, "-m", "hypercorn", f"tests.server.hosted:{app}", "--bind", "127.0.0.1:0", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def port_of(process: subprocess.Popen[str]) -> int:
    """Wait for the line that tells the port."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if found := re.search(r"Running on http://127\.0\.0\.1:(\d+)", line):
            return int(found[1])
    raise AssertionError(seen)


@pytest.mark.parametrize("options", [(), ("--worker-class", "uvloop"), ("--workers", "0")], ids=str)
@pytest.mark.parametrize(("app", "below"), [("alone", ""), ("host", "/x")])
async def test_hypercorn_stops_promptly_with_a_live_reader(app: str, below: str, options: tuple[str, ...]) -> None:
    """Its own patience is 3 s, after which it breaks responses off; here they are complete, and it need not wait."""
    with hypercorn(app, "--graceful-timeout", "60", *options) as process:
        port = port_of(process)
        told: list[float] = []

        def stop() -> None:
            told.append(time.monotonic())
            process.send_signal(signal.SIGTERM)

        got = await read_until_the_end(port, below, stop)
        output, _ = process.communicate(timeout=20)
        assert time.monotonic() - told[0] < 15
    assert b"event: control" in got
    assert got.endswith(b"\r\n0\r\n\r\n"), "the response is complete, not broken off"
    assert process.returncode == 0, output
    assert "Traceback" not in output


@pytest.mark.parametrize("app", ["alone", "host"])
def test_trio_is_refused_in_words(app: str) -> None:
    with hypercorn(app, "--worker-class", "trio") as process:
        output, _ = process.communicate(timeout=30)
    assert "Signoff runs on asyncio, and this server runs its applications on something else, such as trio." in output
    assert "--worker-class asyncio" in output


async def read_until_the_end(port: int, below: str, stop: Callable[[], None]) -> bytes:
    """Read live; once it has begun have the server stopped, and read to the end of the connection."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}{below}", trust_env=False) as http:
        async with asyncio.timeout(20):
            while True:  # the socket listens before the application serves
                try:
                    made = await http.put("/v1/stream/a", headers=JSON)
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.01)
        assert made.status_code == 201
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {below}/v1/stream/a?offset=-1&live=sse HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
    async with asyncio.timeout(20):
        got = await reader.readuntil(b"upToDate")
        stop()
        got += await reader.read()
    writer.close()
    return got
