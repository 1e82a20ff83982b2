"""HTTP/1.1 on one connection: bytes in, ASGI calls out, within limits of size and time.

A protocol class for `uvicorn.Server`, which brings sockets, signals and the shutdown; parsing is `httptools`'. It has
two reasons. It bounds what a client can hold: connections, header bytes, the time in which headers and bodies must
arrive, and that in which answers must be taken. And it is short: a response that is complete is one write, headers are
checked once for all, and deadlines cost a comparison, because one sweep a second looks at all connections.

Requests on one connection are served one after another; while one waits, nothing more is read.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any, Final, cast

import httptools

from signoff.server.fast.known_heads import KnownHeads
from signoff.server.http.reply import Header, Scope
from signoff.server.http11.exchange import ConnectionExchange, Exchange
from signoff.server.http11.head import address_of, length_of, scope_of
from signoff.server.http11.listener_state import ListenerState
from signoff.server.http11.rejection import BUSY, NOT_HTTP, SLOW_BODY, SLOW_HEAD, Rejection, too_large
from signoff.server.http11.unsent import UnsentBytes

log = logging.getLogger("signoff.server")

BODY_BUFFER: Final = 256 * 1024
"""Bytes of a body that are kept for an application that is slow to take them."""

MOST_PARSED: Final = 16 * 1024
"""Bytes that are parsed at once: requests that wait to be served take many times the room of the bytes they came in."""

_NEVER: Final = float("inf")


class Connection(asyncio.Protocol):
    """One client, served request by request."""

    __slots__ = (
        "_chunk", "_counted", "_current", "_drained", "_fed", "_fresh", "_headers", "_in_head", "_in_tail",
        "_left", "_most_head", "_open", "_parser", "_reading", "_rejection", "_rest", "_transport", "_url", "_waiting",
        "client", "deadline", "listener", "loop", "server", "unsent",
    )  # fmt: skip

    def __init__(self, listener: ListenerState, loop: asyncio.AbstractEventLoop) -> None:
        self.listener = listener
        self.loop = loop
        self.deadline = _NEVER
        self.unsent: UnsentBytes | None = None
        self._parser: Any = httptools.HttpRequestParser(self)
        self._current: ConnectionExchange | None = None
        self._waiting: deque[Exchange] = deque()
        self._drained: asyncio.Future[None] | None = None
        self._reading = True
        self._rest = b""
        self._rejection: Rejection | None = None
        self._most_head = listener.limits.header_bytes
        self._chunk = self._fed = self._counted = self._left = 0
        self._open = self._fresh = self._in_head = self._in_tail = False
        self._url = b""
        self._headers: list[Header] = []

    # -- called by the transport -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless there are too many."""
        self._transport = cast("asyncio.Transport", transport)
        self.client = address_of(transport.get_extra_info("peername"))
        self.server = address_of(transport.get_extra_info("sockname"))
        connections = cast("set[Connection]", self.listener.state.connections)
        connections.add(self)
        self.deadline = self.loop.time() + self.listener.limits.keep_alive_s
        if len(connections) > self.listener.limits.connections:
            self._reject_now(BUSY)

    def data_received(self, data: bytes) -> None:
        """Serve a whole request of the fast lane, or feed the parser."""
        known = self.listener.known_heads
        if (
            known is not None
            and self._current is None
            and self._drained is None
            and not self._in_head
            and self._serve_fast(known, data)
        ):
            return
        self._feed(data)

    def _feed(self, data: bytes) -> None:
        """Parse until a request has to wait."""
        while len(data) > MOST_PARSED:
            self._parse(data[:MOST_PARSED])
            data = data[MOST_PARSED:]
            if self._rejection is not None:
                return
            if self._waiting:
                self._rest = data
                return
        self._parse(data)

    def _feed_rest(self) -> None:
        """Parse on what was read before."""
        data, self._rest = self._rest, b""
        if not self._transport.is_closing():
            self._feed(data)
            self.resume_reading()

    def _parse(self, data: bytes) -> None:
        if self._left:
            self._take(data)
            return
        self._chunk = len(data)
        self._fed += self._chunk
        self._fresh = not self._open
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # There is nothing to upgrade to: the request is served as it is, with its body, which the parser takes for
            # another protocol. What follows is nothing we know.
            if (exchange := self._newest()) is not None:
                exchange.keep_alive = False
            self._take(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            if not isinstance(error.__context__, Rejection):
                raise
            self._reject(error.__context__)
        except httptools.HttpParserError:
            self._reject(NOT_HTTP)
        else:
            if self._fed > self._most_head and (self._in_head or self._in_tail):
                self._reject(too_large(self._most_head))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Tell who waits for this client."""
        self.listener.state.connections.discard(cast("Any", self))
        self.deadline = _NEVER
        self.unsent = None
        self._waiting.clear()
        self._rest = b""
        self._parser = None  # it holds us, too
        if self._current is not None:
            self._current.leave()
        self.resume_writing()

    def eof_received(self) -> None:
        """Close: who sends nothing more has left."""
        self._close()

    def pause_writing(self) -> None:
        """Let those who write wait."""
        self._drained = self.loop.create_future()
        self._watch()

    def resume_writing(self) -> None:
        """Let those who write go on."""
        if not self._transport.is_closing():
            self.unsent = None
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    def shutdown(self) -> None:
        """Let the request under way finish and then close; called by uvicorn."""
        self.listener.last_requests()
        if (newest := self._newest()) is not None:
            newest.keep_alive = False
        elif not self._open:
            self._close()

    # -- called by the parser --------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Start a request."""
        self._open = self._in_head = True
        self._url, self._headers = b"", []
        self._counted = 0
        # Where in a read a request begins is known of the first one alone. What is complete of a head is counted.
        self._fed = self._chunk if self._fresh else 0
        self._fresh = False
        if self._current is None:
            self.deadline = self.loop.time() + self.listener.limits.header_s

    def on_url(self, url: bytes) -> None:
        """Take (a part of) the target."""
        self._url += url
        self._counted += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. Those after a chunked body are none: they are counted and forgotten (RFC 9110 §6.5.1)."""
        self._counted += len(name) + len(value) + 4
        if self._counted > self._most_head:
            raise too_large(self._most_head)
        if self._in_head:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Call the application."""
        self._in_head = False
        if self._counted > self._most_head:
            raise too_large(self._most_head)
        if self._transport.is_closing():
            raise NOT_HTTP  # nobody is answered any more
        self._counted = 0
        scope = scope_of(
            self._parser, self._url, self._headers, root=self.listener.root_path, client=self.client, server=self.server
        )
        if self._parser.should_upgrade():
            self._left = length_of(self._headers)
        exchange = Exchange(self, scope, keep_alive=self._parser.should_keep_alive() and not self.listener.leaving)
        if self._current is None:
            self._start(exchange)
        else:
            self._waiting.append(exchange)
            self.pause_reading()

    def on_chunk_header(self) -> None:
        """Await a part of the body, or what follows the last one."""
        self._in_tail = True
        self._fed = 0

    def on_body(self, body: bytes) -> None:
        """Hand a part of the body on."""
        self._in_tail = False
        exchange = self._newest()
        if exchange is not None and exchange.feed(body) > BODY_BUFFER:
            self.pause_reading()

    def on_message_complete(self) -> None:
        """End a body."""
        if self._left:
            return  # the parser does not see it
        self._open = self._in_tail = False
        exchange = self._newest()
        if exchange is not None:
            exchange.end()
            if exchange is self._current:
                self.deadline = _NEVER
                if exchange.complete:
                    self.finished(exchange)

    # -- called by the exchange ------------------------------------------------------------------------------------

    @property
    def drained(self) -> asyncio.Future[None] | None:
        """Return what to wait for before writing more; None: nothing."""
        return self._drained

    def write(self, data: bytes) -> None:
        """Send bytes, if anybody is there."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def finished(self, exchange: ConnectionExchange) -> None:
        """Learn that a response is complete: serve the next request, or close.

        What is left of a body nobody takes is read all the same, within its time: closing before would make the client
        lose the answer.
        """
        if not exchange.ended and self._rejection is None:
            self.resume_reading()
            return
        self.listener.state.total_requests += 1
        self._current = None
        if not exchange.keep_alive:
            self._close()
            return
        self.deadline = self.loop.time() + self.listener.limits.keep_alive_s
        if self._waiting:
            self._start(self._waiting.popleft())
        elif self._rejection is not None:
            self._reject_now(self._rejection)
        if self._rest and not self._waiting:
            self.loop.call_soon(self._feed_rest)
        if not self._reading:
            self.resume_reading()

    def ask_application(self, scope: Scope, body: bytes, *, keep_alive: bool) -> None:
        """Ask the application about a request whose body is complete.

        Args:
            scope: of a request with the same head, which another client may have sent.
        """
        own = {**scope, "headers": [*scope["headers"]], "client": self.client, "server": self.server}
        exchange = Exchange(self, own, keep_alive=keep_alive)
        exchange.feed(body)
        exchange.end()
        self._start(exchange)

    def abort(self) -> None:
        """Cut the client off, because the application failed in the middle of a response."""
        self._transport.abort()

    def pause_reading(self) -> None:
        """Let the client wait."""
        if self._reading and not self._transport.is_closing():
            self._reading = False
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on, unless something waits, or what was read last is refused."""
        if self._reading or self._waiting or self._rest or self._rejection is not None:
            return
        if not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    # -- limits ----------------------------------------------------------------------------------------------------

    def check(self, now: float) -> None:
        """Cut off a client that takes nothing; close if something did not come in time."""
        limits = self.listener.limits
        if self.unsent is not None and self.unsent.stuck(now, limits.write_s, limits.write_bytes):
            log.info("cut off %s, who took next to nothing in %.0f seconds", self.client, limits.write_s)
            self._transport.abort()
        elif self.deadline < now:
            self._overdue()

    def _overdue(self) -> None:
        current = self._current
        if current is not None and not current.started:
            current.leave()
            self._reject_now(SLOW_BODY)
        elif current is None and self._in_head:
            self._reject_now(SLOW_HEAD)
        else:
            self._close()

    def _reject(self, rejection: Rejection) -> None:
        """Refuse what came last, once all before it is answered, and read nothing more."""
        if self._transport.is_closing():
            return
        self.pause_reading()
        self._rejection = rejection
        newest = self._newest()
        if newest is not None and not newest.ended:
            # It is the body of this one that is wrong.
            if self._waiting:
                self._waiting.pop()
            elif not newest.started:
                newest.leave()
                self._current = None
            elif newest.complete:
                self._close()
            else:
                newest.keep_alive = False
        if self._current is None:
            self._reject_now(rejection)

    def _reject_now(self, rejection: Rejection) -> None:
        """Answer what no application is asked about, and close."""
        self._transport.write(rejection.response(self.listener.default_lines()))
        self._close()

    def _close(self) -> None:
        """Close once what was written has been taken."""
        self.deadline = _NEVER
        self._transport.close()
        self._watch()

    def _watch(self) -> None:
        if self.unsent is None and self._transport.get_write_buffer_size():
            self.unsent = UnsentBytes(self._transport, self.loop.time())

    # -- requests --------------------------------------------------------------------------------------------------

    def _serve_fast(self, known: KnownHeads, data: bytes) -> bool:
        """Serve a whole request of the fast lane; False: it is not of that kind, nothing was done."""
        exchange = known.exchange(self, data)
        if exchange is None or self._transport.is_closing():
            return False
        if exchange.begin():
            self._current = exchange
            self.deadline = _NEVER
        else:
            self.ask_application(exchange.scope, exchange.body, keep_alive=True)
        return True

    def _take(self, data: bytes) -> None:
        """Take a part of a body that the parser does not see, if there is one."""
        body = data[: self._left]
        self._left -= len(body)
        if body:
            self.on_body(body)
            if not self._left:
                self.on_message_complete()

    def _newest(self) -> ConnectionExchange | None:
        return self._waiting[-1] if self._waiting else self._current

    def _start(self, exchange: Exchange) -> None:
        self._current = exchange
        self.deadline = _NEVER if exchange.ended else self.loop.time() + self.listener.limits.body_s
        tasks = self.listener.state.tasks
        assert self.listener.app is not None, "it made this connection"
        task = self.loop.create_task(exchange.run(self.listener.app))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
