"""The writer's connection, watched: which way transactions go, and what becomes of one whose reply is lost."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

SHORT: Final = ("INSERT INTO appends", "INSERT INTO produced", "INSERT INTO moves")
"""How the single statements begin that are a transaction each."""


class Watched(sqlite3.Connection):
    """A connection that counts the ways of transactions, and loses the reply to one."""

    short = 0
    """Transactions of one statement."""
    long = 0
    """Transactions of several."""
    fault: bool | None = None
    """Whether the next one takes effect before its reply is lost."""

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        short, long = sql.startswith(SHORT), sql == "COMMIT"
        Watched.short += short
        Watched.long += long
        if Watched.fault is None or not (short or long):
            return super().execute(sql, *values)
        effect, Watched.fault = Watched.fault, None
        if effect:
            super().execute(sql, *values)
        elif long:
            super().execute("ROLLBACK")
        raise sqlite3.OperationalError("disk I/O error")
