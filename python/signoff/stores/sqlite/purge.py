"""Drop what deleted streams held, a piece in each transaction.

Deleting a stream takes its name and its head away, and notes its number in `doomed`, in the commit that was asked for;
so it costs the same however much the stream holds. What it held goes here, and whoever dies in the middle of it leaves
the note behind for the next one.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

from signoff.stores.sqlite.cache import WriterCache
from signoff.stores.sqlite.statements import Statements

SQL: Final = Statements("purge.sql")

PIECE_ROWS: Final = 500
PIECE_BYTES: Final = 1 << 20
"""About how much goes in one transaction: a few milliseconds, in which other writers wait."""

_A_STREAM: Final = 10
"""Rows that ending a stream counts as."""


@dataclass(frozen=True, slots=True)
class Purge:
    """A piece to drop of what deleted streams held."""

    rows: int = PIECE_ROWS
    size: int = PIECE_BYTES

    def run(self, connection: sqlite3.Connection, _cache: WriterCache) -> bool:
        """Drop it; False: there is nothing left."""
        rows, size = self.rows, self.size
        while rows > 0 and size > 0:
            found = connection.execute(SQL["next_doomed"]).fetchone()
            if found is None:
                return False
            stream, last_batch = found
            if last_batch is None:
                gone, freed = _others(connection, stream, rows), 0
            else:
                asked = {"batch": last_batch, "stream": stream, "rows": rows, "bytes": size}
                gone, freed = _batches(connection, asked)
            rows -= gone
            size -= freed
        return True


def doomed(connection: sqlite3.Connection) -> bool:
    """Tell whether anything is left to drop, without writing."""
    return connection.execute(SQL["next_doomed"]).fetchone() is not None


def _batches(connection: sqlite3.Connection, asked: dict[str, int]) -> tuple[int, int]:
    """Drop the last batches of a stream; return how many, and how many bytes they had."""
    found = connection.execute(SQL["drop_batches"], asked).fetchall()
    # Each batch has a lower number than the one after it.
    rest = min(found)[1] if found else None
    connection.execute(SQL["move_doomed"], (rest, asked["stream"]))
    return len(found) or 1, sum(length for _, _, length in found)


def _others(connection: sqlite3.Connection, stream: int, rows: int) -> int:
    """Drop what else a stream has, and at last the note that it is doomed; return about how many rows that was."""
    for name in ("drop_waypoints", "drop_live_rows", "drop_producers"):
        gone = connection.execute(SQL[name], {"stream": stream, "rows": rows}).rowcount
        if gone:
            return gone
    connection.execute(SQL["forget"], (stream,))
    return _A_STREAM
