"""A worker without a server."""

from __future__ import annotations

from pathlib import Path

from tests.cli.commands import running


def test_a_worker_on_a_store_of_its_own_warns(folder: Path) -> None:
    with running(folder, "worker", "flow:app", "--store", "memory:") as worker:
        _, errors = worker.stop()
    assert "nobody can start a run in it" in errors
