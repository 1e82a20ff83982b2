"""What readers ask about streams. Each question is one read transaction, so its parts agree."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, Final

from signoff.stores.base import StreamStart, StreamState, StreamTail
from signoff.stores.change import Batch
from signoff.stores.sqlite.rows import HeadRow, Row, stream_tail
from signoff.stores.sqlite.statements import Statements, chunks
from signoff.streams.stream import Head, ProducerMark

SQL: Final = Statements("read.sql")

LAST_CHARACTER: Final = "\U0010ffff"


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Any:
    """Let several statements see the same moment."""
    connection.execute("BEGIN")
    try:
        yield connection.execute
    finally:
        connection.execute("ROLLBACK")


def load_stream(connection: sqlite3.Connection, path: str, producer_id: str | None) -> StreamState | None:
    """Load a stream's head, and one producer's state when asked for."""
    if producer_id is None:
        row = connection.execute(SQL["head"], (path,)).fetchone()
        return StreamState(HeadRow(row).head()) if row else None
    with snapshot(connection) as execute:
        row = execute(SQL["head"], (path,)).fetchone()
        mark = execute(SQL["producer"], (row[0], producer_id)).fetchone() if row else None
    return StreamState(HeadRow(row).head(), ProducerMark(*mark) if mark else None) if row else None


def read(connection: sqlite3.Connection, path: str, start: int, max_bytes: int) -> tuple[Head, list[Batch]] | None:
    """Read batches from the one that holds `start` on, up to the one that brings the total to `max_bytes`."""
    row = connection.execute(SQL["head_and_last"], (start, start, path)).fetchone()
    if row is None:
        return None
    known, last = HeadRow(row[:-3]), row[-3:]
    if last[0] is not None:
        return known.head(), [Batch(*last)]
    if known.tail <= start:
        return known.head(), []
    with snapshot(connection) as execute:
        row = execute(SQL["head"], (path,)).fetchone()
        if row is None:
            return None
        known = HeadRow(row)
        found = _batches(execute, known, start, max_bytes)
    return known.head(), found


def read_start(connection: sqlite3.Connection, path: str, max_bytes: int) -> StreamStart | None:
    """Read the live rows, and the batches from their position on."""
    with snapshot(connection) as execute:
        row = execute(SQL["head"], (path,)).fetchone()
        if row is None:
            return None
        known = HeadRow(row)
        head = known.head()
        rows = execute(SQL["live_rows"], (known.id,)).fetchall()
        found = _batches(execute, known, head.rows_at, max_bytes)
    return StreamStart(head, tuple(message for (message,) in rows), tuple(found))


def _batches(execute: Any, head: HeadRow, start: int, max_bytes: int) -> list[Batch]:
    """Read from waypoint to waypoint, and at last to the last batch: from each back to where the one before ended."""
    found: list[Batch] = []
    size = 0
    waypoints = execute(SQL["waypoints"], (head.id, start))
    for (batch,) in chain(waypoints, [(head.last_batch,)]):
        asked = {"batch": batch, "stream": head.id, "from": start}
        for row in reversed(execute(SQL["chain"], asked).fetchall()):
            one = Batch(*row)
            if one.end > start:
                found.append(one)
                start = one.end
                size += len(one.data)
                if size >= max_bytes:
                    waypoints.close()
                    return found
    return found


def rows_bytes(connection: sqlite3.Connection, path: str) -> int:
    """Return how many bytes the live rows have together."""
    (size,) = connection.execute(SQL["rows_bytes"], (path,)).fetchone()
    return int(size)


def find_streams(connection: sqlite3.Connection, paths: Sequence[str]) -> dict[str, StreamTail]:
    """Return how far those of `paths` that exist have grown."""
    found = {row[0]: stream_tail(row) for row in many(connection, "find_streams", paths)}
    return {path: found[path] for path in paths if path in found}


def list_streams(connection: sqlite3.Connection, prefix: str, limit: int, after: str) -> list[StreamTail]:
    """List streams of one prefix after a path."""
    asked = {"prefix": prefix, "end": prefix + LAST_CHARACTER, "after": after, "limit": limit}
    return [stream_tail(row) for row in connection.execute(SQL["list_streams"], asked)]


def ended_streams(connection: sqlite3.Connection, now: int, limit: int) -> list[str]:
    """Return paths of streams whose life is over, the earliest first."""
    return [path for (path,) in connection.execute(SQL["ended_streams"], (now, limit))]


def watched(connection: sqlite3.Connection, paths: Sequence[str]) -> dict[str, tuple[str, int, bool]]:
    """Return what tells of news in those of `paths` that exist: incarnation, tail, and whether they are closed."""
    found = map(stream_tail, many(connection, "watched", paths))
    return {one.path: (one.incarnation, one.tail, one.closed) for one in found}


def many(connection: sqlite3.Connection, name: str, keys: Sequence[Any]) -> list[Row]:
    """Ask for rows by their keys, with few statements."""
    rows: list[Row] = []
    start = 0
    for size in chunks(len(keys)):
        rows += connection.execute(SQL.rows(name, size), keys[start : start + size])
        start += size
    return rows
