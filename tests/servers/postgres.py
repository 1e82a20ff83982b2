"""A PostgreSQL server on a free port and a socket, as production has it: what is committed is on the disk."""

from __future__ import annotations

import functools
import shutil
import signal
import socket
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from tests.servers.process import (
    ProcessServer,
    ServerProcess,
    find_program,
    free_port,
    keeper,
    run_program,
    server_user,
)

USER: Final = "signoff"
DATABASE: Final = "signoff"

SETTINGS: Final = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "lc_messages": "C",
    "log_min_messages": "warning",
    "logging_collector": "off",
}


class PostgresServer(ProcessServer):
    """A PostgreSQL server with one database and one user, who may do everything in it.

    Args:
        settings: more lines for its configuration, or others than `SETTINGS`.
    """

    def __init__(self, **settings: str) -> None:
        keep = keeper()
        self.folder = keep.new_folder("pg")
        self.port = free_port()
        self.settings = {**SETTINGS, **settings}
        _copy(_template(), self.folder / "data")
        self.process = ServerProcess(
            "PostgreSQL", self.folder, self._command, self._ready, gentle=signal.SIGINT, user=server_user()
        )

    def _command(self) -> list[str]:
        options = {
            **self.settings,
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
        }
        settings = (part for name, value in options.items() for part in ("-c", f"{name}={value}"))
        return [str(find_program("postgres")), "-D", str(self.folder / "data"), *settings]

    def _ready(self) -> bool:
        """Ask with the start of a connection: until it is ready the server refuses it with FATAL."""
        return answers(self.folder / f".s.PGSQL.{self.port}")

    def remove(self) -> None:
        """End it and delete what it kept."""
        if self.process.running:
            # At once, but it gives its shared memory back, as it cannot after a kill.
            self.process.thaw()
            self.process.signal(signal.SIGQUIT)
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, *, user: str = USER, port: int | str | None = None, **options: str) -> str:
        """Return its address over the socket in its folder, e.g. for `open_store`; options go into the query."""
        query = {"host": str(self.folder), "port": str(port or self.port), **options}
        return f"postgresql://{user}@/{DATABASE}?{urlencode(query, safe='/')}"

    def tcp_url(self, *, user: str = USER, port: int | str | None = None, **options: str) -> str:
        """Return its address over TCP; `port`: of a proxy in front of it."""
        query = f"?{urlencode(options, safe='/')}" if options else ""
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{DATABASE}{query}"

    def sql(self, statements: str, *, database: str = DATABASE, user: str = USER) -> str:
        """Run statements by `psql`, and return what they print: columns by `|`, a row a line."""
        where = ["-h", str(self.folder), "-p", str(self.port), "-U", user, "-d", database]
        command = [str(find_program("psql")), *where, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"]
        return run_program(command, folder=self.folder, stdin=statements)

    def drop_schemas(self, *schemas: str) -> None:
        """Drop schemas, and end the sessions that would make one wait for it."""
        self.sql("".join(_DROP.format(schema=schema) for schema in schemas))


# Sessions of processes that were killed end by themselves soon; those that hold a lock are told to.
_DROP = """
SET client_min_messages = error;
SET lock_timeout = '2s';
DO $$
BEGIN
  FOR attempt IN 1..5 LOOP
    BEGIN
      DROP SCHEMA IF EXISTS "{schema}" CASCADE;
      RETURN;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      PERFORM pg_terminate_backend(pid) FROM pg_locks JOIN pg_class ON pg_class.oid = relation
      WHERE pid <> pg_backend_pid() AND relnamespace = '"{schema}"'::regnamespace;
    END;
  END LOOP;
  RAISE 'schema {schema} is still in use';
END $$;
"""


@functools.cache
def _template() -> Path:
    """Make a data folder once a process: `initdb` takes a second, copying what it made a tenth of one."""
    folder = keeper().new_folder("initdb")
    user = server_user()
    data = folder / "data"
    command = [
        str(find_program("initdb")),
        "-D",
        str(data),
        "-U",
        USER,
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
        "-N",
    ]
    run_program([*command, "-E", "UTF8", "--locale=C", "-N"], folder=folder, user=user)
    postgres = [str(find_program("postgres")), "--single", "-D", str(data), "-c", "fsync=off", "postgres"]
    run_program(postgres, folder=folder, user=user, stdin=f"CREATE DATABASE {DATABASE};\n")
    return data


def _copy(source: Path, target: Path) -> None:
    run_program(["cp", "-a", str(source), str(target)], folder=source.parent, user=server_user())


def answers(path: Path) -> bool:
    """Tell whether a server at a socket lets the user of the tests in."""
    parameters = f"user\0{USER}\0database\0{DATABASE}\0\0".encode()
    start = (len(parameters) + 8).to_bytes(4, "big") + (3 << 16).to_bytes(4, "big") + parameters
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            probe.connect(str(path))
            probe.sendall(start)
            return probe.recv(1) == b"R"  # "AuthenticationOk"; an error would be an E
    except OSError:
        return False
