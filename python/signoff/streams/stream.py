"""What a stream is to the rule book: its head, its producers, what can be asked of it and what was decided.

A stream is a sequence of units: messages in JSON mode, bytes otherwise. A position is the number of units before it;
`offset.py` writes positions as the opaque, sortable tokens of the protocol (Durable Streams §8).

A command is what somebody wants; `decide.py` turns a head and a command into a decision: what the head shall be
(`Write`), that nothing needs to be written (`Known`), that the stream goes (`Remove`), or that the head of another
stream must be known first (`Lookup`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, NamedTuple

JSON = "application/json"


@lru_cache(maxsize=256)
def media_type(content_type: str) -> str:
    """Return type and subtype in lower case, without parameters.

    Example:
        >>> media_type("Application/JSON; charset=utf-8")
        'application/json'
    """
    return content_type.split(";", 1)[0].strip().lower()


class ProducerMark(NamedTuple):
    """Name the one append of a producer: who, in which epoch, which sequence number (§5.2.1)."""

    producer_id: str
    epoch: int
    seq: int


@dataclass(frozen=True, slots=True)
class Fork:
    """Tell where a stream comes from (§4.2): the units before `at` are those of its source.

    Attributes:
        path: the source.
        incarnation: of the source. A source is kept for as long as it has forks, so it is never another's.
        at: position where the fork leaves its source.
        depth: 1 for a fork of a stream that is none, 2 for a fork of that, and so on.
    """

    path: str
    incarnation: str
    at: int
    depth: int = 1


class Head(NamedTuple):
    """Hold what must be known about a stream to decide the next command on it.

    A named tuple, because every append makes one: as a frozen dataclass it takes four times as long (measured).

    Attributes:
        path: the stream's path below the stream root, e.g. `runs/r1`.
        incarnation: an id that is new for every creation; the first part of ETags.
        version: what compare-and-swap compares; another after every commit that touches the head. Whoever writes
            several heads ahead draws it at random: what one writer reckons with, no other may come upon by counting.
        tail: position after the last unit.
        base: earliest position still kept; what is before it was dropped by compaction.
        content_type: as given at creation.
        closed: whether the stream has ended.
        engine: owned by the engine; foreign writes are refused.
        created_at: milliseconds.
        closed_by: the producer append that closed it, so that its retry is recognised.
        last_seq: the last `Stream-Seq`.
        ttl_s: sliding time to live in seconds, if any.
        expires_at: the RFC 3339 text given at creation, if any.
        touched_at: milliseconds of the last access that renews a TTL.
        fork: where the first units come from, if they are another stream's.
        refs: how many streams are forks of this one.
        deleted: it was deleted and is kept for its forks alone.
        compacted: its application wants a reader from the start to get rows, not history (`compaction.py`).
        rows_at: the position its live rows are of; 0: there are none yet.
    """

    path: str
    incarnation: str
    version: int
    tail: int
    content_type: str
    closed: bool = False
    engine: bool = False
    created_at: int = 0
    base: int = 0
    closed_by: ProducerMark | None = None
    last_seq: str | None = None
    ttl_s: int | None = None
    expires_at: str | None = None
    touched_at: int = 0
    fork: Fork | None = None
    refs: int = 0
    deleted: bool = False
    compacted: bool = False
    rows_at: int = 0

    def after(self, drawn: int | None) -> int:
        """Return the version of the head that follows this one: the one that was drawn, or the next number."""
        return self.version + 1 if drawn is None else drawn

    def moved(self, count: int, now: int, drawn: int | None, *, seq: str | None = None) -> Head:
        """Return the head after an append of `count` units at `now`.

        Args:
            drawn: its version; see `after`.
            seq: the `Stream-Seq` of the append, if it has one.

        Written out because every append comes here: `_replace` takes three times as long.
        """
        (
            path, incarnation, version, tail, content_type, closed, engine, created_at, base, closed_by, last_seq,
            ttl_s, expires_at, _, fork, refs, deleted, compacted, rows_at,
        ) = self  # fmt: skip
        return Head(
            path, incarnation, version + 1 if drawn is None else drawn, tail + count, content_type, closed, engine,
            created_at, base, closed_by, seq or last_seq, ttl_s, expires_at, now, fork, refs, deleted, compacted,
            rows_at,
        )  # fmt: skip

    @property
    def own(self) -> int:
        """Return the position of the first unit that is not a source's."""
        return 0 if self.fork is None else self.fork.at

    @property
    def json(self) -> bool:
        """Tell whether the stream is in JSON mode (§9.1): units are messages."""
        return media_type(self.content_type) == JSON

    @property
    def fixed(self) -> tuple[Any, ...]:
        """Return what `moved` leaves as it is; a store that has it already writes the rest alone."""
        fixed: tuple[Any, ...] = _fixed(self)
        return fixed


MOVING: Final = ("version", "tail", "last_seq", "touched_at")
"""What `Head.moved` changes."""

_fixed: Final = itemgetter(*(index for index, name in enumerate(Head._fields) if name not in MOVING))


class Payload(NamedTuple):
    """Hold units to append, as the store keeps them (see `json_mode.py` for messages).

    Attributes:
        content_type: as the sender declared it.
        data: the bytes, or messages joined by commas.
        units: how many.
        fault: why they cannot be stored, whatever the stream; there is no data then.
        unfit: why they are no messages of the State Protocol; empty: they are; None: nobody has looked.
    """

    content_type: str
    data: bytes
    units: int
    fault: str | None = None
    unfit: str | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """Name what a new stream shall be a fork of (§4.2).

    Attributes:
        source: the path of the source.
        at: position where to leave it; None: at its tail.
    """

    source: str
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Create:
    """Ask for a stream to exist with this configuration (§5.1).

    Attributes:
        path: where.
        incarnation: a fresh id, for the case that the stream is new.
        version: the first version of a new stream. Drawn at random, so that a writer who still holds the head of a
            deleted stream never meets its own version in the stream that took its place.
        payload: the content type, and the first content if any.
        closed: the content is complete.
        fork: begin with the units of another stream.
        compacted: give readers from the start rows, not history.
    """

    path: str
    incarnation: str
    payload: Payload
    version: int = 1
    closed: bool = False
    ttl_s: int | None = None
    expires_at: str | None = None
    fork: Branch | None = None
    compacted: bool = False


class Append(NamedTuple):
    """Ask for units to be appended (§5.2), and for the stream to end with them if `close`."""

    payload: Payload
    close: bool = False
    seq: str | None = None
    producer: ProducerMark | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """Ask for the stream to end as it is (§5.3)."""

    producer: ProducerMark | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Ask for the stream to go (§5.4)."""


@dataclass(frozen=True, slots=True)
class Touch:
    """Tell that the stream was read, which renews a sliding time to live (§5.1)."""


Command = Create | Append | Close | Delete | Touch


class Write(NamedTuple):
    """Decide that the head becomes `head`, `data` is appended and the producer is at `producer`.

    Attributes:
        also: what becomes of other streams in the same commit.
    """

    head: Head
    data: bytes = b""
    producer: ProducerMark | None = None
    also: tuple[Write | Remove, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """Decide that nothing is written: it is so already, or this is a retry.

    `producer` is the highest append of the producer that was accepted.
    """

    head: Head
    producer: ProducerMark | None = None


@dataclass(frozen=True, slots=True)
class Remove:
    """Decide that the stream with this head goes.

    Attributes:
        also: what becomes of other streams in the same commit.
    """

    head: Head
    also: tuple[Write | Remove, ...] = ()


@dataclass(frozen=True, slots=True)
class Lookup:
    """Decide nothing yet: the head of another stream must be known first."""

    path: str


Decision = Write | Known | Remove | Lookup
