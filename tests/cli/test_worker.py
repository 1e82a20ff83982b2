"""A worker without a server."""

from __future__ import annotations

from pathlib import Path

from tests.cli.commands import running
from tests.servers import fresh_url


def test_a_worker_on_a_store_of_its_own_warns(folder: Path) -> None:
    with running(folder, "worker", "flow:app", "--store", "memory:") as worker:
        _, errors = worker.stop()
    assert "nobody can start a run in it" in errors


def test_a_worker_says_what_it_works_on_without_the_password(folder: Path) -> None:
    """What it says goes into a log that others read."""
    url = fresh_url("postgres", folder)
    with running(folder, "worker", "flow:app", "--store", url.replace("@", ":s%2Fecret@", 1)) as worker:
        _, errors = worker.stop()
    assert worker.line.endswith(f" from {url}")
    assert "ecret" not in worker.line + errors
