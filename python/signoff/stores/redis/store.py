"""The store on Redis: its face."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple

from signoff.errors import NotSupported, StoreUnavailable
from signoff.stores.base import (
    NO_SQL,
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
from signoff.stores.bus import LocalBus, stream_topic
from signoff.stores.change import Batch, Change, Name, Outcome, Rejected, Subject
from signoff.stores.copies import Dump, Record
from signoff.stores.redis import copies, options, posts, server, streams, subjects, work
from signoff.stores.redis.commits import Commits
from signoff.stores.redis.durable import Durability
from signoff.stores.redis.leases import LeaseThread
from signoff.stores.redis.nodes import Nodes
from signoff.stores.redis.settings import SettingsWatch
from signoff.stores.redis.shards import Shards, keys_of
from signoff.stores.redis.watch import Watch
from signoff.streams.stream import Head


class _Opened(NamedTuple):
    """What there is while the store is open."""

    shards: Shards
    durable: Durability
    commits: Commits
    leases: LeaseThread
    settings: SettingsWatch


class RedisStore:
    """A store on a Redis server or cluster; several processes may share it.

    Args:
        url: `redis://…`; see `options.py`.

    Raises:
        StoreError: the URL is not understood.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._options = options.read(url)
        self.lanes = Lanes(group=256, at_once=2, begins_at_call=True, places_at_once=self._options.shards == 1)
        self._keys = keys_of(self._options)
        self._nodes = Nodes(self._options, self._keys)
        self._watch = Watch(self._options, self._nodes)
        self._opened: _Opened | None = None

    async def open(self) -> None:
        """Connect, and see that the server keeps what it is given.

        Raises:
            StoreUnavailable: the server cannot be reached.
            StoreError: it would lose data, and the URL does not say that it may.
            SchemaTooNew: the data was written by a newer version of Signoff.
        """
        if self._opened is not None:
            return
        shards = Shards(self._nodes, self._keys)
        try:
            await self._nodes.open()
            await server.begin(shards, self._options)
            await shards.look_at_clock()
            await shards.look_at_numbers()
            await self._watch.open()
        except BaseException:
            await self._nodes.close()
            raise
        durable = Durability(shards, self._options)
        leases = LeaseThread(self._options, self._keys, shards.clock)
        settings = SettingsWatch(shards, self._options)
        self._opened = _Opened(shards, durable, Commits(shards, durable), leases, settings)

    async def close(self) -> None:
        """Finish what is under way and let go of the connections."""
        opened, self._opened = self._opened, None
        if opened is None:
            return
        await opened.settings.close()
        await opened.commits.close()
        await opened.leases.stop()
        await self._watch.close()
        await self._nodes.close()

    async def describe(self) -> StoreDescription:
        """Return what this store is, as its servers are set up now."""
        states = await server.look_at_all(self._shards)
        wrong = tuple(fault for state in states for fault in server.faults(state, self._options))
        return StoreDescription("redis", server.SCHEMA, server.survives(states, self._options), wrong)

    def bus(self) -> LocalBus:
        """Return the bus that carries this store's wake-ups, and those of other processes."""
        return self._watch.bus

    def commit(self, changes: Sequence[Change]) -> Awaitable[list[Outcome | Rejected]]:
        """Write several Changes, each succeeding, conflicting or being rejected on its own."""
        if self._opened is not None:
            return self._opened.commits.commit(changes)
        outcome: asyncio.Future[list[Outcome | Rejected]] = asyncio.get_running_loop().create_future()
        outcome.set_exception(_closed())
        return outcome

    def transaction(self) -> AbstractAsyncContextManager[SqlTransaction]:
        """Refuse: there is no SQL in Redis."""
        raise NotSupported(NO_SQL.format("Redis"))

    async def find(self, changes: Sequence[Change]) -> list[bool | None]:
        """Tell which Changes were committed, by their marks; None: that cannot be told any more."""
        return await self._open.durable.find(changes)

    # -- streams ---------------------------------------------------------------------------------------------------

    async def load_stream(self, path: str, producer_id: str | None = None) -> StreamState | None:
        """Load a stream's head, and one producer's state when asked for."""
        return await streams.load_stream(self._shards, path, producer_id)

    async def read(self, path: str, start: int, max_bytes: int) -> tuple[Head, list[Batch]] | None:
        """Read batches that overlap positions from `start` on, together with the head of that moment."""
        return await streams.read(self._shards, path, start, max_bytes)

    async def read_start(self, path: str, max_bytes: int) -> StreamStart | None:
        """Read the live rows, and the batches from their position on."""
        return await streams.read_start(self._shards, path, max_bytes)

    async def rows_bytes(self, path: str) -> int:
        """Return how many bytes the live rows have together."""
        return await streams.rows_bytes(self._shards, path)

    async def find_streams(self, paths: Sequence[str]) -> dict[str, StreamTail]:
        """Return how far those of `paths` that exist have grown."""
        return await streams.find_streams(self._shards, paths)

    async def list_streams(self, prefix: str, *, limit: int, after: str = "") -> list[StreamTail]:
        """List streams whose path begins with `prefix` and comes after `after`, in the order of paths as UTF-8."""
        return await streams.list_streams(self._shards, prefix, limit, after)

    async def ended_streams(self, *, now: int, limit: int) -> list[str]:
        """Return paths of streams whose life is over at `now`, the earliest first."""
        return await streams.ended_streams(self._shards, now, limit)

    async def purge(self) -> bool:
        """Drop a piece of what deleted streams held; False: there is nothing left."""
        return await streams.purge(self._shards)

    # -- subjects --------------------------------------------------------------------------------------------------

    async def load(self, name: Name, *wanted: PartsWanted) -> LoadedSubject | None:
        """Load a subject's record with some of its parts, in one consistent look."""
        return await subjects.load(self._shards, name, wanted)

    async def list_subjects(self, where: Listing, *, limit: int, cursor: str | None = None) -> Page[Subject]:
        """List subjects with stable paging."""
        return await subjects.list_subjects(self._shards, where, limit, cursor)

    async def list_parts(self, where: Listing, *, limit: int, cursor: str | None = None) -> Page[OwnedPart]:
        """List parts, of whatever subject, with stable paging."""
        return await subjects.list_parts(self._shards, where, limit, cursor)

    # -- work ------------------------------------------------------------------------------------------------------

    async def claim(self, owner: str, queues: Collection[str], *, now: int, lease_ms: int, limit: int) -> list[Subject]:
        """Take a lease on up to `limit` subjects of these queues that are due, and have no live lease."""
        return await work.claim(self._shards, work.Claim(owner, queues, now, lease_ms), limit)

    async def renew(
        self, owner: str, leases: Mapping[Name, int], *, until: int, along: Name | None = None
    ) -> set[Name]:
        """Extend leases to `until`; return the names whose lease is lost or given up."""
        return await self._open.leases.do(lambda shards: work.renew(shards, owner, leases, until, along))

    async def release(self, owner: str, leases: Mapping[Name, int]) -> None:
        """Give leases up before the subjects' own work is done; each is ready at once."""
        await self._open.leases.do(lambda shards: work.release(shards, owner, leases))

    async def due(self, queue: str, *, now: int, limit: int) -> list[Subject]:
        """Return subjects of a queue that are due at `now`, the earliest first."""
        return await work.due(self._shards, queue, now, limit)

    async def next_due(self, queues: Collection[str]) -> int | None:
        """Return the earliest time (ms) at which `claim` could find a subject: 0 if one is ready, None if none."""
        return await work.next_due(self._shards, queues)

    async def unclaimed(self, kind: str, queues: Collection[str], *, before: int, limit: int) -> list[Name]:
        """Return subjects of a kind that `claim` could have found since `before`, of any other queue than these."""
        return await work.unclaimed(self._shards, kind, queues, before, limit)

    # -- posts -----------------------------------------------------------------------------------------------------

    async def place(self, *, limit: int = 1_000) -> int:
        """Place up to `limit` posts that were left for other shards; return how many."""
        placed, paths = await posts.place(self._shards, limit)
        if paths:
            self._watch.bus.emit(map(stream_topic, paths))
        return placed

    async def unplaced(self) -> int:
        """Return how many posts wait for being placed."""
        return await posts.unplaced(self._shards)

    # -- copies ----------------------------------------------------------------------------------------------------

    async def dump(self, *, after: str = "", max_bytes: int) -> Dump:
        """Return records from where `after` says."""
        return await copies.dump(self._shards, after, max_bytes)

    async def restore(self, records: Sequence[Record]) -> None:
        """Write records of another store's dump; those that are there already stay as they are."""
        await copies.restore(self._shards, records)

    # -- its parts -------------------------------------------------------------------------------------------------

    @property
    def _open(self) -> _Opened:
        if self._opened is None:
            raise _closed()
        return self._opened

    @property
    def _shards(self) -> Shards:
        return self._open.shards


def _closed() -> StoreUnavailable:
    return StoreUnavailable("The store is not open; nothing was written. Open it before use.")
