"""Create the tables and bring them up to date, while older releases go on writing."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from typing import Final

import asyncpg

from signoff.errors import SchemaTooNew, StoreError
from signoff.stores.postgres.address import Address
from signoff.stores.postgres.connections import Connection, Connector, close
from signoff.stores.postgres.statements import Migration, for_schema, migrations, quoted
from signoff.stores.postgres.trouble import code_of, is_collision, unavailable

_LOCK_TIMEOUT: Final = "3s"
"""How long a migration waits for a lock at a time: everybody else waits behind it."""

_TRIES: Final = 40
_PAUSE_S: Final = 0.25

_VERSIONS: Final = """CREATE TABLE IF NOT EXISTS signoff.versions (
  number integer PRIMARY KEY,
  name text NOT NULL,
  breaking boolean NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
)"""

_STATE: Final = "SELECT to_regclass($1) IS NOT NULL"
_KNOWN: Final = "SELECT number, name, breaking FROM signoff.versions ORDER BY number"
_NOTE: Final = "INSERT INTO signoff.versions (number, name, breaking) VALUES ($1, $2, $3)"


def lock_of(address: Address, what: str) -> int:
    """Return the number of an advisory lock of this schema."""
    text = f"signoff/{address.schema}/{what}".encode()
    return (zlib.crc32(text) << 31) | (zlib.crc32(text[::-1]) >> 1)


class PostgresMigrating:
    """The migrations of one schema.

    Args:
        connector: of its server.
        steps: all migrations; ours unless said otherwise.
    """

    def __init__(self, connector: Connector, steps: Sequence[Migration] | None = None) -> None:
        self._connector = connector
        self._address = connector.address
        self._steps = migrations() if steps is None else tuple(steps)

    async def versions(self, connection: Connection) -> list[tuple[int, str, bool]]:
        """Return what was applied: number, name, and whether older releases cannot go on with it.

        Raises:
            SchemaTooNew: a newer release has left what this one cannot go on with.
        """
        table = f"{quoted(self._address.schema)}.versions"
        if not await connection.fetchval(_STATE, table):
            return []
        found = [(row[0], row[1], row[2]) for row in await connection.fetch(self._for(_KNOWN))]
        newest = len(self._steps)
        if breaking := [f"{number} ({name})" for number, name, breaks in found if number > newest and breaks]:
            raise SchemaTooNew(
                f"{self._address.shown}, schema {self._address.schema}, was changed by a newer version of Signoff in a "
                f"way that this one cannot go on with: {breaking[0]}; this version knows {newest}. Nothing was "
                "changed. Use the newer version."
            )
        return found

    async def upgrade(self, connection: Connection | None = None) -> list[str]:
        """Apply what is missing; return the names of what was applied. Several may do it at once.

        Raises:
            StoreError: this user may not.
            SchemaTooNew: a newer release has left what this one cannot go on with.
            StoreUnavailable: the server cannot be reached, or others keep tables locked.
        """
        mine = connection is None
        one = connection or await self._connector.connect()
        done: list[str] = []
        try:
            applied = len(await self.versions(one))
            while applied < len(self._steps):
                step = self._steps[applied]
                if await self._patiently(one, step):
                    done.append(f"{step.number:04} {step.name}")
                applied += 1
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
            if code_of(error) == "42501":
                raise StoreError(
                    f"{self._address.shown}: this user may not create what schema {self._address.schema} needs. Nothing "
                    "was changed. Run what `signoff db sql` prints as an administrator, then start again."
                ) from error
            raise unavailable(self._address, error, "The migration that failed has left nothing.") from error
        finally:
            if mine:
                await close(one)
        return done

    async def _patiently(self, connection: Connection, step: Migration) -> bool:
        """Apply a step, trying again while others hold locks that it needs."""
        for tried in range(1, _TRIES + 1):
            try:
                return await (self._build(connection, step) if step.concurrent else self._apply(connection, step))
            except asyncpg.PostgresError as error:
                if tried == _TRIES or not (is_collision(error) or code_of(error) in {"42P06", "42P07", "23505"}):
                    raise
                await asyncio.sleep(_PAUSE_S)
        raise AssertionError

    async def _apply(self, connection: Connection, step: Migration) -> bool:
        async with connection.transaction():
            await self._begin(connection)
            if await self._has(connection, step):
                return False
            await connection.execute(self._for(step.text))
            await connection.execute(self._for(_NOTE), step.number, step.name, step.breaking)
        return True

    async def _build(self, connection: Connection, step: Migration) -> bool:
        """Run statements outside a transaction; each says itself that it does nothing where it is done already."""
        if await self._has(connection, step):
            return False
        for statement in step.text.split(";\n"):
            if statement.strip():
                await connection.execute(self._for(statement))
        async with connection.transaction():
            await self._begin(connection)
            if await self._has(connection, step):
                return False
            await connection.execute(self._for(_NOTE), step.number, step.name, step.breaking)
        return True

    async def _begin(self, connection: Connection) -> None:
        await connection.execute(f"SELECT set_config('lock_timeout', '{_LOCK_TIMEOUT}', true)")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", lock_of(self._address, "migrate"))
        if not await connection.fetchval("SELECT 1 FROM pg_namespace WHERE nspname = $1", self._address.schema):
            await connection.execute(f"CREATE SCHEMA {quoted(self._address.schema)}")
        if not await connection.fetchval(_STATE, f"{quoted(self._address.schema)}.versions"):
            await connection.execute(self._for(_VERSIONS))

    async def _has(self, connection: Connection, step: Migration) -> bool:
        return step.number in {number for number, _, _ in await self.versions(connection)}

    def _for(self, text: str) -> str:
        return for_schema(text, self._address.schema)

    def sql(self, role: str | None = None) -> str:
        """Return the statements that an administrator runs where our user may not create anything.

        Args:
            role: who shall use the tables; None: the user of the URL.
        """
        schema = quoted(self._address.schema)
        who = quoted(role) if role else "CURRENT_USER"
        texts = [f"CREATE SCHEMA IF NOT EXISTS {schema};", self._for(_VERSIONS) + ";"]
        for step in self._steps:
            texts.append(self._for(step.text).strip())
            values = f"{step.number}, '{step.name}', {str(step.breaking).lower()}"
            texts.append(self._for(f"INSERT INTO signoff.versions (number, name, breaking) VALUES ({values});"))
        texts += [
            f"GRANT USAGE ON SCHEMA {schema} TO {who};",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {who};",
            f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {who};",
            f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO {who};",
        ]
        return "BEGIN;\n" + "\n\n".join(texts) + "\nCOMMIT;\n"
