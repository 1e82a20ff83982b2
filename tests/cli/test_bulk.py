"""Many runs at once: how many, whether it shall, what was refused."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import FLOW, Running, environment, run, running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an application."""
    (tmp_path / "flow.py").write_text(FLOW)
    return tmp_path


@pytest.fixture
def dev(folder: Path) -> Iterator[Running]:
    """`signoff dev` on a free port."""
    with running(folder, "dev", "flow:app", "--port", "0", "--data", "data") as process:
        yield process


def start(folder: Path, run_id: str, *more: str, **where: str) -> None:
    """Start a run that waits for an event."""
    assert run(folder, "start", "waits", "--run-id", run_id, *more, **where).returncode == 0


def ids(folder: Path, *filters: str, **where: str) -> set[str]:
    """Return the ids of the runs that filters take."""
    return {row["id"] for row in json.loads(run(folder, "list", "--json", *filters, **where).stdout)["runs"]}


def test_all_that_filters_take_on_a_server(folder: Path, dev: Running) -> None:
    for n in range(3):
        start(folder, f"r{n}", "--tag", "odd" if n % 2 else "even", SIGNOFF_SERVER=dev.url)
    where = {"SIGNOFF_SERVER": dev.url}
    asked = run(folder, "terminate", "--all", "--tag", "even", **where)
    assert (asked.returncode, asked.stdout) == (2, "")
    assert "This will terminate 2 runs. Say --yes" in asked.stderr
    none = run(folder, "terminate", "--all", "--older-than", "1h", "--yes", **where)
    assert (none.returncode, none.stdout) == (0, "There is no run to terminate.\n")
    done = run(folder, "terminate", "--all", "--tag", "even", "--yes", "--reason", "enough", **where)
    assert (done.returncode, done.stdout, done.stderr) == (0, "terminate: 2 runs done.\n", "")
    assert ids(folder, "--status", "cancelled", **where) == {"r0", "r2"}


def test_each_refusal_is_told_on_a_store(folder: Path) -> None:
    where = {"SIGNOFF_STORE": "sqlite:///runs.db"}
    for run_id in ("r1", "r2"):
        start(folder, run_id, **where)
    assert run(folder, "terminate", "r1", **where).returncode == 0
    done = run(folder, "terminate", "--all", "--status", "running", "--status", "cancelled", "--yes", "--json", **where)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["done"], [(one["run"], one["code"]) for one in told["refused"]]) == (1, [("r1", "run_closed")])
    assert done.stderr.startswith("r1: The run 'r1' is already cancelled")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("cancel",), "Name a run, or say --all"),
        (("cancel", "r1", "--all"), "not both"),
        (("retry", "r1", "--workflow", "waits"), "not both"),
        (("cancel", "--all", "--older-than", "soon"), "no duration"),
    ],
)
def test_what_cannot_be_meant_is_refused(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    refused = run(folder, *arguments, SIGNOFF_STORE="sqlite:///runs.db")
    assert refused.returncode == 2
    assert said in refused.stderr


@pytest.mark.parametrize(("key", "left"), [(b"n\n", {"r1", "r2"}), (b"y\n", set())])
def test_somebody_at_a_terminal_is_asked(folder: Path, key: bytes, left: set[str]) -> None:
    where = {"SIGNOFF_STORE": "sqlite:///runs.db"}
    for run_id in ("r1", "r2"):
        start(folder, run_id, **where)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "signoff.cli", "terminate", "--all"]
    with subprocess.Popen(
        command, cwd=folder, env=environment(**where), stdin=theirs, stdout=subprocess.PIPE, stderr=theirs
    ) as process:
        os.close(theirs)
        said = b""
        while b"Go on?" not in said:
            said += os.read(ours, 1_000)
        assert b"This will terminate 2 runs." in said
        os.write(ours, key)
        while process.poll() is None:
            try:
                said += os.read(ours, 1_000)
            except OSError:  # the other end is closed
                process.wait(timeout=30)
        assert process.returncode == (1 if left else 0)
    os.close(ours)
    assert (b"2/2" in said) == (not left)
    assert ids(folder, "--status", "running", **where) == left
