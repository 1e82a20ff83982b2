"""The schema of a SQLite file, for operators: what it is, whether it is whole, and how to bring it up to date."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from signoff.errors import StoreError
from signoff.stores.migrating import SchemaStatus
from signoff.stores.sqlite.connection import (
    APPLICATION_ID,
    check_owner,
    connect,
    prepare,
    schema_version,
    statements,
    unavailable,
)
from signoff.stores.sqlite.private import create
from signoff.stores.sqlite.statements import migration_names, schema

T = TypeVar("T")

_FAULTS = 5
"""Of how many faults that SQLite finds in a file it is told."""


class SqliteMigrating:
    """The schema of one file; `Migrating` says what each method does.

    Args:
        path: the file, which need not be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def status(self) -> SchemaStatus:
        """Return which schema the file has; one that is not there has none."""
        return await self._ask(_status, SchemaStatus("sqlite", 0, len(migration_names()), tuple(migration_names())))

    async def check(self) -> list[str]:
        """Have SQLite check the file, and look whether everything is in it that should be."""
        return await self._ask(_faults, [f"There is no file {self._path}."])

    async def upgrade(self) -> list[str]:
        """Create the file, or apply what is pending."""
        return await asyncio.to_thread(self._upgrade)

    def sql(self) -> str:
        """Return what a new file gets."""
        version = f"PRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {len(migration_names())};\n"
        return f"{schema().rstrip()}\n\n{version}"

    async def _ask(self, question: Callable[[sqlite3.Connection], T], absent: T) -> T:
        return await asyncio.to_thread(self._answer, question, absent)

    def _answer(self, question: Callable[[sqlite3.Connection], T], absent: T) -> T:
        if not self._path.exists():
            return absent
        try:
            with closing(connect(self._path, readonly=True)) as connection:
                check_owner(connection, self._path)
                return question(connection)
        except sqlite3.Error as error:
            raise unavailable(self._path, error) from error

    def _upgrade(self) -> list[str]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"The folder {self._path.parent} cannot be created: {error.strerror}.") from error
        create(self._path)
        try:
            with closing(connect(self._path)) as connection:
                before = schema_version(connection)
                prepare(connection, self._path)
                return migration_names()[before:]
        except sqlite3.Error as error:
            raise unavailable(self._path, error) from error


def _status(connection: sqlite3.Connection) -> SchemaStatus:
    version, names = schema_version(connection), migration_names()
    return SchemaStatus("sqlite", version, len(names), tuple(names[version:]), breaking=version > len(names))


def _faults(connection: sqlite3.Connection) -> list[str]:
    found = [f"The file is damaged: {says}. Put a backup in its place." for says in _damage(connection)]
    if found:
        return found
    if schema_version(connection) == len(migration_names()):
        with closing(_new()) as wanted:
            missing = _things(wanted) - _things(connection)
        found += [f"The {kind} {name} is missing. Put a backup in its place." for kind, name in sorted(missing)]
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if mode != "wal":
        found.append(f"The journal mode is {mode}, not wal; it is set when a server or worker opens the file.")
    return found


def _damage(connection: sqlite3.Connection) -> list[str]:
    try:
        told = connection.execute(f"PRAGMA quick_check({_FAULTS})").fetchall()
    except sqlite3.DatabaseError as error:
        if not (error.sqlite_errorname or "").startswith("SQLITE_CORRUPT"):
            raise
        return [str(error)]
    return [says for (says,) in told if says != "ok"]


def _new() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    for statement in statements(schema()):
        connection.execute(statement)
    return connection


def _things(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    """Return the kind and name of everything a schema has, but for what SQLite makes by itself."""
    rows = connection.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
    return {(kind, name) for kind, name in rows}
