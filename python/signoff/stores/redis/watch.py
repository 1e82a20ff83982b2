"""Wake-ups between processes: what one commits it publishes, on one channel, after the fact and in the background.

A hint may be lost: while the connection is down all who listen are woken again and again, and look for themselves.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

from signoff.errors import StoreUnavailable
from signoff.outages import OutageLog
from signoff.stores.bus import ELSEWHERE, LocalBus
from signoff.stores.redis.link import ServerLink
from signoff.stores.redis.nodes import Nodes
from signoff.stores.redis.options import NodeAddress, Options

log = logging.getLogger(__name__)

POLL_S: Final = 1.0
"""Seconds between two looks while nothing is heard."""

_MOST: Final = 200
"""Topics in one message; more become one that says: look yourselves."""

_HELLO: Final = b"?"
_LOOK: Final = b"*"


class Watch:
    """The bus of a store: wakes at home at once, and elsewhere through the server.

    Args:
        options: what the URL says.
        nodes: the connections by which is published.
    """

    def __init__(self, options: Options, nodes: Nodes) -> None:
        self.bus = _Bus(self._emitted)
        self._options = options
        self._nodes = nodes
        self._channel = f"{options.prefix}:news"
        self._me = options.client_name.encode()
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._topics: dict[str, None] = {}
        self._publishing: asyncio.Future[Any] | None = None
        self._alone = False
        self._heard = asyncio.Event()
        self._outage = OutageLog(log, "wake-ups of other processes are not heard")

    async def open(self) -> None:
        """Begin to listen."""
        self._loop = asyncio.get_running_loop()
        self._heard.clear()
        self._task = asyncio.ensure_future(self._listen())
        await self._heard.wait()

    async def close(self) -> None:
        """Stop listening."""
        task, self._task, self._loop = self._task, None, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    # -- to others -------------------------------------------------------------------------------------------------

    def _emitted(self, topics: Iterable[str]) -> None:
        if self._alone or self._loop is None:
            return
        self._topics.update(dict.fromkeys(topics))
        if self._topics and self._publishing is None:
            self._publish()

    def _publish(self) -> None:
        """Publish what has gathered; more gathers meanwhile."""
        topics, self._topics = self._topics, {}
        text = _LOOK if len(topics) > _MOST else "\n".join(one.replace("\n", " ") for one in topics).encode()
        link = self._nodes.link(0)
        if link is None:
            return
        self._publishing = link.call("PUBLISH", self._channel, self._me + b"\n" + text)
        self._publishing.add_done_callback(self._published)

    def _published(self, done: asyncio.Future[Any]) -> None:
        self._publishing = None
        if done.cancelled() or done.exception() is not None:
            return
        # Whoever begins to listen says so; until then it is for nobody but us.
        self._alone = done.result() <= 1 and not self._nodes.clustered
        if self._topics:
            self._publish()

    # -- from others -----------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except StoreUnavailable as error:
                self._outage.failed(error)
            else:
                self._outage.failed("the connection was lost")
            self._heard.set()
            self._alone = False
            self._wake_all()
            await asyncio.sleep(POLL_S)

    async def _listen_once(self) -> None:
        link = ServerLink(self._address(), self._options, self._hear)
        try:
            await link.connect()
            await link.call("SUBSCRIBE", self._channel)
            publisher = await self._nodes.reach(0)
            await publisher.call("PUBLISH", self._channel, self._me + b"\n" + _HELLO)
            self._outage.over()
            self._heard.set()
            self._wake_all()
            await link.ended()
        finally:
            link.abort()

    def _address(self) -> NodeAddress:
        return self._nodes.addresses[0]

    def _hear(self, message: list[Any]) -> None:
        sender, _, text = message[2].partition(b"\n")
        if sender == self._me:
            return
        if text == _HELLO:
            self._alone = False
        elif text == _LOOK:
            self._wake_all()
        else:
            self.bus.wake((*text.decode().split("\n"), ELSEWHERE))

    def _wake_all(self) -> None:
        self.bus.wake(self.bus.topics)


class _Bus(LocalBus):
    """A bus that tells others, too, what was emitted."""

    def __init__(self, tell: Callable[[Iterable[str]], None]) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, topics: Iterable[str]) -> None:
        """Wake the subscribers of these topics, here and elsewhere."""
        topics = tuple(topics)
        self.wake(topics)
        self._tell(topics)
