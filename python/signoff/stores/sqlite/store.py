"""The embedded store: its face. Writing is the writer thread's, reading the readers', listening the watch's."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

from signoff.stores.base import (
    Batch,
    Change,
    InputRecord,
    LedgerKey,
    Outcome,
    Page,
    Record,
    Rejected,
    RunFilter,
    RunRecord,
    RunState,
    StreamStart,
    StreamState,
    StreamTail,
)
from signoff.stores.bus import LocalBus
from signoff.stores.sqlite import reader
from signoff.stores.sqlite.connection import unavailable
from signoff.stores.sqlite.leases import Claim, Release, Renew, next_due, unclaimed
from signoff.stores.sqlite.private import create, warn
from signoff.stores.sqlite.purge import Purge, doomed
from signoff.stores.sqlite.readers import Readers
from signoff.stores.sqlite.watch import Watch
from signoff.stores.sqlite.writer import Writer, closed
from signoff.streams.stream import Head

_SMALL = 64 * 1024
"""A read of at most so many bytes runs on the caller's thread."""


_FEW = 100
"""So many look-ups by key take less than a hop to a thread and back matters."""


class SqliteStore:
    """Keep everything in one SQLite file (WAL, synchronous=FULL); several processes may share it.

    Args:
        path: the file; it is created when absent.
        url: the URL it was opened by.
    """

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

    # -- streams ---------------------------------------------------------------------------------------------------

    async def load_stream(self, path: str, producer_id: str | None = None) -> StreamState | None:
        """Load a stream's head, and one producer's state when asked for."""
        return await self._reading.quick(reader.load_stream, path, producer_id)

    async def read(self, path: str, start: int, max_bytes: int) -> tuple[Head, list[Batch]] | None:
        """Read batches that overlap positions from `start` on, together with the head of that moment."""
        ask = self._reading.quick if max_bytes <= _SMALL else self._reading.slow
        return await ask(reader.read, path, start, max_bytes)

    async def read_start(self, path: str, max_bytes: int) -> StreamStart | None:
        """Read the live rows, and the batches from their position on."""
        return await self._reading.slow(reader.read_start, path, max_bytes)

    async def rows_bytes(self, path: str) -> int:
        """Return how many bytes the live rows have together."""
        return await self._reading.slow(reader.rows_bytes, path)

    async def tails(self, paths: Sequence[str]) -> dict[str, tuple[int, bool]]:
        """Return `(tail, closed)` for those of `paths` that exist and are not deleted."""
        return await self._reading.quick(reader.tails, paths)

    async def find_streams(self, paths: Sequence[str]) -> dict[str, StreamTail]:
        """Return how far those of `paths` that exist have grown."""
        ask = self._reading.quick if len(paths) <= _FEW else self._reading.slow
        return await ask(reader.find_streams, paths)

    async def list_streams(self, prefix: str, *, limit: int, after: str = "") -> list[StreamTail]:
        """List streams whose path begins with `prefix` and comes after `after`, in the order of paths as UTF-8."""
        return await self._reading.slow(reader.list_streams, prefix, limit, after)

    async def ended_streams(self, *, now: int, limit: int) -> list[str]:
        """Return paths of streams whose life is over at `now`, the earliest first."""
        return await self._reading.slow(reader.ended_streams, now, limit)

    async def purge(self) -> bool:
        """Drop a piece of what deleted streams held; False: there is nothing left."""
        if await self._reading.quick(doomed):
            more: bool = await self._writing.submit(lease=Purge())
            return more
        return False

    # -- records ---------------------------------------------------------------------------------------------------

    async def load_record(self, kind: str, record_id: str) -> Record | None:
        """Load a record; None if there is none."""
        return await self._reading.quick(reader.load_record, kind, record_id)

    async def list_records(self, kind: str, *, limit: int, after: str = "") -> list[Record]:
        """List records of a kind whose id comes after `after`, in the order of ids as UTF-8."""
        return await self._reading.slow(reader.list_records, kind, limit, after)

    async def due_records(self, kind: str, *, now: int, limit: int) -> list[Record]:
        """Return records of a kind that are due at `now`, the earliest first."""
        return await self._reading.slow(reader.due_records, kind, now, limit)

    async def next_record_due(self, kind: str) -> int | None:
        """Return when the first record of a kind will be due; None if none will."""
        return await self._reading.quick(reader.next_record_due, kind)

    # -- runs ------------------------------------------------------------------------------------------------------

    async def load_run(
        self,
        run_id: str,
        *,
        inputs: Literal["none", "pending", "all"] | str = "none",
        ledger: LedgerKey | None = None,
    ) -> RunState | None:
        """Load a run's record with, in one consistent look, some inputs and one ledger entry."""
        ask = self._reading.slow if inputs == "all" else self._reading.quick
        return await ask(reader.load_run, run_id, inputs, ledger)

    async def list_runs(self, where: RunFilter, *, limit: int, cursor: str | None = None) -> Page[RunRecord]:
        """List runs, newest first, with stable paging."""
        return await self._reading.slow(reader.list_runs, where, limit, cursor)

    async def list_inputs(
        self, *, audience: Collection[str] | None, status: str | None, limit: int, cursor: str | None = None
    ) -> Page[InputRecord]:
        """List requests for input, newest first, asked of any of `audience` (None: of anybody)."""
        return await self._reading.slow(reader.list_inputs, audience, status, limit, cursor)

    async def waiting_on(self, topic: str, key: str | None) -> list[str]:
        """Return ids of runs that wait for `topic` with this key or with no key, in the order they began to wait."""
        return await self._reading.slow(reader.waiting_on, topic, key)

    # -- leases ----------------------------------------------------------------------------------------------------

    async def claim(
        self, owner: str, *, now: int, lease_ms: int, limit: int, workflows: Collection[str] | None = None
    ) -> list[RunRecord]:
        """Take a lease on up to `limit` runs that are ready or due, and have no live lease."""
        claimed: list[RunRecord] = await self._writing.submit(lease=Claim(owner, now, lease_ms, limit, workflows))
        return claimed

    async def renew(
        self, owner: str, runs: Mapping[str, int], *, until: int, along: tuple[str, str] | None = None
    ) -> set[str]:
        """Extend leases to `until`; return the ids whose lease is lost or given up."""
        lost: set[str] = await self._writing.submit(lease=Renew(owner, runs, until, along))
        return lost

    async def release(self, owner: str, runs: Mapping[str, int]) -> None:
        """Give leases up before the runs' own work is done; each is ready at once."""
        await self._writing.submit(lease=Release(owner, runs))

    async def next_due(self, workflows: Collection[str] | None = None) -> int | None:
        """Return the earliest time (ms) at which `claim` could find a run: 0 if one is ready now, None if none."""
        return await self._reading.quick(next_due, workflows)

    async def unclaimed(self, known: Collection[str], *, before: int, limit: int) -> list[str]:
        """Return ids of runs that `claim` could have found since `before`, of workflows that are not `known`."""
        return await self._reading.quick(unclaimed, known, before, limit)

    # -- parts -----------------------------------------------------------------------------------------------------

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
