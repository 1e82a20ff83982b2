"""Transactions for the users of the store: while one is open the writer thread stands aside.

SQLite has one writer at a time, so a user's transaction is everybody's pause. It has a connection of its own, whose
authorizer keeps it off the store's tables and from ending the transaction itself, and a bound on how long it may take.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from signoff.errors import OutcomeUnknown, SignoffError
from signoff.stores.change import Change, Committed, Outcome, Rejected
from signoff.stores.check import check
from signoff.stores.compare import compare
from signoff.stores.sqlite.cache import WriterCache
from signoff.stores.sqlite.connection import UNKNOWN, connect, is_trouble, unavailable
from signoff.stores.sqlite.statements import schema
from signoff.stores.sqlite.transaction import TransactionRows

T = TypeVar("T")

LIMIT_S: Final = 5.0
"""Seconds that a transaction may take: as long as other processes wait for the file."""

_TOO_LONG: Final = (
    f"The transaction took longer than {LIMIT_S:g} s, in which nobody else could write to the store. It was undone, "
    "nothing of it was kept. Do what takes long in a step before it, and wait for nothing of the engine within it."
)

_ON_FIRST: Final = frozenset(
    (
        sqlite3.SQLITE_INSERT,
        sqlite3.SQLITE_UPDATE,
        sqlite3.SQLITE_DELETE,
        sqlite3.SQLITE_DROP_TABLE,
    )
)
_ON_SECOND: Final = frozenset(
    (
        sqlite3.SQLITE_ALTER_TABLE,
        sqlite3.SQLITE_CREATE_INDEX,
        sqlite3.SQLITE_CREATE_TRIGGER,
        sqlite3.SQLITE_DROP_INDEX,
    )
)
"""What writes to a table, by which of the two names that SQLite gives is the table's."""

_REFUSED: Final = frozenset((sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH))
"""Whoever lends it ends it; and a transaction over several files is not atomic with a write-ahead log."""

_PRAGMAS: Final = frozenset(
    ("table_info", "table_xinfo", "table_list", "index_list", "index_info", "foreign_key_list", "defer_foreign_keys")
)
"""Those that change nothing of the file or of how it is written."""

_OURS: Final = frozenset(re.findall(r"^CREATE TABLE (\w+)", schema(), re.MULTILINE))


class Loan:
    """The writer's turn, lent to a transaction of a user's."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._begun: asyncio.Future[None] = self._loop.create_future()
        self._over = threading.Event()

    async def begun(self) -> None:
        """Wait until the writer stands aside."""
        await self._begun

    def end(self) -> None:
        """Let the writer go on."""
        self._over.set()

    def stand_aside(self) -> None:
        """Let the borrower write, and wait until it has ended; called by the writer's thread."""
        try:
            self._loop.call_soon_threadsafe(self._begin)
        except RuntimeError:  # the loop is closed: nobody is there to begin
            return
        self._over.wait(2 * LIMIT_S)  # a borrower that never came back keeps nobody for ever

    def refuse(self, error: Exception) -> None:
        """Tell the borrower that it will not come to its turn; called by the writer's thread."""
        try:
            self._loop.call_soon_threadsafe(self._fail, error)
        except RuntimeError:
            return

    def _begin(self) -> None:
        if self._begun.done():  # given up meanwhile
            self._over.set()
        else:
            self._begun.set_result(None)

    def _fail(self, error: Exception) -> None:
        if not self._begun.done():
            self._begun.set_exception(error)


class SqliteTransaction:
    """An open transaction of the file; `SqlTransaction` says what each method does.

    Args:
        path: the file.
        loan: the writer's turn, begun.
    """

    native = None

    def __init__(self, path: Path, loan: Loan) -> None:
        self._path = path
        self._loan = loan
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"signoff-transaction {path.name}")
        self._connection: sqlite3.Connection | None = None
        self._late = False
        self._watch = threading.Timer(LIMIT_S, self._expire)
        self._watch.daemon = True

    async def begin(self) -> None:
        """Begin it."""
        self._watch.start()
        await self._run(self._begin)

    async def end(self) -> None:
        """Undo what was not committed, and let the writer go on."""
        self._watch.cancel()
        try:
            await asyncio.shield(self._run(self._end))
        finally:
            self._thread.shutdown(wait=False)

    async def execute(self, statement: str, *values: Any) -> int:
        """Execute a statement; return how many rows it changed."""
        return await self._run(self._execute, statement, values)

    async def fetch(self, statement: str, *values: Any) -> Sequence[dict[str, Any]]:
        """Execute a statement; return its rows."""
        return await self._run(self._fetch, statement, values)

    async def commit(self, change: Change) -> Outcome | Rejected:
        """Commit what was executed together with a Change."""
        return await self._run(self._commit, change)

    # -- the thread ------------------------------------------------------------------------------------------------

    async def _run(self, work: Callable[..., T], *arguments: Any) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        except sqlite3.OperationalError as error:
            if self._late:
                raise TimeoutError(_TOO_LONG) from error
            raise

    def _begin(self) -> None:
        try:
            connection = self._connection = connect(self._path)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise unavailable(self._path, error) from error
        connection.set_authorizer(_allow)

    def _open(self) -> sqlite3.Connection:
        if self._late:
            raise TimeoutError(_TOO_LONG)
        if self._connection is None or not self._connection.in_transaction:
            raise RuntimeError(
                "The transaction has ended: a statement of its own has rolled it back. Nothing was kept."
            )
        return self._connection

    def _execute(self, statement: str, values: Sequence[Any]) -> int:
        return max(self._open().execute(statement, values).rowcount, 0)

    def _fetch(self, statement: str, values: Sequence[Any]) -> list[dict[str, Any]]:
        cursor = self._open().execute(statement, values)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def _commit(self, change: Change) -> Outcome | Rejected:
        connection = self._open()
        try:
            check(change)
        except SignoffError as error:
            return Rejected(error)
        connection.set_authorizer(None)
        try:
            outcome = self._write(connection, change)
            if isinstance(outcome, Committed):
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            if not is_trouble(error):
                raise  # what the user's statements left does not hold together
            if connection.in_transaction:
                raise unavailable(self._path, error) from error
            raise OutcomeUnknown(str(unavailable(self._path, error, UNKNOWN))) from error
        finally:
            connection.set_authorizer(_allow)
        return outcome

    def _write(self, connection: sqlite3.Connection, change: Change) -> Outcome:
        cache = WriterCache(connection)
        cache.learn([change])
        conflict = compare(change, cache)
        if conflict is not None:
            return conflict
        transaction = TransactionRows(connection, cache)
        committed = transaction.add(change)
        transaction.flush()
        return committed

    def _expire(self) -> None:
        """Undo it, whatever its user is doing; called by a thread of its own."""
        self._late = True
        if self._connection is not None:
            self._connection.interrupt()
        try:
            self._thread.submit(self._end)
        except RuntimeError:  # it has ended meanwhile
            return

    def _end(self) -> None:
        connection, self._connection = self._connection, None
        try:
            if connection is not None:
                connection.set_authorizer(None)
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                connection.close()
        finally:
            self._loan.end()


def _allow(action: int, first: str | None, second: str | None, _base: str | None, _by: str | None) -> int:
    """Say what a user's statement may do: all that leaves the store's tables, and the transaction, alone."""
    table = first if action in _ON_FIRST else second if action in _ON_SECOND else None
    if table in _OURS or action in _REFUSED:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_PRAGMA and first not in _PRAGMAS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK
