"""Which stores the suites run over, and a fresh one of each."""

from __future__ import annotations

import functools
import hashlib
import itertools
from pathlib import Path
from typing import Final

from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

BACKENDS: Final[tuple[str, ...]] = ("memory", "sqlite", "postgres", "redis")
"""The stores that every suite runs over."""

SHARED_BACKENDS: Final[tuple[str, ...]] = tuple(name for name in BACKENDS if name != "memory")
"""Those that several processes share."""

_numbers = itertools.count(1)
_schemas: set[str] = set()
_prefixes: set[str] = set()


@functools.cache
def postgres() -> PostgresServer:
    """Return the PostgreSQL server of this process, started by whoever asks first."""
    server = PostgresServer()
    server.start()
    return server


@functools.cache
def redis() -> RedisServer:
    """Return the Redis server of this process, started by whoever asks first."""
    server = RedisServer()
    server.start()
    return server


def fresh_url(backend: str, folder: Path | None = None, **options: str) -> str:
    """Return the address of a store that is empty, and is dropped when the test ends.

    Args:
        backend: `memory`, `sqlite`, `postgres` or `redis`.
        folder: two stores asked for with one folder are the same store; None (not for SQLite): a new one each time.
        options: more for the query of the address, where the backend has one.
    """
    if backend == "memory":
        return "memory:"
    if backend == "sqlite":
        assert folder is not None, "a SQLite store needs a folder"
        return f"sqlite:///{folder}/test.db"
    name = f"t{next(_numbers)}" if folder is None else f"t{hashlib.sha1(str(folder).encode()).hexdigest()[:16]}"
    if backend == "postgres":
        _schemas.add(name)
        return postgres().url(schema=name, **options)
    assert backend == "redis", f"there is no backend {backend}"
    prefix = f"{name}."  # so that no prefix begins with another
    _prefixes.add(prefix)
    return redis().url(prefix=prefix, **options)


def drop_leftovers() -> None:
    """Drop the stores that were made since this was called last."""
    if _schemas:
        postgres().drop_schemas(*_schemas)
    if _prefixes:
        redis().drop_prefixes(*_prefixes)
    _schemas.clear()
    _prefixes.clear()
