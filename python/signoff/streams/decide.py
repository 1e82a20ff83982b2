"""The rules of writing (Durable Streams §5.1 to §5.4): a head and a command in, a decision or a refusal out.

Where several rules refuse an append, the first in this order speaks (§5.2): there is no stream; the stream is closed,
unless this is the retry of the append that closed it; the content type or the body is malformed; the content type
differs; there is nothing to append; the producer is fenced, has a gap, or repeats itself; `Stream-Seq` goes back. So a
retry is recognised before its `Stream-Seq` is looked at, and a closed stream always says that it is closed.

Whoever asks has deleted a stream that has expired before it asks anything else (`expiry.is_expired`). What forks do to
each other is in `fork.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from signoff.errors import BadRequest, StreamClosed, StreamConflict, StreamDeleted, StreamNotFound
from signoff.streams import compaction, content_type, expiry, fork, offset, producer
from signoff.streams.stream import (
    Append,
    Close,
    Create,
    Delete,
    Head,
    Lookup,
    ProducerMark,
    StreamCommand,
    StreamDecision,
    Touch,
    Unchanged,
    Write,
)

_NONE: Final[Mapping[str, Head | None]] = MappingProxyType({})


def decide(
    head: Head | None,
    command: StreamCommand,
    last: ProducerMark | None,
    now: int,
    sources: Mapping[str, Head | None] = _NONE,
    *,
    new_version: int | None = None,
) -> StreamDecision:
    """Decide what a command does to a stream.

    Args:
        head: of the stream; None: there is none.
        command: what is wanted.
        last: the highest accepted append of the producer that the command names, if any.
        now: milliseconds.
        sources: heads of other streams, for those commands that touch them; None: there is no such stream. A decision
            that needs one more is a `Lookup`.
        new_version: the version of what is written to heads that exist; see `Head.next_version`.

    Raises:
        StreamNotFound, StreamDeleted, StreamClosed, StreamConflict, ProducerFenced, ProducerGap, BadRequest: the
            command is refused.
    """
    if isinstance(command, Create):
        return _create(head, command, now, sources, new_version)
    if head is None:
        raise StreamNotFound("There is no stream at this path; create it with PUT.")
    if not isinstance(command, Touch) and command.of is not None and command.of != head.incarnation:
        raise StreamNotFound("The stream that was meant is not there any more; another has taken its place.")
    match command:
        case Append():
            return decide_append(head, command, last, now, new_version)
        case _ if head.deleted:
            raise _deleted()
        case Close():
            return _close(head, command, last, now, new_version)
        case Delete():
            return fork.release(head, sources, new_version)
        case Touch():
            renewed = expiry.renew(head, now, new_version)
            return Unchanged(head) if renewed is None else Write(renewed, head.version, head.tail)


def _create(
    head: Head | None, command: Create, now: int, sources: Mapping[str, Head | None], new_version: int | None
) -> StreamDecision:
    wanted = command.fork
    if command.payload.fault is not None:
        raise BadRequest(command.payload.fault)
    if wanted is not None and command.compacted:
        raise BadRequest("A fork cannot be compacted: its beginning is its source's. Nothing was created.")
    if wanted is not None and wanted.source not in sources:
        return Lookup(wanted.source)
    source = None if wanted is None else sources[wanted.source]
    if head is not None:
        return _create_again(head, command, source)
    if wanted is not None:
        return fork.begin(wanted, command, source, now, new_version)
    payload = command.payload
    first = Head.of(
        path=command.path,
        incarnation=command.incarnation,
        version=command.version,
        tail=payload.units,
        content_type=payload.content_type,
        closed=command.closed,
        created_at=now,
        ttl_s=command.ttl_s,
        expires_at=command.expires_at,
        touched_at=now,
        compacted=command.compacted,
    )
    if first.compacted:
        compaction.check(first, payload)
    return Write(first, 0, 0, payload.data, cuts=payload.cuts)


def _create_again(head: Head, command: Create, source: Head | None) -> Unchanged:
    if head.deleted:
        raise StreamConflict("The stream at this path was deleted; the path is taken for as long as it has forks.")
    ttl_s, expires_at = fork.lifetime(command, source)
    for what, equal in (
        ("source", fork.same(head.fork, command.fork)),
        ("content type", content_type.same(head.content_type, command.payload.content_type)),
        ("time to live", head.ttl_s == ttl_s),
        ("expiry", expiry.same_end(head.expires_at, expires_at)),
        ("closure", head.closed == command.closed),
        ("compaction", head.compacted == command.compacted),
    ):
        if not equal:
            raise StreamConflict(f"A stream with another {what} exists at this path; it was left as it is.")
    return Unchanged(head)


def decide_append(
    head: Head, command: Append, last: ProducerMark | None, now: int, new_version: int | None
) -> Write | Unchanged:
    """Decide what `decide` does about an append to a stream that is there.

    Most decisions are made here, so what is asked most often is asked of local names.
    """
    properties, payload, mark, seq = head.properties, command.payload, command.producer, command.seq
    if properties.deleted:
        raise _deleted()
    if properties.closed:
        return _on_closed(head, mark)
    if payload.fault is not None:
        raise BadRequest(payload.fault)
    kind = payload.content_type
    if properties.content_type != kind and not content_type.same(properties.content_type, kind):
        raise StreamConflict(f"The stream holds {properties.content_type}, not {kind}. Nothing was appended.")
    if payload.units == 0:
        raise BadRequest("There is nothing to append: the body is empty, or an empty array.")
    if mark is not None and not producer.is_new(last, mark):
        return Unchanged(head, last)
    if seq is not None and head.last_seq is not None and seq <= head.last_seq:
        raise StreamConflict("Stream-Seq must be greater than the last one. Nothing was appended.")
    if properties.compacted:
        compaction.check(head, payload)
    after = (_closed(head, mark) if command.close else head).moved(payload.units, now, new_version, seq)
    return Write(after, head.version, head.tail, payload.data, mark, (), payload.cuts)


def _close(head: Head, command: Close, last: ProducerMark | None, now: int, new_version: int | None) -> StreamDecision:
    if head.closed:
        return Unchanged(head, last)
    if command.producer is not None and not producer.is_new(last, command.producer):
        return Unchanged(head, last)
    ended = _closed(head, command.producer).moved(0, now, new_version)
    return Write(ended, head.version, head.tail, b"", command.producer)


def _deleted() -> StreamDeleted:
    return StreamDeleted("The stream was deleted. What it held is kept for its forks alone.")


def _on_closed(head: Head, mark: ProducerMark | None) -> Unchanged:
    if mark is not None and mark == head.closed_by:
        return Unchanged(head, mark)
    raise StreamClosed(
        "The stream is closed. Nothing was appended, and nothing can be.", offset=offset.encode(head.tail)
    )


def _closed(head: Head, by: ProducerMark | None) -> Head:
    return head.changed(closed=True, closed_by=by)
