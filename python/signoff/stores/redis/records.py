"""How subjects, parts, heads and batches are kept; the layouts are explained at the top of the Lua scripts."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import orjson

from signoff.stores.base import StreamTail
from signoff.stores.change import Batch, Name, OwnStream, Part, Subject
from signoff.stores.redis.keys import NONE, number_of, number_or_none, ordered, ordered_or_none, position
from signoff.streams import expiry
from signoff.streams.compaction import LiveRow
from signoff.streams.stream import JSON, Fork, Head, ProducerMark

Fields = Sequence[bytes | None]
"""What a script returns of a hash: h, l, t, s, o of a subject."""

_batch: Final = struct.Struct(">QI")
_own: Final = struct.Struct(">cQI")
_part: Final = struct.Struct(">cI")
_PLACE: Final = 15


def terms_text(terms: Sequence[str]) -> bytes:
    """Write terms as one text."""
    return _terms_text(tuple(terms))


@lru_cache(maxsize=8192)
def _terms_text(terms: tuple[str, ...]) -> bytes:
    return b"".join(b"\0" + term.encode() for term in terms)


@lru_cache(maxsize=8192)
def _terms(text: bytes) -> tuple[str, ...]:
    return tuple(term.decode() for term in text.split(b"\0")[1:])


def flag(true: bool) -> bytes:
    """Write whether something is so."""
    return b"1" if true else b"0"


def subject_header(subject: Subject, mark: int) -> bytes:
    """Write what a writer says of a subject, but for its state and terms."""
    return b"".join((
        ordered(subject.version),
        ordered(mark) if mark else NONE,
        flag(subject.ready),
        flag(subject.quiet),
        ordered_or_none(subject.wake_at),
        ordered(subject.updated_at),
        b"0" if subject.queue is None else b"1" + subject.queue.encode(),
    ))  # fmt: skip


def subject_of(name: Name, fields: Fields) -> Subject:
    """Read a subject."""
    header, own, terms, state, streams = fields
    assert header is not None
    assert own is not None
    leased = own[48:49] == b"1"
    return Subject(
        name=name,
        version=number_of(header[0:8]),
        state=state or b"",
        terms=_terms(terms or b""),
        sort=number_of(own[33:41]),
        queue=header[35:].decode() if header[34:35] == b"1" else None,
        ready=header[16:17] == b"1",
        wake_at=number_or_none(header[18:26]),
        quiet=header[17:18] == b"1",
        updated_at=number_of(header[26:34]),
        streams=own_streams(streams or b""),
        epoch=int.from_bytes(own[0:4]),
        lease_owner=own[49:].decode() if leased else None,
        lease_until=number_or_none(own[16:24]),
        lost=int.from_bytes(own[4:8]),
    )


def place_of_subject(fields: Fields) -> bytes:
    """Return where a subject stands in listings."""
    own = fields[1]
    assert own is not None
    return own[33:48]


def own_streams(text: bytes) -> tuple[OwnStream, ...]:
    """Read how far a subject's own streams have grown."""
    found, at = [], 0
    while at < len(text):
        closed, tail, size = _own.unpack_from(text, at)
        at += _own.size
        found.append(OwnStream(text[at : at + size].decode(), tail, closed == b"1"))
        at += size
    return tuple(found)


def part_text(part: Part) -> bytes:
    """Write a part, but for its place."""
    terms = terms_text(part.terms)
    return _part.pack(flag(part.open), len(terms)) + terms + part.state


def part_of(kind: str, key: bytes, text: bytes) -> Part:
    """Read a part."""
    opened, size = _part.unpack_from(text, _PLACE)
    start = _PLACE + _part.size
    terms = _terms(text[start : start + size])
    return Part(kind, key.decode(), text[start + size :], opened == b"1", terms, number_of(text[:8]))


def batch_text(batch: Batch) -> bytes:
    """Write a batch."""
    return _batch.pack(batch.start, batch.end - batch.start) + batch.data


def batch_of(text: bytes) -> Batch:
    """Read a batch."""
    start, count = _batch.unpack_from(text)
    return Batch(start, start + count, text[_batch.size :])


def core(head: Head, *, floor: int | None = None) -> bytes:
    """Write what is compared of a head, and what scripts must know of it; `floor`: where it ends without batches."""
    return b"".join((
        ordered(head.version),
        ordered(head.rows_at),
        ordered(head.refs),
        ordered(head.base),
        position(max(head.base, head.own) if floor is None else floor),
        flag(head.engine),
        flag(head.closed),
        flag(head.deleted),
        flag(expiry.end(head) is not None),
    ))  # fmt: skip


def rest(head: Head) -> bytes:
    """Write what stores need not know of a head."""
    fork = head.fork
    by = head.closed_by
    return orjson.dumps([
        head.content_type,
        head.created_at,
        head.last_seq,
        head.touched_at,
        head.ttl_s,
        head.expires_at,
        head.compacted,
        by and list(by),
        fork and [fork.path, fork.incarnation, fork.at, fork.depth],
    ])  # fmt: skip


_ENGINE_S: Final = orjson.dumps([JSON, 0, None, 0, None, None, False, None, None])


def head_of(path: str, core: bytes, incarnation: bytes, rest: bytes | None, tail: int) -> Head:
    """Read a head."""
    values: list[Any] = orjson.loads(rest or _ENGINE_S)
    content_type, created_at, last_seq, touched_at, ttl_s, expires_at, compacted, by, fork = values
    return Head.of(
        path,
        incarnation.decode(),
        number_of(core[0:8]),
        tail,
        content_type,
        last_seq=last_seq,
        touched_at=touched_at,
        closed=core[41:42] == b"1",
        engine=core[40:41] == b"1",
        created_at=created_at,
        base=number_of(core[24:32]),
        closed_by=by and ProducerMark(*by),
        ttl_s=ttl_s,
        expires_at=expires_at,
        fork=fork and Fork(*fork),
        refs=number_of(core[16:24]),
        deleted=core[42:43] == b"1",
        compacted=compacted,
        rows_at=number_of(core[8:16]),
    )


def tail_of(path: str, found: Sequence[Any]) -> StreamTail | None:
    """Read how far a stream has grown; None if it is deleted."""
    core, incarnation, tail = found
    if core[42:43] == b"1":
        return None
    return StreamTail(path, incarnation.decode(), tail, core[41:42] == b"1")


def producer_text(mark: ProducerMark) -> bytes:
    """Write how far a producer is."""
    return b"%d %d" % (mark.epoch, mark.seq)


def producer_of(producer_id: str, text: bytes | None) -> ProducerMark | None:
    """Read how far a producer is."""
    return None if text is None else ProducerMark(producer_id, *map(int, text.split()))


def row_field(type_: str, key: str) -> bytes:
    """Write the name of a live row."""
    kind = type_.encode()
    return b"%d:%b:%b" % (len(kind), kind, key.encode())


def row_text(at: int, message: bytes) -> bytes:
    """Write a live row."""
    return ordered(at) + message


def row_of(field: bytes, text: bytes) -> LiveRow:
    """Read a live row."""
    size, _, rest = field.partition(b":")
    end = int(size)
    return LiveRow(rest[:end].decode(), rest[end + 1 :].decode(), number_of(text[:8]), text[8:])
