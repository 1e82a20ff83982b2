"""The contracts between Signoff and a store: `WorkflowStore`, `EventBus`, and `Change`, one atomic unit of writing.

A store knows no rule. It loads what was committed, compares the expectations of a `Change` with what is there, writes
all of it or nothing, and returns only after the durability its URL promises. Everything in the index tables (runs,
inputs, ledger, waits) could be rebuilt from the journals; it is written in the same commit, never by hand beside it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Generic, Literal, NamedTuple, Protocol, TypeVar

from signoff.errors import SignoffError
from signoff.streams.compaction import RowChanges
from signoff.streams.stream import Head, ProducerMark, Write, new

T = TypeVar("T")

TERMINAL = frozenset({"completed", "cancelled"})
"""Statuses that end a run for good. A failed or blocked run can be rewound or healed; it is closed for answers."""


class Batch(NamedTuple):
    """Hold one append as stored: units `[start, end)`.

    `data` is the raw bytes, or in JSON mode the messages joined by commas without the brackets, so that a catch-up
    read is concatenation.
    """

    start: int
    end: int
    data: bytes


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Hold a run's index entry: what the engine needs to know without reading the journal.

    Attributes:
        journal_tail: entries in `runs/{id}/journal`; every write to a run is a compare-and-swap on it.
        public_tail: rows in `runs/{id}`.
        ready: something a worker has not digested yet (the start, an answer, an event, a cancel).
        wake_at: milliseconds of the earliest timer, deadline or retry; None if nothing is due by time.
        tags: for listings.
        state: JSON of the projection's fold state; opaque to stores.
        epoch: grows with every claim; a write by an older epoch is refused.
        lease_owner, lease_until: who may advance the run, and until when (milliseconds).
        lost: how many claims in a row took over a lease that had ended without being given up, because its owner died
            or froze. A write that adds to the journal sets it to 0.
    """

    run_id: str
    workflow: str
    status: str
    created_at: int
    updated_at: int
    journal_tail: int
    public_tail: int
    ready: bool
    wake_at: int | None
    tags: tuple[str, ...]
    state: bytes
    epoch: int = 0
    lease_owner: str | None = None
    lease_until: int | None = None
    lost: int = 0


@dataclass(frozen=True, slots=True)
class RunWrite:
    """Replace a run's index entry.

    Attributes:
        record: as it shall be. Its `epoch`, `lease_owner`, `lease_until` and `lost` are ignored: leases change by
            claim, renew and release alone.
        expect: the `journal_tail` this was decided on; None: the run must not exist yet.
        epoch: the lease epoch of the worker that writes; None: not a lease holder's write.
        release: give the lease up with this commit.
    """

    record: RunRecord
    expect: int | None
    epoch: int | None = None
    release: bool = False


@dataclass(frozen=True, slots=True)
class InputRecord:
    """Index one request for input.

    Attributes:
        key: `name:n`.
        status: `pending`, `validating`, `answered`, `expired` or `withdrawn`.
        audience: principals that may answer, e.g. `group:finance`.
        deadline: milliseconds, or None.
        state: JSON of the request's state machine; opaque to stores.
    """

    run_id: str
    key: str
    status: str
    audience: tuple[str, ...]
    created_at: int
    deadline: int | None
    state: bytes


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """Remember what was accepted under an id chosen by a client, so that a retry gets the first outcome.

    Attributes:
        scope: `answer` or `event:{topic}`.
        id: the client's id, unique in run and scope; inserting it twice is a Conflict.
        digest: of the body, to tell a retry from a reuse.
        outcome: JSON of the first reply.
    """

    run_id: str
    scope: str
    id: str
    digest: str
    outcome: bytes


@dataclass(frozen=True, slots=True)
class WaitWrite:
    """Add (or remove) the fact that a run waits for an event."""

    run_id: str
    wait_id: str
    topic: str
    key: str | None = None
    remove: bool = False


@dataclass(frozen=True, slots=True)
class EngineAppend:
    """Append JSON messages to a stream the engine owns; create it when absent.

    Attributes:
        data: messages joined by commas, without brackets; may be empty when only closing or creating.
        count: number of messages in `data`.
        at: the tail this was decided on; None: wherever the tail is.
        close: close the stream after this append.
    """

    path: str
    data: bytes
    count: int
    at: int | None = None
    close: bool = False


@dataclass(frozen=True, slots=True)
class StreamDelete:
    """Delete a stream, if its head is still at `expect`: at once for everybody who asks for it.

    What it held, which may be much, goes later (`WorkflowStore.purge`).
    """

    path: str
    expect: int


@dataclass(frozen=True, slots=True)
class Record:
    """Hold a document the server keeps beside the streams, such as a subscription.

    Attributes:
        kind: what it is; ids are unique within a kind.
        version: what compare-and-swap compares, from 1 on. Its maker draws the first one at random, so that whoever
            holds a deleted record never meets its own version in the one that took its place.
        state: opaque to stores.
        due_at: milliseconds at which something is to be done about it; None: nothing.
    """

    kind: str
    id: str
    version: int
    state: bytes
    due_at: int | None = None


@dataclass(frozen=True, slots=True)
class RecordWrite:
    """Write a record.

    Attributes:
        record: as it shall be.
        expect: the version this was decided on; 0: there must be none yet.
    """

    record: Record
    expect: int


@dataclass(frozen=True, slots=True)
class RecordDelete:
    """Delete a record, if its version is still `expect`."""

    kind: str
    id: str
    expect: int


@dataclass(frozen=True, slots=True)
class RowsWrite:
    """Move the live rows of a stream on, and drop history.

    Appends go on meanwhile: neither the tail nor, unless `base` moves, the version is compared or changed.

    Attributes:
        incarnation: of the stream the changes were folded from.
        expect: the `Head.rows_at` they were folded from.
        changes: what becomes of the rows; `changes.at` is their new position.
        base: the new `Head.base`, which drops the batches that end there or before and moves the version on, so that
            nobody forks off what is gone; None: it stays.
        refs: the `Head.refs` on which dropping was decided.
    """

    path: str
    incarnation: str
    expect: int
    changes: RowChanges
    base: int | None = None
    refs: int = 0


class Change(NamedTuple):
    """Hold one atomic unit of writing: all of it is committed, or none.

    Attributes:
        streams: what becomes of applications' streams. What else a `Write` decides (`also`) is here beside it.
    """

    run: RunWrite | None = None
    appends: tuple[EngineAppend, ...] = ()
    inputs: tuple[InputRecord, ...] = ()
    ledger: tuple[LedgerEntry, ...] = ()
    waits: tuple[WaitWrite, ...] = ()
    rows: tuple[RowsWrite, ...] = ()
    records: tuple[RecordWrite | RecordDelete, ...] = ()
    streams: tuple[Write | StreamDelete, ...] = ()


NOTHING_ELSE: Final = Change()[:-1]
"""The members of a Change before `streams`, when there is nothing in them."""


def writing(write: Write) -> Change:
    """Return the Change that is one write to an application's stream: `Change(streams=(write,))`, for every append."""
    return new(Change, (*NOTHING_ELSE, (write,)))


class Committed(NamedTuple):
    """Tell that a Change is durable.

    Attributes:
        batches: for each stream of the engine that was appended to, the batch as stored, with the positions it got. A
            `Write` says itself where its data goes.
    """

    batches: Mapping[str, Batch] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Conflict:
    """Tell that a Change was refused and nothing of it was written.

    Attributes:
        what: `run`, `epoch`, `stream`, `ledger`, `record`: which expectation did not hold.
        subject: the run id, path, ledger id or record id.
    """

    what: Literal["run", "epoch", "stream", "ledger", "record"]
    subject: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """Tell that a Change holds something the store cannot keep; nothing of it was written.

    This is a fault of who made the Change (text that is not Unicode, an integer beyond 64 bits, a str where bytes
    belong), not of the store; its neighbours in the same commit are not harmed.

    Attributes:
        error: what to raise to the one who asked for this Change.
    """

    error: SignoffError


Outcome = Committed | Conflict


@dataclass(frozen=True, slots=True)
class StreamState:
    """Hold a head, and the state of the one producer that was asked for."""

    head: Head
    producer: ProducerMark | None = None


@dataclass(frozen=True, slots=True)
class StreamTail:
    """Tell how far a stream has grown, and which of the streams that ever lived at this path it is."""

    path: str
    incarnation: str
    tail: int


@dataclass(frozen=True, slots=True)
class StreamStart:
    """Hold what a reader from the start gets.

    Attributes:
        rows: the insert messages of the live rows, as of `Head.rows_at`.
        batches: what was appended from there on.
    """

    head: Head
    rows: tuple[bytes, ...]
    batches: tuple[Batch, ...]


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Narrow a listing of runs; None, or none, means any.

    Attributes:
        statuses: the run has one of these.
        tags: the run has all of these.
        created_after, created_before: milliseconds, both exclusive.
    """

    workflow: str | None = None
    statuses: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    created_after: int | None = None
    created_before: int | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Hold one page of a listing.

    Attributes:
        items: newest first.
        cursor: pass it on to get the next page; None: this was the last.
    """

    items: tuple[T, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class LedgerKey:
    """Name a ledger entry to look up."""

    scope: str
    id: str


@dataclass(frozen=True, slots=True)
class RunState:
    """Hold what one look at a run brings: the record, the inputs and the ledger entry that were asked for."""

    record: RunRecord
    inputs: tuple[InputRecord, ...] = ()
    ledger: LedgerEntry | None = None


class WorkflowStore(Protocol):
    """Keep streams and the index of runs.

    Raises (every method):
        StoreUnavailable: the store cannot be reached, or the disk is full.
        SchemaTooNew: the store was written by a newer version of Signoff.
    """

    url: str

    async def open(self) -> None:
        """Connect, create or migrate the schema."""
        ...

    async def close(self) -> None:
        """Finish what is under way and let go of files and connections."""
        ...

    def commit(self, changes: Sequence[Change]) -> Awaitable[list[Outcome | Rejected]]:
        """Write several Changes in one transaction, each succeeding, conflicting or being rejected on its own.

        A coroutine will do. A store that can, begins when it is called and not when it is awaited.

        Later changes see earlier ones, and calls that overlap are written in the order in which they were made. Returns
        in the order given, after everything is durable. What is in a
        Change is compared first: `RunWrite.expect` and `.epoch`, `EngineAppend.at` (and that the stream is open),
        `expect` of what is written to streams and records, `LedgerEntry` absence, `RowsWrite.incarnation`, `.expect`
        and (when history goes) `.refs`. On the first that does not hold the Change is a Conflict and has no effect. A
        worker's `epoch` is compared before `expect`: whoever has lost the lease need not look again. Two appends to one
        stream in one Change follow each other and count as one batch.
        """
        ...

    # -- streams ---------------------------------------------------------------------------------------------------

    async def load_stream(self, path: str, producer_id: str | None = None) -> StreamState | None:
        """Load a stream's head, and one producer's state when asked for."""
        ...

    async def read(self, path: str, start: int, max_bytes: int) -> tuple[Head, list[Batch]] | None:
        """Read batches that overlap positions from `start` on, in order, together with the head of that moment.

        The first batch may begin before `start`. Stops after the batch that brings the total to `max_bytes` or
        more; at least one batch is returned if there is one. What a fork has of its source is read from the source.
        None: there is no such stream.
        """
        ...

    async def read_start(self, path: str, max_bytes: int) -> StreamStart | None:
        """Read the live rows, all of them, and the batches from `Head.rows_at` on as `read` does, in one look.

        Without live rows these are the batches from the beginning.
        """
        ...

    async def rows_bytes(self, path: str) -> int:
        """Return how many bytes the messages of the live rows have together; 0 if there is no such stream."""
        ...

    async def tails(self, paths: Sequence[str]) -> dict[str, tuple[int, bool]]:
        """Return `(tail, closed)` for those of `paths` that exist and are not deleted (`Head.deleted`)."""
        ...

    async def find_streams(self, paths: Sequence[str]) -> dict[str, StreamTail]:
        """Return how far those of `paths` that exist have grown."""
        ...

    async def list_streams(self, prefix: str, *, limit: int, after: str = "") -> list[StreamTail]:
        """List streams whose path begins with `prefix` and comes after `after`, in the order of paths as UTF-8.

        One that is deleted and kept for its forks does not count, as in `find_streams`.
        """
        ...

    async def ended_streams(self, *, now: int, limit: int) -> list[str]:
        """Return paths of streams whose life is over at `now` (`expiry.is_expired`), the earliest first.

        One that is deleted and kept for its forks does not count.
        """
        ...

    async def purge(self) -> bool:
        """Drop a piece of what deleted streams held; False: there is nothing left.

        A piece is small enough that other writers hardly wait for it. Whoever deletes asks until there is nothing left,
        with pauses; so does whoever opens a store, for those who could not go on. Several may ask at once.
        """
        ...

    # -- records ---------------------------------------------------------------------------------------------------

    async def load_record(self, kind: str, record_id: str) -> Record | None:
        """Load a record; None if there is none."""
        ...

    async def list_records(self, kind: str, *, limit: int, after: str = "") -> list[Record]:
        """List records of a kind whose id comes after `after`, in the order of ids as UTF-8."""
        ...

    async def due_records(self, kind: str, *, now: int, limit: int) -> list[Record]:
        """Return records of a kind that are due at `now`, the earliest first."""
        ...

    async def next_record_due(self, kind: str) -> int | None:
        """Return when the first record of a kind will be due; None if none will."""
        ...

    # -- runs ------------------------------------------------------------------------------------------------------

    async def load_run(
        self,
        run_id: str,
        *,
        inputs: Literal["none", "pending", "all"] | str = "none",
        ledger: LedgerKey | None = None,
    ) -> RunState | None:
        """Load a run's record with, in one consistent look, some inputs and one ledger entry.

        Args:
            inputs: `none`, `pending` (pending or validating ones), `all`, or the key of one (`name:n`).
        """
        ...

    async def list_runs(self, where: RunFilter, *, limit: int, cursor: str | None = None) -> Page[RunRecord]:
        """List runs, newest first, with stable paging: cost follows the page, not the table.

        Raises:
            BadRequest: the cursor is not one of ours.
        """
        ...

    async def list_inputs(
        self, *, audience: Collection[str] | None, status: str | None, limit: int, cursor: str | None = None
    ) -> Page[InputRecord]:
        """List requests for input, newest first, asked of any of `audience` (None: of anybody)."""
        ...

    async def waiting_on(self, topic: str, key: str | None) -> list[str]:
        """Return ids of runs that wait for `topic` with this key or with no key, in the order they began to wait."""
        ...

    # -- leases ----------------------------------------------------------------------------------------------------

    async def claim(
        self, owner: str, *, now: int, lease_ms: int, limit: int, workflows: Collection[str] | None = None
    ) -> list[RunRecord]:
        """Take a lease on up to `limit` runs that are ready or due, and have no live lease; epoch grows by one.

        A lease that ended without being given up makes its run due too: its owner may have died within a step.
        Oldest due first. Runs with a terminal or failed status are never claimed. The returned records have the
        new epoch. The same owner cannot claim a run twice.

        A lease further ahead than twice its length counts as ended: the clock it was reckoned by has been set back.
        `RunRecord.lost` grows by one if the lease of another owner had ended without being given up.
        """
        ...

    async def renew(
        self, owner: str, runs: Mapping[str, int], *, until: int, along: tuple[str, str] | None = None
    ) -> set[str]:
        """Extend leases (`run_id → epoch`) to `until`; return the ids whose lease is lost or given up.

        `along` names a record, by kind and id, that is due at `until` from now on, if there is one; its version stays.

        `renew` and `release` may be awaited on an event loop of another thread, and answer there, while the loop that
        opened the store is blocked: users' code runs on that one, and a lease must not depend on it.
        """
        ...

    async def release(self, owner: str, runs: Mapping[str, int]) -> None:
        """Give leases up before the runs' own work is done: each is ready at once, as when a lease has run out.

        A lease that is no longer ours is left alone. May be awaited in another thread, as `renew`.
        """
        ...

    async def next_due(self, workflows: Collection[str] | None = None) -> int | None:
        """Return the earliest time (ms) at which `claim` could find a run: 0 if one is ready now, None if none."""
        ...

    async def unclaimed(self, known: Collection[str], *, before: int, limit: int) -> list[str]:
        """Return ids of runs that `claim` could have found since `before` (ms), of workflows that are not `known`.

        A blocked run counts only if it is ready. The cost follows the number of such runs, not the table.
        """
        ...

    def bus(self) -> EventBus:
        """Return the bus that carries this store's wake-ups."""
        ...


class Subscription(Protocol):
    """Hold an interest in topics until closed."""

    def close(self) -> None:
        """Stop the wake-ups."""
        ...


class EventBus(Protocol):
    """Carry wake-ups between processes. A wake-up is a hint: it may be lost or doubled.

    Topics: `stream:{path}` (something was appended, closed or deleted), `ready` (some run may be claimable) and
    `elsewhere` (another process has committed something, whatever it is).
    """

    def emit(self, topics: Iterable[str]) -> None:
        """Wake the subscribers of these topics, and no others. Called after a commit, on the event loop.

        A backend that must talk to a server for it does so in the background.
        """
        ...

    def subscribe(self, topic: str, wake: Callable[[], None]) -> Subscription:
        """Call `wake` on the subscriber's event loop whenever the topic may have news."""
        ...
