"""What a stream is to the rule book: its head and the state of its producers.

A stream is a sequence of units: messages in JSON mode, bytes otherwise. A position is the number of units before it;
`offset.py` writes positions as the opaque, sortable tokens of the protocol (Durable Streams §8).
"""

from __future__ import annotations

from dataclasses import dataclass

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class ProducerMark:
    """Name the one append of a producer: who, in which epoch, which sequence number (§5.2.1)."""

    producer_id: str
    epoch: int
    seq: int


@dataclass(frozen=True, slots=True)
class Head:
    """Hold what must be known about a stream to decide the next command on it.

    Attributes:
        path: the stream's path below the stream root, e.g. `runs/r1`.
        incarnation: an id that is new for every creation; the first part of ETags.
        version: grows by one with every commit that touches the head; what compare-and-swap compares.
        tail: position after the last unit.
        base: earliest position still kept (0 until compaction exists).
        content_type: as given at creation.
        closed: whether the stream has ended.
        engine: owned by the engine; foreign writes are refused.
        created_at: milliseconds.
        closed_by: the producer append that closed it, so that its retry is recognised.
        last_seq: the last `Stream-Seq`.
        ttl_s: sliding time to live in seconds, if any.
        expires_at: the RFC 3339 text given at creation, if any.
        touched_at: milliseconds of the last access that renews a TTL.
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

    @property
    def json(self) -> bool:
        """Tell whether the stream is in JSON mode (§9.1): units are messages."""
        return self.content_type.split(";", 1)[0].strip().lower() == JSON
