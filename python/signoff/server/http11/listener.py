"""The server's side of all connections: `uvicorn.Server` asks it for one whenever a client comes."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import uvicorn
from uvicorn.server import ServerState

from signoff.server.http11.connection import Connection
from signoff.server.http11.listener_state import ListenerState


class Listener(ListenerState):
    """The maker of the connections of one server.

    Args:
        limits: for all of them.

    Example:
        >>> uvicorn.Config(app, http=Listener(HttpLimits()).protocol())
    """

    def protocol(self) -> type[asyncio.Protocol]:
        """Return what `uvicorn.Config(http=…)` takes."""
        return cast("type[asyncio.Protocol]", self._connect)

    def _connect(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # noqa: ARG002 - the way uvicorn calls it
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> Connection:
        loop = _loop or asyncio.get_running_loop()
        self.begin(config, server_state, loop)
        return Connection(self, loop)
