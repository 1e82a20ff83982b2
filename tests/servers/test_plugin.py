"""A run of the tests can be parted by backend, and the parts together are the whole."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.servers import BACKENDS

ROOT = Path(__file__).parents[2]
SOME = ("tests/stores", "tests/service/test_copying.py", "tests/conformance/test_official.py")


def collected(*options: str) -> list[str]:
    """Return the ids of tests of those folders."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *SOME, *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if "::" in line]


@pytest.mark.timeout(1_800)
def test_the_parts_are_the_whole() -> None:
    parts = {name: collected(f"--store-backend={name}") for name in (*BACKENDS, "none")}
    assert Counter(one for part in parts.values() for one in part) == Counter(collected())
    assert all(parts.values())
    for name in BACKENDS:
        assert f"tests/conformance/test_official.py::test_the_official_suite[{name}]" in parts[name]
        assert len([one for one in parts[name] if "test_contract.py::" in one]) > 100, "it has laws of its own"
    assert any("[memory-sqlite]" in one for one in parts["sqlite"])
    assert any("tests/stores/sqlite/" in one for one in parts["sqlite"])
    assert not any("tests/stores/sqlite/" in one for one in parts["none"])
