from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from signoff.stores.open import open_store
from signoff.stores.postgres.store import PostgresStore
from tests.servers import fresh_url

OpenStore = Callable[..., Awaitable[PostgresStore]]
Ask = Callable[..., Awaitable[list[Any]]]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The address of a fresh store on the server that all tests share."""
    return fresh_url("postgres", tmp_path)


@pytest.fixture
async def opened(url: str) -> AsyncIterator[OpenStore]:
    """What opens another store on the same data; all are closed at the end."""
    async with AsyncExitStack() as stack:

        async def opens(**options: str) -> PostgresStore:
            more = "".join(f"&{name}={value}" for name, value in options.items())
            store = open_store(url + more)
            assert isinstance(store, PostgresStore)
            await store.open()
            stack.push_async_callback(store.close)
            return store

        yield opens


@pytest.fixture
async def ask(url: str) -> AsyncIterator[Ask]:
    """What asks the server something, beside all stores; `signoff.` stands for the schema."""
    base, _, schema = url.partition("&schema=")
    connection = await asyncpg.connect(base)

    async def asks(statement: str, *values: Any) -> list[Any]:
        rows: list[Any] = await connection.fetch(statement.replace("signoff.", f'"{schema}".'), *values)
        return rows

    yield asks
    await connection.close()


async def end_session(ask: Ask, pid: int) -> None:
    """End a session from within the server, and wait until it is gone."""
    await ask("SELECT pg_terminate_backend($1)", pid)
    async with asyncio.timeout(5):
        while await ask("SELECT 1 FROM pg_stat_activity WHERE pid = $1", pid):
            await asyncio.sleep(0)
