"""Clients that do not read what they asked for: they are cut off, and slow ones are not."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from signoff.server.http11.connection import Connection
from signoff.server.http11.limits import HttpLimits
from tests.server.streams.scene import QUICK, Site, site
from tests.service.streams.scene import until

SIZE = 16 << 20
PATIENT = replace(QUICK, keep_alive_s=60, max_age_s=3600, max_body=2 * SIZE, chunk=SIZE)

# Their transports differ.
LOOPS = pytest.mark.parametrize(
    "anyio_backend",
    [pytest.param(("asyncio", {"use_uvloop": fast}), id="uvloop" if fast else "asyncio") for fast in (False, True)],
)


async def filled(s: Site) -> None:
    """Store more than a socket's buffers hold, and let go of the connection that brought it."""
    made = await s.web.put("/s", headers={"content-type": "text/plain"}, content=b"x" * SIZE)
    assert made.status_code == 201
    await s.web.aclose()
    await until(lambda: not s.listener.state.connections)


async def asking(s: Site, query: str, *headers: str) -> socket.socket:
    """Ask for the stream with a small window, and read nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", s.port))
    lines = "".join(f"{line}\r\n" for line in ("host: x", *headers))
    await loop.sock_sendall(client, f"GET /v1/stream/s?offset=-1{query} HTTP/1.1\r\n{lines}\r\n".encode())
    await until(lambda: any(one.unsent for one in connections(s)))
    return client


async def taking(client: socket.socket, least: int) -> int:
    """Read so many bytes, or a few more; return how many."""
    got = 0
    while got < least:
        piece = await asyncio.get_running_loop().sock_recv(client, 4096)
        if not piece:
            raise ConnectionResetError
        got += len(piece)
    return got


def connections(s: Site) -> set[Connection]:
    """Return who is connected."""
    found: Any = s.listener.state.connections
    return set(found)


@LOOPS
@pytest.mark.parametrize("headers", [("connection: close",), ()])
@pytest.mark.parametrize("query", ["&live=sse", ""])
async def test_a_client_that_takes_nothing_is_cut_off(query: str, headers: tuple[str, ...]) -> None:
    async with site(limits=PATIENT) as s:
        await filled(s)
        client = await asking(s, query, *headers)
        now = asyncio.get_running_loop().time()

        def gone() -> bool:
            nonlocal now
            now += 31
            s.listener.sweep(now)
            return not connections(s)

        await until(gone)
        await until(lambda: s.one.hub.watched == 0)
        client.close()


@LOOPS
@pytest.mark.parametrize("query", ["&live=sse", ""])
async def test_nobody_has_to_move_the_clock(query: str) -> None:
    async with site(limits=PATIENT, http=HttpLimits(write_s=0.2)) as s:
        await filled(s)
        client = await asking(s, query)
        await until(lambda: not connections(s))
        client.close()


@LOOPS
@pytest.mark.parametrize("headers", [("connection: close",), ()])
async def test_a_slow_client_is_not_cut_off(headers: tuple[str, ...]) -> None:
    """It takes little every 29 seconds, less each time than the system's buffers hold."""

    async with site(limits=PATIENT) as s:
        await filled(s)
        client = await asking(s, "", *headers)
        got = 0
        for _ in range(40):
            got += await taking(client, 3 * HttpLimits().write_bytes)
            s.listener.sweep(asyncio.get_running_loop().time() + 29)
            assert connections(s)
        assert got < SIZE / 2
        while got < SIZE:
            piece = await asyncio.get_running_loop().sock_recv(client, 1 << 20)
            assert piece
            got += len(piece)
        client.close()


@LOOPS
async def test_a_client_that_takes_next_to_nothing_is_cut_off() -> None:
    """A few KiB every 10 seconds keep nothing in memory for hours."""

    async with site(limits=PATIENT) as s:
        await filled(s)
        client = await asking(s, "")
        now, rounds = asyncio.get_running_loop().time(), 0
        while connections(s):
            with suppress(ConnectionError):
                await taking(client, 4096)
            rounds += 1
            now += 10
            s.listener.sweep(now)
            await asyncio.sleep(0)
            assert rounds < 100
        assert rounds >= 4
        await until(lambda: not connections(s))
        client.close()


async def test_a_dropped_live_reader_leaves_nothing_behind() -> None:
    async with site(limits=replace(PATIENT, max_age_s=0.1, stuck_s=0.1)) as s:
        await filled(s)
        client = await asking(s, "&live=sse")
        await until(lambda: not connections(s))
        client.close()
