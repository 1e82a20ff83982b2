"""Connections to the server: how one is made, and those that are shared by readers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

import asyncpg

from signoff.stores.postgres.address import PostgresAddress, shown_dsn
from signoff.stores.postgres.trouble import CAUGHT, is_lost, is_read_only, unavailable

ServerConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
AskServer = Callable[..., Awaitable[list[Any]]]
"""Asks a statement, with its values; returns the rows."""


PLANS: Final = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}
"""Settings by which a plan leads through indexes, whatever is known of the tables by the time it is made."""


class Connector:
    """What connects to one server, once it is known whether a pooler stands before it.

    Behind one that lends its connections for single transactions (PgBouncer) nothing may be left in a session: no
    prepared statement, no setting.

    Args:
        address: where.
    """

    def __init__(self, address: PostgresAddress) -> None:
        self.address = address
        self.pooled: bool | None = None

    async def connect(self, *, dsn: str | None = None, plain: bool = False, patient: bool = False) -> ServerConnection:
        """Make a connection.

        Args:
            dsn: where, if not at the address itself.
            plain: without our settings of how statements are planned, for others' statements.
            patient: no statement is given up, however long it takes; behind a pooler, unless the server does so itself.

        Raises:
            StoreUnavailable: the server cannot be reached, or does not let us in.
        """
        try:
            if self.pooled is None:
                connection = await self._connect(dsn, pooled=True)
                # A pooler makes up the process that it names at the beginning.
                pid = await connection.fetchval("SELECT pg_backend_pid()")
                self.pooled = pid != connection.get_server_pid()
                if self.pooled:
                    return connection
                await connection.close()
            return await self._connect(dsn, pooled=self.pooled and dsn is None, plain=plain, patient=patient)
        except (*CAUGHT, ValueError) as error:
            where = "" if dsn is None else f"listen={shown_dsn(dsn)}"
            raise unavailable(self.address, error, where=where) from error

    async def _connect(
        self, dsn: str | None, *, pooled: bool, plain: bool = False, patient: bool = False
    ) -> ServerConnection:
        address = self.address
        limit_ms = 0 if patient else address.statement_timeout_ms
        settings = {"application_name": address.application_name}
        if not pooled:
            settings |= {"statement_timeout": str(limit_ms), **({} if plain else PLANS)}
        return await asyncpg.connect(
            dsn or address.dsn,
            timeout=address.connect_timeout_s,
            command_timeout=limit_ms / 1000 + 5 if limit_ms else None,
            statement_cache_size=0 if pooled else 200,
            max_cached_statement_lifetime=0,
            server_settings=settings,
        )


class Pool:
    """Connections that readers take for one statement, the one used last first.

    Args:
        connect: makes one.
        address: of the server.
    """

    def __init__(self, connect: Callable[[], Any], address: PostgresAddress) -> None:
        self._connect = connect
        self._address = address
        self._idle: list[ServerConnection] = []
        self._count = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def fetch(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        """Ask one thing, which writes nothing that may not be written twice; a dead connection is no reason to fail."""
        for last in (False, True):
            async with self.connection() as connection:
                try:
                    found: list[asyncpg.Record] = await connection.fetch(sql, *values)
                except CAUGHT as error:
                    useless = is_lost(error) or is_read_only(error)
                    if useless:
                        connection.terminate()
                        self._drop_idle()
                    if last or not useless:
                        raise unavailable(self._address, error) from error
                else:
                    return found
        raise AssertionError

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[ServerConnection]:
        """Have a connection of one's own for a while."""
        connection = await self._take()
        try:
            yield connection
        finally:
            self._give_back(connection)

    async def _take(self) -> ServerConnection:
        while True:
            while self._idle:
                connection = self._idle.pop()
                if not connection.is_closed():
                    return connection
                self._count -= 1
            if self._count < self._address.pool:
                self._count += 1
                try:
                    connection = await self._connect()
                except BaseException:
                    self._count -= 1
                    self._wake()
                    raise
                return connection
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()
                raise

    def _give_back(self, connection: ServerConnection) -> None:
        if connection.is_closed():
            self._count -= 1
        else:
            self._idle.append(connection)
        self._wake()

    def _wake(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _drop_idle(self) -> None:
        """Let go of the others that are idle: what has ended one has most likely ended all."""
        for connection in self._idle:
            connection.terminate()

    async def close(self) -> None:
        """Close what is idle."""
        idle, self._idle = self._idle, []
        self._count -= len(idle)
        for connection in idle:
            await close(connection)


async def close(connection: ServerConnection) -> None:
    """Close a connection, and at once if the server does not answer."""
    try:
        await connection.close(timeout=2)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError):
        connection.terminate()
