"""The heads of requests that were seen before, each with what its application plans to do.

A connection that is idle and gets bytes shows them here first. What is one whole request of the fast lane is parsed
here, once: its plan takes it, or the application is asked about it with what was parsed. Anything else is left to the
connection's own parser.

Clients that keep a connection repeat themselves: heads are remembered by their bytes. Finding one again takes 1 µs;
parsing it and checking origin, token and path takes 14, as much as all the rest of an append in memory
(`bench/streams.py`, docs/performance.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import httptools

from signoff.server.fast.exchange import FastExchange
from signoff.server.fast.port import FastLane, Plan
from signoff.server.http.reply import Header, Scope
from signoff.server.http11.exchange import ResponseConnection
from signoff.server.http11.head import SocketAddress, scope_of
from signoff.server.http11.rejection import Rejection

MOST_BODY: Final = 64 * 1024
"""Bytes of a body that are served here; a larger one rarely arrives at once."""

REMEMBERED: Final = 1024
LONGEST: Final = 4096
"""Heads that are remembered, and bytes of one, at most: some 10 MB together, with what was parsed."""


class ClientConnection(ResponseConnection, Protocol):
    """The connection a request came by."""

    client: SocketAddress | None
    server: SocketAddress | None


@dataclass(frozen=True, slots=True)
class KnownHead:
    """A head that was parsed.

    Attributes:
        plan: of the application; None: it is to be asked.
        scope: as the application is asked.
        length: of the body, in bytes.
    """

    plan: Plan | None
    scope: Scope
    length: int


class KnownHeads:
    """The heads that one server has seen of requests of its fast lane.

    Args:
        lane: the application's.
        root_path: where the application is mounted.
        most_head: bytes of a head at most.
    """

    def __init__(self, lane: FastLane, root_path: str, most_head: int) -> None:
        self._lane = lane
        self._root_path = root_path
        self._most_head = most_head
        # Compared with the bytes that came, so that what is not the lane's is not parsed twice and does not drive out
        # what is: answers and events have another path each time. An encoded mount point goes the long way.
        self._begins = b"POST " + root_path.encode() + lane.prefix
        self._known: dict[tuple[str | None, bytes], KnownHead | None] = {}

    def exchange(self, connection: ClientConnection, data: bytes) -> FastExchange | None:
        """Return the exchange for the request that `data` is; None if it is not one whole request for this lane."""
        if not data.startswith(self._begins):
            return None
        cut = data.find(b"\r\n\r\n") + 4
        head = data[:cut]
        client = connection.client
        # By address, since what a server without a key allows depends on it.
        key = (client and client[0], head)
        known = self._known.get(key)
        if known is None:
            if key in self._known:
                return None
            known = self._parse(head, connection)
            if cut <= LONGEST and (known is None or known.plan is None or known.plan.repeats):
                if len(self._known) >= REMEMBERED:
                    self._known.clear()
                self._known[key] = known
            if known is None:
                return None
        body = data[cut:]
        return FastExchange(connection, known.plan, known.scope, body) if len(body) == known.length else None

    def _parse(self, head: bytes, connection: ClientConnection) -> KnownHead | None:
        """Parse a head; None: leave it to the connection's parser, which refuses what is wrong."""
        if len(head) > self._most_head:
            return None
        request = _RequestHead()
        parser = httptools.HttpRequestParser(request)
        try:
            parser.feed_data(head)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return None
        length = request.length()
        if not (request.complete and parser.should_keep_alive() and parser.get_http_version() == "1.1"):
            return None
        if length is None or not 0 < length <= MOST_BODY:
            return None
        try:
            scope = scope_of(
                parser,
                request.url,
                request.headers,
                root=self._root_path,
                client=connection.client,
                server=connection.server,
            )
        except Rejection:
            return None
        return KnownHead(self._lane.plan(scope), scope, length)


class _RequestHead:
    """What the parser finds in the head of one request."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[Header] = []
        self.complete = False

    def on_url(self, url: bytes) -> None:
        """Take (a part of) the target."""
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Learn that this was all."""
        self.complete = True

    def length(self) -> int | None:
        """Return how long the body is; None if that is not said in so many words, or more is to be known about it."""
        found = None
        for name, value in self.headers:
            if name == b"content-length" and found is None and value.isdigit():
                found = int(value)
            elif name in {b"content-length", b"transfer-encoding", b"expect", b"upgrade"}:
                return None
        return found
