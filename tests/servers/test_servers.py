"""The servers that tests start are real, are alone, and are gone afterwards."""

from __future__ import annotations

import asyncio
import importlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.servers import PgBouncer, PostgresServer, Proxy, RedisServer, ServerMissing, fresh_url, postgres, redis
from tests.servers.backends import drop_leftovers
from tests.servers.keeper import alive
from tests.servers.process import find_program

asyncpg: Any = importlib.import_module("asyncpg")  # it has no types
ROOT = Path(__file__).parents[2]


def test_there_is_one_postgresql_for_all_with_durability_as_in_production() -> None:
    assert postgres() is postgres()
    told = postgres().sql("SELECT current_setting('fsync'), current_setting('synchronous_commit'), current_user")
    assert told == "on|on|signoff\n"


def test_there_is_one_redis_for_all_with_a_log() -> None:
    assert redis() is redis()
    assert redis().command("CONFIG", "GET", "appendonly").endswith("yes")
    assert redis().command("CONFIG", "GET", "maxmemory-policy").endswith("noeviction")


async def test_a_driver_reads_the_addresses() -> None:
    for url in (postgres().url(), postgres().tcp_url()):
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT 40 + 2") == 42
        await connection.close()


def test_what_a_test_makes_on_a_shared_server_is_dropped(tmp_path: Path) -> None:
    url, other = fresh_url("postgres"), fresh_url("redis")
    schema, prefix = url.rsplit("=", 1)[1], other.rsplit("=", 1)[1]
    postgres().sql(f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.t (n int);")
    for key in (f"{prefix}a", f"{{{prefix}b}}:c"):
        assert redis().command("SET", key, "1") == "+OK"
    redis().command("SET", "kept", "1")
    assert fresh_url("postgres", tmp_path) == fresh_url("postgres", tmp_path) != url
    drop_leftovers()
    assert postgres().sql(f"SELECT count(*) FROM pg_namespace WHERE nspname = '{schema}'") == "0\n"
    assert redis().command("DBSIZE") == ":1"
    redis().command("DEL", "kept")


async def test_a_session_that_hangs_on_to_a_schema_does_not_keep_it() -> None:
    schema = fresh_url("postgres").rsplit("=", 1)[1]
    postgres().sql(f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.t (n int);")
    connection = await asyncpg.connect(postgres().url())
    await connection.execute(f"BEGIN; SELECT * FROM {schema}.t;")
    await asyncio.to_thread(drop_leftovers)
    assert postgres().sql(f"SELECT count(*) FROM pg_namespace WHERE nspname = '{schema}'") == "0\n"
    connection.terminate()


def test_postgresql_keeps_through_a_kill_what_it_has_promised(own_postgres: PostgresServer) -> None:
    own_postgres.sql("CREATE TABLE t (n int); INSERT INTO t VALUES (1);")
    address = own_postgres.url()
    own_postgres.kill()
    with pytest.raises(ServerMissing):
        own_postgres.sql("SELECT 1")
    own_postgres.start()
    assert own_postgres.url() == address
    assert own_postgres.sql("SELECT n FROM t") == "1\n"
    own_postgres.restart()
    assert own_postgres.sql("SELECT n FROM t") == "1\n"


def test_redis_keeps_through_a_kill_what_it_has_promised(own_redis: RedisServer) -> None:
    own_redis.command("SET", "a", "1")
    own_redis.kill()
    with pytest.raises(OSError):
        own_redis.command("GET", "a")
    own_redis.start()
    assert own_redis.command("GET", "a") == "$1\r\n1"
    own_redis.restart()
    assert own_redis.command("GET", "a") == "$1\r\n1"


def test_a_frozen_redis_answers_when_it_is_thawed(own_redis: RedisServer) -> None:
    own_redis.freeze()
    with socket.create_connection(("127.0.0.1", own_redis.port), timeout=0.2) as connection:
        connection.sendall(b"PING\r\n")
        with pytest.raises(TimeoutError):
            connection.recv(10)
        own_redis.thaw()
        connection.settimeout(10)
        assert connection.recv(10) == b"+PONG\r\n"


async def test_pgbouncer_lends_one_session_to_several_clients(pgbouncer: PgBouncer) -> None:
    clients = [await asyncpg.connect(pgbouncer.url(), statement_cache_size=0) for _ in range(20)]
    assert [await each.fetchval("SELECT 1") for each in clients] == [1] * 20
    told = postgres().sql(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name <> 'psql' AND usename = 'signoff'"
    )
    assert int(told) <= 10
    for each in clients:
        await each.close()


# -- the proxy ---------------------------------------------------------------------------------------------------------


def ask(port: int, request: bytes = b"PING\r\n") -> bytes:
    """Send a request to a Redis server; return what comes back at once."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        return connection.recv(1000)


def test_a_proxy_hands_on_and_cuts(new_proxy: Callable[[int], Proxy]) -> None:
    proxy = new_proxy(redis().port)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(10) == b"+PONG\r\n"
        assert proxy.connections == 1
        assert proxy.cut() == 1
        with pytest.raises(ConnectionResetError):
            connection.recv(10)
    assert ask(proxy.port) == b"+PONG\r\n"
    proxy.refuse()
    with pytest.raises(ConnectionResetError):
        ask(proxy.port)
    proxy.refuse(False)
    assert ask(proxy.port) == b"+PONG\r\n"


def test_a_proxy_holds_back(new_proxy: Callable[[int], Proxy]) -> None:
    proxy = new_proxy(redis().port)
    proxy.stall()
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=0.2) as connection:
        connection.sendall(b"PING\r\n")
        with pytest.raises(TimeoutError):
            connection.recv(10)
        proxy.stall(False)
        connection.settimeout(10)
        assert connection.recv(10) == b"+PONG\r\n"


def test_a_proxy_loses_one_reply_to_what_was_done(new_proxy: Callable[[int], Proxy], tmp_path: Path) -> None:
    proxy = new_proxy(redis().port)
    key = fresh_url("redis", tmp_path).rsplit("=", 1)[1]
    proxy.lose_reply(b"INCR")
    assert ask(proxy.port) == b"+PONG\r\n"
    with pytest.raises(ConnectionResetError):
        ask(proxy.port, f"INCR {key}\r\n".encode())
    assert proxy.lost.wait(10)
    assert redis().command("GET", key) == "$1\r\n1"
    assert ask(proxy.port, f"INCR {key}\r\n".encode()) == b":2\r\n"


def test_a_proxy_without_a_server_behind_it_resets(own_redis: RedisServer, new_proxy: Callable[[int], Proxy]) -> None:
    proxy = new_proxy(own_redis.port)
    own_redis.kill()
    with pytest.raises(ConnectionResetError):
        ask(proxy.port)


# -- their end ---------------------------------------------------------------------------------------------------------

HOST = """
import sys
from tests.servers import postgres, redis
from tests.servers.process import keeper
print(postgres().process.pid, redis().process.pid, keeper().folder, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, None])
def test_servers_and_their_folder_are_gone_when_their_process_is(number: signal.Signals | None) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOST], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as host:
        assert host.stdout is not None
        assert host.stdin is not None
        *pids, folder = host.stdout.readline().split()
        assert len(pids) == 2
        if number is None:
            host.stdin.close()
        else:
            host.send_signal(number)
        host.wait(timeout=60)
    until = time.monotonic() + 30
    while (Path(folder).exists() or any(alive(int(pid)) for pid in pids)) and time.monotonic() < until:
        time.sleep(0.02)
    assert not Path(folder).exists()
    assert not any(alive(int(pid)) for pid in pids)


def test_a_program_that_is_not_there_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ServerMissing, match=r"no-such-server is not installed.*\.ci/setup servers"):
        find_program("no-such-server")


def test_a_program_of_another_version_can_be_wished_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wished = tmp_path / "postgres"
    wished.write_text("#!/bin/sh\n")
    wished.chmod(0o755)
    monkeypatch.setenv("SIGNOFF_TEST_BIN", str(tmp_path))
    assert find_program("postgres") == wished
    assert find_program("initdb") != tmp_path / "initdb"


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    server = RedisServer(appendfsync="sometimes")
    with pytest.raises(ServerMissing, match="appendfsync"):
        server.start()
    server.remove()
