"""Run `signoff server`, as it is shipped, as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cli.commands import environment

HERE = Path(__file__).parent
LONG_POLL_S = 0.5
"""How long a long-poll waits in these tests: some of the official ones wait for its end."""


@dataclass(frozen=True, slots=True)
class Running:
    """Be a server process.

    Attributes:
        origin: `http://127.0.0.1:port`.
        store: the name of its backend.
    """

    origin: str
    store: str
    process: subprocess.Popen[str]

    def stream(self, path: str) -> str:
        """Return the URL of a stream."""
        return f"{self.origin}/v1/stream/{path}"


@contextmanager
def running(url: str, *, store: str) -> Iterator[Running]:
    """Start a server over a store and stop it at the end."""
    command = [sys.executable, "-m", "signoff.cli", "server", "--store", url, "--port", "0"]
    # The suite asks in the name of a page, which a server without a key refuses unless it is told of it.
    options = ["--long-poll", str(LONG_POLL_S), "--allow-origin", "https://example.com"]
    with subprocess.Popen([*command, *options], env=environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline().strip()
            assert said.startswith("Signoff is listening on http://"), "it did not start; see its standard error"
            yield Running(said.rsplit(" ", 1)[-1], store, process)
        finally:
            process.terminate()
            process.wait(timeout=20)
