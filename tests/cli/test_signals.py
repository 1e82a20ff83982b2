"""What ends a process that is asked to end, whatever its users' code does meanwhile."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.commands import environment, run

ROOT = Path(__file__).parents[2]

FLOW = """
import asyncio, re, threading
from signoff import App, Context
from signoff.runtime import deadman

app = App()
deadman.KEPT_S = 3.0

def hangs():
    print("begun", flush=True)
    threading.Event().wait()

async def hangs_elsewhere():
    await asyncio.to_thread(hangs)

async def exits():
    async def part():
        raise SystemExit(3)
    print("begun", flush=True)
    await asyncio.create_task(part())

@app.workflow
async def hang(ctx: Context) -> None:
    await ctx.options(timeout="200ms").step("hang", hangs)

@app.workflow
async def hang_elsewhere(ctx: Context) -> None:
    await ctx.options(timeout="200ms").step("hang", hangs_elsewhere)

@app.workflow
async def exit(ctx: Context) -> None:
    await ctx.step("exit", exits)

@app.workflow
async def spin(ctx: Context) -> None:
    print("begun", flush=True)
    while True:
        pass

@app.workflow
async def backtrack(ctx: Context) -> None:
    print("begun", flush=True)
    re.match(r"^(\\\\w+\\\\s?)+$", "a" * 60 + "!")

@app.workflow
async def add_up(ctx: Context) -> None:
    print("begun", flush=True)
    sum(range(10**15))  # keeps the interpreter to itself, and looks for no signal

@app.workflow
async def rest(ctx: Context) -> None:
    print("begun", flush=True)
    await ctx.sleep("1h")
"""


@contextmanager
def busy(folder: Path, workflow: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run a worker that is within this workflow's code, or its step."""
    (folder / "flow.py").write_text(FLOW.replace("\\\\", "\\"))
    store = f"sqlite:///{folder / 'store.db'}"
    assert run(folder, "start", workflow, "--run-id", "r1", "--store", store).returncode == 0
    command = [sys.executable, "-m", "signoff.cli", "worker", "flow:app", "--store", store, *options]
    process = subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "begun\n":
                break
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("workflow", ["hang", "hang_elsewhere", "exit", "backtrack"])
def test_the_first_signal_ends_what_has_been_given_up(tmp_path: Path, workflow: str) -> None:
    with busy(tmp_path, workflow, "--activation-limit", "0.3") as worker:
        store = f"sqlite:///{tmp_path / 'store.db'}"
        while '"status":"running"' in run(tmp_path, "show", "r1", "--json", "--store", store).stdout.replace(" ", ""):
            time.sleep(0.2)
        began = time.monotonic()
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
        assert time.monotonic() - began < 14
        again = run(tmp_path, "retry", "r1", "--store", store)
        assert (again.returncode, again.stdout) == (0, "Run r1 will be tried again; it is running.\n")


@pytest.mark.parametrize("workflow", ["spin", "backtrack", "add_up"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_second_signal_ends_whatever_runs(tmp_path: Path, workflow: str, number: signal.Signals) -> None:
    with busy(tmp_path, workflow, "--activation-limit", "0") as worker:
        worker.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):
            worker.wait(0.5)
        worker.send_signal(signal.SIGTERM if workflow == "spin" else number)
        assert worker.wait(5) < 0


def test_a_process_that_cannot_end_by_itself_has_ended_in_time(tmp_path: Path) -> None:
    with busy(tmp_path, "spin", "--activation-limit", "0") as worker:
        began = time.monotonic()
        worker.send_signal(signal.SIGTERM)
        _, errors = worker.communicate(timeout=30)
        assert 14 < time.monotonic() - began < 20
        assert worker.returncode == 1
        assert 'flow.py", line' in errors


def test_a_call_that_keeps_the_interpreter_to_itself_ends_the_process_and_tells_where_it_was(tmp_path: Path) -> None:
    with busy(tmp_path, "add_up") as worker:
        _, errors = worker.communicate(timeout=60)
        assert worker.returncode == signal.SIGPROF
        assert 'flow.py", line' in errors


def test_a_process_that_stood_still_for_long_goes_on(tmp_path: Path) -> None:
    with busy(tmp_path, "rest") as worker:
        worker.send_signal(signal.SIGSTOP)
        time.sleep(4)  # longer than it may keep the interpreter to itself
        worker.send_signal(signal.SIGCONT)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0


@pytest.mark.timeout(700)
def test_tests_that_are_started_in_the_background_can_interrupt_what_they_start() -> None:
    chosen = ["tests/cli/test_commands.py", "-k", "stopped or interrupted or signal or worked_on"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen]
    told = subprocess.run(
        ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert told.returncode == 0, told.stdout
    assert " passed" in told.stdout
