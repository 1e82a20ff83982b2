"""The one thread that writes: it takes what waits in its queue and makes one transaction of it.

Changes are compared in memory with what the thread knows (`cache`), gathered (`transaction`), and written in few
statements; then one fsync serves all. While the queue is empty and somebody listens for news, the thread looks every
few milliseconds whether another process has committed (`PRAGMA data_version`, which our own commits do not move).
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

from signoff.errors import BadRequest, OutcomeUnknown, SignoffError
from signoff.stores.change import Change, Committed, Conflict, Outcome, Rejected, SubjectWrite
from signoff.stores.check import check
from signoff.stores.compare import compare
from signoff.stores.sqlite.cache import WriterCache
from signoff.stores.sqlite.connection import UNKNOWN, connect, is_trouble, prepare, unavailable
from signoff.stores.sqlite.copies import Restore
from signoff.stores.sqlite.find import find
from signoff.stores.sqlite.leases import LeaseWork
from signoff.stores.sqlite.loans import Loan
from signoff.stores.sqlite.log import Log
from signoff.stores.sqlite.plain_appends import SIZES, PlainAppends
from signoff.stores.sqlite.plain_moves import PlainMoves
from signoff.stores.sqlite.purge import Purge
from signoff.stores.sqlite.transaction import TransactionRows

T = TypeVar("T")

_LOOK_S: Final = 0.004
"""Seconds between two looks for other processes' commits. A look takes some 30 µs, so this is one hundredth of a core
(measured; with 12 ms about as much, and news took 6 ms in place of 3)."""

_MOST: Final = SIZES[-1]
"""Changes in one transaction at most, if they did not come as more: so many can go the short way together."""

_Chore = LeaseWork | Purge | Restore  # what is written that is no Change


@dataclass(slots=True)
class _Job:
    """Changes, or a lease operation, a purge or records to restore, with who waits for them."""

    changes: Sequence[Change]
    lease: _Chore | None
    loop: asyncio.AbstractEventLoop
    reply: asyncio.Future[Any]


class _Signal(Enum):
    """What the thread is told that is not a write."""

    STOP = auto()
    LOOK = auto()


class Writer:
    """The writing connection and its thread.

    Args:
        path: the file.
        on_foreign: called from the thread when another connection has committed.
    """

    def __init__(self, path: Path, on_foreign: Callable[[], None]) -> None:
        self._path = path
        self._on_foreign = on_foreign
        self._queue: queue.SimpleQueue[_Job | Loan | _Signal] = queue.SimpleQueue()
        self._held: _Job | Loan | None = None
        self._watching = False
        self._thread = threading.Thread(target=self._main, name=f"signoff-writer {path.name}", daemon=True)
        self._opened: Future[None] = Future()
        self._connection: sqlite3.Connection
        self._cache: WriterCache
        self._appends: PlainAppends
        self._moves: PlainMoves
        self._log: Log
        self._seen_version = -1
        self._look_at = 0.0
        self._foreign = False
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
        self._queue.put(_Signal.STOP)
        await asyncio.to_thread(self._thread.join)

    def submit(self, changes: Sequence[Change] = (), lease: _Chore | None = None) -> asyncio.Future[Any]:
        """Hand in Changes, or a lease operation, a purge or a restoration; the future ends when it is written."""
        loop = asyncio.get_running_loop()
        reply = loop.create_future()
        self._queue.put(_Job(changes, lease, loop, reply))
        return reply

    def lend(self) -> Loan:
        """Lend the writer's turn to a transaction of a user's, once what was handed in before is written."""
        loan = Loan()
        self._queue.put(loan)
        return loan

    def watch(self, watching: bool) -> None:
        """Look for other processes' commits from now on, or stop to."""
        if watching != self._watching:
            self._watching = watching
            self._queue.put(_Signal.LOOK)

    # -- the thread ------------------------------------------------------------------------------------------------

    def _main(self) -> None:
        try:
            self._connection = connect(self._path)
            try:
                prepare(self._connection, self._path)
            except BaseException:
                self._connection.close()
                raise
            self._cache = WriterCache(self._connection)
            self._appends = PlainAppends(self._connection, self._cache)
            self._moves = PlainMoves(self._connection, self._cache)
            self._log = Log(self._connection, self._path)
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
        self._log.close()
        self._connection.close()

    def _turn(self) -> bool:
        """Do what waits in the queue; return False when told to stop."""
        jobs: list[_Job] = []
        going = self._take(jobs)
        self._tend()
        if jobs:
            self._serve(jobs)
        if self._watching and time.monotonic() >= self._look_at:
            try:
                self._look()
            except sqlite3.Error:
                self._cache.forget()  # a wake-up is a hint; the next write will tell what is wrong
        if self._foreign:
            self._foreign = False
            if self._watching:
                self._on_foreign()
        return going

    def _take(self, jobs: list[_Job]) -> bool:
        """Wait for something to do, and take what waits up to a measure; return False when told to stop."""
        item: _Job | Loan | _Signal
        try:
            item = self._held or self._queue.get(timeout=_LOOK_S if self._watching else self._log.again_s)
        except queue.Empty:
            return True
        self._held = None
        size = 0
        while True:
            match item:
                case _Signal.STOP:
                    return False
                case Loan():
                    if jobs:
                        self._held = item
                    else:
                        item.stand_aside()
                    return True
                case _Job():
                    size += len(item.changes) or 1
                    if jobs and size > _MOST:
                        self._held = item
                        return True
                    jobs.append(item)
            if size >= _MOST or self._queue.empty():
                return True
            item = self._queue.get()

    def _tend(self) -> None:
        try:
            self._log.tend()
        except sqlite3.Error:
            return  # the next write will tell what is wrong with the file

    def _look(self) -> None:
        """If another connection has committed since the last look, forget what we knew and take note of it."""
        self._look_at = time.monotonic() + _LOOK_S
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if version != self._seen_version:
            self._seen_version = version
            self._cache.forget()
            self._foreign = True

    # -- transactions ----------------------------------------------------------------------------------------------

    def _serve(self, jobs: list[_Job]) -> None:
        results: list[Any]
        try:
            results = self._write_at_once(jobs) or self._transact(jobs)
        except sqlite3.Error as error:
            results = [unavailable(self._path, error)] * len(jobs)
        except Exception as error:  # a fault of ours must not end the thread that everybody waits for
            results = [error] * len(jobs)
        self._cache.trim()
        _resolve(jobs, results)

    def _write_at_once(self, jobs: list[_Job]) -> list[Any] | None:
        """Write in one statement what is simple enough for that; None: nothing was written, go the long way."""
        changes = [change for job in jobs for change in job.changes]
        if not changes or any(job.lease is not None for job in jobs):
            return None
        short = self._moves if isinstance(changes[0].write, SubjectWrite) else self._appends
        if not short.fit(changes):
            return None
        self._synchronous(full=True)
        results: list[Any] = []
        try:
            done = short.take(changes)
            if done is None:
                self._cache.forget()
                return None
            outcomes = iter(done)
            results = [list(islice(outcomes, len(job.changes))) for job in jobs]
            short.write()
        except (sqlite3.IntegrityError, sqlite3.InterfaceError, OverflowError, TypeError, UnicodeError):
            self._cache.forget()
            return None
        except sqlite3.Error as error:
            return self._look_up(jobs, results, error)
        return results

    def _transact(self, jobs: list[_Job]) -> list[Any]:
        # A claim lost to a power failure is harmless (so is its worker): leases alone need no fsync of their own.
        self._synchronous(full=any(job.lease is None or isinstance(job.lease, Restore) for job in jobs))
        try:
            transaction = self._begin()
            try:
                results = [self._do(job, transaction) for job in jobs]
                transaction.flush()
            except Exception as error:
                if isinstance(error, sqlite3.Error) and is_trouble(error):
                    raise
                self._undo()
                transaction = self._begin()
                results = [self._do_apart(job, transaction) for job in jobs]
        except BaseException:
            self._undo()
            raise
        return self._commit(jobs, results)

    def _begin(self) -> TransactionRows:
        self._connection.execute("BEGIN IMMEDIATE")
        self._look()
        return TransactionRows(self._connection, self._cache)

    def _do(self, job: _Job, transaction: TransactionRows) -> Any:
        if job.lease is not None:
            transaction.flush()
            return job.lease.run(self._connection, self._cache)
        return self._gather(job.changes, transaction)

    def _gather(self, changes: Sequence[Change], transaction: TransactionRows) -> list[Outcome | Rejected]:
        self._cache.learn(changes)
        outcomes: list[Outcome | Rejected] = []
        for change in changes:
            conflict = compare(change, self._cache)
            outcomes.append(transaction.add(change) if conflict is None else _refused(change, conflict))
        return outcomes

    def _do_apart(self, job: _Job, transaction: TransactionRows) -> Any:
        """Do one piece of work so that its failure harms no other: one of them holds what cannot be kept."""
        if (lease := job.lease) is not None:
            return self._within(transaction, lambda: lease.run(self._connection, self._cache))
        return [self._commit_apart(change, transaction) for change in job.changes]

    def _commit_apart(self, change: Change, transaction: TransactionRows) -> Outcome | Rejected:
        def write() -> Outcome | Rejected:
            check(change)
            [outcome] = self._gather([change], transaction)
            transaction.flush()
            return outcome

        result = self._within(transaction, write)
        if isinstance(result, SignoffError):
            return Rejected(result)
        if isinstance(result, Exception):
            return Rejected(BadRequest(f"The store cannot keep this: {result}. Nothing was written."))
        return result

    def _within(self, transaction: TransactionRows, work: Callable[[], T]) -> T | Exception:
        """Do work within a savepoint; return its error when it fails, with its effects undone."""
        self._connection.execute("SAVEPOINT apart")
        result: T | Exception
        try:
            result = work()
        except Exception as error:
            if isinstance(error, sqlite3.Error) and is_trouble(error):
                raise
            self._connection.execute("ROLLBACK TO apart")
            self._cache.forget()
            transaction.clear()
            result = error
        self._connection.execute("RELEASE apart")
        return result

    def _commit(self, jobs: list[_Job], results: list[Any]) -> list[Any]:
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            return self._look_up(jobs, results, error)
        return results

    def _look_up(self, jobs: list[_Job], results: list[Any], error: sqlite3.Error) -> list[Any]:
        """Find out whether a commit that failed is there all the same: atomic, so one Change tells of all."""
        if self._connection.in_transaction:
            self._undo()
            raise error
        self._cache.forget()
        written = [
            change
            for job, result in zip(jobs, results, strict=True)
            for change, outcome in zip(job.changes, result if job.changes else (), strict=True)
            if isinstance(outcome, Committed)
        ]
        if not written:
            raise error
        try:
            kept = next((there for there in find(self._connection, reversed(written)) if there is not None), None)
        except sqlite3.Error as second:
            error, kept = second, None
        if kept is None:
            unknown = unavailable(self._path, error, UNKNOWN)
            return [OutcomeUnknown(str(unknown), public_detail=unknown.public_detail)] * len(results)
        if not kept:
            raise error
        return results

    def _undo(self) -> None:
        self._cache.forget()
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _synchronous(self, *, full: bool) -> None:
        if full != self._full:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
            self._full = full


def _refused(change: Change, conflict: Conflict) -> Conflict | Rejected:
    """Tell of a Change that was not written whether it could have been at all."""
    try:
        check(change)
    except SignoffError as error:
        return Rejected(error)
    return conflict


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
