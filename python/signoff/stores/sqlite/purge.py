"""Drop what deleted streams held, a piece in each transaction.

Deleting a stream takes its name and its head away, and notes its number in `doomed`, in the commit that was asked for;
so it costs the same however much the stream holds. What it held goes here, and whoever dies in the middle of it leaves
the note behind for the next one.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

from signoff.stores.sqlite.marks import Marks
from signoff.stores.sqlite.statements import Statements

SQL: Final = Statements("purge.sql")

PIECE_ROWS: Final = 500
PIECE_BYTES: Final = 1 << 20
"""About how much goes in one transaction: a few milliseconds, in which other writers wait."""

_A_STREAM: Final = 10
"""Rows that ending a stream counts as."""


@dataclass(frozen=True, slots=True)
class Purge:
    """Drop one piece of what deleted streams held."""

    rows: int = PIECE_ROWS
    size: int = PIECE_BYTES

    def run(self, connection: sqlite3.Connection, _marks: Marks) -> bool:
        """Drop it; False: there is nothing left."""
        rows, size = self.rows, self.size
        while rows > 0 and size > 0:
            found = connection.execute(SQL["next_doomed"]).fetchone()
            if found is None:
                return False
            gone, freed = _piece(connection, *found, rows, size)
            rows -= gone
            size -= freed
        return True


def doomed(connection: sqlite3.Connection) -> bool:
    """Tell whether anything is left to drop, without writing."""
    return connection.execute(SQL["next_doomed"]).fetchone() is not None


def _piece(
    connection: sqlite3.Connection, stream: int, last_batch: int | None, rows: int, size: int
) -> tuple[int, int]:
    """Drop some of what one stream held; return how many rows and how many bytes of batches that was, about."""
    if last_batch is not None:
        asked = {"batch": last_batch, "stream": stream, "rows": rows, "bytes": size}
        found = connection.execute(SQL["drop_batches"], asked).fetchall()
        # Each batch has a lower number than the one after it.
        _, rest, _ = min(found) if found else (None, None, 0)
        connection.execute(SQL["move_doomed"], (rest, stream))
        return len(found) or 1, sum(length for _, _, length in found)
    for name in ("drop_waypoints", "drop_live_rows", "drop_producers"):
        gone = connection.execute(SQL[name], {"stream": stream, "rows": rows}).rowcount
        if gone:
            return gone, 0
    connection.execute(SQL["forget"], (stream,))
    return _A_STREAM, 0
