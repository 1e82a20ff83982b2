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

from tests.cli.commands import Running, environment, run, running

STORE = "sqlite:///runs.db"


@pytest.fixture
def dev(folder: Path) -> Iterator[Running]:
    """`signoff dev` on a free port."""
    with running(folder, "dev", "flow:app", "--port", "0", "--data", "data") as process:
        yield process


def on(folder: Path, where: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command on a server or a store."""
    if where.startswith("http"):
        return run(folder, *arguments, SIGNOFF_SERVER=where)
    return run(folder, *arguments, SIGNOFF_STORE=where)


def start(folder: Path, where: str, run_id: str, *more: str) -> None:
    """Start a run that waits for an event."""
    assert on(folder, where, "start", "waits", "--run-id", run_id, *more).returncode == 0


def ids(folder: Path, where: str, *filters: str) -> set[str]:
    """Return the ids of the runs that filters take."""
    return {row["id"] for row in json.loads(on(folder, where, "list", "--json", *filters).stdout)["runs"]}


@pytest.mark.parametrize("option", ["--workflow", "--status", "--tag"])
def test_an_empty_filter_is_refused(folder: Path, option: str) -> None:
    """`--workflow "$NAME"` of a script in which NAME is not set does not end every run there is."""
    start(folder, STORE, "r1")
    for command in (("terminate", "--all", "--yes"), ("prune", "--older-than", "0s", "--yes"), ("list",)):
        refused = on(folder, STORE, *command, option, "")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "is empty; nothing was done" in refused.stderr
    assert json.loads(on(folder, STORE, "show", "r1", "--json").stdout)["run"]["status"] != "cancelled"


def test_all_that_filters_take_on_a_server(folder: Path, dev: Running) -> None:
    for n in range(3):
        start(folder, dev.url, f"r{n}", "--tag", "odd" if n % 2 else "even")
    asked = on(folder, dev.url, "terminate", "--all", "--tag", "even")
    assert (asked.returncode, asked.stdout) == (2, "")
    assert "This will terminate 2 runs. Say --yes" in asked.stderr
    none = on(folder, dev.url, "terminate", "--all", "--older-than", "1h", "--yes")
    assert (none.returncode, none.stdout) == (0, "There is no run to terminate.\n")
    done = on(folder, dev.url, "terminate", "--all", "--tag", "even", "--yes", "--reason", "enough")
    assert (done.returncode, done.stdout, done.stderr) == (0, "terminate: 2 runs done.\n", "")
    assert ids(folder, dev.url, "--status", "cancelled") == {"r0", "r2"}


def test_each_verb_takes_the_runs_it_makes_sense_for(folder: Path) -> None:
    for run_id in ("r1", "r2"):
        start(folder, STORE, run_id)
    assert on(folder, STORE, "pause", "r1").stdout == "Run r1 is paused; to go on: signoff resume r1\n"
    for verb, done, status, left in (
        ("pause", 1, "paused", {"r1", "r2"}),
        ("resume", 2, "running", {"r1", "r2"}),
        ("retry", 0, "running", {"r1", "r2"}),
        ("delete", 0, "running", {"r1", "r2"}),
        ("terminate", 2, "cancelled", {"r1", "r2"}),
        ("delete", 2, "cancelled", set()),
    ):
        told = on(folder, STORE, verb, "--all", "--yes", "--json")
        assert (told.returncode, json.loads(told.stdout)) == (0, {"done": done, "refused": []}), verb
        assert ids(folder, STORE, "--status", status) == left, verb


def test_what_cannot_be_undone_is_asked_for_one_run_too(folder: Path) -> None:
    start(folder, STORE, "r1")
    assert on(folder, STORE, "terminate", "r1").returncode == 0
    asked = on(folder, STORE, "delete", "r1")
    assert asked.returncode == 2
    assert "This deletes the run r1 with its history, and nothing brings it back. Say --yes" in asked.stderr
    assert on(folder, STORE, "delete", "r1", "--yes").stdout == "Run r1 is deleted.\n"


def test_each_refusal_is_told_on_a_store(folder: Path) -> None:
    for run_id in ("r1", "r2"):
        start(folder, STORE, run_id)
    assert on(folder, STORE, "terminate", "r1").returncode == 0
    both = ("--status", "running", "--status", "cancelled")
    done = on(folder, STORE, "terminate", "--all", *both, "--yes", "--json")
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
    refused = on(folder, STORE, *arguments)
    assert refused.returncode == 2
    assert said in refused.stderr


@pytest.mark.parametrize(("key", "left"), [(b"n\n", {"r1", "r2"}), (b"y\n", set())])
def test_somebody_at_a_terminal_is_asked(folder: Path, key: bytes, left: set[str]) -> None:
    for run_id in ("r1", "r2"):
        start(folder, STORE, run_id)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "signoff.cli", "terminate", "--all"]
    with subprocess.Popen(
        command, cwd=folder, env=environment(SIGNOFF_STORE=STORE), stdin=theirs, stdout=subprocess.PIPE, stderr=theirs
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
    assert ids(folder, STORE, "--status", "running") == left
