from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import FLOW


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an application."""
    (tmp_path / "flow.py").write_text(FLOW)
    return tmp_path
