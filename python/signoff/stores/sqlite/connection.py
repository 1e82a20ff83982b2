"""Open connections to the file, bring its schema up to date, and say in words what SQLite says in codes."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from signoff.errors import SchemaTooNew, StoreError, StoreUnavailable
from signoff.stores.sqlite.statements import migrations, schema

APPLICATION_ID = 0x5369676E
"""`Sign` in ASCII: marks the file as ours (https://www.sqlite.org/pragma.html#pragma_application_id)."""

BUSY_S = 5.0
"""Seconds to wait for another process's transaction."""

CHECKPOINT_PAGES = 4000
"""Pages of the log after which a commit copies them into the file; more would mean fewer, longer checkpoints."""

LOG_BYTES = 32 << 20
"""What the log's file is cut to when the log begins anew."""

UNKNOWN = "Whether the last write was kept could not be found out: look before you repeat it."

_PAUSE_S = 0.01

_DETAILS = {
    "SQLITE_BUSY": "another process kept it locked for {busy:g} s",
    "SQLITE_LOCKED": "another connection keeps it locked",
    "SQLITE_FULL": "the disk is full",
    "SQLITE_IOERR": "the disk reports an I/O error",
    "SQLITE_READONLY": "the file or its folder is read-only",
    "SQLITE_CANTOPEN": "the file cannot be opened",
    "SQLITE_CORRUPT": "the file is damaged",
    "SQLITE_NOTADB": "the file is not a SQLite database",
}


def connect(path: Path, *, busy_s: float = BUSY_S, readonly: bool = False) -> sqlite3.Connection:
    """Open a connection that any one thread at a time may use; transactions are ours to begin and end."""
    connection = sqlite3.connect(
        path, timeout=busy_s, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    if readonly:
        connection.execute("PRAGMA query_only = ON")
    return connection


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Set the journal mode and durability, and create or migrate the schema.

    Raises:
        SchemaTooNew: the file was written by a newer version of Signoff.
        StoreError: the file is another application's.
        sqlite3.Error: the file cannot be used.
    """
    connection.execute("BEGIN")  # one look: another process may be creating the schema at this moment
    try:
        _check(connection, path)
    finally:
        connection.execute("ROLLBACK")
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
    # Some systems build SQLite to overwrite with zeros all that is deleted: as much to write as the stream had bytes.
    connection.execute("PRAGMA secure_delete = FAST")
    connection.execute("PRAGMA cache_size = -16000")
    connection.execute("PRAGMA temp_store = MEMORY")
    if schema_version(connection) != len(migrations()):
        _migrate(connection, path)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log. Of several that switch at once SQLite refuses some without waiting."""
    give_up = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if time.monotonic() >= give_up or not (error.sqlite_errorname or "").startswith("SQLITE_BUSY"):
                raise
            time.sleep(_PAUSE_S)
        else:
            return


def check_owner(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file of another application.

    Raises:
        StoreError: it is one.
    """
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if owner != APPLICATION_ID and (owner or tables):
        raise StoreError(f"{path} is a SQLite database of another application; nothing was changed. Name another file.")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    check_owner(connection, path)
    newest = len(migrations())
    if (version := schema_version(connection)) > newest:
        raise SchemaTooNew(
            f"{path} has schema version {version}; this version of Signoff knows {newest}. "
            "Nothing was changed. Use the newer version."
        )


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        _check(connection, path)  # another process may have been faster
        version = schema_version(connection)
        steps = [schema()] if version == 0 else migrations()[version:]
        for step in steps:
            for statement in statements(step):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(migrations())}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def statements(script: str) -> list[str]:
    """Cut a script into statements, so that they can share one transaction (`executescript` commits before it runs)."""
    found: list[str] = []
    text = ""
    for line in script.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            found.append(text.strip())
            text = ""
    return found


def schema_version(connection: sqlite3.Connection) -> int:
    """Return the version of the schema a file has; 0: none yet."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def unavailable(path: Path, error: sqlite3.Error, consequence: str = "Nothing was written.") -> StoreUnavailable:
    """Turn what SQLite reports into an error for people."""
    name = getattr(error, "sqlite_errorname", "") or ""
    known = next((text.format(busy=BUSY_S) for code, text in _DETAILS.items() if name.startswith(code)), None)
    return StoreUnavailable(
        f"{path} cannot be used: {known or error}. {consequence}",
        public_detail=f"The server's store cannot be used: {known or 'it reports an error'}. {consequence} "
        "Try again in a while, with the same ids.",
    )


def closed(path: Path) -> StoreUnavailable:
    """Make the error for using a store that is not open."""
    return StoreUnavailable(f"The store {path} is not open; nothing was written. Open it before use.")


def is_trouble(error: sqlite3.Error) -> bool:
    """Tell trouble with the file or disk from a row that cannot be kept."""
    return isinstance(error, sqlite3.OperationalError | sqlite3.InternalError) or type(error) is sqlite3.DatabaseError
