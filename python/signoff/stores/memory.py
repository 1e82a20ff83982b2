"""The store for tests and development: real semantics, one process, gone when it ends."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import nsmallest
from itertools import islice
from threading import RLock
from typing import Any, Literal, TypeVar
from uuid import uuid4

from signoff.errors import SignoffError, StoreUnavailable
from signoff.stores import paging
from signoff.stores.agenda import Agenda
from signoff.stores.base import (
    Batch,
    Change,
    Committed,
    EngineAppend,
    InputRecord,
    LedgerEntry,
    LedgerKey,
    Outcome,
    Page,
    Record,
    RecordDelete,
    RecordWrite,
    Rejected,
    RowsWrite,
    RunFilter,
    RunRecord,
    RunState,
    RunWrite,
    StreamDelete,
    StreamStart,
    StreamState,
    StreamTail,
    WaitWrite,
)
from signoff.stores.bus import LocalBus
from signoff.stores.check import check
from signoff.stores.compare import NOT_CLAIMABLE, OPEN_INPUTS, compare, due_at, is_far
from signoff.stores.parting import batches
from signoff.streams import expiry
from signoff.streams.compaction import LiveRow
from signoff.streams.stream import JSON, Head, ProducerMark, Write

T = TypeVar("T")

_PIECE = 2_000
"""Entries that are freed in one go: less than a millisecond."""


@dataclass(slots=True)
class _Stream:
    """Keep a stream: its head, what was appended, its producers and its live rows."""

    head: Head
    batches: list[Batch] = field(default_factory=list)
    producers: dict[str, ProducerMark] = field(default_factory=dict)
    rows: dict[tuple[str, str], LiveRow] = field(default_factory=dict)


@dataclass(slots=True)
class _Run:
    """Keep a run's record, the number that orders it in listings, and how long its lease is."""

    number: int
    record: RunRecord
    lease_ms: int = 0


class MemoryStore:
    """Keep everything in dictionaries. Use it from one event loop; leases may be renewed and released elsewhere.

    Example:
        >>> store = MemoryStore()
        >>> await store.open()
    """

    url = "memory:"

    def __init__(self) -> None:
        self._streams: dict[str, _Stream] = {}
        self._doomed: deque[_Stream] = deque()
        self._mortal: set[str] = set()
        self._runs: dict[str, _Run] = {}
        self._listing: list[tuple[int, int, str]] = []
        self._inputs: dict[int, InputRecord] = {}
        self._inputs_of: dict[str, dict[str, int]] = {}
        self._input_listing: list[tuple[int, int]] = []
        self._ledger: dict[tuple[str, str, str], LedgerEntry] = {}
        self._waits: dict[tuple[str, str], WaitWrite] = {}
        self._records: dict[tuple[str, str], Record] = {}
        self._agenda = Agenda()
        self._leases = RLock()  # for what another thread may change: records and runs, and when they are due
        self._farthest = 0
        self._bus = LocalBus()
        self._numbers = 0
        self._closed = False

    async def open(self) -> None:
        """Do nothing: memory is always there."""
        self._closed = False

    async def close(self) -> None:
        """Refuse what comes from now on; what is kept stays readable after another `open`."""
        self._closed = True

    def bus(self) -> LocalBus:
        """Return the bus that carries this store's wake-ups."""
        return self._bus

    # -- what `compare` asks ---------------------------------------------------------------------------------------

    def stream(self, path: str) -> Head | None:
        """Return a stream's head; None if there is no such stream."""
        kept = self._streams.get(path)
        return kept.head if kept else None

    def run(self, run_id: str) -> RunRecord | None:
        """Return a run's record; None if there is no such run."""
        kept = self._runs.get(run_id)
        return kept.record if kept else None

    def accepted(self, entry: LedgerEntry) -> bool:
        """Tell whether the ledger has this run, scope and id."""
        return (entry.run_id, entry.scope, entry.id) in self._ledger

    def record_version(self, kind: str, record_id: str) -> int:
        """Return a record's version; 0 if there is none."""
        record = self._records.get((kind, record_id))
        return 0 if record is None else record.version

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
        appended: dict[str, Batch] = {}
        for append in change.appends:
            self._append(append, appended)
        if change.run is not None:
            self._write_run(change.run)
        for one in change.inputs:
            self._write_input(one)
        for entry in change.ledger:
            self._ledger[entry.run_id, entry.scope, entry.id] = entry
        for wait in change.waits:
            self._write_wait(wait)
        for write in change.streams:
            if isinstance(write, StreamDelete):
                self._doomed.append(self._streams.pop(write.path))
                self._mortal.discard(write.path)
            else:
                self._write_stream(write)
        for rows in change.rows:
            self._write_rows(rows)
        for document in change.records:
            self._write_record(document)
        return Committed(appended)

    def _append(self, append: EngineAppend, appended: dict[str, Batch]) -> None:
        kept = self._streams.get(append.path)
        if kept is None:
            head = Head.of(append.path, uuid4().hex, version=0, tail=0, content_type=JSON, engine=True)
            kept = self._streams[append.path] = _Stream(head)
        head = kept.head
        batch = Batch(head.tail, head.tail + append.count, append.data)
        kept.head = head.moved(append.count, head.touched_at, None)
        if append.close:
            kept.head = kept.head.changed(closed=True)
        if append.count:
            kept.batches.append(batch)
        appended[append.path] = joined(appended[append.path], batch) if append.path in appended else batch

    def _write_stream(self, write: Write) -> None:
        head = write.head
        kept = self._streams.get(head.path)
        if kept is None:
            kept = self._streams[head.path] = _Stream(head._replace(tail=max(head.base, head.own)))
            if expiry.end(head) is not None:
                self._mortal.add(head.path)
        if head.tail > kept.head.tail:
            kept.batches += batches(write, kept.head.tail)
        kept.head = head if head.rows_at == kept.head.rows_at else head.changed(rows_at=kept.head.rows_at)
        if write.producer is not None:
            kept.producers[write.producer.producer_id] = write.producer

    def _write_rows(self, write: RowsWrite) -> None:
        kept, changes = self._streams[write.path], write.changes
        if changes.clear:
            kept.rows.clear()
        for name in changes.gone:
            kept.rows.pop(name, None)
        for row in changes.rows:
            name = row.type, row.key
            old = kept.rows.get(name)
            kept.rows[name] = row if old is None else replace(row, position=old.position)
        kept.head = kept.head.changed(rows_at=changes.at)
        if write.base is not None:
            kept.head = kept.head.changed(base=write.base, version=kept.head.version + 1)
            # A new list: a reader may be at work on the old one.
            kept.batches = [batch for batch in kept.batches if batch.end > write.base]

    def _write_run(self, write: RunWrite) -> None:
        record = write.record
        kept = self._runs.get(record.run_id)
        if kept is None:
            kept = self._runs[record.run_id] = _Run(self._next(), record)
            old = replace(record, epoch=0, lease_owner=None, lease_until=None, lost=0)
            insort(self._listing, (record.created_at, kept.number, record.run_id))
        else:
            old = kept.record
        owner, until = (None, None) if write.release else (old.lease_owner, old.lease_until)
        lost = old.lost if record.journal_tail == old.journal_tail else 0
        now = (old.created_at, old.epoch, owner, until, lost)
        if now != (record.created_at, record.epoch, record.lease_owner, record.lease_until, record.lost):
            created, epoch, *_ = now
            record = replace(record, created_at=created, epoch=epoch, lease_owner=owner, lease_until=until, lost=lost)
        self._put(record)

    def _put(self, record: RunRecord) -> None:
        kept = self._runs[record.run_id]
        kept.record = record
        if record.lease_until is not None:
            self._farthest = max(self._farthest, record.lease_until - 2 * kept.lease_ms)
        gate = due_at(record.status, record.ready, record.wake_at, record.lease_until)
        self._agenda.put(record.run_id, record.workflow, gate, record.updated_at)

    def _write_input(self, record: InputRecord) -> None:
        of_run = self._inputs_of.setdefault(record.run_id, {})
        number = of_run.get(record.key)
        if number is None:
            number = of_run[record.key] = self._next()
            insort(self._input_listing, (record.created_at, number))
        self._inputs[number] = replace(record, created_at=self._inputs.get(number, record).created_at)

    def _write_wait(self, wait: WaitWrite) -> None:
        if wait.remove:
            self._waits.pop((wait.run_id, wait.wait_id), None)
        else:
            self._waits.setdefault((wait.run_id, wait.wait_id), wait)

    def _write_record(self, write: RecordWrite | RecordDelete) -> None:
        with self._leases:
            if isinstance(write, RecordDelete):
                del self._records[write.kind, write.id]
            else:
                self._records[write.record.kind, write.record.id] = write.record

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("The store is closed; open it before use.")

    # -- streams ---------------------------------------------------------------------------------------------------

    async def load_stream(self, path: str, producer_id: str | None = None) -> StreamState | None:
        """Load a stream's head, and one producer's state when asked for."""
        self._check_open()
        kept = self._streams.get(path)
        if kept is None:
            return None
        return StreamState(kept.head, kept.producers.get(producer_id) if producer_id is not None else None)

    async def read(self, path: str, start: int, max_bytes: int) -> tuple[Head, list[Batch]] | None:
        """Read batches that overlap positions from `start` on, together with the head of that moment."""
        self._check_open()
        kept = self._streams.get(path)
        if kept is None:
            return None
        return kept.head, _batches(kept, start, max_bytes)

    async def read_start(self, path: str, max_bytes: int) -> StreamStart | None:
        """Read the live rows, and the batches from their position on."""
        self._check_open()
        kept = self._streams.get(path)
        if kept is None:
            return None
        # Rows are kept in the order in which they appeared.
        rows = tuple(row.message for row in kept.rows.values())
        return StreamStart(kept.head, rows, tuple(_batches(kept, kept.head.rows_at, max_bytes)))

    async def rows_bytes(self, path: str) -> int:
        """Return how many bytes the live rows have together."""
        self._check_open()
        kept = self._streams.get(path)
        return sum(len(row.message) for row in kept.rows.values()) if kept else 0

    async def tails(self, paths: Sequence[str]) -> dict[str, tuple[int, bool]]:
        """Return `(tail, closed)` for those of `paths` that exist and are not deleted."""
        self._check_open()
        heads = [kept.head for path in paths if (kept := self._streams.get(path))]
        return {head.path: (head.tail, head.closed) for head in heads if not head.deleted}

    async def find_streams(self, paths: Sequence[str]) -> dict[str, StreamTail]:
        """Return how far those of `paths` that exist have grown."""
        self._check_open()
        heads = [kept.head for path in paths if (kept := self._streams.get(path))]
        return {head.path: _tail(head) for head in heads if not head.deleted}

    async def list_streams(self, prefix: str, *, limit: int, after: str = "") -> list[StreamTail]:
        """List streams whose path begins with `prefix` and comes after `after`, in the order of paths as UTF-8."""
        self._check_open()
        heads = [
            kept.head
            for path, kept in self._streams.items()
            if path.startswith(prefix) and path > after and not kept.head.deleted
        ]
        return [_tail(head) for head in nsmallest(limit, heads, key=lambda head: head.path)]

    async def ended_streams(self, *, now: int, limit: int) -> list[str]:
        """Return paths of streams whose life is over at `now`, the earliest first."""
        self._check_open()
        ends = [(end, path) for path in self._mortal if (end := expiry.end(self._streams[path].head)) is not None]
        return [path for end, path in nsmallest(limit, ends) if end <= now]

    async def purge(self) -> bool:
        """Drop a piece of what deleted streams held; False: there is nothing left."""
        self._check_open()
        left = _PIECE
        while left > 0 and self._doomed:
            doomed = self._doomed[0]
            before = len(doomed.batches)
            del doomed.batches[-left:]
            left -= before - len(doomed.batches)
            left -= _thin(doomed.rows, left) if left else 0
            left -= _thin(doomed.producers, left) if left else 0
            if left:
                self._doomed.popleft()
                left -= 1
        return bool(self._doomed)

    # -- records ---------------------------------------------------------------------------------------------------

    async def load_record(self, kind: str, record_id: str) -> Record | None:
        """Load a record; None if there is none."""
        self._check_open()
        return self._records.get((kind, record_id))

    async def list_records(self, kind: str, *, limit: int, after: str = "") -> list[Record]:
        """List records of a kind whose id comes after `after`, in the order of ids as UTF-8."""
        self._check_open()
        found = (record for record in self._records.values() if record.kind == kind and record.id > after)
        return nsmallest(limit, found, key=lambda record: record.id)

    async def due_records(self, kind: str, *, now: int, limit: int) -> list[Record]:
        """Return records of a kind that are due at `now`, the earliest first."""
        self._check_open()
        due = [
            (record.due_at, record.id, record)
            for record in self._records.values()
            if record.kind == kind and record.due_at is not None and record.due_at <= now
        ]
        return [record for _, _, record in nsmallest(limit, due)]

    async def next_record_due(self, kind: str) -> int | None:
        """Return when the first record of a kind will be due; None if none will."""
        self._check_open()
        due = (record.due_at for record in self._records.values() if record.kind == kind)
        return min((at for at in due if at is not None), default=None)

    # -- runs ------------------------------------------------------------------------------------------------------

    async def load_run(
        self,
        run_id: str,
        *,
        inputs: Literal["none", "pending", "all"] | str = "none",
        ledger: LedgerKey | None = None,
    ) -> RunState | None:
        """Load a run's record with some inputs and one ledger entry."""
        self._check_open()
        kept = self._runs.get(run_id)
        if kept is None:
            return None
        asked = tuple(
            record
            for key, number in self._inputs_of.get(run_id, {}).items()
            if (record := self._inputs[number])
            and (inputs in ("all", key) or (inputs == "pending" and record.status in OPEN_INPUTS))
        )
        return RunState(kept.record, asked, self._ledger.get((run_id, ledger.scope, ledger.id)) if ledger else None)

    async def list_runs(self, where: RunFilter, *, limit: int, cursor: str | None = None) -> Page[RunRecord]:
        """List runs, newest first, with stable paging."""
        self._check_open()
        items: list[RunRecord] = []
        last: tuple[int, int] | None = None
        end = bisect_left(self._listing, (*paging.place(cursor), ""))
        for created_at, number, run_id in _backwards(self._listing, end):
            record = self._runs[run_id].record
            if not _matches(record, where):
                continue
            if len(items) == limit and last:
                return Page(tuple(items), paging.cursor(*last))
            items.append(record)
            last = created_at, number
        return Page(tuple(items), None)

    async def list_inputs(
        self, *, audience: Collection[str] | None, status: str | None, limit: int, cursor: str | None = None
    ) -> Page[InputRecord]:
        """List requests for input, newest first, asked of any of `audience` (None: of anybody)."""
        self._check_open()
        items: list[InputRecord] = []
        last: tuple[int, int] | None = None
        end = bisect_left(self._input_listing, paging.place(cursor))
        for created_at, number in _backwards(self._input_listing, end):
            record = self._inputs[number]
            if status not in (None, record.status) or (
                audience is not None and not set(audience).intersection(record.audience)
            ):
                continue
            if len(items) == limit and last:
                return Page(tuple(items), paging.cursor(*last))
            items.append(record)
            last = created_at, number
        return Page(tuple(items), None)

    async def waiting_on(self, topic: str, key: str | None) -> list[str]:
        """Return ids of runs that wait for `topic` with this key or with no key, in the order they began to wait."""
        self._check_open()
        waits = [wait for wait in self._waits.values() if wait.topic == topic and wait.key in (None, key)]
        return list(dict.fromkeys(wait.run_id for wait in waits))

    # -- leases ----------------------------------------------------------------------------------------------------

    async def claim(
        self, owner: str, *, now: int, lease_ms: int, limit: int, workflows: Collection[str] | None = None
    ) -> list[RunRecord]:
        """Take a lease on up to `limit` runs that are ready or due, and have no live lease."""
        self._check_open()
        with self._leases:
            taken = self._agenda.take(now, limit, workflows)
            if self._farthest > now:
                taken += self._far(now, limit - len(taken), workflows)
            return [self._claim(run_id, owner, now, lease_ms) for run_id in taken]

    def _claim(self, run_id: str, owner: str, now: int, lease_ms: int) -> RunRecord:
        kept = self._runs[run_id]
        old, kept.lease_ms = kept.record, lease_ms
        record = replace(
            old,
            epoch=old.epoch + 1,
            lease_owner=owner,
            lease_until=now + lease_ms,
            lost=old.lost + (old.lease_owner not in (None, owner)),
        )
        self._put(record)
        return record

    def _far(self, now: int, limit: int, workflows: Collection[str] | None) -> list[str]:
        far = [
            (kept.record.lease_until - 2 * kept.lease_ms, kept.number, run_id)
            for run_id, kept in self._runs.items()
            if kept.record.lease_until is not None
            and is_far(kept.record.lease_until, kept.lease_ms, now)
            and kept.record.status not in NOT_CLAIMABLE
            and (workflows is None or kept.record.workflow in workflows)
        ]
        return [run_id for _, _, run_id in nsmallest(limit, far)]

    async def renew(
        self, owner: str, runs: Mapping[str, int], *, until: int, along: tuple[str, str] | None = None
    ) -> set[str]:
        """Extend leases to `until`; return the ids whose lease is lost or given up."""
        self._check_open()
        lost = set()
        with self._leases:
            if along in self._records:
                self._records[along] = replace(self._records[along], due_at=until)
            for run_id, epoch in runs.items():
                record = self._held(owner, run_id, epoch)
                if record is None or record.status in NOT_CLAIMABLE:
                    lost.add(run_id)
                else:
                    self._put(replace(record, lease_until=until))
        return lost

    async def release(self, owner: str, runs: Mapping[str, int]) -> None:
        """Give leases up before the runs' own work is done; each is ready at once."""
        self._check_open()
        with self._leases:
            for run_id, epoch in runs.items():
                if record := self._held(owner, run_id, epoch):
                    self._put(replace(record, ready=True, lease_owner=None, lease_until=None))

    def _held(self, owner: str, run_id: str, epoch: int) -> RunRecord | None:
        record = self.run(run_id)
        return record if record and (record.lease_owner, record.epoch) == (owner, epoch) else None

    async def next_due(self, workflows: Collection[str] | None = None) -> int | None:
        """Return the earliest time (ms) at which `claim` could find a run: 0 if one is ready now, None if none."""
        self._check_open()
        with self._leases:
            return self._agenda.earliest(workflows)

    async def unclaimed(self, known: Collection[str], *, before: int, limit: int) -> list[str]:
        """Return ids of runs that `claim` could have found since `before`, of workflows that are not `known`."""
        self._check_open()
        found = (self._runs[run_id].record for run_id in self._agenda.others(known, before))
        return [run.run_id for run in islice((run for run in found if run.ready or run.status != "blocked"), limit)]


def _thin(entries: dict[Any, Any], most: int) -> int:
    """Drop so many entries at most; return how many."""
    names = list(islice(entries, most))
    for name in names:
        del entries[name]
    return len(names)


def _tail(head: Head) -> StreamTail:
    return StreamTail(head.path, head.incarnation, head.tail)


def _batches(kept: _Stream, start: int, max_bytes: int) -> list[Batch]:
    first = bisect_left(kept.batches, start + 1, key=lambda batch: batch.end)
    found: list[Batch] = []
    size = 0
    for batch in kept.batches[first:]:
        found.append(batch)
        size += len(batch.data)
        if size >= max_bytes:
            break
    return found


def joined(first: Batch, second: Batch) -> Batch:
    """Join two batches of JSON messages that follow each other."""
    return Batch(first.start, second.end, b",".join(data for data in (first.data, second.data) if data))


def _backwards(items: list[T], end: int) -> Iterator[T]:
    return (items[index] for index in range(end - 1, -1, -1))


def _matches(record: RunRecord, where: RunFilter) -> bool:
    return (
        where.workflow in (None, record.workflow)
        and (not where.statuses or record.status in where.statuses)
        and set(where.tags) <= set(record.tags)
        and (where.created_after is None or record.created_at > where.created_after)
        and (where.created_before is None or record.created_at < where.created_before)
    )
