"""Run `serve.py` as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
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
    command = [sys.executable, "-m", "tests.conformance.serve", url, "--long-poll", str(LONG_POLL_S)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            assert port.isdigit(), "the server did not start; see its standard error"
            yield Running(f"http://127.0.0.1:{port}", store, process)
        finally:
            process.terminate()
            process.wait(timeout=20)
