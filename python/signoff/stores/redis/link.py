"""One connection to a server: commands go out in the order of the calls, and none is ever sent twice.

The protocol is spoken here and not by a client library: a commit begins at the call, calls share the connection without
waiting for one another, and whoever has lost a reply knows that it was lost. A client that repeats what got no answer
would run a command twice.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Any, Final, cast

import hiredis

from signoff.errors import StoreUnavailable
from signoff.stores.redis.options import NodeAddress, Options
from signoff.stores.tls import why_refused

RedisArg = bytes | str | int
"""What commands are made of."""

OnReply = Callable[[Any], None]
"""Called with a reply, or with the exception that there is instead of one."""

Then = tuple[asyncio.Future[Any], OnReply]
"""What is returned of a call, and what ends it."""

_LOOK_S: Final = 1.0
_numbers: Final = count()


class DroppedReply(StoreUnavailable):
    """The connection broke after a command was sent: whether it was run is not known.

    Args:
        link: the connection; what was sent may be on its way still.
        why: what happened to it.
    """

    def __init__(self, link: ServerLink, why: str) -> None:
        super().__init__(f"The connection to Redis at {link.address} was lost: {why}.")
        self.link = link


class RefusedReply(Exception):
    """A server's error in answer to a command."""

    @property
    def code(self) -> str:
        """Return the first word, e.g. `NOSCRIPT`."""
        return str(self).partition(" ")[0]


class ServerLink(asyncio.Protocol):
    """A connection, until it breaks.

    Args:
        address: of the server.
        options: how to log in, how long to wait.
        on_push: called with what is published on a channel that was subscribed to.
    """

    def __init__(
        self, address: NodeAddress, options: Options, on_push: Callable[[list[Any]], None] | None = None
    ) -> None:
        self.address = address
        self.client_id = 0
        self.name = f"{options.client_name}-{next(_numbers)}"
        self._options = options
        self._on_push = on_push
        self._reader = hiredis.Reader(replyError=RefusedReply)
        self._waiting: deque[tuple[float, asyncio.Future[Any], OnReply | None]] = deque()
        self._transport: asyncio.Transport | None = None
        self._why: str | None = "it is not connected"
        self._watchdog: asyncio.TimerHandle | None = None
        self._ended = asyncio.Event()

    @property
    def up(self) -> bool:
        """Tell whether commands can be sent."""
        return self._why is None

    async def connect(self) -> None:
        """Connect and log in.

        Raises:
            StoreUnavailable: the server cannot be reached, or does not let us in.
        """
        loop, options, address = asyncio.get_running_loop(), self._options, self.address
        try:
            async with asyncio.timeout(options.connect_s):
                if address.socket:
                    await loop.create_unix_connection(lambda: self, address.socket)
                else:
                    await loop.create_connection(
                        lambda: self, address.host, address.port, ssl=options.tls, server_hostname=options.server_name
                    )
                await self._log_in()
        except (OSError, TimeoutError, RefusedReply, DroppedReply) as error:
            self.abort()
            if isinstance(error, ConnectionRefusedError):
                why = "nothing listens there; start the server, or correct the URL"
            else:
                silent = "no answer in time" + ("; does it speak TLS there" if options.tls else "")
                why = why_refused(error, "ca") or str(error) or silent
            raise unwritten(f"Redis at {address} cannot be used: {why.rstrip('.')}.") from error
        except BaseException:
            self.abort()
            raise
        self._watchdog = loop.call_later(_LOOK_S, self._watch)

    async def _log_in(self) -> None:
        options = self._options
        if options.password is not None:
            user = () if options.user is None else (options.user,)
            await self.call("AUTH", *user, options.password)
        if options.database:
            await self.call("SELECT", options.database)
        await self.call("CLIENT", "SETNAME", self.name)
        self.client_id = await self.call("CLIENT", "ID")

    def call(self, *command: RedisArg, then: Then | None = None) -> asyncio.Future[Any]:
        """Send a command now; the future ends with the reply.

        Args:
            then: what is returned instead of a future of its own, and what ends it, sooner or later: it is called with
                the reply, or with what the future would raise, as soon as that is here, and must not fail.

        Raises (through the future):
            RefusedReply: the server answered with an error.
            DroppedReply: the connection broke, and the command may have been run.
            StoreUnavailable: there is no connection, and nothing was sent.
        """
        loop = asyncio.get_running_loop()
        reply, on_reply = then or (loop.create_future(), None)
        transport = self._transport
        if transport is None:
            _end(reply, on_reply, unwritten(f"The connection to Redis is lost: {self._why}."))
            return reply
        self._waiting.append((loop.time(), reply, on_reply))
        transport.write(hiredis.pack_command(command))  # type: ignore[arg-type]  # of any number of them
        return reply

    def abort(self) -> None:
        """Break the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """Close the connection once what was sent is answered."""
        waiting = [ended for _, ended, _ in self._waiting]
        if waiting:
            await asyncio.wait(waiting, timeout=self._options.reply_s)
        if self._transport is not None:
            self._transport.close()
            await self._ended.wait()

    # -- what the loop calls ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        # Whoever calls waits for the reply, so little is ever under way.
        self._transport.set_write_buffer_limits(high=1 << 30)
        self._why = None

    def data_received(self, data: bytes) -> None:
        """Hand replies to those who wait for them."""
        self._reader.feed(data)
        waiting = self._waiting
        while (reply := self._reader.gets()) is not False:
            if not waiting or (self._on_push is not None and _is_push(reply)):
                if self._on_push is not None:
                    self._on_push(reply)
                continue
            _, future, on_reply = waiting.popleft()
            _end(future, on_reply, reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell all who wait that their replies will not come."""
        self._transport = None
        self._why = (why_refused(exc, "ca") or str(exc)) if exc else "the server closed it"
        if self._watchdog is not None:
            self._watchdog.cancel()
        waiting, self._waiting = self._waiting, deque()
        for _, future, on_reply in waiting:
            _end(future, on_reply, DroppedReply(self, self._why))
        self._ended.set()

    async def ended(self) -> None:
        """Wait until the connection is gone."""
        await self._ended.wait()

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        if self._waiting and loop.time() - self._waiting[0][0] > self._options.reply_s:
            self.abort()
            return
        self._watchdog = loop.call_later(_LOOK_S, self._watch)


def unwritten(why: str) -> StoreUnavailable:
    """Make the error for a command that was not run, which says so to whoever sent the request, too."""
    return StoreUnavailable(
        f"{why} Nothing was written.",
        public_detail="The server's store cannot be used right now. Nothing was written. Try again in a while, with "
        "the same ids.",
    )


def _end(future: asyncio.Future[Any], on_reply: OnReply | None, reply: Any) -> None:
    """End a call by its reply, or by the error that there is instead of one."""
    if on_reply is not None:
        on_reply(reply)
    elif future.done():
        return
    elif isinstance(reply, Exception):
        future.set_exception(reply)
        future.exception()  # or asyncio logs a traceback for each that nobody asks for
    else:
        future.set_result(reply)


def _is_push(reply: Any) -> bool:
    return isinstance(reply, list) and len(reply) == 3 and reply[0] == b"message"
