"""Rows as the port's records."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson

from signoff.stores.base import StreamTail
from signoff.stores.change import Name, OwnStream, Part, Subject
from signoff.streams.stream import Fork, Head, ProducerMark

Row = Any
"""What the driver gives: a tuple with names."""

Own = tuple[tuple[int, str, int, bool], ...]
"""A subject's own streams: number, path, tail, closed."""


def own_of(text: str) -> Own:
    """Read the column `own`."""
    return tuple([(number, path, tail, closed) for number, path, tail, closed in orjson.loads(text)])


def own_text(own: Own) -> str:
    """Write the column `own`."""
    return orjson.dumps(own).decode()


def subject(row: Row, own: Own) -> Subject:
    """Read a record: number, kind … lost, as all statements select it."""
    _, kind, name, version, state, terms, sort, queue, ready, wake_at, quiet, updated_at, _, *lease = row
    streams = tuple([OwnStream(path, tail, closed) for _, path, tail, closed in own])
    return Subject(
        Name(kind, name),
        version,
        state,
        terms_of(terms),
        sort,
        queue,
        ready,
        wake_at,
        quiet,
        updated_at,
        streams,
        *lease,
    )


def part(row: Row) -> Part:
    """Read a part: number, kind, name, state, open, terms, sort."""
    _, kind, key, state, is_open, terms, sort = row
    return Part(kind, key, state, is_open, terms_of(terms), sort)


@lru_cache(maxsize=4096)
def terms_of(text: str) -> tuple[str, ...]:
    """Read a column of terms. The same few come again and again: of all runs of a workflow that have one status."""
    return tuple(orjson.loads(text))


@lru_cache(maxsize=4096)
def terms_text(terms: tuple[str, ...]) -> str:
    """Write a column of terms."""
    return orjson.dumps(terms).decode()


def head(row: Row) -> Head:
    """Read a row of the view `heads`."""
    tail, closed = moved(row)
    by, fork = row["closed_by_producer"], row["fork_path"]
    return Head.of(
        path=row["path"],
        incarnation=row["incarnation"],
        version=row["version"],
        tail=tail,
        content_type=row["content_type"],
        closed=closed,
        engine=row["engine"],
        created_at=row["created_at"],
        base=row["base"],
        closed_by=ProducerMark(by, row["closed_by_epoch"], row["closed_by_seq"]) if by is not None else None,
        last_seq=row["last_seq"],
        ttl_s=row["ttl_s"],
        expires_at=row["expires_at"],
        touched_at=row["touched_at"] or 0,
        fork=Fork(fork, row["fork_incarnation"], row["fork_at"], row["fork_depth"]) if fork is not None else None,
        refs=row["refs"],
        deleted=row["deleted"],
        compacted=row["compacted"],
        rows_at=row["rows_at"],
    )


def moved(row: Row) -> tuple[int, bool]:
    """Return the tail of a stream, and whether it is closed, wherever that stands."""
    text = row["own"]
    if text is None:
        return row["tail"], row["closed"]
    number = row["id"]
    return next((tail, closed) for found, _, tail, closed in orjson.loads(text) if found == number)


def stream_tail(row: Row) -> StreamTail:
    """Read how far a stream has grown."""
    return StreamTail(row["path"], row["incarnation"], *moved(row))
