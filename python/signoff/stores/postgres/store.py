"""The store on a PostgreSQL server: its face."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random
from typing import Any, Final, TypeVar

from signoff.clock import SystemClock
from signoff.stores.base import (
    Lanes,
    Listing,
    LoadedSubject,
    OwnedPart,
    Page,
    PartsWanted,
    StoreDescription,
    StreamStart,
    StreamState,
    StreamTail,
)
from signoff.stores.bus import stream_topic
from signoff.stores.change import Batch, Change, Name, Outcome, Rejected, Subject
from signoff.stores.copies import Dump, Record
from signoff.stores.parting import TOGETHER
from signoff.stores.postgres.address import PostgresAddress
from signoff.stores.postgres.bus import ServerBus
from signoff.stores.postgres.connections import Connector, Pool, ServerConnection
from signoff.stores.postgres.context import WriteContext
from signoff.stores.postgres.copies import Dumping, Restoring
from signoff.stores.postgres.find import ChangeFinder
from signoff.stores.postgres.leases import LeaseKeeper
from signoff.stores.postgres.loans import PostgresTransaction, lend
from signoff.stores.postgres.migrating import PostgresMigrating, lock_of
from signoff.stores.postgres.presence import SchemaPresence
from signoff.stores.postgres.reading import Reads
from signoff.stores.postgres.statements import Statements
from signoff.stores.postgres.trouble import CAUGHT, closed, unavailable
from signoff.stores.postgres.writer import GROUP, Writer
from signoff.stores.server_clock import LOOK_EVERY_S
from signoff.streams.stream import Head

T = TypeVar("T")

_PIECE_ROWS: Final = 2_000
_PIECE_BYTES: Final = 4 << 20
"""About how much of deleted streams goes in one transaction: some milliseconds."""

_PLACING_S: Final = 0.003
"""Seconds until one looks again whether the other process that places posts has ended: it may have looked just before
ours came."""

_random: Final = Random()  # noqa: S311 - it must differ, not be hard to guess


class PostgresStore:
    """A store in one schema of a PostgreSQL database; several processes may share it.

    Args:
        address: where, and how it is used.
        url: the URL it was opened by.
    """

    def __init__(self, address: PostgresAddress, url: str) -> None:
        self.url = url
        self.lanes = Lanes(group=GROUP, at_once=address.lanes, begins_at_call=True, places_at_once=False)
        self._address = address
        self._connector = Connector(address)
        self._context = WriteContext(address)
        self._known = self._context.known
        self._write = self._context.sql
        self._copies = Statements("copies.sql", address.schema)
        self._finding = Statements("find.sql", address.schema)
        self._reads = Statements("read.sql", address.schema)
        self._bus = ServerBus(
            self._connector, self._ask, f"signoff_{address.schema}"[:63], f"{_random.getrandbits(64):016x}"
        )
        self._presence = SchemaPresence(address, self._ask, self._reads["made"], self._known.forget)
        self._clock = SystemClock()
        self._look_at: float | None = None
        self._pool: Pool | None = None
        self._loans: Pool | None = None
        self._writer: Writer | None = None
        self._leases: LeaseKeeper | None = None

    async def open(self) -> None:
        """Connect, and create or migrate the schema.

        Raises:
            StoreUnavailable: the server cannot be reached.
            SchemaTooNew: the schema was changed by a newer version of Signoff.
            StoreError: this user may not create what is missing.
        """
        if self._pool is not None:
            return
        pool = Pool(self._connector.connect, self._address)
        try:
            async with pool.connection() as connection:
                await PostgresMigrating(self._address, self._connector).upgrade_on(connection)
        except BaseException:
            await pool.close()
            raise
        self._known.forget()
        if self._connector.pooled:
            self._context.pooled()
        self._pool = pool
        self._loans = Pool(lambda: self._connector.connect(plain=True), self._address)
        self._writer = Writer(self._connector, self._context)
        self._leases = LeaseKeeper(self._connector, self._write)
        self._look_at = None
        await self._presence.begin()
        await self._look_at_clock()
        self._bus.start()

    async def close(self) -> None:
        """Finish what is under way and let go of connections."""
        pool, loans, writer, leases = self._pool, self._loans, self._writer, self._leases
        if pool is None or loans is None or writer is None or leases is None:
            return
        await writer.close()
        await self._bus.stop()
        await leases.stop()
        self._pool = self._loans = self._writer = self._leases = None
        await loans.close()
        await pool.close()

    async def describe(self) -> StoreDescription:
        """Return what this store is."""
        async with self._reader.connection() as connection:
            applied = await PostgresMigrating(self._address, self._connector).applied(connection)
        return StoreDescription("postgresql", max((step.number for step in applied), default=0), "power")

    def transaction(self) -> AbstractAsyncContextManager[PostgresTransaction]:
        """Begin a transaction of this database; what was not committed is undone at its end."""
        if self._loans is None:
            raise closed(self._address)
        if self._presence.gone:
            raise self._presence.error()
        return lend(self._loans, self._context, pooled=bool(self._connector.pooled))

    def bus(self) -> ServerBus:
        """Return the bus that carries this store's wake-ups, and those of other processes."""
        return self._bus

    def commit(self, changes: Sequence[Change]) -> Awaitable[list[Outcome | Rejected]]:
        """Write several Changes, each succeeding, conflicting or being rejected on its own."""
        if self._writer is not None and not self._presence.gone:
            return self._writer.submit(changes)
        outcome: asyncio.Future[list[Outcome | Rejected]] = asyncio.get_running_loop().create_future()
        outcome.set_exception(closed(self._address) if self._writer is None else self._presence.error())
        return outcome

    async def find(self, changes: Sequence[Change]) -> list[bool | None]:
        """Tell which Changes were committed, by their marks; None: that cannot be told any more."""
        await self._fence()
        finding = ChangeFinder(self._ask, self._finding)
        return [await finding.find(change) for change in changes]

    async def _fence(self) -> None:
        """See that what lost its connection in the middle of a commit cannot be committed any more."""
        for session in [*self._context.lost]:
            await self._ask(self._write["fence"], session)
            self._context.lost.discard(session)

    # -- streams ---------------------------------------------------------------------------------------------------

    async def load_stream(self, path: str, producer_id: str | None = None) -> StreamState | None:
        """Load a stream's head, and one producer's state when asked for."""
        return await self._found(await self._reading.load_stream(path, producer_id))

    async def read(self, path: str, start: int, max_bytes: int) -> tuple[Head, list[Batch]] | None:
        """Read batches that overlap positions from `start` on, together with the head of that moment."""
        return await self._found(await self._reading.read(path, start, max_bytes))

    async def read_start(self, path: str, max_bytes: int) -> StreamStart | None:
        """Read the live rows, and the batches from their position on."""
        return await self._found(await self._reading.read_start(path, max_bytes))

    async def rows_bytes(self, path: str) -> int:
        """Return how many bytes the live rows have together."""
        return await self._reading.rows_bytes(path)

    async def find_streams(self, paths: Sequence[str]) -> dict[str, StreamTail]:
        """Return how far those of `paths` that exist have grown."""
        found = await self._reading.find_streams(paths)
        if not all(path in found for path in paths):
            await self._presence.confirm()
        return found

    async def list_streams(self, prefix: str, *, limit: int, after: str = "") -> list[StreamTail]:
        """List streams whose path begins with `prefix` and comes after `after`, in the order of paths as UTF-8."""
        return await self._found(await self._reading.list_streams(prefix, limit, after))

    async def ended_streams(self, *, now: int, limit: int) -> list[str]:
        """Return paths of streams whose life is over at `now`, the earliest first."""
        return await self._reading.ended_streams(now, limit)

    async def purge(self) -> bool:
        """Drop a piece of what deleted streams held; False: there is nothing left."""
        if not await self._ask(self._reads["doomed"]):
            return False
        [(more,)] = await self._ask(self._write["purge"], _PIECE_ROWS, _PIECE_BYTES)
        return bool(more)

    # -- subjects --------------------------------------------------------------------------------------------------

    async def load(self, name: Name, *wanted: PartsWanted) -> LoadedSubject | None:
        """Load a subject's record with some of its parts, in one consistent look."""
        return await self._found(await self._reading.load(name, wanted))

    async def list_subjects(self, where: Listing, *, limit: int, cursor: str | None = None) -> Page[Subject]:
        """List subjects with stable paging."""
        page = await self._reading.list_subjects(where, limit, cursor)
        await self._found(page.items)
        return page

    async def list_parts(self, where: Listing, *, limit: int, cursor: str | None = None) -> Page[OwnedPart]:
        """List parts, of whatever subject, with stable paging."""
        page = await self._reading.list_parts(where, limit, cursor)
        await self._found(page.items)
        return page

    # -- work ------------------------------------------------------------------------------------------------------

    async def claim(self, owner: str, queues: Collection[str], *, now: int, lease_ms: int, limit: int) -> list[Subject]:
        """Take a lease on up to `limit` subjects of these queues that are due, and have no live lease."""
        if not queues or limit <= 0:
            return []
        await self._look_at_clock()
        since = self._known.writes
        at = self._known.clock.at_server(now)
        rows = await self._ask(self._write["claim"], owner, list(queues), at, now, lease_ms, limit)
        return [self._known.read_subject(row, since) for row in rows]

    async def renew(
        self, owner: str, leases: Mapping[Name, int], *, until: int, along: Name | None = None
    ) -> set[Name]:
        """Extend leases to `until`; return the names whose lease is lost or given up."""
        return await self._keeper.renew(owner, leases, until, along, shift=self._known.clock.shift)

    async def release(self, owner: str, leases: Mapping[Name, int]) -> None:
        """Give leases up before the subjects' own work is done; each is ready at once."""
        await self._keeper.release(owner, leases)

    async def due(self, queue: str, *, now: int, limit: int) -> list[Subject]:
        """Return subjects of a queue that are due at `now`, the earliest first."""
        return await self._reading.due(queue, now, limit)

    async def next_due(self, queues: Collection[str]) -> int | None:
        """Return the earliest time (ms) at which `claim` could find a subject: 0 if one is ready now, None if none."""
        due = await self._reading.next_due(queues)
        if due is None:
            await self._presence.confirm()
        return due

    async def unclaimed(self, kind: str, queues: Collection[str], *, before: int, limit: int) -> list[Name]:
        """Return subjects of a kind that `claim` could have found since `before`, of any other queue than these."""
        return await self._reading.unclaimed(kind, queues, before, limit)

    async def _look_at_clock(self) -> None:
        """See now and then how far our clock is from the server's, by which leases go."""
        if self._look_at is not None and time.monotonic() < self._look_at:
            return
        before = self._clock.now_ms()
        [(server,)] = await self._ask(self._write["clock"])
        self._known.clock.note(before, server, self._clock.now_ms())
        self._look_at = time.monotonic() + LOOK_EVERY_S

    # -- posts -----------------------------------------------------------------------------------------------------

    async def place(self, *, limit: int = 1_000) -> int:
        """Place up to `limit` posts that are committed; return how many."""
        while True:
            lock = lock_of(self._address, "place")
            [(placed, paths)] = await self._ask(self._write["place"], lock, limit, TOGETHER)
            if placed is not None:
                if placed:
                    self._bus.emit([stream_topic(path) for path in paths])
                await self._presence.glance()
                return int(placed)
            await asyncio.sleep(_PLACING_S)

    async def unplaced(self) -> int:
        """Return how many posts wait for being placed."""
        [(count,)] = await self._ask(self._reads["unplaced"])
        return int(count)

    # -- copies ----------------------------------------------------------------------------------------------------

    async def dump(self, *, after: str = "", max_bytes: int) -> Dump:
        """Return records from where `after` says."""
        async with self._alone() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            return await Dumping(connection, self._copies).dump(after, max_bytes)

    async def restore(self, records: Sequence[Record]) -> None:
        """Write records of another store's dump."""
        async with self._alone() as connection, connection.transaction():
            await Restoring(connection, self._copies, self._context).restore(records)
        self._known.forget()

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[ServerConnection]:
        async with self._reader.connection() as connection:
            try:
                yield connection
            except CAUGHT as error:
                raise unavailable(self._address, error) from error

    async def _found(self, found: T) -> T:
        """Return what was found; where that is nothing, see that it is not because all is gone."""
        if not found:
            await self._presence.confirm()
        return found

    # -- its parts -------------------------------------------------------------------------------------------------

    async def _ask(self, sql: str, *values: Any) -> list[Any]:
        return await self._reader.fetch(sql, *values)

    @property
    def _reader(self) -> Pool:
        if self._pool is None:
            raise closed(self._address)
        return self._pool

    @property
    def _reading(self) -> Reads:
        return Reads(self._reader, self._known, self._reads)

    @property
    def _keeper(self) -> LeaseKeeper:
        if self._leases is None:
            raise closed(self._address)
        return self._leases
