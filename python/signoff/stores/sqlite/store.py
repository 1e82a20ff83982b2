"""The embedded store: its face. Writing is the writer thread's, reading the readers', listening the watch's."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from signoff.stores.base import (
    Lanes,
    Listing,
    LoadedSubject,
    OwnedPart,
    Page,
    PartsWanted,
    SqlTransaction,
    StoreDescription,
    StreamStart,
    StreamState,
    StreamTail,
)
from signoff.stores.bus import LocalBus
from signoff.stores.change import Batch, Change, Name, Outcome, Rejected, Subject
from signoff.stores.copies import Dump, Record
from signoff.stores.sqlite import copies, leases, read_streams, read_subjects
from signoff.stores.sqlite.connection import closed, schema_version, unavailable
from signoff.stores.sqlite.find import find
from signoff.stores.sqlite.leases import Claim, Release, Renew
from signoff.stores.sqlite.loans import SqliteTransaction
from signoff.stores.sqlite.private import create, warn
from signoff.stores.sqlite.purge import Purge, doomed
from signoff.stores.sqlite.readers import Readers
from signoff.stores.sqlite.watch import Watch
from signoff.stores.sqlite.writer import Writer
from signoff.streams.stream import Head

_SMALL: Final = 64 * 1024
"""A read of at most so many bytes runs on the caller's thread."""

_FEW: Final = 100
"""So many look-ups by key take less than a hop to a thread and back matters."""


class SqliteStore:
    """A store in one SQLite file (WAL, synchronous=FULL); several processes may share it.

    Args:
        path: the file; it is created when absent.
        url: the URL it was opened by.
    """

    lanes = Lanes(at_once=8, begins_at_call=True)

    def __init__(self, path: Path, url: str = "") -> None:
        self.url = url or f"sqlite:///{path}"
        self._path = path
        self._writer: Writer | None = None
        self._readers: Readers | None = None
        self._watch = Watch(lambda: self._readers, self._watching)

    async def open(self) -> None:
        """Open the file, creating or migrating its schema.

        Raises:
            StoreUnavailable: the file cannot be used.
            SchemaTooNew: the file was written by a newer version of Signoff.
            StoreError: the file is another application's.
        """
        if self._writer is not None:
            return
        create(self._path)
        writer = Writer(self._path, self._watch.foreign)
        await writer.start()
        warn(self._path)
        try:
            self._readers = Readers(self._path)
        except sqlite3.Error as error:
            await writer.stop()
            raise unavailable(self._path, error) from error
        self._writer = writer
        self._watching(bool(self._watch.bus.topics))

    async def close(self) -> None:
        """Finish what is under way and let go of the file."""
        writer, readers, self._writer, self._readers = self._writer, self._readers, None, None
        if readers is not None:
            await readers.close()
        if writer is not None:
            await writer.stop()

    async def describe(self) -> StoreDescription:
        """Return what this store is: its commits are synced to the disk."""
        return StoreDescription("sqlite", await self._reading.slow(schema_version), "power")

    def bus(self) -> LocalBus:
        """Return the bus that carries this store's wake-ups, and those of other processes' commits."""
        return self._watch.bus

    def commit(self, changes: Sequence[Change]) -> Awaitable[list[Outcome | Rejected]]:
        """Write several Changes in one transaction, each succeeding, conflicting or being rejected on its own."""
        if self._writer is not None:
            return self._writer.submit(changes)
        outcome: asyncio.Future[list[Outcome | Rejected]] = asyncio.get_running_loop().create_future()
        outcome.set_exception(closed(self._path))
        return outcome

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[SqlTransaction]:
        """Begin a transaction of the file, for at most `loans.LIMIT_S` seconds; nobody else writes meanwhile."""
        loan = self._writing.lend()
        transaction = SqliteTransaction(self._path, loan)
        try:
            await loan.begun()
            await transaction.begin()
            yield transaction
        finally:
            await transaction.end()

    async def find(self, changes: Sequence[Change]) -> list[bool | None]:
        """Tell which Changes were committed, by their marks; None: that cannot be told any more."""
        return await self._reading.slow(_found, changes)

    # -- streams ---------------------------------------------------------------------------------------------------

    async def load_stream(self, path: str, producer_id: str | None = None) -> StreamState | None:
        """Load a stream's head, and one producer's state when asked for."""
        return await self._reading.quick(read_streams.load_stream, path, producer_id)

    async def read(self, path: str, start: int, max_bytes: int) -> tuple[Head, list[Batch]] | None:
        """Read batches that overlap positions from `start` on, together with the head of that moment."""
        ask = self._reading.quick if max_bytes <= _SMALL else self._reading.slow
        return await ask(read_streams.read, path, start, max_bytes)

    async def read_start(self, path: str, max_bytes: int) -> StreamStart | None:
        """Read the live rows, and the batches from their position on."""
        return await self._reading.slow(read_streams.read_start, path, max_bytes)

    async def rows_bytes(self, path: str) -> int:
        """Return how many bytes the live rows have together."""
        return await self._reading.slow(read_streams.rows_bytes, path)

    async def find_streams(self, paths: Sequence[str]) -> dict[str, StreamTail]:
        """Return how far those of `paths` that exist have grown."""
        ask = self._reading.quick if len(paths) <= _FEW else self._reading.slow
        return await ask(read_streams.find_streams, paths)

    async def list_streams(self, prefix: str, *, limit: int, after: str = "") -> list[StreamTail]:
        """List streams whose path begins with `prefix` and comes after `after`, in the order of paths as UTF-8."""
        return await self._reading.slow(read_streams.list_streams, prefix, limit, after)

    async def ended_streams(self, *, now: int, limit: int) -> list[str]:
        """Return paths of streams whose life is over at `now`, the earliest first."""
        return await self._reading.slow(read_streams.ended_streams, now, limit)

    async def purge(self) -> bool:
        """Drop a piece of what deleted streams held; False: there is nothing left."""
        if await self._reading.quick(doomed):
            more: bool = await self._writing.submit(lease=Purge())
            return more
        return False

    # -- subjects --------------------------------------------------------------------------------------------------

    async def load(self, name: Name, *wanted: PartsWanted) -> LoadedSubject | None:
        """Load a subject's record with some of its parts, in one consistent look."""
        many = any(one.key is None and not one.open for one in wanted)
        ask = self._reading.slow if many else self._reading.quick
        return await ask(read_subjects.load, name, wanted)

    async def list_subjects(self, where: Listing, *, limit: int, cursor: str | None = None) -> Page[Subject]:
        """List subjects with stable paging."""
        return await self._reading.slow(read_subjects.list_subjects, where, limit, cursor)

    async def list_parts(self, where: Listing, *, limit: int, cursor: str | None = None) -> Page[OwnedPart]:
        """List parts, of whatever subject, with stable paging."""
        return await self._reading.slow(read_subjects.list_parts, where, limit, cursor)

    # -- work ------------------------------------------------------------------------------------------------------

    async def claim(self, owner: str, queues: Collection[str], *, now: int, lease_ms: int, limit: int) -> list[Subject]:
        """Take a lease on up to `limit` subjects of these queues that are due, and have no live lease."""
        claimed: list[Subject] = await self._writing.submit(lease=Claim(owner, queues, now, lease_ms, limit))
        return claimed

    async def renew(
        self, owner: str, leases: Mapping[Name, int], *, until: int, along: Name | None = None
    ) -> set[Name]:
        """Extend leases to `until`; return the names whose lease is lost or given up."""
        lost: set[Name] = await self._writing.submit(lease=Renew(owner, leases, until, along))
        return lost

    async def release(self, owner: str, leases: Mapping[Name, int]) -> None:
        """Give leases up before the subjects' own work is done; each is ready at once."""
        await self._writing.submit(lease=Release(owner, leases))

    async def due(self, queue: str, *, now: int, limit: int) -> list[Subject]:
        """Return subjects of a queue that are due at `now`, the earliest first."""
        return await self._reading.slow(leases.due, queue, now, limit)

    async def next_due(self, queues: Collection[str]) -> int | None:
        """Return the earliest time (ms) at which `claim` could find a subject: 0 if one is ready now, None if none."""
        return await self._reading.quick(leases.next_due, queues)

    async def unclaimed(self, kind: str, queues: Collection[str], *, before: int, limit: int) -> list[Name]:
        """Return subjects of a kind that `claim` could have found since `before`, of any other queue than these."""
        return await self._reading.quick(leases.unclaimed, kind, queues, before, limit)

    # -- posts -----------------------------------------------------------------------------------------------------

    async def place(self, *, limit: int = 1_000) -> int:  # noqa: ARG002 - the port has it
        """Do nothing: posts are placed in the commit of their Change."""
        self._check_open()
        return 0

    async def unplaced(self) -> int:
        """Return 0: no post ever waits."""
        self._check_open()
        return 0

    # -- copies ----------------------------------------------------------------------------------------------------

    async def dump(self, *, after: str = "", max_bytes: int) -> Dump:
        """Return a piece of all there is, in the order of the file's tables."""
        return await self._reading.slow(copies.dump, after, max_bytes)

    async def restore(self, records: Sequence[Record]) -> None:
        """Write records of another store's dump, all of them or none."""
        await self._writing.submit(lease=copies.Restore(records))

    # -- its parts -------------------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._writer is None:
            raise closed(self._path)

    @property
    def _reading(self) -> Readers:
        if self._readers is None:
            raise closed(self._path)
        return self._readers

    @property
    def _writing(self) -> Writer:
        if self._writer is None:
            raise closed(self._path)
        return self._writer

    def _watching(self, watching: bool) -> None:
        if self._writer is not None:
            self._writer.watch(watching)


def _found(connection: sqlite3.Connection, changes: Sequence[Change]) -> list[bool | None]:
    with read_streams.snapshot(connection):
        return list(find(connection, changes))
