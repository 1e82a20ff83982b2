"""Connections on raw sockets: what a client may do with HTTP/1.1, and what is refused unasked."""

from __future__ import annotations

import asyncio
import socket
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import uvicorn

from signoff.server.http.reply import Receive, Scope, Send
from signoff.server.http11.limits import HttpLimits
from signoff.server.http11.listener import Listener
from tests.service.streams.scene import until

QUICK = HttpLimits(connections=3, header_bytes=2048, header_s=0.2, body_s=0.2, keep_alive_s=0.3)
PATIENT = HttpLimits()


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the method, the path and the body, unless the path says what else to do."""
    body = b""
    while scope["path"] != "/deaf":
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        if not message["more_body"]:
            break
    headers = [(b"content-type", b"text/plain")]
    match scope["path"]:
        case "/fail":
            raise RuntimeError("on purpose")
        case "/names":
            body = b",".join(name for name, _ in scope["headers"])
        case "/forge":
            headers.append((b"x", b"1\r\nset-cookie: a=b"))
        case "/break" | "/chunks":
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"one", "more_body": True})
            if scope["path"] == "/break":
                raise RuntimeError("on purpose")
            await send({"type": "http.response.body", "body": b"two"})
            return
    answer = f"{scope['method']} {scope['path']} ".encode() + body
    headers.append((b"content-length", str(len(answer)).encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer})


@dataclass(frozen=True, slots=True)
class Line:
    """Be a client's connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, bytes]:
        """Read a response that tells its length."""
        async with asyncio.timeout(5):
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = next(
                (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), b": 0"
            ).split(b": ")[1]
            return int(head.split()[1]), await self.reader.readexactly(int(length))

    async def rest(self) -> bytes:
        """Read until the server closes."""
        async with asyncio.timeout(5):
            return await self.reader.read()


@dataclass(frozen=True, slots=True)
class Site:
    """Be a running server, and hold who is connected."""

    port: int
    lines: list[Line]
    listener: Listener
    server: uvicorn.Server

    async def line(self) -> Line:
        """Connect."""
        self.lines.append(Line(*await asyncio.open_connection("127.0.0.1", self.port)))
        return self.lines[-1]


@asynccontextmanager
async def serving(limits: HttpLimits = PATIENT) -> AsyncIterator[Site]:
    """Serve `echo`."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)  # much may be read at once
    listener = Listener(limits)
    settings = uvicorn.Config(echo, http=listener.protocol(), ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(settings)
    task = asyncio.create_task(server._serve([listening]))
    site = Site(listening.getsockname()[1], [], listener, server)
    try:
        yield site
    finally:
        for line in site.lines:
            line.writer.close()
        server.should_exit = True
        await task


def get(path: str = "/", *headers: str) -> bytes:
    """Write a request without a body."""
    return "\r\n".join([f"GET {path} HTTP/1.1", "host: x", *headers, "", ""]).encode()


async def test_requests_follow_each_other_on_one_connection() -> None:
    async with serving() as site:
        line = await site.line()
        for n in range(3):
            await line.send(f"POST /{n} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nab".encode())
            assert await line.answer() == (200, f"POST /{n} ab".encode())


async def test_requests_sent_at_once_are_answered_in_order() -> None:
    async with serving() as site:
        line = await site.line()
        await line.send(b"".join(get(f"/{n}") for n in range(50)))
        for n in range(50):
            assert await line.answer() == (200, f"GET /{n} ".encode())


async def test_of_many_requests_sent_at_once_few_are_kept_at_a_time() -> None:
    count, piece = 9_000, get()

    async with serving() as site:
        line = await site.line()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            await line.send(piece * count + b"POST /last HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n")
            await line.send(b"z" * 60_000)
            for _ in range(count):
                assert await line.answer() == (200, b"GET / ")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak - before < 4 << 20
        status, body = await line.answer()
        assert (status, len(body)) == (200, 60_000 + len("POST /last "))


async def test_a_body_in_pieces_and_in_chunks() -> None:
    async with serving() as site:
        line = await site.line()
        await line.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\n")
        for piece in (b"ab", b"cd", b"ef"):
            await line.send(piece)
        assert await line.answer() == (200, b"POST / abcdef")
        await line.send(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        assert await line.answer() == (200, b"POST / abc")


async def test_a_large_body_is_taken_as_fast_as_the_application_takes_it() -> None:
    size = 4 << 20

    async with serving() as site:
        line = await site.line()
        sending = asyncio.create_task(
            line.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size + b"z" * size)
        )
        status, body = await line.answer()
        await sending
        assert (status, len(body)) == (200, size + len("POST / "))


async def test_a_body_nobody_takes_does_not_cost_the_answer_nor_the_connection() -> None:
    size = 8 << 20

    async with serving() as site:
        line = await site.line()
        head = b"POST /deaf HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size
        sending = asyncio.create_task(line.send(head + b"z" * size + get("/next")))
        assert await line.answer() == (200, b"POST /deaf ")
        assert await line.answer() == (200, b"GET /next ")
        await sending
    async with serving(QUICK) as site:
        line = await site.line()
        await line.send(b"POST /deaf HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nab")
        assert (await line.rest()).endswith(b"POST /deaf ")


async def test_who_expects_100_continue_gets_it() -> None:
    async with serving() as site:
        line = await site.line()
        await line.send(b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n")
        assert await line.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await line.send(b"a")
        assert await line.answer() == (200, b"POST / a")


async def test_http_1_0_is_answered_and_closed() -> None:
    async with serving() as site:
        line = await site.line()
        await line.send(b"GET /chunks HTTP/1.0\r\n\r\n")
        answer = await line.rest()
        assert b"transfer-encoding" not in answer
        assert answer.endswith(b"connection: close\r\n\r\nonetwo")


async def test_head_has_no_body_and_keeps_the_connection() -> None:
    async with serving() as site:
        line = await site.line()
        await line.send(b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"content-length: 7" in await line.reader.readuntil(b"\r\n\r\n")
        await line.send(get())
        assert await line.answer() == (200, b"GET / ")


async def test_an_upgrade_that_is_not_there_is_a_plain_request() -> None:
    async with serving() as site:
        line = await site.line()
        await line.send(get("/", "connection: upgrade", "upgrade: websocket"))
        assert (await line.rest()).endswith(b"GET / ")


async def test_who_asks_for_an_upgrade_keeps_its_body() -> None:
    """Java's client asks for HTTP/2 with the first request, whatever it is."""
    head = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\ncontent-length: 4\r\n\r\n"

    async with serving() as site:
        for parts in ((head + b"abcd",), (head, b"ab", b"cd"), (head + b"ab", b"cd" + get())):
            line = await site.line()
            for part in parts:
                await line.send(part)
            assert await line.answer() == (200, b"POST / abcd")
            assert await line.rest() == b""
        line = await site.line()
        await line.send(get() + head + b"abcd")
        assert await line.answer() == (200, b"GET / ")
        assert await line.answer() == (200, b"POST / abcd")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost : x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (get("/", "Host: y"), 400),
        (get("/", "transfer-encoding: gzip, chunked") + b"0\r\n\r\n", 501),
        (get("/", "connection: upgrade", "upgrade: h2c", "transfer-encoding: chunked") + b"0\r\n\r\n", 501),
        (get("/", "transfer-encoding: gzip", "transfer-encoding: chunked") + b"0\r\n\r\n", 501),
        (get("/", "transfer-encoding: chunked", "transfer-encoding: chunked") + b"0\r\n\r\n", 400),
        (get("/", "transfer-encoding: chunked") + b"1\r\na\r\nx\r\n", 400),
        (get("/", "transfer-encoding: chunked") + b"0\r\n" + b"x: y\r\n" * 500, 431),
        (get("/", f"x: {'y' * 3000}"), 431),
        (b"GET /" + b"y" * 3000, 431),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 3000, 431),
        (b"GET / HTTP/1.1\r\nhost: x", 408),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab", 408),
    ],
)
async def test_what_is_not_http_too_large_or_too_slow_is_refused(sent: bytes, status: int) -> None:
    async with serving(QUICK) as site:
        line = await site.line()
        await line.send(sent)
        answer = await line.rest()
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert b"content-type: application/problem+json" in answer
        assert answer.count(b"HTTP/1.1") == 1


async def test_trailers_are_no_headers() -> None:
    async with serving() as site:
        line = await site.line()
        head = b"POST /names HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        await line.send(head + b"1\r\na\r\n0\r\nauthorization: y\r\n\r\n")
        assert await line.answer() == (200, b"POST /names host,transfer-encoding")
        await line.send(get("/next"))
        assert await line.answer() == (200, b"GET /next ")


async def test_a_trailer_without_end_is_not_collected() -> None:
    async with serving(HttpLimits(header_bytes=2048)) as site:
        line = await site.line()
        await line.send(get("/", "transfer-encoding: chunked") + b"0\r\nx: ")

        def refused() -> bool:
            line.writer.write(b"y" * 1000)
            return line.reader.at_eof() or line.reader.exception() is not None

        await until(refused, 5)


LARGE = get("/large", f"x: {'y' * 3000}", "content-length: 2") + b"cd"


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        (b"\x00\x01 garbage\r\n\r\n", 400),
        (LARGE, 431),
        (get("/", "host: y"), 400),
        (get("/", "transfer-encoding: chunked") + b"1\r\na\r\nx\r\n", 400),
        (get("/", "transfer-encoding: chunked") + b"0\r\n" + b"x: y\r\n" * 500, 431),
    ],
)
async def test_what_is_wrong_after_a_request_is_refused_after_its_answer(wrong: bytes, status: int) -> None:
    async with serving(QUICK) as site:
        line = await site.line()
        await line.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nab" + get("/2") + wrong)
        assert await line.answer() == (200, b"POST / ab")
        assert await line.answer() == (200, b"GET /2 ")
        rest = await line.rest()
        assert rest.startswith(b"HTTP/1.1 %d " % status)
        assert rest.count(b"HTTP/1.1") == 1


async def test_an_answer_given_before_the_body_turns_out_wrong_stays_the_only_one() -> None:
    async with serving() as site:
        line = await site.line()
        await line.send(b"POST /deaf HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n")
        assert await line.answer() == (200, b"POST /deaf ")
        await line.send(b"x\r\n")
        assert await line.rest() == b""


async def test_after_an_answer_that_closes_nothing_is_said() -> None:
    async with serving() as site:
        line = await site.line()
        await line.send(get("/", "connection: close") + b"garbage")
        assert await line.answer() == (200, b"GET / ")
        assert await line.rest() == b""


async def test_a_large_body_before_a_request_is_not_counted_as_its_head() -> None:
    async with serving(QUICK) as site:
        line = await site.line()
        await line.send(b"POST /deaf HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n")
        assert await line.answer() == (200, b"POST /deaf ")
        await line.send(b"z" * 60_000 + b"GET /next HT")
        await line.send(b"TP/1.1\r\nhost: x\r\n\r\n")
        assert await line.answer() == (200, b"GET /next ")


async def test_a_silent_connection_is_closed() -> None:
    async with serving(QUICK) as site:
        silent, used = await site.line(), await site.line()
        await used.send(get())
        assert await used.answer() == (200, b"GET / ")
        assert await silent.rest() == b""
        assert await used.rest() == b""


async def test_a_last_request_is_answered_with_the_news_that_it_was_the_last() -> None:
    async with serving() as site:
        line = await site.line()
        await line.send(get("/one"))
        assert await line.answer() == (200, b"GET /one ")
        site.listener.last_requests()
        await line.send(get("/two"))
        rest = await line.rest()
        assert b"\r\nconnection: close\r\n" in rest
        assert rest.endswith(b"GET /two ")


async def test_a_server_that_stops_answers_what_has_begun_and_closes_what_is_silent() -> None:
    """Also a request of which a part of the head is all that has come."""
    async with serving() as site:
        silent, begun, busy = await site.line(), await site.line(), await site.line()
        await silent.send(get("/one"))
        await silent.answer()
        await begun.send(b"GET /begun HT")
        await busy.send(b"POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n")
        connections = site.server.server_state.connections
        await until(lambda: len(connections) == 3 and sum(one._open for one in connections) == 2)  # type: ignore[union-attr]
        site.server.should_exit = True
        assert await silent.rest() == b""
        await begun.send(b"TP/1.1\r\nhost: x\r\n\r\n")
        assert (await begun.rest()).endswith(b"GET /begun ")
        await busy.send(b"ab")
        assert (await busy.rest()).endswith(b"POST /body ab")


async def test_one_connection_more_than_allowed_is_refused_and_the_others_are_served() -> None:
    async with serving(HttpLimits(connections=2)) as site:
        first, second = await site.line(), await site.line()
        await second.send(get())
        await second.answer()
        third = await site.line()
        assert (await third.rest()).startswith(b"HTTP/1.1 503 ")
        await first.send(get())
        assert await first.answer() == (200, b"GET / ")
        first.writer.close()
        second.writer.close()
        async with asyncio.timeout(5):
            while True:
                again = await site.line()
                await again.send(get())
                if (await again.answer())[0] == 200:
                    break


async def test_a_failing_application_gives_500_or_a_broken_response_and_never_a_forged_header() -> None:
    async with serving() as site:
        for path in ("/fail", "/forge"):
            line = await site.line()
            await line.send(get(path))
            answer = await line.rest()
            assert answer.startswith(b"HTTP/1.1 500 ")
            assert b"set-cookie" not in answer
        line = await site.line()
        await line.send(get("/break"))
        answer = await line.rest()
        assert answer.endswith(b"3\r\none\r\n")  # no last chunk: the client knows that it is not complete
