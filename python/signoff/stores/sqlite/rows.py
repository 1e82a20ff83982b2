"""Rows as the port's records."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import orjson

from signoff.stores.base import StreamTail
from signoff.stores.change import Name, OwnStream, Part, Subject
from signoff.streams.stream import Fork, Head, ProducerMark

Row = tuple[Any, ...]

_SUBJECT: Final = 16


def subject(row: Row) -> Subject:
    """Read a subject: kind, name … lost, as all statements select it; what follows is ignored."""
    kind, name, version, state, terms, sort, queue, ready, wake_at, quiet, updated_at, streams, *lease = row[:_SUBJECT]
    return Subject(
        Name(kind, name),
        version,
        state,
        terms_of(terms),
        sort,
        queue,
        bool(ready),
        wake_at,
        bool(quiet),
        updated_at,
        tuple([OwnStream(one[1], one[2], bool(one[3])) for one in orjson.loads(streams)]),
        *lease,
    )


def part(row: Row) -> Part:
    """Read a part: kind, name, state, open, terms, sort; what follows is ignored."""
    kind, key, state, is_open, terms, sort = row[:6]
    return Part(kind, key, state, bool(is_open), terms_of(terms), sort)


@lru_cache(maxsize=4096)
def terms_of(text: str) -> tuple[str, ...]:
    """Read a column of terms. The same few come again and again: of all runs of a workflow that have one status."""
    return tuple(orjson.loads(text))


@lru_cache(maxsize=4096)
def terms_text(terms: tuple[str, ...]) -> str:
    """Write a column of terms."""
    return orjson.dumps(terms).decode()


class HeadRow:
    """A row of the view `heads`, as `read_streams.sql` selects it.

    Attributes:
        id: the stream's number.
        tail, closed, last_batch: what appends move, which is with a subject if it is that one's own stream.
    """

    __slots__ = ("_row", "closed", "id", "last_batch", "tail")

    def __init__(self, row: Row) -> None:
        self._row = row
        self.id: int = row[0]
        self.tail: int
        self.closed: bool
        self.last_batch: int | None
        self.tail, self.closed, self.last_batch = moved(row[0], row[1], row[2], row[3], row[4])

    def head(self) -> Head:
        """Return the head."""
        path, incarnation, version, content_type, engine, created_at, base, last_seq, *rest = self._row[5:]
        ttl_s, expires_at, touched_at, refs, deleted, *fork, compacted, rows_at, by, by_epoch, by_seq = rest
        return Head.of(
            path=path,
            incarnation=incarnation,
            version=version,
            tail=self.tail,
            content_type=content_type,
            closed=self.closed,
            engine=bool(engine),
            created_at=created_at,
            base=base,
            closed_by=ProducerMark(by, by_epoch, by_seq) if by is not None else None,
            last_seq=last_seq,
            ttl_s=ttl_s,
            expires_at=expires_at,
            touched_at=touched_at or 0,
            fork=Fork(*fork) if fork[0] is not None else None,
            refs=refs,
            deleted=bool(deleted),
            compacted=bool(compacted),
            rows_at=rows_at,
        )


def moved(stream: int, own: str | None, tail: int, closed: int, last_batch: int | None) -> tuple[int, bool, int | None]:
    """Return tail, whether it is closed, and the last batch of a stream, wherever they are.

    Args:
        stream: its number.
        own: the column `streams` of the subject whose own it is, if it is anybody's.
        tail, closed, last_batch: of one that is nobody's own.
    """
    if own is None:
        return tail, bool(closed), last_batch
    _, _, tail, closed, last_batch, _ = next(one for one in orjson.loads(own) if one[0] == stream)
    return tail, bool(closed), last_batch


def stream_tail(row: Row) -> StreamTail:
    """Read how far a stream has grown: path, incarnation, id, own, tail, closed, last_batch."""
    path, incarnation, *rest = row
    tail, closed, _ = moved(*rest)
    return StreamTail(path, incarnation, tail, closed)
