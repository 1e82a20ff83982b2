"""What the connections of one server share: the application, the limits, and one sweep for all deadlines."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol, cast

import uvicorn
from uvicorn.server import ServerState

from signoff.server.fast.known_heads import KnownHeads
from signoff.server.fast.port import FastLane
from signoff.server.http.reply import ASGI, Header
from signoff.server.http11.limits import HttpLimits
from signoff.server.http11.unsent import UnsentBytes

SWEEP_S: Final = 1.0


class SweptConnection(Protocol):
    """A connection, as far as the sweep needs it."""

    deadline: float
    unsent: UnsentBytes | None

    def check(self, now: float) -> None:
        """Close if something is overdue."""
        ...


class ListenerState:
    """What the connections of one server share.

    Args:
        limits: for all of them.

    Attributes:
        leaving: the next response on a connection is the last one there, and says so.
    """

    def __init__(self, limits: HttpLimits) -> None:
        self.limits = limits
        self.app: ASGI | None = None
        self.state: ServerState
        self.root_path = ""
        self.log_access = False
        self.known_heads: KnownHeads | None = None
        self.leaving = False
        self._sweep: asyncio.TimerHandle | None = None
        self._defaults: list[Header] = []
        self._default_lines = b""

    def begin(self, config: uvicorn.Config, state: ServerState, loop: asyncio.AbstractEventLoop) -> None:
        """Learn of a new connection, and so whom it is served by."""
        if self.app is not config.loaded_app:
            self._serve(config)
        self.state = state
        if self._sweep is None:
            self._sweep = loop.call_later(self._every(), self._look, loop)

    def _serve(self, config: uvicorn.Config) -> None:
        app = self.app = cast("ASGI", config.loaded_app)
        self.root_path = config.root_path
        self.log_access = config.access_log
        lane: FastLane | None = getattr(app, "lane", None)
        if lane is not None and not self.log_access and not self.leaving:
            self.known_heads = KnownHeads(lane, self.root_path, self.limits.header_bytes)

    def last_requests(self) -> None:
        """Have the next response on each connection be its last, and say so; none takes the fast lane any more."""
        self.leaving = True
        self.known_heads = None

    def default_lines(self) -> bytes:
        """Return the headers of every response, which uvicorn renews once a second."""
        if self.state.default_headers is not self._defaults:
            self._defaults = self.state.default_headers
            self._default_lines = b"".join(b"%s: %s\r\n" % pair for pair in self._defaults)
        return self._default_lines

    def sweep(self, now: float) -> None:
        """Close what is overdue at this time of the loop, and cut off who takes nothing."""
        connections = cast("set[SweptConnection]", self.state.connections)
        for connection in [one for one in connections if one.deadline < now or one.unsent is not None]:
            connection.check(now)

    def _every(self) -> float:
        limits = self.limits
        times = (limits.header_s, limits.body_s, limits.keep_alive_s, limits.write_s)
        return min(SWEEP_S, min(times) / 2)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._sweep = None
        self.sweep(loop.time())
        if self.state.connections:
            self._sweep = loop.call_later(self._every(), self._look, loop)
