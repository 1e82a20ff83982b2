"""PgBouncer in transaction mode in front of a PostgreSQL server, as many a team has it."""

from __future__ import annotations

import shutil
import signal
from typing import Final

from tests.servers.postgres import DATABASE, USER, PostgresServer, answers
from tests.servers.process import ServerProcess, find_program, free_port, keeper, server_user

_CONFIGURATION: Final = """
[databases]
{database} = host={host} port={upstream} dbname={database}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir = {folder}
auth_type = any
pool_mode = transaction
max_client_conn = 500
default_pool_size = {pool}
ignore_startup_parameters = extra_float_digits
admin_users = {user}
"""


class PgBouncer:
    """A pool of connections, in transaction mode.

    Args:
        upstream: the server behind it.
        pool: how many connections it has to that one.
    """

    def __init__(self, upstream: PostgresServer, *, pool: int = 10) -> None:
        self.folder = keeper().new_folder("pgbouncer")
        self.port = free_port()
        self._upstream = upstream
        configuration = _CONFIGURATION.format(
            database=DATABASE,
            user=USER,
            host=upstream.folder,
            upstream=upstream.port,
            port=self.port,
            folder=self.folder,
            pool=pool,
        )
        # `auth_type = any` lets everybody in as one user, who must be named with the database.
        configuration = configuration.replace(f"dbname={DATABASE}\n", f"dbname={DATABASE} user={USER}\n")
        path = self.folder / "pgbouncer.ini"
        path.write_text(configuration)
        path.chmod(0o644)
        command = [str(find_program("pgbouncer")), str(path)]
        self.process = ServerProcess(
            "PgBouncer", self.folder, lambda: command, self._ready, gentle=signal.SIGTERM, user=server_user()
        )

    def _ready(self) -> bool:
        return answers(self.folder / f".s.PGSQL.{self.port}")

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        self.process.start()

    def stop(self) -> None:
        """End it in order."""
        self.process.stop()

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()

    def remove(self) -> None:
        """End it and delete its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, **options: str) -> str:
        """Return its address over TCP, e.g. for `open_store`."""
        return self._upstream.tcp_url(port=self.port, **options)
