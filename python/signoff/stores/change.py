"""What is written to a store: a `Change`, one atomic unit, about one subject; and how it ended.

A *subject* is a run, a subscription, a key: an id, a version, a state nobody but its maker reads, index terms, *parts*
(small documents of its own, such as a request for input), and streams of its own. The streams of applications are
subjects too, each with those that were forked from it. What a subject's Change has to say to others leaves as a *post*.

A store knows no kind of subject or part: kinds are declared above it (`service/kinds.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from signoff.errors import SignoffError
from signoff.frozen import frozen
from signoff.streams.compaction import RowChanges
from signoff.streams.stream import Write

_MARK_BITS: Final = 62
_random: Final = Random()  # noqa: S311 - marks must differ, not be hard to guess


def new_mark() -> int:
    """Draw what tells one Change from all others: a positive integer of at most 62 bits."""
    return 1 + _random.getrandbits(_MARK_BITS)


class Batch(NamedTuple):
    """One append as stored: units `[start, end)`.

    `data` is the raw bytes, or in JSON mode the messages joined by commas without the brackets, so that a catch-up
    read is concatenation.
    """

    start: int
    end: int
    data: bytes

    def joined(self, end: int, data: bytes) -> Batch:
        """Return this batch of messages with those that follow it, up to position `end`."""
        return Batch(self.start, end, b",".join(some for some in (self.data, data) if some))


class Name(NamedTuple):
    """The name of a subject: ids are unique within a kind."""

    kind: str
    id: str


@frozen
class OwnStream:
    """How far a stream of a subject's own has grown.

    It has no head that its appends would move: its tail is in the subject's record.
    """

    path: str
    tail: int
    closed: bool = False


@frozen
class Subject:
    """A subject's record: what must be known of it without reading its streams.

    Attributes:
        name: its kind and id.
        version: what compare-and-swap compares, from 1 on; another after every Change that writes the record.
        state: opaque to stores.
        terms: what it is listed by; each a text of at most 512 characters without control characters.
        sort: orders listings and bounds them, e.g. the time of creation in milliseconds. The first one stays, whatever
            later writes say.
        queue: where those look for it who take leases on what is due (`Work.claim`), or watch what is due
            (`Work.due`); None: nobody, whatever else is said here.
        ready: there is something to do about it now.
        wake_at: milliseconds at which there is something to do; None: no time.
        quiet: that it waits has been told; `Work.unclaimed` passes over it unless it is ready.
        updated_at: milliseconds of the last write. Those that are ready are taken in the order of what this was when
            they became so.

    The store's own, which a write does not set:
        streams: its own streams, in the order in which they were first appended to.
        epoch: grows with every claim; a write by an older epoch is refused.
        lease_owner, lease_until: who may advance it, and until when (milliseconds).
        lost: how many claims in a row took over a lease that had ended without being given up, because its owner died
            or froze. A write that appends to a stream of its own sets it to 0.
    """

    name: Name
    version: int
    state: bytes
    terms: tuple[str, ...] = ()
    sort: int = 0
    queue: str | None = None
    ready: bool = False
    wake_at: int | None = None
    quiet: bool = False
    updated_at: int = 0
    streams: tuple[OwnStream, ...] = ()
    epoch: int = 0
    lease_owner: str | None = None
    lease_until: int | None = None
    lost: int = 0

    def tail(self, path: str) -> int:
        """Return how many units a stream of its own has; 0 if there is none yet."""
        return next((one.tail for one in self.streams if one.path == path), 0)


@frozen
class Part:
    """A small document of a subject, such as a request for input.

    Attributes:
        kind, key: its name within the subject.
        state: opaque to stores.
        open: it still concerns somebody; those that do can be loaded alone.
        terms: what it is listed by, as a subject's.
        sort: orders listings, as a subject's. The first one stays, until the part is dropped.
    """

    kind: str
    key: str
    state: bytes
    open: bool = False
    terms: tuple[str, ...] = ()
    sort: int = 0


class PartName(NamedTuple):
    """The name of a part within its subject."""

    kind: str
    key: str


@frozen
class OwnAppend:
    """An append of JSON messages to a stream of the subject's own, which is created when absent.

    Attributes:
        data: messages joined by commas, without brackets; may be empty when only closing or creating.
        count: number of messages in `data`.
        close: close the stream after this append.
    """

    path: str
    data: bytes
    count: int
    close: bool = False


@frozen
class SubjectWrite:
    """Replace a subject's record, put and drop parts, and append to streams of its own.

    Attributes:
        subject: as it shall be, with a `version` that it never had before.
        expect: the version this was decided on; 0: there must be none yet.
        parts: parts to put, in their order; one of the same name is replaced, and keeps its place.
        dropped: parts that go, if they are there, before others are put.
        appends: to streams of its own; two to one stream follow each other. One that is closed takes no more, and none
            is made where there is another stream; both is a Conflict of the version.
        epoch: the lease epoch of the worker that writes; None: not a lease holder's write.
        release: give the lease up with this commit.
    """

    subject: Subject
    expect: int
    parts: tuple[Part, ...] = ()
    dropped: tuple[PartName, ...] = ()
    appends: tuple[OwnAppend, ...] = ()
    epoch: int | None = None
    release: bool = False


@dataclass(frozen=True, slots=True)
class SubjectDelete:
    """The deletion of a subject with its parts and its own streams, if its version is still `expect`.

    Its streams are gone at once for everybody who asks for them, and what they held goes later (`Streams.purge`). One
    that has forks is kept for them, as a `Head.deleted` one.

    Attributes:
        expect: the version this was decided on.
        streams: the paths of its own streams, for those who hear of it; a store knows them itself.
    """

    name: Name
    expect: int
    streams: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamDelete:
    """The deletion of an application's stream, if its head is still at `expect`: at once for whoever asks for it.

    What it held, which may be much, goes later (`Streams.purge`).
    """

    path: str
    expect: int


class FamilyWrite(NamedTuple):
    """A write to streams that stem from one another by forking; mostly to one.

    An application may fork a stream of the engine (`Head.engine`): one of a subject's own, or one that posts go to.
    Then the source's references move, which are no part of what its appends move: a Change of the run it belongs to,
    and this one, do not meet. So the version of such a head is moved by forks and compactions, not by appends; it
    starts at random, and a `Write` leaves the tail, and whether it is closed, as they are.

    Attributes:
        streams: what becomes of each. What else a `Write` decides (`also`) is here beside it.
    """

    streams: tuple[Write | StreamDelete, ...]


@dataclass(frozen=True, slots=True)
class RowsWrite:
    """A move of the live rows of a stream, and of where its history begins.

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


@frozen
class Post:
    """Messages for a stream that several subjects share, such as an inbox.

    Recorded in the commit of its Change and placed soon after (`Posts.place`): once, consecutively, and in the order in
    which its sender's Changes were committed. A store may place it in the very commit.

    Attributes:
        path: the stream, which is created when absent.
        data: JSON messages joined by commas, without brackets.
        count: number of messages in `data`.
    """

    path: str
    data: bytes
    count: int


class Change(NamedTuple):
    """One atomic unit of writing: all of it is committed, or none.

    Attributes:
        write: what becomes of its one subject.
        posts: what leaves for others.
        mark: tells this Change from all others (`new_mark`), and is stored with it, so that a lost answer can be found
            out (`Store.find`).
    """

    write: SubjectWrite | SubjectDelete | FamilyWrite | RowsWrite
    posts: tuple[Post, ...] = ()
    mark: int = 0


class Committed(NamedTuple):
    """The outcome of a Change that is durable.

    Attributes:
        batches: for each stream of the subject's own that was appended to, and each post that was placed in the same
            commit, the batch as stored, with the positions it got. A `Write` says itself where its data goes.
    """

    batches: Mapping[str, Batch] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Conflict:
    """The outcome of a Change that was decided on something else than what is there; nothing of it was written.

    Attributes:
        what: `epoch`: the lease is another's by now; `version`: the subject, or the stream, has moved on.
        subject: the id of the subject, or the path of the stream.
    """

    what: Literal["epoch", "version"]
    subject: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The outcome of a Change that holds something the store cannot keep; nothing of it was written.

    This is a fault of who made the Change (text that is not Unicode, an integer beyond 64 bits, a str where bytes
    belong), not of the store; its neighbours in the same commit are not harmed.

    Attributes:
        error: what to raise to the one who asked for this Change.
    """

    error: SignoffError


Outcome = Committed | Conflict
