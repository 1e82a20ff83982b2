"""The one thread that writes: it takes what waits in its queue and makes one transaction of it.

Changes are compared in memory with what the thread knows (`marks`), gathered (`pending`), and written in few
statements; then one fsync serves all. While the queue is empty and somebody listens for news, the thread looks every
few milliseconds whether another process has committed (`PRAGMA data_version`, which our own commits do not move).
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signoff.errors import BadRequest, SignoffError, StoreUnavailable
from signoff.stores.base import Change, Committed, Outcome, Rejected
from signoff.stores.check import check
from signoff.stores.compare import compare
from signoff.stores.sqlite.connection import connect, is_trouble, prepare, unavailable
from signoff.stores.sqlite.leases import LeaseWork
from signoff.stores.sqlite.marks import SQL, Marks
from signoff.stores.sqlite.pending import Pending

_LOOK_S = 0.012
"""Seconds between two looks for other processes' commits."""

_MOST = 512
"""Changes in one transaction at most, so that nobody waits behind an endless one."""

_UNKNOWN = "Whether the last write was kept could not be found out: look before you repeat it."

Work = Sequence[Change] | LeaseWork


@dataclass(slots=True)
class _Job:
    work: Work
    loop: asyncio.AbstractEventLoop
    reply: asyncio.Future[Any]

    @property
    def size(self) -> int:
        return len(self.work) if isinstance(self.work, Sequence) else 1


class _Command:
    """Be something the thread is told that is not a write."""


_STOP = _Command()
_LOOK = _Command()


class Writer:
    """Own the writing connection and its thread.

    Args:
        path: the file.
        on_foreign: called from the thread when another connection has committed.
    """

    def __init__(self, path: Path, on_foreign: Callable[[], None]) -> None:
        self._path = path
        self._on_foreign = on_foreign
        self._queue: queue.SimpleQueue[_Job | _Command] = queue.SimpleQueue()
        self._watching = False
        self._thread = threading.Thread(target=self._main, name=f"signoff-writer {path.name}", daemon=True)
        self._opened: Future[None] = Future()
        self._connection: sqlite3.Connection
        self._marks: Marks
        self._seen_version = -1
        self._full = True

    async def start(self) -> None:
        """Start the thread; return when the schema is there.

        Raises:
            StoreUnavailable: the file cannot be used.
            SchemaTooNew: the file was written by a newer version.
        """
        self._thread.start()
        await asyncio.wrap_future(self._opened)

    async def stop(self) -> None:
        """Write what was handed in, close the connection and end the thread."""
        self._queue.put(_STOP)
        await asyncio.to_thread(self._thread.join)

    def submit(self, work: Work) -> asyncio.Future[Any]:
        """Hand in Changes or a lease operation; the future ends when it is written."""
        loop = asyncio.get_running_loop()
        job = _Job(work, loop, loop.create_future())
        self._queue.put(job)
        return job.reply

    def watch(self, watching: bool) -> None:
        """Look for other processes' commits from now on, or stop to."""
        if watching != self._watching:
            self._watching = watching
            self._queue.put(_LOOK)

    # -- the thread ------------------------------------------------------------------------------------------------

    def _main(self) -> None:
        try:
            self._connection = connect(self._path)
            try:
                prepare(self._connection, self._path)
            except BaseException:
                self._connection.close()
                raise
            self._marks = Marks(self._connection)
            self._look()
        except sqlite3.Error as error:
            self._opened.set_exception(unavailable(self._path, error))
            return
        except BaseException as error:
            self._opened.set_exception(error)
            return
        self._opened.set_result(None)
        while self._turn():
            pass
        self._connection.close()

    def _turn(self) -> bool:
        """Do what waits in the queue; return False when told to stop."""
        jobs, commands = self._take()
        if jobs:
            self._serve(jobs)
        elif self._watching:
            self._watch()
        return _STOP not in commands

    def _take(self) -> tuple[list[_Job], list[_Command]]:
        jobs: list[_Job] = []
        commands: list[_Command] = []
        size = 0
        try:
            item = self._queue.get(timeout=_LOOK_S if self._watching else None)
            while True:
                if isinstance(item, _Job):
                    jobs.append(item)
                    size += item.size
                else:
                    commands.append(item)
                if size >= _MOST or item is _STOP:
                    break
                item = self._queue.get_nowait()
        except queue.Empty:
            pass
        return jobs, commands

    def _watch(self) -> None:
        try:
            if self._look():
                self._on_foreign()
        except sqlite3.Error:
            self._marks.forget()  # a wake-up is a hint; the next write will tell what is wrong

    def _look(self) -> bool:
        """Tell whether another connection has committed since the last look; if so forget what we knew."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if version == self._seen_version:
            return False
        self._seen_version = version
        self._marks.forget()
        return True

    # -- transactions ----------------------------------------------------------------------------------------------

    def _serve(self, jobs: list[_Job]) -> None:
        foreign = False
        results: list[Any]
        try:
            foreign, results = self._transact(jobs)
        except sqlite3.Error as error:
            results = [unavailable(self._path, error)] * len(jobs)
        except Exception as error:  # a fault of ours must not end the thread that everybody waits for
            results = [error] * len(jobs)
        _resolve(jobs, results)
        self._marks.trim()
        if foreign and self._watching:
            self._on_foreign()

    def _transact(self, jobs: list[_Job]) -> tuple[bool, list[Any]]:
        # A claim lost to a power failure is harmless (so is its worker): leases alone need no fsync of their own.
        self._synchronous(full=any(isinstance(job.work, Sequence) for job in jobs))
        foreign = False
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            foreign = self._look()
            pending = Pending(self._connection, self._marks)
            try:
                results = [self._do(job.work, pending) for job in jobs]
                pending.flush()
            except Exception as error:
                if isinstance(error, sqlite3.Error) and is_trouble(error):
                    raise
                self._undo()
                self._connection.execute("BEGIN IMMEDIATE")
                self._look()
                pending = Pending(self._connection, self._marks)
                results = [self._do_apart(job.work, pending) for job in jobs]
        except BaseException:
            self._undo()
            raise
        return foreign, self._commit(results, pending)

    def _do(self, work: Work, pending: Pending) -> Any:
        if not isinstance(work, Sequence):
            pending.flush()
            return work.run(self._connection, self._marks)
        self._marks.learn(work)
        return [compare(change, self._marks) or Committed(pending.add(change)) for change in work]

    def _do_apart(self, work: Work, pending: Pending) -> Any:
        """Do one piece of work so that its failure harms no other: one of them holds what cannot be kept."""
        if isinstance(work, Sequence):
            return [self._commit_apart(change, pending) for change in work]
        return self._within(pending, lambda: work.run(self._connection, self._marks))

    def _commit_apart(self, change: Change, pending: Pending) -> Outcome | Rejected:
        def write() -> Outcome:
            check(change)
            [outcome] = self._do([change], pending)
            pending.flush()
            return outcome  # type: ignore[no-any-return]

        result = self._within(pending, write)
        if isinstance(result, SignoffError):
            return Rejected(result)
        if isinstance(result, Exception):
            return Rejected(BadRequest(f"The store cannot keep this: {result}. Nothing was written."))
        return result  # type: ignore[no-any-return]

    def _within(self, pending: Pending, work: Callable[[], Any]) -> Any:
        """Do work within a savepoint; return its error when it fails, with its effects undone."""
        self._connection.execute("SAVEPOINT apart")
        try:
            result = work()
        except Exception as error:
            if isinstance(error, sqlite3.Error) and is_trouble(error):
                raise
            self._connection.execute("ROLLBACK TO apart")
            self._marks.forget()
            pending.clear()
            result = error
        self._connection.execute("RELEASE apart")
        return result

    def _commit(self, results: list[Any], pending: Pending) -> list[Any]:
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            return self._look_up(results, pending, error)
        return results

    def _look_up(self, results: list[Any], pending: Pending, error: sqlite3.Error) -> list[Any]:
        """Find out whether a commit that failed is there all the same: atomic, so one row tells."""
        if self._connection.in_transaction or pending.witness is None:
            self._undo()
            raise error
        self._marks.forget()
        name, key, value = pending.witness
        try:
            found = self._connection.execute(SQL[name], key).fetchone()
        except sqlite3.Error as second:
            return [unavailable(self._path, second, _UNKNOWN)] * len(results)
        if found is None or found[0] != value:
            raise error
        return results

    def _undo(self) -> None:
        self._marks.forget()
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _synchronous(self, *, full: bool) -> None:
        if full != self._full:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
            self._full = full


def _resolve(jobs: list[_Job], results: list[Any]) -> None:
    """Hand results to the loops they belong to, with one wake-up a loop."""
    of_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for job, result in zip(jobs, results, strict=True):
        of_loop.setdefault(job.loop, []).append((job.reply, result))
    for loop, replies in of_loop.items():
        try:
            loop.call_soon_threadsafe(_reply, replies)
        except RuntimeError:  # the loop is closed: nobody waits any more
            continue


def _reply(replies: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for reply, result in replies:
        if reply.done():
            continue
        if isinstance(result, Exception):
            reply.set_exception(result)
        else:
            reply.set_result(result)


def closed(path: Path) -> StoreUnavailable:
    """Make the error for using a store that is not open."""
    return StoreUnavailable(f"The store {path} is not open; nothing was written. Open it before use.")
