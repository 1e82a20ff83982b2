"""The contract between Signoff and a store: subjects, streams, work, posts, and one way to write.

A store knows no rule and no kind. It loads what was committed, compares the expectation of a `Change` with what is
there (`compare.py`), writes all of it or nothing, and returns only after the durability its URL promises. The suite in
`signoff.testing.store_contract` states all of this as tests; a backend that passes it is one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Generic, Literal, Protocol, TypeVar

from signoff.frozen import frozen
from signoff.sql import Transaction
from signoff.stores.bus import EventBus
from signoff.stores.change import Batch, Change, Name, Outcome, Part, Rejected, Subject
from signoff.stores.copies import Copies
from signoff.streams.stream import Head, ProducerMark

T = TypeVar("T")

NO_SQL: Final = (
    "The store is {}, which has no SQL, so a step cannot be a transaction of it. "
    "Use SQLite or PostgreSQL, or a plain step."
)
"""What to refuse a transaction with."""


@dataclass(frozen=True, slots=True)
class StreamState:
    """A head, and the state of the one producer that was asked for."""

    head: Head
    producer: ProducerMark | None = None


@dataclass(frozen=True, slots=True)
class StreamTail:
    """How far a stream has grown, and which of the streams that ever lived at this path it is."""

    path: str
    incarnation: str
    tail: int
    closed: bool = False


@dataclass(frozen=True, slots=True)
class StreamStart:
    """What a reader from the start gets.

    Attributes:
        rows: the insert messages of the live rows, as of `Head.rows_at`.
        batches: what was appended from there on.
    """

    head: Head
    rows: tuple[bytes, ...]
    batches: tuple[Batch, ...]


@dataclass(frozen=True, slots=True)
class PartsWanted:
    """Which parts to load with a subject.

    Attributes:
        kind: of the parts.
        key: this one; None: any.
        open: only those that are open.
    """

    kind: str
    key: str | None = None
    open: bool = False


@frozen
class LoadedSubject:
    """A subject and those of its parts that were asked for, as of one moment; each kind in the order of first put."""

    subject: Subject
    parts: tuple[Part, ...] = ()

    def of(self, kind: str) -> tuple[Part, ...]:
        """Return the parts of one kind."""
        return tuple(part for part in self.parts if part.kind == kind)


@dataclass(frozen=True, slots=True)
class OwnedPart:
    """A part, and the subject it belongs to."""

    owner: Name
    part: Part


@dataclass(frozen=True, slots=True)
class Listing:
    """What to list: subjects, or parts, of one kind.

    Attributes:
        kind: of the subjects, or of the parts.
        any_of: it has one of these terms; each leads an index, and what has several of them is listed once. None: all
            of the kind; empty: nothing.
        all_of: it has all of these as well.
        after, before: bounds on `sort`, both exclusive; None: none.
        oldest_first: in the order of `sort` and, where that is equal, of first writing; otherwise the reverse.
    """

    kind: str
    any_of: tuple[str, ...] | None = None
    all_of: tuple[str, ...] = ()
    after: int | None = None
    before: int | None = None
    oldest_first: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a listing.

    Attributes:
        items: in the order of the listing.
        cursor: pass it on to get the next page; None: this was the last.
    """

    items: tuple[T, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Lanes:
    """How a store likes to be written to.

    Attributes:
        group: Changes in one call of `commit` at most.
        at_once: calls of `commit` under way at a time.
        begins_at_call: `commit` begins when it is called, not when it is awaited.
        places_at_once: a post is placed in the commit of its Change; `Posts.place` has never anything to do.
    """

    group: int = 256
    at_once: int = 1
    begins_at_call: bool = False
    places_at_once: bool = True


@dataclass(frozen=True, slots=True)
class StoreDescription:
    """What a store says of itself, for operators.

    Attributes:
        backend: e.g. `sqlite`.
        schema: the version of the schema its data has; 0: it has none.
        survives: what a durable commit outlives: the loss of power, the end of the process alone, or not even that.
        wrong: why its servers, as they are set up now, may lose what they are given, a sentence or two each.
    """

    backend: str
    schema: int
    survives: Literal["power", "process", "nothing"]
    wrong: tuple[str, ...] = ()


class Subjects(Protocol):
    """Records and their parts."""

    async def load(self, name: Name, *wanted: PartsWanted) -> LoadedSubject | None:
        """Load a subject's record with some of its parts, in one consistent look; None: there is none."""
        ...

    async def list_subjects(self, where: Listing, *, limit: int, cursor: str | None = None) -> Page[Subject]:
        """List subjects with stable paging: cost follows the page, not the table.

        Raises:
            BadRequest: the cursor is not one of ours.
        """
        ...

    async def list_parts(self, where: Listing, *, limit: int, cursor: str | None = None) -> Page[OwnedPart]:
        """List parts, of whatever subject, as `list_subjects` does."""
        ...


class Streams(Protocol):
    """Streams, whoever writes them."""

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

    async def find_streams(self, paths: Sequence[str]) -> dict[str, StreamTail]:
        """Return how far those of `paths` that exist, and are not deleted (`Head.deleted`), have grown."""
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


class Work(Protocol):
    """Subjects that are due, and leases on them."""

    async def claim(self, owner: str, queues: Collection[str], *, now: int, lease_ms: int, limit: int) -> list[Subject]:
        """Take a lease on up to `limit` subjects of these queues that are ready or due, and have no live lease.

        Epochs grow by one; the returned records have the new ones. Oldest due first. A lease that ended without being
        given up makes its subject due too: its owner may have died within a step. The same owner cannot claim a subject
        twice.

        A lease further ahead than twice its length counts as ended: the clock it was reckoned by has been set back.
        `Subject.lost` grows by one if the lease of another owner had ended without being given up.
        """
        ...

    async def renew(
        self, owner: str, leases: Mapping[Name, int], *, until: int, along: Name | None = None
    ) -> set[Name]:
        """Extend leases (name → epoch) to `until`; return the names whose lease is lost or given up.

        Args:
            along: a subject that wakes at `until` from now on, if there is one; its version stays.

        `renew` and `release` may be awaited on an event loop of another thread, and answer there, while the loop that
        opened the store is blocked: users' code runs on that one, and a lease must not depend on it.
        """
        ...

    async def release(self, owner: str, leases: Mapping[Name, int]) -> None:
        """Give leases up before the subjects' own work is done: each is ready at once, as when a lease has run out.

        A lease that is no longer ours is left alone. May be awaited in another thread, as `renew`.
        """
        ...

    async def due(self, queue: str, *, now: int, limit: int) -> list[Subject]:
        """Return subjects of a queue that are due at `now`, the earliest first; no lease is taken."""
        ...

    async def next_due(self, queues: Collection[str]) -> int | None:
        """Return the earliest time (ms) at which `claim` could find a subject: 0 if one is ready, None if none."""
        ...

    async def unclaimed(self, kind: str, queues: Collection[str], *, before: int, limit: int) -> list[Name]:
        """Return subjects of a kind that `claim` could have found since `before` (ms), of any other queue than these.

        One that is `quiet` counts only if it is ready. The cost follows the number of such subjects, not the table.
        """
        ...


class Posts(Protocol):
    """Messages on their way to streams that subjects share."""

    async def place(self, *, limit: int = 1_000) -> int:
        """Place up to `limit` posts that are committed and not placed yet; return how many.

        Any process may do it, several at once, and whoever dies over it loses and doubles none. A store that places
        posts in their own commit has never any left, and returns 0.
        """
        ...

    async def unplaced(self) -> int:
        """Return how many posts wait for being placed."""
        ...


class SqlTransaction(Transaction, Protocol):
    """A transaction of the store's own database, in which its users execute statements."""

    async def commit(self, change: Change) -> Outcome | Rejected:
        """Commit what was executed together with a Change; on a Conflict, or if it is rejected, leave it open.

        The Change is compared as by `WorkflowStore.commit`, with what is there at this moment.

        Raises:
            StoreUnavailable, OutcomeUnknown: as `WorkflowStore.commit`.
            What the database refuses to commit with, as the driver says it; nothing was written.
        """
        ...


class WorkflowStore(Subjects, Streams, Work, Posts, Copies, Protocol):
    """Everything Signoff keeps.

    Raises (every method):
        StoreUnavailable: the store cannot be reached, the disk is full, or what was opened is gone: a store that others
            can empty, or make anew, tells that from a look that finds nothing.
        SchemaTooNew: the store was written by a newer version of Signoff.
    """

    url: str
    lanes: Lanes

    async def open(self) -> None:
        """Connect, create or migrate the schema."""
        ...

    async def close(self) -> None:
        """Finish what is under way and let go of files and connections."""
        ...

    async def describe(self) -> StoreDescription:
        """Return what this store is, after a look at its data."""
        ...

    def commit(self, changes: Sequence[Change]) -> Awaitable[list[Outcome | Rejected]]:
        """Write several Changes, each succeeding, conflicting or being rejected on its own.

        Returns, in the order given, after everything is durable. What is in a Change is compared first: a worker's
        `epoch` before the version, since whoever has lost the lease need not look again; then `expect` of the subject,
        and that its own streams take what is appended, or `expect` of each stream; of a `RowsWrite` its `incarnation`,
        `expect` and (when history goes) `refs`. On the first that does not hold it is a Conflict, without effect.

        Of Changes about the same subject later ones see earlier ones, within a call and between calls in the order in
        which they were made. Nothing is promised about the order of others.
        """
        ...

    async def find(self, changes: Sequence[Change]) -> list[bool | None]:
        """Tell which Changes were committed, by their marks, after a `commit` whose outcome is not known.

        None: that can no longer be told; whoever asks must look at what is there. Never a guess. A Change without a
        mark cannot be told.
        """
        ...

    def transaction(self) -> AbstractAsyncContextManager[SqlTransaction]:
        """Begin a transaction of this store's database; what was not committed is undone at its end.

        What it executes may be anything but what begins or ends a transaction, and does not touch the store's own
        tables. A store may bound how long one may take.

        Raises:
            NotSupported: this store has no SQL.
        """
        ...

    def bus(self) -> EventBus:
        """Return the bus that carries this store's wake-ups."""
        ...
