"""Create the tables and bring them up to date, while older releases go on writing."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Final

import asyncpg

from signoff.errors import SchemaTooNew, StoreError
from signoff.stores.migrating import SchemaStatus
from signoff.stores.postgres.address import PostgresAddress
from signoff.stores.postgres.connections import Connector, ServerConnection, close
from signoff.stores.postgres.statements import Migration, for_schema, migrations, quoted
from signoff.stores.postgres.trouble import CAUGHT, code_of, is_collision, unavailable

_LOCK_TIMEOUT: Final = "3s"
"""How long a migration waits for a lock at a time: everybody else waits behind it."""

_TRIES: Final = 40
_PAUSE_S: Final = 0.25

_OLDEST: Final = 130_000
"""The oldest server that has what our statements need."""

_MADE_TWICE: Final = frozenset({"42P06", "42P07", "23505", "42710"})
"""What the server says to the second of two who make the same at once."""

_VERSIONS: Final = """CREATE TABLE IF NOT EXISTS signoff.versions (
  number integer PRIMARY KEY,
  name text NOT NULL,
  breaking boolean NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
)"""

_IS_THERE: Final = "SELECT to_regclass($1) IS NOT NULL"
_APPLIED: Final = "SELECT number, name, breaking FROM signoff.versions ORDER BY number"
_BY_HAND: Final = """DO $migration$
BEGIN
IF NOT EXISTS (SELECT 1 FROM signoff.versions WHERE number = {number}) THEN
{text}
INSERT INTO signoff.versions (number, name, breaking) VALUES ({number}, '{name}', {breaking});
END IF;
END $migration$;"""

_CUT_SHORT: Final = """SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE NOT indisvalid AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)"""

_NOTE: Final = "INSERT INTO signoff.versions (number, name, breaking) VALUES ($1, $2, $3)"


def lock_of(address: PostgresAddress, what: str) -> int:
    """Return the number of an advisory lock of this schema."""
    text = f"signoff/{address.schema}/{what}".encode()
    return (zlib.crc32(text) << 31) | (zlib.crc32(text[::-1]) >> 1)


class PostgresMigrating:
    """The migrations of one schema.

    Args:
        address: where it is.
        connector: of its server; a new one unless given.
        steps: all migrations; ours unless said otherwise.
    """

    def __init__(
        self, address: PostgresAddress, connector: Connector | None = None, steps: Sequence[Migration] | None = None
    ) -> None:
        self._address = address
        self._connector = connector or Connector(address)
        self._steps = migrations() if steps is None else tuple(steps)

    async def status(self) -> SchemaStatus:
        """Return which schema the data has, without writing anything."""
        async with self._connection() as connection:
            applied = await self.applied(connection)
        numbers = {step.number for step in applied}
        newest = len(self._steps)
        pending = tuple(f"{step.number:04}_{step.name}" for step in self._steps if step.number not in numbers)
        breaking = any(step.breaking for step in applied if step.number > newest)
        return SchemaStatus("postgresql", max(numbers, default=0), newest, pending, breaking)

    async def check(self) -> list[str]:
        """Return what is wrong with schema and server, a plain sentence each."""
        status = await self.status()
        wrong: list[str] = []
        if status.breaking:
            wrong.append("A newer version of Signoff has changed the schema so that this one cannot use it.")
        if status.pending:
            wrong.append(f"{len(status.pending)} migrations are to be applied: run `signoff db upgrade`.")
        async with self._connection() as connection:
            schema = self._address.schema
            version = int(await connection.fetchval("SELECT current_setting('server_version_num')"))
            if version < _OLDEST:
                wrong.append(f"The server is PostgreSQL {version // 10_000}; Signoff needs 13 or newer.")
            if await connection.fetchval("SELECT current_setting('synchronous_commit')") == "off":
                wrong.append("synchronous_commit is off: the last commits do not outlive the loss of power.")
            if await connection.fetchval("SELECT current_setting('fsync')") == "off":
                wrong.append("fsync is off: a crash of the machine may damage everything.")
            if await connection.fetchval("SELECT pg_is_in_recovery()"):
                wrong.append("The server is a standby, and read-only; connect to the primary.")
            elif await connection.fetchval("SELECT current_setting('default_transaction_read_only')") == "on":
                wrong.append("default_transaction_read_only is on: nothing can be written.")
            isolation = await connection.fetchval("SELECT current_setting('default_transaction_isolation')")
            if isolation != "read committed":
                wrong.append(f"default_transaction_isolation is {isolation}; Signoff needs read committed.")
            if await connection.fetchval("SELECT current_setting('server_encoding')") != "UTF8":
                wrong.append("The encoding of the database is not UTF8, so it cannot keep every text.")
            if status.schema:
                denied = await connection.fetch(
                    "SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename <> 'versions' AND NOT "
                    "has_table_privilege(quote_ident(schemaname) || '.' || quote_ident(tablename), "
                    "'SELECT, INSERT, UPDATE, DELETE') ORDER BY 1",
                    schema,
                )
                wrong += [f"This user may not write to {schema}.{name}; see `signoff db sql`." for (name,) in denied]
        return wrong

    async def upgrade(self) -> list[str]:
        """Apply what is missing; return the names of what was applied here. Several may do it at once.

        Raises:
            StoreError: this user may not.
            SchemaTooNew: a newer release has left what this one cannot go on with.
            StoreUnavailable: the server cannot be reached, or others keep tables locked.
        """
        async with self._connection() as connection:
            return await self.upgrade_on(connection)

    async def upgrade_on(self, connection: ServerConnection) -> list[str]:
        """Do the same, and look on a connection that is there."""
        done: list[str] = []
        try:
            applied = await self.applied(connection)
            self._refuse_newer(applied)
            numbers = {step.number for step in applied}
            if pending := [step for step in self._steps if step.number not in numbers]:
                working = await self._connector.connect(patient=True)
                try:
                    for _, some in groupby(pending, key=lambda step: step.concurrent and step.number):
                        done += await self._patiently(working, [*some])
                finally:
                    await close(working)
        except CAUGHT as error:
            if code_of(error) == "42501":
                raise StoreError(
                    f"{self._address.shown}: this user may not create what schema {self._address.schema} needs. "
                    "Nothing was changed. Run what `signoff db sql` prints as an administrator, then start again."
                ) from error
            raise unavailable(self._address, error, "A migration that fails leaves nothing.") from error
        return done

    async def applied(self, connection: ServerConnection) -> list[Migration]:
        """Return what was applied, by whichever release."""
        if not await connection.fetchval(_IS_THERE, f"{quoted(self._address.schema)}.versions"):
            return []
        return [
            Migration(number, name, "", breaking, concurrent=False)
            for number, name, breaking in await connection.fetch(self._for(_APPLIED))
        ]

    def sql(self) -> str:
        """Return the statements that an administrator runs where our user may not create anything.

        They may be run again. The user of the URL gets what it needs.
        """
        schema = quoted(self._address.schema)
        texts = [f"CREATE SCHEMA IF NOT EXISTS {schema};", self._for(_VERSIONS) + ";"]
        for step in self._steps:
            values = {"number": step.number, "name": step.name, "breaking": str(step.breaking).lower()}
            texts.append(self._for(_BY_HAND.format(text=step.text.rstrip(), **values)))
        if user := self._address.user:
            who = quoted(user)
            texts += [
                f"GRANT USAGE ON SCHEMA {schema} TO {who};",
                f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {who};",
                f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {schema} TO {who};",
                f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO {who};",
            ]
        return "\n\n".join(texts) + "\n"

    # -- steps -----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[ServerConnection]:
        connection = await self._connector.connect()
        try:
            yield connection
        except CAUGHT as error:
            raise unavailable(self._address, error) from error
        finally:
            await close(connection)

    def _refuse_newer(self, applied: Sequence[Migration]) -> None:
        newest = len(self._steps)
        breaking = next((step for step in applied if step.number > newest and step.breaking), None)
        if breaking is not None:
            raise SchemaTooNew(
                f"{self._address.shown}, schema {self._address.schema}, was changed by a newer version of Signoff "
                f"so that this one cannot use it: migration {breaking.number} ({breaking.name}); this version knows "
                f"{newest}. "
                "Nothing was changed. Use the newer version."
            )

    async def _patiently(self, connection: ServerConnection, steps: Sequence[Migration]) -> list[str]:
        """Apply steps that go together, trying again while others hold locks that they need."""
        for tried in range(1, _TRIES + 1):
            try:
                if not steps[0].concurrent:
                    return await self._apply(connection, steps)
                async with self._alone():
                    await self._build(connection, steps[0])
                    return await self._apply(connection, steps)
            except asyncpg.PostgresError as error:
                if tried == _TRIES or not (is_collision(error) or code_of(error) in _MADE_TWICE):
                    raise
                await asyncio.sleep(_PAUSE_S)
        raise AssertionError

    async def _apply(self, connection: ServerConnection, steps: Sequence[Migration]) -> list[str]:
        """Apply what nobody else has applied meanwhile, in one transaction; return the names."""
        done: list[str] = []
        async with connection.transaction():
            await self._begin(connection)
            numbers = {one.number for one in await self.applied(connection)}
            for step in steps:
                if step.number not in numbers:
                    if not step.concurrent:
                        await connection.execute(self._for(step.text))
                    await connection.execute(self._for(_NOTE), step.number, step.name, step.breaking)
                    done.append(f"{step.number:04}_{step.name}")
        return done

    async def _build(self, connection: ServerConnection, step: Migration) -> None:
        """Run statements outside a transaction; each says itself that it does nothing where it is done already.

        An index whose building was cut short is there, and is never used: it is dropped, so that it is built anew.
        """
        for (name,) in await connection.fetch(_CUT_SHORT, self._address.schema):
            await connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        for statement in step.text.split(";\n"):
            if statement.strip():
                await connection.execute(self._for(statement))

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Take turns with others who build, for as long as it takes.

        The lock is a transaction's, on a connection of its own: one of a session would be lost behind a pooler. And the
        builder of an index waits for every transaction that still looks at something, as the answer to a query with
        values does until the next one is asked: so nobody waits within a transaction.
        """
        lock = lock_of(self._address, "build")
        async with self._connection() as keeper:
            while True:
                async with keeper.transaction():
                    if await keeper.fetchval("SELECT pg_try_advisory_xact_lock($1)", lock):
                        await keeper.execute("SELECT 1")
                        yield
                        return
                await asyncio.sleep(_PAUSE_S)

    async def _begin(self, connection: ServerConnection) -> None:
        """Take turns with others who migrate, and have what takes note of it."""
        await connection.execute(f"SELECT set_config('lock_timeout', '{_LOCK_TIMEOUT}', true)")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", lock_of(self._address, "migrate"))
        if not await connection.fetchval("SELECT 1 FROM pg_namespace WHERE nspname = $1", self._address.schema):
            await connection.execute(f"CREATE SCHEMA {quoted(self._address.schema)}")
        if not await connection.fetchval(_IS_THERE, f"{quoted(self._address.schema)}.versions"):
            await connection.execute(self._for(_VERSIONS))

    def _for(self, text: str) -> str:
        return for_schema(text, self._address.schema)
