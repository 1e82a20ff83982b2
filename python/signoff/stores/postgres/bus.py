"""Wake-ups across processes: what is told after commits, in batches, and what is heard.

A notice in the transaction of a commit would hold a lock that all commits with notices share; so one connection tells
afterwards, some topics at a time, and only while another process is known to listen. A notice is a hint. Where it
cannot be heard (behind a pooler), or may have been missed (after a lost connection), everybody looks.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import orjson

from signoff.errors import StoreError
from signoff.outages import OutageLog
from signoff.stores.bus import ELSEWHERE, LocalBus
from signoff.stores.postgres.address import POLL
from signoff.stores.postgres.connections import AskServer, Connector, ServerConnection, close
from signoff.stores.postgres.trouble import CAUGHT

log = logging.getLogger(__name__)

_LARGEST: Final = 7_900
"""Bytes of a notice at most; the server takes 7,999."""

_APART_S: Final = 0.002
"""Seconds between two notices of one process that tells much: what comes meanwhile goes together."""

_AT_ONCE: Final = 4
"""Notices after a while of silence that need not wait for each other: an answer and all it brings about."""

_POLL_S: Final = 0.1
_AGAIN_S: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

_LOOK: Final = "*"
"""A notice that names no topic: look yourself."""

_HELLO, _HERE, _GONE = "?", "+", "-"
_NO_NEWS: Final = frozenset((_HELLO, _HERE, _GONE))
"""Notices by which those who listen know of each other: who has come asks who is here, and who goes says so."""

_HERE_EVERY_S: Final = 20.0
_FORGET_S: Final = 70.0
"""Seconds after which one who has not said that it is here counts as gone."""

_TELL: Final = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)"
_STATE: Final = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"


class ServerBus(LocalBus):
    """The bus of a store on a server.

    Args:
        connector: makes the connection that hears.
        ask: asks the server a statement; what tells goes this way.
        channel: the name both sides use.
        me: what marks our own notices.
    """

    def __init__(self, connector: Connector, ask: AskServer, channel: str, me: str) -> None:
        super().__init__()
        self._connector = connector
        self._ask = ask
        self._channel = channel
        self._me = me
        self._pending: dict[str, None] = {}
        self._telling: asyncio.Task[None] | None = None
        self._hearing: asyncio.Task[None] | None = None
        self._open = False
        self._others: dict[str, float] = {}
        self._deaf = False
        self._counted_to = 0.0  # up to when notices of one every _APART_S would be told
        self._untold = False  # something was told to nobody, since nobody was known
        self._outage = OutageLog(log, "wake-ups of other processes are not heard")

    def start(self) -> None:
        """Begin to hear."""
        self._open = True
        self._hearing = asyncio.get_running_loop().create_task(self._hear())

    async def stop(self) -> None:
        """Tell what is left, and hear no more."""
        if self._others:
            self._tell_later([_GONE])
        self._open = False
        if self._telling is not None:
            await self._telling
        if self._hearing is not None:
            self._hearing.cancel()
            with suppress(asyncio.CancelledError):
                await self._hearing

    def emit(self, topics: Iterable[str]) -> None:
        """Wake the subscribers of these topics here, and tell other processes."""
        topics = tuple(topics)
        self.wake(topics)
        if topics and self._heard_by_others():
            self._tell_later(topics)
        elif topics:
            self._untold = True

    def _heard_by_others(self) -> bool:
        """Tell whether another process listens, as far as can be known."""
        if self._others and min(self._others.values()) < time.monotonic() - _FORGET_S:
            since = time.monotonic() - _FORGET_S
            self._others = {one: at for one, at in self._others.items() if at >= since}
        return bool(self._others) or self._deaf

    def _tell_later(self, topics: Iterable[str]) -> None:
        if self._open:
            self._pending.update(dict.fromkeys(topics))
            if self._telling is None:
                self._telling = asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        try:
            while self._pending:
                topics, self._pending = [*self._pending], {}
                text = orjson.dumps([self._me, *topics]).decode()
                if len(text.encode()) > _LARGEST:
                    text = orjson.dumps([self._me, _LOOK]).decode()
                try:
                    await self._ask(_TELL, self._channel, text)
                except StoreError as error:
                    log.debug("wake-ups for other processes were lost: %s", error)
                await asyncio.sleep(self._wait())
        finally:
            self._telling = None

    def _wait(self) -> float:
        """Count a notice, and return how many seconds the next one has to wait."""
        now = time.monotonic()
        self._counted_to = max(self._counted_to, now) + _APART_S
        return max(0.0, self._counted_to - now - (_AT_ONCE - 1) * _APART_S)

    # -- hearing ---------------------------------------------------------------------------------------------------

    async def _hear(self) -> None:
        address = self._connector.address
        if address.listen == POLL or (address.listen is None and self._connector.pooled):
            self._deaf = True
            await self._poll()
            return
        tried = 0
        while True:
            try:
                connection = await self._connector.connect(dsn=address.listen)
            except StoreError as error:
                self._outage.failed(error)
            else:
                if tried:
                    self._look()
                tried = 0
                await self._listen(connection)
            await asyncio.sleep(_AGAIN_S[min(tried, len(_AGAIN_S) - 1)])
            tried += 1

    async def _listen(self, connection: ServerConnection) -> None:
        """Hear until the connection is gone."""
        gone = asyncio.Event()
        connection.add_termination_listener(lambda _: gone.set())
        try:
            await connection.add_listener(self._channel, self._heard)
            self._outage.over()
            self._tell_later([_HELLO])
            while not gone.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(_HERE_EVERY_S):
                        await gone.wait()
                self._tell_later([_HERE])
        except CAUGHT as error:
            self._outage.failed(error)
        finally:
            await close(connection)

    def _heard(self, _connection: object, _pid: int, _channel: str, text: object) -> None:
        try:
            sender, *topics = orjson.loads(str(text))
        except (orjson.JSONDecodeError, TypeError, ValueError):
            return
        if sender == self._me:
            return
        if self._untold and sender not in self._others:
            self._untold = False
            self._tell_later([_LOOK])
        self._others[sender] = time.monotonic()
        if _HELLO in topics:
            self._tell_later([_HERE])
        if _GONE in topics:
            del self._others[sender]
        if _LOOK in topics:
            self._look()
        elif news := [topic for topic in topics if topic not in _NO_NEWS]:
            self.wake([*news, ELSEWHERE])

    def _look(self) -> None:
        self.wake(self.topics)

    async def _poll(self) -> None:
        """Look whether anything was committed on the server, and wake everybody if so."""
        state = None
        while True:
            await asyncio.sleep(_POLL_S)
            if not self.topics:
                continue
            try:
                rows = await self._ask(_STATE)
            except StoreError:
                continue
            if rows[0][0] != state:
                state = rows[0][0]
                self._look()
