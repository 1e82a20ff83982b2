"""The same, while the server of the database dies and comes back, and its connections are ended from within."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.histories.test_chaos import play
from tests.servers import PostgresServer, RedisServer

END_SOME = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND random() < 0.5"
)


async def test_postgresql_may_be_killed_and_end_its_connections(own_postgres: PostgresServer, tmp_path: Path) -> None:
    async def kill() -> None:
        await asyncio.to_thread(own_postgres.kill)
        await asyncio.to_thread(own_postgres.start)

    async def end_some() -> None:
        await asyncio.to_thread(own_postgres.sql, END_SOME)

    await play(own_postgres.url(schema="chaos"), tmp_path, 1, [kill, kill, *[end_some] * 6])


async def test_redis_may_be_killed(own_redis: RedisServer, tmp_path: Path) -> None:
    """What was acknowledged is in its log: that a process dies takes nothing from that."""

    async def kill() -> None:
        await asyncio.to_thread(own_redis.kill)
        await asyncio.to_thread(own_redis.start)

    await play(own_redis.url(prefix="chaos"), tmp_path, 1, [kill, kill])
