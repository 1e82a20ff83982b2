"""Real `signoff` processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

FLOW = """
from dataclasses import dataclass
from signoff import App, Context

app = App()
not_an_app = 7

@dataclass
class Decision:
    approved: bool

def check(amount: int) -> int:
    return amount

@app.workflow
async def expense(ctx: Context, amount: int) -> str:
    await ctx.step("check", check, amount)
    decision = await ctx.await_input("approve", Decision, title=f"Approve {amount}?", to=["group:finance"])
    return "paid" if decision.value.approved else "declined"

@app.workflow
async def waits(ctx: Context) -> None:
    await ctx.await_event("go", type=dict)

@app.workflow
async def double(ctx: Context, number: int = 21) -> int:
    return 2 * number

@app.workflow
async def fails(ctx: Context) -> None:
    raise ValueError("no such account")
"""

_OURS = ("SIGNOFF_STORE", "SIGNOFF_SERVER", "SIGNOFF_TOKEN", "SIGNOFF_SECRET", "SIGNOFF_AUDIENCE", "SIGNOFF_DEBUG")


def environment(**variables: str) -> dict[str, str]:
    """Return an environment without settings of ours, plus these."""
    inherited = {name: value for name, value in os.environ.items() if name not in _OURS}
    return {**inherited, "PYTHONIOENCODING": "utf-8", **variables}


def run(folder: Path, *arguments: str, stdin: bytes = b"", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, without a terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "signoff.cli", *arguments],
        cwd=folder,
        env=environment(**variables),
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


@dataclass
class Running:
    """A process that runs until stopped, and the first line it printed."""

    process: subprocess.Popen[str]
    line: str

    @property
    def url(self) -> str:
        """The address it said it listens on."""
        return self.line.rsplit(" ", 1)[-1]

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; return the exit code and what is on stderr."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors


@contextmanager
def running(folder: Path, *arguments: str, **variables: str) -> Iterator[Running]:
    """Start a long-lived command and wait for its first line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "signoff.cli", *arguments],
        cwd=folder,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        line = process.stdout.readline().strip()
        assert line, process.stderr.read()
        yield Running(process, line)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=30)


def children(of: int) -> set[int]:
    """Return the processes that a process has started and that have not ended."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(parent) == of and state != "Z":
            found.add(int(stat.parent.name))
    return found


async def until(holds: Callable[[], bool], within_s: float = 20) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.02)
