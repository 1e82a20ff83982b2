"""Leases that are kept from a thread of their own, so that users' code that blocks the loop costs no lease."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

from signoff.stores.change import Name
from signoff.stores.postgres.connections import Connector, ServerConnection, close
from signoff.stores.postgres.statements import Statements
from signoff.stores.postgres.trouble import CAUGHT, closed, is_collision, is_lost, is_read_only, unavailable

T = TypeVar("T")

_TRIES = 5


class LeaseKeeper:
    """A thread with an event loop and a connection, for renewals and releases.

    Args:
        connector: makes the connection.
        sql: the statements of `write.sql`.
    """

    def __init__(self, connector: Connector, sql: Statements) -> None:
        self._connector = connector
        self._sql = sql
        self._connection: ServerConnection | None = None
        self._turn: asyncio.Lock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._thread: threading.Thread | None = None

    async def renew(
        self, owner: str, leases: Mapping[Name, int], until: int, along: Name | None, *, shift: int
    ) -> set[Name]:
        """Extend leases; return the names of those that are lost.

        Args:
            shift: how far the server's clock is ahead of ours.
        """
        return await self._elsewhere(self._renew(owner, dict(leases), until, along, shift))

    async def release(self, owner: str, leases: Mapping[Name, int]) -> None:
        """Give leases up."""
        if leases:
            await self._elsewhere(self._ask("release", owner, *_columns(dict(leases))))

    async def stop(self) -> None:
        """Close the connection and end the thread."""
        with self._lock:
            self._closed = True
            loop, thread = self._loop, self._thread
        if loop is not None and thread is not None:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._close(), loop))
            loop.call_soon_threadsafe(loop.stop)
            await asyncio.to_thread(thread.join)

    async def _elsewhere(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something on the thread, whoever asks; who asks waits on a loop of its own."""
        try:
            loop = self._running()
        except BaseException:
            work.close()
            raise
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._closed:
                raise closed(self._connector.address)
            if self._loop is None:
                started: Future[asyncio.AbstractEventLoop] = Future()
                self._thread = threading.Thread(target=self._main, args=(started,), name="signoff-leases", daemon=True)
                self._thread.start()
                self._loop = started.result()
            return self._loop

    def _main(self, started: Future[asyncio.AbstractEventLoop]) -> None:
        loop = asyncio.new_event_loop()
        self._turn = asyncio.Lock()
        started.set_result(loop)
        try:
            loop.run_forever()
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    # -- on the thread ---------------------------------------------------------------------------------------------

    async def _renew(
        self, owner: str, leases: dict[Name, int], until: int, along: Name | None, shift: int
    ) -> set[Name]:
        if along is not None:
            await self._ask("wake", *along, until)
        if not leases:
            return set()
        held = {row[0] for row in await self._ask("renew", owner, *_columns(leases), until + shift)}
        return {name for place, name in enumerate(leases, 1) if place not in held}

    async def _ask(self, name: str, *values: Any) -> Any:
        """Ask; what is asked here may be done twice, so a dead connection is no reason to fail."""
        async with self._turn:
            tried = 0
            while True:
                tried += 1
                if self._connection is None or self._connection.is_closed():
                    self._connection = await self._connector.connect()
                try:
                    return await self._connection.fetch(self._sql[name], *values)
                except CAUGHT as error:
                    if is_lost(error) or is_read_only(error):
                        self._connection.terminate()
                    elif not is_collision(error):
                        raise unavailable(self._connector.address, error) from error
                    if tried >= _TRIES:
                        raise unavailable(self._connector.address, error) from error

    async def _close(self) -> None:
        if self._connection is not None:
            await close(self._connection)


def _columns(leases: Mapping[Name, int]) -> tuple[list[str], list[str], list[int]]:
    return [name.kind for name in leases], [name.id for name in leases], [*leases.values()]
