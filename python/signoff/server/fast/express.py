"""The express lane: requests that need no task, because all there is to wait for is a commit.

A connection that is idle and gets a whole request at once shows it here first. From the head of the request alone an
application's lane makes a plan, or says that the request is none of its; the plan takes the body, and answers later.
Whatever a plan does not take is served as ASGI, by the application itself: so the lane decides nothing and
refuses nothing, and is never more than a shorter way to the same answer.

Clients that keep a connection repeat themselves: plans are remembered by the bytes of the head they were made from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import httptools

from signoff.server.http.reply import Header, Scope
from signoff.server.http11.head import scope_of
from signoff.server.http11.refusal import Refused

MOST_BODY: Final = 64 * 1024
"""Bytes of a body that are served here; a larger one rarely arrives at once."""

REMEMBERED: Final = 1024
LONGEST: Final = 4096
"""Plans that are remembered, and bytes of the heads they were made from, at most."""


class Asking(Protocol):
    """Be a request that waits for its answer. One of these is called, once."""

    def answer(self, status: int, lines: bytes, body: bytes = b"") -> None:
        """Answer with a status, header lines of which each ends with a line break, and a body."""
        ...

    def decline(self) -> None:
        """Let the application answer after all."""
        ...


class Plan(Protocol):
    """Know of a request all but its body.

    Attributes:
        repeats: the same head may come again.
    """

    @property
    def repeats(self) -> bool:
        """Tell whether the same head may come again."""
        ...

    def serve(self, body: bytes, reply: Callable[[Any], None]) -> bool:
        """Take a request, and call `reply` later, never at once; False: ask the application, nothing was done."""
        ...

    def answer(self, result: Any, asking: Asking) -> None:
        """Answer a request with what `reply` was called with."""
        ...


class Lane(Protocol):
    """Be what an application serves without a task."""

    def plan(self, scope: Scope) -> Plan | None:
        """Return what to do about a request with this head, whoever sends it from the same address; None: ask ASGI."""
        ...


@dataclass(frozen=True, slots=True)
class Planned:
    """Hold a plan, the scope it was made from and the length its body must have."""

    plan: Plan
    scope: Scope
    length: int


class Express:
    """Find plans for what connections of one server receive.

    Args:
        lane: the application's.
        root_path: where the application is mounted.
        most_head: bytes of a head at most.
    """

    def __init__(self, lane: Lane, root_path: str, most_head: int) -> None:
        self._lane = lane
        self._root_path = root_path
        self._most_head = most_head
        self._known: dict[tuple[Any, bytes], Planned | None] = {}

    def find(self, data: bytes, client: Any, server: Any) -> tuple[Planned, bytes] | None:
        """Return plan and body of the request that `data` is; None if it is not one whole request for this lane."""
        cut = data.find(b"\r\n\r\n") + 4
        head = data[:cut]
        key = (client and client[0], head)
        planned = self._known.get(key)
        if planned is None:
            if head[:5] != b"POST " or key in self._known:
                return None
            planned = self._make(head, client, server)
            if cut <= LONGEST and (planned is None or planned.plan.repeats):
                if len(self._known) >= REMEMBERED:
                    self._known.clear()
                self._known[key] = planned
            if planned is None:
                return None
        body = data[cut:]
        return (planned, body) if len(body) == planned.length else None

    def _make(self, head: bytes, client: Any, server: Any) -> Planned | None:
        if len(head) > self._most_head:
            return None
        request = _Head()
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
            scope = scope_of(parser, request.url, request.headers, root=self._root_path, client=client, server=server)
        except Refused:
            return None
        plan = self._lane.plan(scope)
        return None if plan is None else Planned(plan, scope, length)


class _Head:
    """Collect what the parser finds in the head of one request."""

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
