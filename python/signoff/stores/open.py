"""Turn a URL into a store: the one place that knows which backends there are."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote

from signoff.errors import StoreError
from signoff.stores.base import WorkflowStore
from signoff.stores.migrating import Migrating
from signoff.stores.server_url import shown_url

_KNOWN = (
    "memory:, sqlite:///relative.db, sqlite:////absolute/path.db, postgresql://user@host/database or "
    "redis://host:port/0"
)
_POSTGRES = ("postgresql", "postgres")
_REDIS = ("redis", "rediss")


def open_store(url: str, *, create: bool = True) -> WorkflowStore:
    """Make the store a URL names; call `open()` on it before use.

    Args:
        url: `memory:`, or `sqlite:///` and a path: `sqlite:///claims.db` is relative to the working folder,
            `sqlite:////var/lib/claims.db` is absolute; `postgresql://user@host/database`; or `redis://host:port/0`,
            with TLS `rediss://`. What options the last two take stands in docs/operations/.
        create: make the file and its folder when absent; False: refuse, and leave nothing behind.

    Raises:
        StoreError: the URL is not understood, the path cannot be used, or there is nothing there and nothing shall be
            created.

    Example:
        >>> store = open_store("sqlite:///claims.db")
        >>> await store.open()
    """
    scheme, colon, rest = url.partition(":")
    if not colon:
        raise StoreError(f"{url!r} is not a store URL; use {_KNOWN}.")
    if scheme == "memory":
        return _memory(url, rest)
    if scheme == "sqlite":
        return _sqlite(url, rest, create=create)
    if scheme in _POSTGRES:
        return _postgres(url)
    if scheme in _REDIS:
        return _redis(url)
    raise StoreError(f"No store is known for {scheme + ':'!r}; use {_KNOWN}.")


def is_private(url: str) -> bool:
    """Tell whether a URL names a store that the process which opens it has alone."""
    return url.partition(":")[0] == "memory"


def _memory(url: str, rest: str) -> WorkflowStore:
    if rest not in ("", "//"):
        raise StoreError(f"{url!r} has something after memory:, which has no parts; use memory: alone.")
    from signoff.stores.memory import MemoryStore  # noqa: PLC0415  loaded only when asked for

    return MemoryStore()


def open_migrating(url: str) -> Migrating | None:
    """Return what looks after the schema of the store a URL names; None: it has no schema.

    Args:
        url: as `open_store` takes it. Nothing is created or connected to by this alone.

    Raises:
        StoreError: as `open_store`.

    Example:
        >>> migrating = open_migrating("sqlite:///claims.db")
        >>> (await migrating.status()).pending
        ()
    """
    scheme, _, rest = url.partition(":")
    if scheme in _POSTGRES:
        return _postgres_migrating(url)
    if scheme in _REDIS:
        from signoff.stores.redis.migrating import RedisMigrating  # noqa: PLC0415  loaded only when asked for

        return RedisMigrating(url)
    if scheme != "sqlite":
        open_store(url)  # refuses what is no URL of a store
        return None
    from signoff.stores.sqlite.migrating import SqliteMigrating  # noqa: PLC0415  loaded only when asked for

    return SqliteMigrating(_sqlite_path(url, rest))


def store_name(url: str) -> str:
    """Return how a store may be called where others read it: without passwords, and a file by its whole path.

    Example:
        >>> store_name("postgresql://app:secret@db/claims")
        'postgresql://app@db/claims'
    """
    scheme, _, rest = url.partition(":")
    if scheme == "sqlite":
        return f"sqlite:///{_sqlite_path(url, rest)}"
    return shown_url(url)


def _sqlite(url: str, rest: str, *, create: bool) -> WorkflowStore:
    path = _sqlite_path(url, rest)
    if not create and not path.exists():
        raise StoreError(
            f"There is no store at {path}, and none was created. Check the path; `signoff dev`, `server`, `worker` "
            "and `start` create one."
        )
    _check_place(path)
    from signoff.stores.sqlite.store import SqliteStore  # noqa: PLC0415  loaded only when asked for

    return SqliteStore(path, url)


def _sqlite_path(url: str, rest: str) -> Path:
    if not rest.startswith("///"):
        raise StoreError(f"{url!r} is not a SQLite URL; write sqlite:///relative.db or sqlite:////absolute/path.db.")
    name = unquote(rest[3:])
    if not name:
        raise StoreError(f"{url!r} names no file; write sqlite:///relative.db or sqlite:////absolute/path.db.")
    if "?" in rest or "#" in rest or "\0" in name:
        raise StoreError(f"{url!r} has options, which SQLite URLs do not take; give the path alone.")
    return Path(name).absolute()


def _postgres(url: str) -> WorkflowStore:
    from signoff.stores.postgres.address import read_address  # noqa: PLC0415  loaded only when asked for
    from signoff.stores.postgres.store import PostgresStore  # noqa: PLC0415

    return PostgresStore(read_address(url), url)


def _postgres_migrating(url: str) -> Migrating:
    from signoff.stores.postgres.address import read_address  # noqa: PLC0415  loaded only when asked for
    from signoff.stores.postgres.migrating import PostgresMigrating  # noqa: PLC0415

    return PostgresMigrating(read_address(url))


def _redis(url: str) -> WorkflowStore:
    from signoff.stores.redis.store import RedisStore  # noqa: PLC0415  loaded only when asked for

    return RedisStore(url)


def _check_place(path: Path) -> None:
    if path.is_dir():
        raise StoreError(f"{path} is a directory; name a file in it, e.g. {path / 'signoff.db'}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The folder {path.parent} cannot be created: {error.strerror}.") from error
    if not os.access(path.parent, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise StoreError(f"The folder {path.parent} is not writable; SQLite keeps its log beside the file.")
