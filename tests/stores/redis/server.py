"""A Redis server of our own, in a temporary folder, that can be killed and started again."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path


class RedisServer:
    """A server on a Unix socket, and a port of its own if it is of a cluster.

    Args:
        settings: beyond an append-only file, e.g. `appendfsync="always"`.
    """

    def __init__(self, *, port: int = 0, **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="signoff-redis-"))
        self.socket = self.folder / "redis.sock"
        self.port = port
        self._settings = {"appendonly": "yes", "save": "", "appendfsync": "everysec"} | settings
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> RedisServer:
        """Start it; return when it answers."""
        command = [
            "redis-server",
            "--port",
            str(self.port),
            "--unixsocket",
            str(self.socket),
            "--dir",
            str(self.folder),
        ]
        for name, value in self._settings.items():
            command += [f"--{name}", value]
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(command, stdout=log, stderr=log)
        log.close()
        deadline = time.monotonic() + 20
        while b"+PONG" not in self._ping():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"redis-server did not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.02)
        return self

    def _ping(self) -> bytes:
        with contextlib.suppress(OSError):
            return self.ask(b"PING")
        return b""

    def ask(self, command: bytes) -> bytes:
        """Send an inline command; return the beginning of the answer."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            connection.connect(str(self.socket))
            connection.sendall(command + b"\r\n")
            return connection.recv(1 << 16)

    def kill(self) -> None:
        """End it without a chance to do anything more."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self.socket.unlink(missing_ok=True)

    def url(self, **options: object) -> str:
        """Return the URL of a store on it."""
        text = "".join(f"&{name}={value}" for name, value in options.items())
        return f"redis:///0?socket={self.socket}{text}"

    def stop(self) -> None:
        """End it, and remove its folder."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
