"""Forks: streams that begin with the units of another, their source, without a copy of them (Durable Streams §4.2).

A fork leaves its source at a position and is a stream of its own from there: it starts open, with its own closure,
producers, `Stream-Seq` and time to live. Positions before that one mean the same units in both, so a sub-offset is no
more than a distance: it may end in the middle of what was appended at once.

A source counts its forks. Deleted while it has some, it is kept for them and is gone for everybody else; with the last
of them it goes too, and so on up the chain. All of that is one commit with what caused it, so no count is ever wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from signoff.errors import BadRequest, InvalidOffset, StreamConflict, StreamNotFound
from signoff.streams import content_type, offset
from signoff.streams.stream import Branch, Create, Fork, Head, Lookup, Remove, Write

DEEPEST: Final = 64
"""Forks of forks of forks: a read walks up the chain, and a deletion may collect all of it in one commit."""

_SUB_OFFSET: Final = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
_ORIGIN: Final = "0000000000000000_0000000000000000"
"""Position 0 as other servers write it, and those tests and clients that do not ask."""


def branch(source: str, token: str | None, sub_offset: str | None) -> Branch:
    """Read where a fork shall leave its source.

    Args:
        source: its path.
        token: `Stream-Fork-Offset`, if given: an offset or `-1`.
        sub_offset: `Stream-Fork-Sub-Offset`, if given: messages or bytes past that offset.

    Raises:
        InvalidOffset: the offset is malformed.
        BadRequest: the sub-offset is malformed, or goes beyond the tail because there is no offset.

    Example:
        >>> branch("chat/1", "0000000000000010", "2")
        Branch(source='chat/1', at=12)
    """
    if sub_offset is not None and not _SUB_OFFSET.fullmatch(sub_offset):
        raise BadRequest("Stream-Fork-Sub-Offset is a whole number, like `3`. Nothing was created.")
    distance = int(sub_offset or 0)
    if token is None:
        if distance:
            raise BadRequest("Stream-Fork-Sub-Offset needs Stream-Fork-Offset. Nothing was created.")
        return Branch(source)
    return Branch(source, (0 if token == _ORIGIN else offset.decode(token)) + distance)


def begin(wanted: Branch, command: Create, source: Head | None, now: int, new_version: int | None = None) -> Write:
    """Decide on a new fork, and that its source counts it.

    Args:
        wanted: what to fork, and where.
        source: its head, if there is one and it has not expired.
        now: milliseconds.
        new_version: the version of the source's next head; see `Head.next_version`.

    Raises:
        StreamNotFound: there is no source.
        StreamConflict: the source is deleted, has another content type, no longer keeps its beginning, or is the end of
            a chain that is long enough.
        InvalidOffset: the source is not that long.
    """
    if source is None:
        raise StreamNotFound("There is no stream to fork at the path in Stream-Forked-From. Nothing was created.")
    if source.deleted:
        raise StreamConflict("The stream to fork was deleted. Nothing was created.")
    if not content_type.same(source.content_type, command.payload.content_type):
        raise StreamConflict(
            f"The stream to fork holds {source.content_type}, not {command.payload.content_type}. Nothing was created."
        )
    at = source.tail if wanted.at is None else wanted.at
    if at > source.tail:
        raise InvalidOffset("The fork's offset is beyond the end of the stream to fork. Nothing was created.")
    if source.base > 0:
        raise StreamConflict("The stream to fork no longer keeps its beginning. Nothing was created.")
    depth = 1 if source.fork is None else source.fork.depth + 1
    if depth > DEEPEST:
        raise StreamConflict(f"A chain of forks has at most {DEEPEST} links. Nothing was created.")
    ttl_s, expires_at = lifetime(command, source)
    head = Head.of(
        path=command.path,
        incarnation=command.incarnation,
        version=command.version,
        tail=at + command.payload.units,
        content_type=command.payload.content_type,
        closed=command.closed,
        created_at=now,
        ttl_s=ttl_s,
        expires_at=expires_at,
        touched_at=now,
        fork=Fork(source.path, source.incarnation, at, depth),
    )
    payload = command.payload
    return Write(head, 0, at, payload.data, also=(_count_forks(source, 1, new_version),), cuts=payload.cuts)


def lifetime(command: Create, source: Head | None) -> tuple[int | None, str | None]:
    """Return time to live and expiry of a new stream: those asked for, else those of its source (the table in §4.2)."""
    if source is None or command.ttl_s is not None or command.expires_at is not None:
        return command.ttl_s, command.expires_at
    return source.ttl_s, source.expires_at


def same(fork: Fork | None, wanted: Branch | None) -> bool:
    """Tell whether a stream is the fork that is wanted; no position means whatever the tail was then."""
    if fork is None or wanted is None:
        return fork is None and wanted is None
    return fork.path == wanted.source and wanted.at in (None, fork.at)


def release(head: Head, sources: Mapping[str, Head | None], new_version: int | None = None) -> Write | Remove | Lookup:
    """Decide what the deletion of a stream does to it and to the streams it came from.

    Args:
        sources: the heads known so far, by path.
        new_version: the version of heads that are kept; see `Head.next_version`.
    """
    if head.refs > 0:
        return _write_changed(head, new_version, deleted=True)
    also: list[Write | Remove] = []
    gone = head
    while gone.fork is not None:
        if gone.fork.path not in sources:
            return Lookup(gone.fork.path)
        source = sources[gone.fork.path]
        if source is None or source.incarnation != gone.fork.incarnation:
            break  # nothing is left to be let go of
        if source.refs > 1 or not source.deleted:
            also.append(_count_forks(source, -1, new_version))
            break
        also.append(Remove(source))
        gone = source
    return Remove(head, tuple(also))


def _count_forks(source: Head, step: int, new_version: int | None) -> Write:
    return _write_changed(source, new_version, refs=source.refs + step)


def _write_changed(head: Head, new_version: int | None, **members: Any) -> Write:
    return Write(head.changed(version=head.next_version(new_version), **members), head.version, head.tail)
