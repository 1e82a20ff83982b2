"""A Redis (or Valkey) server on a free port, as production has it: an append-only file, and nothing is evicted."""

from __future__ import annotations

import shutil
import socket
from typing import Final
from urllib.parse import urlencode

from tests.servers.process import ProcessServer, ServerProcess, find_program, free_port, keeper

SETTINGS: Final = {
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory-policy": "noeviction",
    "save": "",
    "daemonize": "no",
    "bind": "127.0.0.1",
    "unixsocketperm": "777",
}


class RedisServer(ProcessServer):
    """A Redis server.

    Args:
        settings: more lines for its configuration (`_` for `-`), or others than `SETTINGS`.
    """

    def __init__(self, **settings: str) -> None:
        self.folder = keeper().new_folder("redis")
        self.port = free_port()
        self.settings = {**SETTINGS, **{name.replace("_", "-"): value for name, value in settings.items()}}
        self.process = ServerProcess("Redis", self.folder, self._command, self._ready)

    def _command(self) -> list[str]:
        options = {**self.settings, "port": str(self.port), "dir": str(self.folder), "unixsocket": str(self._socket)}
        settings = (part for name, value in options.items() for part in (f"--{name}", value))
        return [str(find_program("redis-server", "valkey-server")), *settings]

    @property
    def _socket(self) -> str:
        return str(self.folder / "redis.sock")

    def _ready(self) -> bool:
        try:
            return self.command("PING") == "+PONG"
        except OSError:
            return False

    def remove(self) -> None:
        """End it and delete what it kept."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, *, port: int | str | None = None, **options: str) -> str:
        """Return its address, e.g. for `open_store`; options go into the query; `port`: of a proxy in front of it."""
        query = f"?{urlencode(options, safe='/')}" if options else ""
        return f"redis://127.0.0.1:{port or self.port}/0{query}"

    def command(self, *words: str) -> str:
        """Send a command, and return its reply as the wire has it (RESP), without the last line's end."""
        request = f"*{len(words)}\r\n" + "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(request.encode())
            reply = b""
            while not reply.endswith(b"\r\n"):
                some = connection.recv(65_536)
                if not some:
                    break
                reply += some
        return reply.decode(errors="replace").removesuffix("\r\n")

    @property
    def version(self) -> tuple[int, ...]:
        """Which Redis it is, or is as, when it is a Valkey; it must run."""
        return tuple(map(int, self.command("INFO", "server").partition("redis_version:")[2].split()[0].split(".")))

    def calls(self, command: str) -> int:
        """Return how often it has run a command, e.g. `evalsha`."""
        about = self.command("INFO", "commandstats").partition(f"cmdstat_{command}:calls=")[2]
        return int(about.partition(",")[0] or 0)

    def drop_prefixes(self, *prefixes: str) -> None:
        """Delete all keys whose names have one of these texts in them."""
        for prefix in prefixes:
            reply = self.command("EVAL", _DROP, "0", f"*{prefix}*")
            assert reply.startswith(":"), reply


_DROP: Final = """
local cursor, dropped = '0', 0
repeat
  local page = redis.call('SCAN', cursor, 'MATCH', ARGV[1], 'COUNT', 10000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do dropped = dropped + redis.call('UNLINK', key) end
until cursor == '0'
return dropped
"""
