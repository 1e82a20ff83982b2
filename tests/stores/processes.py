"""Other processes on the same store, as tests start them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextmanager
def peer(role: str, url: str, *args: str) -> Iterator[subprocess.Popen[str]]:
    """Run another process (`tests/stores/peer.py`); it has opened the store when this returns."""
    command = [sys.executable, "-m", "tests.stores.peer", role, url, *args]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        try:
            yield process
        finally:
            process.kill()


def lines(process: subprocess.Popen[str]) -> list[str]:
    """Wait for a process that ends by itself; return what it said."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    out = process.stdout.read()  # not `communicate`, which passes over what came together with the first line
    assert process.wait(60) == 0
    return out.splitlines()
