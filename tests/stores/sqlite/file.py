"""What stands in a SQLite file, and what work it makes."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any


def rows(path: Path, table: str) -> int:
    """Count the rows of a table."""
    with sqlite3.connect(path) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    connection.close()
    return int(count)


def cost(connection: sqlite3.Connection, work: Any) -> int:
    """Count the instructions of SQLite's virtual machine that some work is."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    connection.set_progress_handler(step, 1)
    work()
    connection.set_progress_handler(None, 1)
    return count
