"""End what a pytest process has started when that process is gone, whichever way it went.

Reads lines from its standard input, whose other end only that process holds: `+ pid signal` is a server to end, `- pid`
one that has ended, `folder path` what to delete last. When the input ends, so do the servers.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time

PATIENCE_S = 10.0


def alive(pid: int) -> bool:
    """Tell whether there is such a process; one that has ended and waits for its parent does not count."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def end(pids: dict[int, int]) -> None:
    """Stop processes the way each likes to be stopped, and then the hard way."""
    for pid, number in pids.items():
        for each in (signal.SIGCONT, number):
            if alive(pid):
                os.kill(pid, each)
    until = time.monotonic() + PATIENCE_S
    while any(alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.02)
    for pid in pids:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


def main() -> None:
    """Keep the list, and act at the end of it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # what ends pytest shall not end this one before it
    pids: dict[int, int] = {}
    folders: list[str] = []
    for line in sys.stdin:
        match line.rstrip("\n").split(" ", 2):
            case ["+", pid, gentle]:
                pids[int(pid)] = int(gentle)
            case ["-", pid]:
                pids.pop(int(pid), None)
            case ["folder", path]:
                folders.append(path)
    end(pids)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
