"""The store for tests and development: real semantics, one process, gone when it ends."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import islice
from threading import RLock
from typing import Final

from signoff.errors import BadRequest, NotSupported, SignoffError, StoreUnavailable
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
from signoff.stores.bus import LocalBus
from signoff.stores.change import (
    Batch,
    Change,
    Committed,
    FamilyWrite,
    Name,
    Outcome,
    OwnAppend,
    OwnStream,
    Post,
    Rejected,
    RowsWrite,
    Subject,
    SubjectDelete,
    SubjectWrite,
)
from signoff.stores.check import check
from signoff.stores.compare import compare
from signoff.stores.copies import NO_CURSOR, Dump, PartCopy, Record, SubjectCopy, size_of
from signoff.stores.memory.streams import KeptStreams
from signoff.stores.memory.subjects import KeptSubjects
from signoff.streams.stream import Head

_MARKS: Final = 100_000
"""Of how many Changes the marks are remembered: whoever asks does so soon."""


class MemoryStore:
    """A store that keeps everything in dictionaries.

    Use it from one event loop; leases may be renewed and released elsewhere.

    Example:
        >>> store = MemoryStore()
        >>> await store.open()
    """

    url = "memory:"
    lanes = Lanes(at_once=8)

    def __init__(self) -> None:
        self._subjects = KeptSubjects()
        self._streams = KeptStreams()
        self._marks: dict[int, None] = {}
        self._forgotten = False
        self._leases = RLock()  # for what another thread may change: records, and when they are due
        self._bus = LocalBus()
        self._closed = False

    async def open(self) -> None:
        """Do nothing: memory is always there."""
        self._closed = False

    async def close(self) -> None:
        """Refuse what comes from now on; what is kept stays readable after another `open`."""
        self._closed = True

    async def describe(self) -> StoreDescription:
        """Return what this store is."""
        self._check_open()
        return StoreDescription("memory", 0, "nothing")

    def bus(self) -> LocalBus:
        """Return the bus that carries this store's wake-ups."""
        return self._bus

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("The store is closed; open it before use.")

    # -- what `compare` asks ---------------------------------------------------------------------------------------

    def stream(self, path: str) -> Head | None:
        """Return a stream's head; None if there is no such stream."""
        return self._streams.head(path)

    def subject(self, name: Name) -> Subject | None:
        """Return a subject's record; None if there is no such subject."""
        return self._subjects.record(name)

    # -- writing ---------------------------------------------------------------------------------------------------

    async def commit(self, changes: Sequence[Change]) -> list[Outcome | Rejected]:
        """Write several Changes, each succeeding, conflicting or being rejected on its own."""
        self._check_open()
        with self._leases:
            return [self._commit(change) for change in changes]

    def _commit(self, change: Change) -> Outcome | Rejected:
        try:
            check(change)
        except SignoffError as error:
            return Rejected(error)
        if conflict := compare(change, self):
            return conflict
        batches: dict[str, Batch] = {}
        match change.write:
            case SubjectWrite() as write:
                self._subjects.write(write, self._append(write, batches))
            case FamilyWrite(streams):
                for one in streams:
                    self._streams.write(one)
            case SubjectDelete(name):
                self._streams.disown(self._subjects.delete(name).streams)
            case RowsWrite() as rows:
                self._streams.write_rows(rows)
        for post in change.posts:
            self._post(post, batches)
        if change.mark:
            self._remember(change.mark)
        return Committed(batches)

    def _post(self, post: Post, batches: dict[str, Batch]) -> None:
        _note(batches, post.path, self._streams.append(post))

    def _append(self, write: SubjectWrite, batches: dict[str, Batch]) -> tuple[OwnStream, ...]:
        """Append to streams of the subject's own; return how far all of them have grown."""
        record = self._subjects.record(write.subject.name)
        if not write.appends:
            return record.streams if record else ()
        own = {one.path: one for one in record.streams} if record else {}
        for append in write.appends:
            own[append.path] = self._append_one(append, batches)
        return tuple(own.values())

    def _append_one(self, append: OwnAppend, batches: dict[str, Batch]) -> OwnStream:
        batch = self._streams.append(append, close=append.close)
        _note(batches, append.path, batch)
        return OwnStream(append.path, batch.end, append.close)

    def _remember(self, mark: int) -> None:
        self._marks[mark] = None
        if len(self._marks) > _MARKS:
            del self._marks[next(iter(self._marks))]
            self._forgotten = True

    def transaction(self) -> AbstractAsyncContextManager[SqlTransaction]:
        """Refuse: there is no SQL in memory."""
        raise NotSupported(NO_SQL.format("in memory"))

    async def find(self, changes: Sequence[Change]) -> list[bool | None]:
        """Tell which Changes were committed, if that is not too long ago."""
        self._check_open()
        unknown = None if self._forgotten else False
        return [(True if change.mark in self._marks else unknown) if change.mark else None for change in changes]

    # -- subjects --------------------------------------------------------------------------------------------------

    async def load(self, name: Name, *wanted: PartsWanted) -> LoadedSubject | None:
        """Load a subject's record with some of its parts."""
        self._check_open()
        return self._subjects.load(name, wanted)

    async def list_subjects(self, where: Listing, *, limit: int, cursor: str | None = None) -> Page[Subject]:
        """List subjects with stable paging."""
        self._check_open()
        return self._subjects.page(where, limit, cursor)

    async def list_parts(self, where: Listing, *, limit: int, cursor: str | None = None) -> Page[OwnedPart]:
        """List parts, of whatever subject, with stable paging."""
        self._check_open()
        return self._subjects.page_of_parts(where, limit, cursor)

    # -- streams ---------------------------------------------------------------------------------------------------

    async def load_stream(self, path: str, producer_id: str | None = None) -> StreamState | None:
        """Load a stream's head, and one producer's state when asked for."""
        self._check_open()
        return self._streams.state(path, producer_id)

    async def read(self, path: str, start: int, max_bytes: int) -> tuple[Head, list[Batch]] | None:
        """Read batches that overlap positions from `start` on, together with the head of that moment."""
        self._check_open()
        return self._streams.read(path, start, max_bytes)

    async def read_start(self, path: str, max_bytes: int) -> StreamStart | None:
        """Read the live rows, and the batches from their position on."""
        self._check_open()
        return self._streams.read_start(path, max_bytes)

    async def rows_bytes(self, path: str) -> int:
        """Return how many bytes the live rows have together."""
        self._check_open()
        return self._streams.rows_bytes(path)

    async def find_streams(self, paths: Sequence[str]) -> dict[str, StreamTail]:
        """Return how far those of `paths` that exist have grown."""
        self._check_open()
        return self._streams.find(paths)

    async def list_streams(self, prefix: str, *, limit: int, after: str = "") -> list[StreamTail]:
        """List streams whose path begins with `prefix` and comes after `after`, in the order of paths as UTF-8."""
        self._check_open()
        return self._streams.under(prefix, limit, after)

    async def ended_streams(self, *, now: int, limit: int) -> list[str]:
        """Return paths of streams whose life is over at `now`, the earliest first."""
        self._check_open()
        return self._streams.ended(now, limit)

    async def purge(self) -> bool:
        """Drop a piece of what deleted streams held; False: there is nothing left."""
        self._check_open()
        return self._streams.purge()

    # -- work ------------------------------------------------------------------------------------------------------

    async def claim(self, owner: str, queues: Collection[str], *, now: int, lease_ms: int, limit: int) -> list[Subject]:
        """Take a lease on up to `limit` subjects of these queues that are due, and have no live lease."""
        self._check_open()
        with self._leases:
            return self._subjects.claim(owner, queues, now, lease_ms, limit)

    async def renew(
        self, owner: str, leases: Mapping[Name, int], *, until: int, along: Name | None = None
    ) -> set[Name]:
        """Extend leases to `until`; return the names whose lease is lost or given up."""
        self._check_open()
        with self._leases:
            return self._subjects.renew(owner, leases, until, along)

    async def release(self, owner: str, leases: Mapping[Name, int]) -> None:
        """Give leases up before the subjects' own work is done; each is ready at once."""
        self._check_open()
        with self._leases:
            self._subjects.release(owner, leases)

    async def due(self, queue: str, *, now: int, limit: int) -> list[Subject]:
        """Return subjects of a queue that are due at `now`, the earliest first."""
        self._check_open()
        with self._leases:
            return self._subjects.due(queue, now, limit)

    async def next_due(self, queues: Collection[str]) -> int | None:
        """Return the earliest time (ms) at which `claim` could find a subject: 0 if one is ready, None if none."""
        self._check_open()
        with self._leases:
            return self._subjects.next_due(queues)

    async def unclaimed(self, kind: str, queues: Collection[str], *, before: int, limit: int) -> list[Name]:
        """Return subjects of a kind that `claim` could have found since `before`, of any other queue than these."""
        self._check_open()
        with self._leases:
            return self._subjects.unclaimed(kind, queues, before, limit)

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
        """Return a piece of all there is: records, parts, then stream by stream."""
        self._check_open()
        if after and not after.isdecimal():
            raise BadRequest(NO_CURSOR)
        start, size = int(after or 0), 0
        records: list[Record] = []
        with self._leases:
            for record in islice(self._copies(), start, None):
                if size >= max_bytes and records:
                    return Dump(tuple(records), str(start + len(records)))
                records.append(record)
                size += size_of(record)
        return Dump(tuple(records), None)

    def _copies(self) -> Iterator[Record]:
        owners: dict[str, Name] = {}
        for copy in self._subjects.copies():
            if isinstance(copy, SubjectCopy):
                owners.update({own.path: copy.subject.name for own in copy.subject.streams})
            yield copy
        yield from self._streams.copies(owners)

    async def restore(self, records: Sequence[Record]) -> None:
        """Take over records of another store."""
        self._check_open()
        with self._leases:
            for record in records:
                if isinstance(record, SubjectCopy | PartCopy):
                    self._subjects.restore(record)
                else:
                    self._streams.restore(record)


def _note(batches: dict[str, Batch], path: str, batch: Batch) -> None:
    """Note what was appended to a stream; what follows in the same Change joins it."""
    batches[path] = batches[path].joined(batch.end, batch.data) if path in batches else batch
