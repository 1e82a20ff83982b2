"""Transactions for the users of the store: each on a connection of its own, beside everything else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from signoff.errors import OutcomeUnknown, SignoffError
from signoff.stores.change import Change, Committed, Outcome, Rejected, new_mark
from signoff.stores.check import check
from signoff.stores.postgres.connections import Pool, ServerConnection
from signoff.stores.postgres.context import WriteContext
from signoff.stores.postgres.gather import streams_of
from signoff.stores.postgres.known import forget
from signoff.stores.postgres.locked import Locked, MovedMeanwhileError
from signoff.stores.postgres.trouble import CAUGHT, cannot_keep, code_of, is_lost, is_unkept, unavailable
from signoff.stores.postgres.writer import BLOCK, UNKNOWN

LIMIT_S: Final = 30.0
"""Seconds that a transaction may take: it keeps rows locked, and old ones from being cleared away."""

_TOO_LONG: Final = (
    f"The transaction took longer than {LIMIT_S:g} s. It was undone, nothing of it was kept. Do what takes long in a "
    "step before it, and wait for nothing of the engine within it."
)
_ENDED: Final = "The transaction has ended: a statement of its own has committed it or rolled it back."
_REFUSED: Final = (
    "A step's transaction begins and ends with the step: {} is not for its statements. Nothing was executed; raise an "
    "exception to have all of it undone."
)

_ENDING: Final = re.compile(
    r"\s*(BEGIN|START\s+TRANSACTION|COMMIT|END|ROLLBACK|ABORT|PREPARE\s+TRANSACTION|SET\s+TRANSACTION)\b", re.IGNORECASE
)
_TRIES: Final = 5

_MARK: Final = (
    "SELECT set_config('signoff.transaction', $1, true), set_config('statement_timeout', $2, true), "
    "set_config('idle_in_transaction_session_timeout', $2, true)"
)
_CLEAN: Final = "SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL; DISCARD TEMP; DISCARD SEQUENCES"
"""Ends what statements have left in a session: the next transaction there is some other run's."""

_FAILED: Final = (
    "A failed statement has ended the transaction, though its error was caught: PostgreSQL keeps nothing after one. It "
    "was undone. Let the error out, or ask first whether the statement can be executed."
)
_HINDERED: Final = (
    "The step cannot be recorded after what its statements have set: {}. It was undone, nothing of it was kept."
)

_MARKED: Final = "SELECT current_setting('signoff.transaction', true)"


class PostgresTransaction:
    """An open transaction of the database; `SqlTransaction` says what each method does.

    Args:
        connection: its own.
        context: of the store.
    """

    def __init__(self, connection: ServerConnection, context: WriteContext) -> None:
        self.native = connection
        self._context = context
        self._address = context.address
        self._session = new_mark()
        self._transaction = connection.transaction(isolation="read_committed")
        self._over = False
        self._late = False
        self._lost: BaseException | None = None
        self._watch: asyncio.TimerHandle | None = None

    async def begin(self) -> None:
        """Begin it."""
        try:
            await self._transaction.start()
            await self.native.execute(_MARK, str(self._session), f"{LIMIT_S:g}s")
        except CAUGHT as error:
            raise unavailable(self._address, error) from error
        self._watch = asyncio.get_running_loop().call_later(LIMIT_S, self._expire)

    async def end(self) -> None:
        """Undo what was not committed."""
        if self._watch is not None:
            self._watch.cancel()
        if self._over or self.native.is_closed():
            return
        self._over = True
        try:
            await self._transaction.rollback()
        except CAUGHT:  # or it was never begun, or was ended by a statement of its own
            self.native.terminate()

    async def clean(self) -> None:
        """Leave the connection as it was found."""
        if self.native.is_closed():
            return
        try:
            await self.native.execute(_CLEAN)
        except CAUGHT:
            self.native.terminate()

    async def execute(self, statement: str, *values: Any) -> int:
        """Execute a statement; return how many rows it changed."""
        prepared = await self._prepare(statement)
        await self._run(prepared.fetch(*values))
        words = prepared.get_statusmsg().split()
        return int(words[-1]) if words[0] in {"INSERT", "UPDATE", "DELETE", "MERGE"} else 0

    async def fetch(self, statement: str, *values: Any) -> Sequence[Mapping[str, Any]]:
        """Execute a statement; return its rows."""
        prepared = await self._prepare(statement)
        return [dict(row) for row in await self._run(prepared.fetch(*values))]

    async def _prepare(self, statement: str) -> Any:
        if match := _ENDING.match(statement):
            raise ValueError(_REFUSED.format(match[1].upper()))
        if self._late:
            raise TimeoutError(_TOO_LONG)
        if self._over or not self.native.is_in_transaction():
            raise RuntimeError(_ENDED)
        return await self._run(self.native.prepare(statement, name=""))

    async def _run(self, work: Any) -> Any:
        try:
            return await work
        except CAUGHT as error:
            if self._late:
                raise TimeoutError(_TOO_LONG) from error
            if is_lost(error):
                self._lost = error
            raise

    def check_kept(self) -> None:
        """See that its connection was not lost under its statements: that is no fault of theirs.

        Raises:
            StoreUnavailable: it was; nothing was kept.
        """
        if self._lost is not None:
            raise unavailable(self._address, self._lost) from self._lost

    async def commit(self, change: Change) -> Outcome | Rejected:
        """Commit what was executed together with a Change."""
        if self._late:
            raise TimeoutError(_TOO_LONG)
        try:
            check(change)
        except SignoffError as error:
            return Rejected(error)
        try:
            outcome = await self._write(change)
        except CAUGHT as error:
            if self._late:
                raise TimeoutError(_TOO_LONG) from error
            if is_unkept(error) and not is_lost(error):
                return Rejected(cannot_keep(error))
            if why := _by_statements(error):
                raise RuntimeError(why) from error
            raise unavailable(self._address, error) from error
        if isinstance(outcome, Committed):
            await self._commit()
            self._context.known.writes += 1
            forget(self._context.known, [change])
        return outcome

    async def _write(self, change: Change) -> Outcome:
        """Write a Change, or undo what was begun of it."""
        connection = self.native
        if self._over or not connection.is_in_transaction():
            raise RuntimeError(_ENDED)
        if await connection.fetchval(_MARKED) != str(self._session):
            raise RuntimeError(_ENDED)
        blocks = await connection.fetch(self._context.sql["numbers"], streams_of(change) // BLOCK + 1)
        numbers = iter([number for (first,) in blocks for number in range(first, first + BLOCK)])
        for tried in range(1, _TRIES + 1):
            try:
                async with connection.transaction():
                    locked = Locked(connection, self._context, self._session, numbers)
                    [outcome] = await locked.run([change])
                    return outcome
            except MovedMeanwhileError:
                if tried == _TRIES:
                    raise
        raise AssertionError

    async def _commit(self) -> None:
        self._over = True
        try:
            await self._transaction.commit()
        except CAUGHT as error:
            if not is_lost(error):
                raise  # what the user's statements left does not hold together
            self._context.lost.add(self._session)
            self.native.terminate()
            unknown = unavailable(self._address, error, UNKNOWN)
            raise OutcomeUnknown(str(unknown), public_detail=unknown.public_detail) from error

    def _expire(self) -> None:
        self._late = True
        self.native.terminate()


def _by_statements(error: BaseException) -> str | None:
    """Say what the user's statements did that the step cannot be recorded; None: it was not they."""
    code = code_of(error)
    if code == "25P02":
        return _FAILED
    # They made it read-only, are somebody else who may not write here, or have set a limit of their own.
    if code.startswith("25") or code in {"42501", "57014"}:
        return _HINDERED.format(" ".join(str(error).split()).rstrip("."))
    return None


@asynccontextmanager
async def lend(pool: Pool, context: WriteContext, *, pooled: bool) -> AsyncIterator[PostgresTransaction]:
    """Begin a transaction on a connection of a pool, and undo at the end what was not committed.

    Args:
        pool: of connections for this.
        context: of the store.
        pooled: whether a pooler gives each transaction another session: then what it leaves there is out of reach.
    """
    async with pool.connection() as connection:
        transaction = PostgresTransaction(connection, context)
        try:
            await transaction.begin()
            yield transaction
            transaction.check_kept()
        finally:
            try:
                await asyncio.shield(_end(transaction, pooled=pooled))
            except asyncio.CancelledError:
                connection.terminate()  # nobody may have it while it is being cleaned
                raise


async def _end(transaction: PostgresTransaction, *, pooled: bool) -> None:
    await transaction.end()
    if not pooled:
        await transaction.clean()
