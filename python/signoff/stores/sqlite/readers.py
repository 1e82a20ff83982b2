"""Where reads run: small ones at once on the caller's thread, large ones in a pool of threads.

A look-up by key takes some 10 to 20 µs, a hop to a thread and back 55 µs more (measured); so what is certain to be
small does not hop. Readers never wait for the writer in WAL mode; when a connection is busy all the same the read moves
to the pool, which may wait.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from signoff.stores.sqlite.connection import closed, connect, unavailable

P = ParamSpec("P")
T = TypeVar("T")
Question = Callable[Concatenate[sqlite3.Connection, P], T]

_THREADS = 3


class Readers:
    """The reading connections. They may be used from any thread.

    Args:
        path: the file; its schema must be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"signoff-reader {path.name}")
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[sqlite3.Connection] = []
        self._quick = self._connect(busy_s=0)
        self._quick_lock = threading.Lock()
        self._open = True

    async def quick(self, question: Question[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Answer a question that is certain to be small, on the caller's thread."""
        try:
            return self.now(question, *args, **kwargs)
        except sqlite3.Error:
            return await self.slow(question, *args, **kwargs)

    async def slow(self, question: Question[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Answer a question that may be large, in the pool."""
        if not self._open:
            raise closed(self._path)
        return await asyncio.wrap_future(self._pool.submit(lambda: self.answer(question, *args, **kwargs)))

    def now(self, question: Question[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Answer a small question without waiting for anything.

        Raises:
            sqlite3.Error: it would have to wait, or the file is in trouble.
        """
        with self._quick_lock:
            if not self._open:
                raise closed(self._path)
            return question(self._quick, *args, **kwargs)

    def later(self, work: Callable[[], None]) -> None:
        """Run work in the pool; nobody waits for it, and a pool that is closing drops it."""
        with suppress(RuntimeError):
            self._pool.submit(work)

    async def close(self) -> None:
        """Finish what is under way and close the connections."""
        self._open = False
        await asyncio.to_thread(self._pool.shutdown)
        with self._quick_lock:
            for connection in self._connections:
                connection.close()

    def answer(self, question: Question[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Answer a question on this thread, which belongs to the pool.

        Raises:
            StoreUnavailable: the file cannot be read.
        """
        connection = getattr(self._local, "connection", None)
        try:
            if connection is None:
                connection = self._local.connection = self._connect()
            return question(connection, *args, **kwargs)
        except sqlite3.Error as error:
            raise unavailable(self._path, error, "Nothing was read.") from error

    def _connect(self, busy_s: float = 5.0) -> sqlite3.Connection:
        connection = connect(self._path, busy_s=busy_s, readonly=True)
        with self._lock:
            self._connections.append(connection)
        return connection
