"""Keep the write-ahead log short, also after a reader has kept it from being emptied.

A commit that finds the log long copies it into the file (a checkpoint), which is a matter of milliseconds: unless some
reader, a backup say, has held on to an old state meanwhile. Then the log grows, and the commit after the reader's end
would copy all of it (measured: 2.6 s for 963 MB). So commits stop copying when the log is that long; a thread copies,
which no writer waits for, and then the file is cut.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path
from typing import Final

from signoff.stores.sqlite.connection import BUSY_S, CHECKPOINT_PAGES, connect

LARGE: Final = 64 << 20
"""Bytes of the log that are not usual: about four times as many as one checkpoint leaves."""

EVERY_S: Final = 1.0
"""Seconds between two looks at its size."""


class Log:
    """The log of a file, looked after on the thread of its writer.

    Args:
        connection: the writer's.
        path: the file.

    Attributes:
        again_s: seconds after which to `tend` even if nothing is written; None: not before something is.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.again_s: float | None = None
        self._connection = connection
        self._path = path
        self._file = path.with_name(f"{path.name}-wal")
        self._due = 0.0
        self._copying: threading.Thread | None = None
        self._left = 0

    def tend(self) -> None:
        """Look whether there is something to do about the log, and do it; most calls do nothing."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + EVERY_S
        if self._copying is not None and not self._copying.is_alive():
            self._copying = None
            if self._left <= CHECKPOINT_PAGES:
                self._cut()
        large = self._size() > LARGE
        if large and self._copying is None:
            self._connection.execute("PRAGMA wal_autocheckpoint = 0")
            self._copying = threading.Thread(target=self._copy, name=f"signoff-log {self._path.name}", daemon=True)
            self._copying.start()
        elif not large and self.again_s is not None:
            self._connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        self.again_s = EVERY_S if large else None

    def close(self) -> None:
        """Wait for the thread."""
        if self._copying is not None:
            self._copying.join()

    def _size(self) -> int:
        try:
            return self._file.stat().st_size
        except OSError:
            return 0

    def _copy(self) -> None:
        """Copy what no reader needs to stay where it is; note how many pages are left."""
        try:
            connection = connect(self._path, busy_s=0)
            try:
                _, pages, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            finally:
                connection.close()
        except sqlite3.Error:
            self._left = CHECKPOINT_PAGES + 1  # another process is at it, or the disk is in trouble: look again later
        else:
            self._left = pages - copied

    def _cut(self) -> None:
        """Copy the little that is left and cut the file, unless somebody reads from the log at this moment."""
        self._connection.execute("PRAGMA busy_timeout = 0")
        try:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError:
            return  # another process is at it; look again later
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {int(BUSY_S * 1000)}")
