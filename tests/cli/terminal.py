"""A terminal, and somebody who types into it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.commands import environment


class Terminal:
    """A command at a terminal of its own: what it shows is read, and answers are typed."""

    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self._process = process
        self._screen = screen
        self._shown = ""
        self._read = 0

    @property
    def shown(self) -> str:
        """All that was shown so far, with what was typed."""
        return self._shown

    def sees(self, text: str) -> None:
        """Wait until a text is shown, after what was waited for before."""
        deadline = time.monotonic() + 30
        while (at := self._shown.find(text, self._read)) < 0:
            assert self._more(deadline), f"not shown: {text!r}\n{self._shown[self._read :]}"
        self._read = at + len(text)

    def types(self, line: str) -> None:
        os.write(self._screen, (line + "\n").encode())

    def ends(self) -> int:
        """Read the rest; return the exit code."""
        deadline = time.monotonic() + 30
        while self._more(deadline):
            pass
        return self._process.wait(timeout=10)

    def _more(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._screen], [], [], max(0, deadline - time.monotonic()))
        assert ready, self._shown[self._read :]
        try:
            found = os.read(self._screen, 4096)
        except OSError:  # Linux says so when the other end is closed
            return False
        self._shown += found.decode().replace("\r\n", "\n")
        return bool(found)


@contextmanager
def at_terminal(folder: Path, *arguments: str, **variables: str) -> Iterator[Terminal]:
    """Run a command at a terminal."""
    screen, own = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "signoff.cli", *arguments],
        cwd=folder,
        env=environment(**{"TERM": "dumb", "COLUMNS": "200", **variables}),
        stdin=own,
        stdout=own,
        stderr=own,
        start_new_session=True,
    )
    os.close(own)
    try:
        yield Terminal(process, screen)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=30)
        os.close(screen)
