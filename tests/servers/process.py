"""A server as a process in a folder: found, started, killed, frozen, started again."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Final

PATIENCE_S: Final = 30.0
"""How long a server may take to begin or to end: a busy machine, a recovery after a kill."""

PLACES: Final = (
    "/usr/lib/postgresql/*/bin",  # Debian
    "/usr/pgsql-*/bin",  # Red Hat
    "/opt/homebrew/opt/*/bin",
    "/usr/local/opt/*/bin",
    "/usr/sbin",
    "/usr/local/sbin",
)


class ServerMissing(Exception):
    """A program the tests need is not installed, or does not start."""


def find_program(*names: str) -> Path:
    """Return the first of these programs that is installed, the newest of its versions.

    `SIGNOFF_TEST_BIN`, a list of folders as `PATH` is, comes first: that is how tests run on another version.

    Raises:
        ServerMissing: there is none.
    """
    wished = os.environ.get("SIGNOFF_TEST_BIN", "").split(os.pathsep)
    installed = sorted((place for pattern in PLACES for place in _folders(pattern)), key=_version, reverse=True)
    for folder in (*wished, *installed, *os.environ.get("PATH", "").split(os.pathsep)):
        for name in names:
            if folder and os.access(program := Path(folder, name), os.X_OK):
                return program
    raise ServerMissing(
        f"{' or '.join(names)} is not installed, and tests that need it cannot run. "
        "Run `.ci/setup servers`, or install it and say where it is in SIGNOFF_TEST_BIN."
    )


def _folders(pattern: str) -> Iterable[str]:
    return (str(path) for path in Path("/").glob(pattern.removeprefix("/")))


def _version(folder: str) -> float:
    return next((float(part) for part in folder.split("/") if part.replace(".", "", 1).isdigit()), 0.0)


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def server_user() -> str | None:
    """Return whom servers that refuse root are run as; None: whoever we are."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise ServerMissing("PostgreSQL does not run as root, and there is neither a user postgres nor nobody.")


class Keeper:
    """What ends the servers and deletes their folders when this process is gone (see `keeper.py`)."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="signoff-servers-"))
        self.folder.chmod(0o755)  # whom servers run as must get through
        program = str(Path(__file__).with_name("keeper.py"))
        self._process: subprocess.Popen[str] | None = subprocess.Popen(
            [sys.executable, "-I", program], stdin=subprocess.PIPE, text=True, start_new_session=True
        )
        self._turn = threading.Lock()
        self._made = 0
        self.tell(f"folder {self.folder}")

    def tell(self, line: str) -> None:
        """Hand a line on."""
        with self._turn:
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.write(line + "\n")
                self._process.stdin.flush()

    def new_folder(self, name: str) -> Path:
        """Make a folder that whom servers run as may write to."""
        with self._turn:
            self._made += 1
            folder = self.folder / f"{name}{self._made}"
        folder.mkdir()
        if user := server_user():
            shutil.chown(folder, user)
        return folder

    def close(self) -> None:
        """End what is left, and wait until it has ended."""
        with self._turn:
            process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            process.wait(timeout=2 * PATIENCE_S)


_keeper: Keeper | None = None
_started: set[ServerProcess] = set()
_first = threading.Lock()


def keeper() -> Keeper:
    """Return this process's keeper."""
    global _keeper  # noqa: PLW0603 - one a process is what it is
    with _first:
        if _keeper is None:
            _keeper = Keeper()
            atexit.register(stop_keeper)
        return _keeper


def stop_keeper() -> None:
    """End all servers of this process and delete their folders."""
    global _keeper
    with _first:
        ending, _keeper = _keeper, None
    if ending is None:
        return
    for server in list(_started):  # by ourselves: what has ended is there until its parent has asked after it
        server.signal(signal.SIGCONT)
        server.signal(server.gentle)
    for server in list(_started):
        server.wait()
    ending.close()


class ServerProcess:
    """A process that serves, with its log.

    Args:
        name: of what it is, for messages.
        folder: where it runs.
        command: how it is started, each time.
        ready: tells whether it serves; asked until it does.
        gentle: the signal that stops it at once and in order, clients or not.
        user: whom it runs as; None: whoever we are.
        environment: its environment; None: ours.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        command: Callable[[], list[str]],
        ready: Callable[[], bool],
        *,
        gentle: signal.Signals = signal.SIGTERM,
        user: str | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        self.folder = folder
        self._command = command
        self._ready = ready
        self.gentle = gentle
        self._user = user
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False

    @property
    def pid(self) -> int:
        """The id of the process, while there is one."""
        assert self._process is not None, f"{self.name} is not running"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        """Return what it has written."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start it, and wait until it serves.

        Raises:
            ServerMissing: it did not get there; its last words are in the message.
        """
        if self.running:
            return
        self.wait()
        until = time.monotonic() + PATIENCE_S
        while not self._begin(until):
            # Again after a kill: for a moment, what the dead process has left may be in the way.
            if not self._killed or time.monotonic() > until:
                raise ServerMissing(f"{self.name} did not start:\n{self.log()[-2000:]}")
            time.sleep(0.1)
        self._killed = False

    def _begin(self, until: float) -> bool:
        """Start it; tell whether it serves before it ends, and before `until`."""
        self._process = self._spawn()
        while self.running and time.monotonic() < until:
            if self._ready():
                _started.add(self)
                return True
            time.sleep(0.01)
        if self.running:
            self.signal(signal.SIGKILL)
        self.wait()
        return False

    def _spawn(self) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            process = _spawned(self._command(), self.folder, log, self._user, self._environment)
        keeper().tell(f"+ {process.pid} {int(self.gentle)}")
        return process

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def freeze(self) -> None:
        """Stop it in the middle of what it does, connections open."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a crash does."""
        if self.running:
            self.signal(signal.SIGKILL)
        self._killed = True
        self.wait()

    def stop(self) -> None:
        """End it in order, whoever is connected."""
        if self.running:
            self.signal(signal.SIGCONT)
            self.signal(self.gentle)
        self.wait()

    def restart(self) -> None:
        """End it in order and start it again."""
        self.stop()
        self.start()

    def wait(self) -> None:
        """Wait until it has ended, and end it if that takes too long."""
        _started.discard(self)
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=PATIENCE_S)
        if _keeper is not None:
            _keeper.tell(f"- {process.pid}")


def _spawned(
    command: list[str], folder: Path, log: IO[bytes], user: str | None, environment: dict[str, str] | None
) -> subprocess.Popen[bytes]:
    who = pwd.getpwnam(user) if user else None
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,  # what interrupts pytest at a terminal does not reach it
        user=who.pw_uid if who else None,
        group=who.pw_gid if who else None,
        extra_groups=[] if who else None,
    )


def run_program(command: list[str], *, folder: Path, user: str | None = None, stdin: str | None = None) -> str:
    """Run a program to its end and return what it printed.

    Raises:
        ServerMissing: it failed.
    """
    who = pwd.getpwnam(user) if user else None
    done = subprocess.run(
        command,
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        user=who.pw_uid if who else None,
        group=who.pw_gid if who else None,
        extra_groups=[] if who else None,
    )
    if done.returncode:
        raise ServerMissing(f"{' '.join(command)} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class ProcessServer:
    """A server of a test: one process, which may be ended in every way and started again at the same address.

    Attributes:
        process: it.
    """

    process: ServerProcess

    def start(self) -> None:
        """Start it, and wait until it serves."""
        self.process.start()

    def stop(self) -> None:
        """End it in order, clients disconnected."""
        self.process.stop()

    def kill(self) -> None:
        """End it as a crash does: what it had promised is in its log."""
        self.process.kill()

    def restart(self) -> None:
        """End it in order and start it again, at the same address."""
        self.process.restart()

    def freeze(self) -> None:
        """Stop it in the middle of what it does, connections open; of PostgreSQL what takes connections."""
        self.process.freeze()

    def thaw(self) -> None:
        """Let it go on."""
        self.process.thaw()
