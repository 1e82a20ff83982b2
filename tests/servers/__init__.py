"""Real PostgreSQL, Redis and PgBouncer servers, which tests start themselves and throw away.

One PostgreSQL and one Redis serve a whole pytest process, started by the first test that asks (`postgres`, `redis`); a
test gets a schema or a key prefix of its own there (`fresh_url`). What is to be killed, frozen or restarted is a server
of the test's own (`own_postgres`, `own_redis`). All of them end with pytest, however it ends. Durability is set as in
production. What cannot be started fails the test, with what to install: nothing is skipped.
"""

from tests.servers.backends import BACKENDS, SHARED_BACKENDS, fresh_url, postgres, redis
from tests.servers.certificates import Authority
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import PostgresServer
from tests.servers.process import ServerMissing
from tests.servers.proxy import Proxy
from tests.servers.redis import RedisServer

__all__ = [
    "BACKENDS",
    "SHARED_BACKENDS",
    "Authority",
    "PgBouncer",
    "PostgresServer",
    "Proxy",
    "RedisServer",
    "ServerMissing",
    "fresh_url",
    "postgres",
    "redis",
]
