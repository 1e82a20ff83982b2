"""What a stream is to the rule book: its head, its producers, what can be asked of it and what was decided.

A stream is a sequence of units: messages in JSON mode, bytes otherwise. A position is the number of units before it;
`offset.py` writes positions as the opaque, sortable tokens of the protocol (Durable Streams §8).

A command is what somebody wants; `decide.py` turns a head and a command into a decision: what the head shall be
(`Write`), that nothing needs to be written (`Unchanged`), that the stream goes (`Remove`), or that the head of another
stream must be known first (`Lookup`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, NamedTuple

JSON = "application/json"

new: Final = tuple.__new__
"""Make a named tuple from all its values; for `stores.base.writing`."""


@lru_cache(maxsize=256)
def media_type(content_type: str) -> str:
    """Return type and subtype in lower case, without parameters.

    Example:
        >>> media_type("Application/JSON; charset=utf-8")
        'application/json'
    """
    return content_type.split(";", 1)[0].strip().lower()


class ProducerMark(NamedTuple):
    """The one append of a producer: who, in which epoch, which sequence number (§5.2.1)."""

    producer_id: str
    epoch: int
    seq: int


@dataclass(frozen=True, slots=True)
class Fork:
    """The source of a fork (§4.2): the units before `at` are those of its source.

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


@dataclass(frozen=True, slots=True)
class StreamProperties:
    """The part of a head that an append leaves as it is; its members are explained at `Head`."""

    path: str
    incarnation: str
    content_type: str
    closed: bool = False
    engine: bool = False
    created_at: int = 0
    base: int = 0
    closed_by: ProducerMark | None = None
    ttl_s: int | None = None
    expires_at: str | None = None
    fork: Fork | None = None
    refs: int = 0
    deleted: bool = False
    compacted: bool = False
    rows_at: int = 0


class HeadParts(NamedTuple):
    """The parts of a head: its properties, and what every append moves."""

    properties: StreamProperties
    version: int
    tail: int
    last_seq: str | None = None
    touched_at: int = 0


def _property(name: str) -> Any:
    """Make an attribute of a head that is one of its properties."""
    return property(attrgetter(f"properties.{name}"))


class Head(HeadParts):
    """What must be known about a stream to decide the next command on it.

    An append makes a new head, with the same properties: so it copies five values instead of nineteen, and a store sees
    from the one object that it need not compare the others.

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

    __slots__ = ()

    path: str = _property("path")
    incarnation: str = _property("incarnation")
    content_type: str = _property("content_type")
    closed: bool = _property("closed")
    engine: bool = _property("engine")
    created_at: int = _property("created_at")
    base: int = _property("base")
    closed_by: ProducerMark | None = _property("closed_by")
    ttl_s: int | None = _property("ttl_s")
    expires_at: str | None = _property("expires_at")
    fork: Fork | None = _property("fork")
    refs: int = _property("refs")
    deleted: bool = _property("deleted")
    compacted: bool = _property("compacted")
    rows_at: int = _property("rows_at")

    @classmethod
    def of(
        cls,
        path: str,
        incarnation: str,
        version: int,
        tail: int,
        content_type: str,
        *,
        last_seq: str | None = None,
        touched_at: int = 0,
        **others: Any,
    ) -> Head:
        """Make a head from its members; `others` are members of `StreamProperties`."""
        properties = StreamProperties(path, incarnation, content_type, **others)
        return cls(properties, version, tail, last_seq, touched_at)

    def changed(self, **members: Any) -> Head:
        """Return this head with other values for some members, properties or not."""
        moved = {name: members.pop(name) for name in MOVED if name in members}
        properties = replace(self.properties, **members) if members else self.properties
        return self._replace(properties=properties, **moved)

    def next_version(self, given: int | None) -> int:
        """Return the version of the head that follows this one: the one given, or the next number."""
        return self.version + 1 if given is None else given

    def moved(self, count: int, now: int, new_version: int | None, seq: str | None = None) -> Head:
        """Return the head after an append of `count` units at `now`.

        Args:
            new_version: its version; see `next_version`.
            seq: the `Stream-Seq` of the append, if it has one.
        """
        return Head(self.properties, self.next_version(new_version), self.tail + count, seq or self.last_seq, now)

    @property
    def own(self) -> int:
        """Return the position of the first unit that is not a source's."""
        return 0 if self.fork is None else self.fork.at

    @property
    def json(self) -> bool:
        """Tell whether the stream is in JSON mode (§9.1): units are messages."""
        return media_type(self.content_type) == JSON


MOVED: Final = HeadParts._fields[1:]
"""What `Head.moved` changes."""


Cuts = tuple[tuple[int, int], ...]
"""Where messages may be parted: how many are before, and the position behind the comma that follows them."""


class Payload(NamedTuple):
    """Units to append, as the store keeps them (see `json_mode.py` for messages).

    Attributes:
        content_type: as the sender declared it.
        data: the bytes, or messages joined by commas.
        units: how many.
        fault: why they cannot be stored, whatever the stream; there is no data then.
        state_fault: why they are no messages of the State Protocol; empty: they are; None: nobody has looked.
        cuts: where messages may be parted that are much together.
    """

    content_type: str
    data: bytes
    units: int
    fault: str | None = None
    state_fault: str | None = None
    cuts: Cuts = ()


@dataclass(frozen=True, slots=True)
class Branch:
    """The place that a new stream shall fork from (§4.2).

    Attributes:
        source: the path of the source.
        at: position where to leave it; None: at its tail.
    """

    source: str
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Create:
    """The wish that a stream exist with this configuration (§5.1).

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
    """The wish that units be appended (§5.2), and the stream end with them if `close`.

    `of` is the incarnation that is meant, here and below; another that has taken its place is left alone.
    """

    payload: Payload
    close: bool = False
    seq: str | None = None
    producer: ProducerMark | None = None
    of: str | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """The wish that the stream end as it is (§5.3)."""

    producer: ProducerMark | None = None
    of: str | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """The wish that the stream go (§5.4)."""

    of: str | None = None


@dataclass(frozen=True, slots=True)
class Touch:
    """The news that the stream was read, which renews a sliding time to live (§5.1)."""


StreamCommand = Create | Append | Close | Delete | Touch


class Write(NamedTuple):
    """A decision to write: the head becomes `head`, `data` is appended and the producer is at `producer`.

    Attributes:
        head: as it shall be, with a `version` that the stream never had before.
        expect: the `Head.version` this was decided on; 0: there is no such stream.
        start: the position before `data`. A new stream begins at `Head.base`, or where it leaves its source
            (`Head.own`).
        data: the units from there to the tail; empty when only the head changes.
        producer: the append that this is, if a producer's.
        also: what becomes of other streams in the same commit.
        cuts: where the messages in `data` may be parted.
    """

    head: Head
    expect: int
    start: int
    data: bytes = b""
    producer: ProducerMark | None = None
    also: tuple[Write | Remove, ...] = ()
    cuts: Cuts = ()


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The decision that nothing is written: it is so already, or this is a retry.

    `producer` is the highest append of the producer that was accepted.
    """

    head: Head
    producer: ProducerMark | None = None


@dataclass(frozen=True, slots=True)
class Remove:
    """The decision that the stream with this head goes.

    Attributes:
        also: what becomes of other streams in the same commit.
    """

    head: Head
    also: tuple[Write | Remove, ...] = ()


@dataclass(frozen=True, slots=True)
class Lookup:
    """No decision yet: the head of another stream must be known first."""

    path: str


StreamDecision = Write | Unchanged | Remove | Lookup
