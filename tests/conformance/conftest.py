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


@pytest.fixture
def server(backend: str, store_url: str) -> Iterator[Running]:
    """A server process over a fresh store, once a backend."""
    with running(store_url, store=backend) as server:
        yield server
