from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.running import HERE, Running, running


@pytest.fixture(scope="session")
def packages() -> Path:
    """The npm packages the tests need, installed as the lock file says."""
    if not (HERE / "node_modules" / ".package-lock.json").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=HERE, check=True, timeout=300)
    return HERE / "node_modules"


@pytest.fixture(params=["memory", "sqlite"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    """A server process over a fresh store, once per backend."""
    url = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path / 'streams.db'}"
    with running(url, store=request.param) as server:
        yield server
