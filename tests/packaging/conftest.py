from __future__ import annotations

from pathlib import Path

import pytest

from tests.packaging.installed import Installed, built


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built once."""
    [wheel] = built(tmp_path_factory.mktemp("wheel"), "-t", "wheel")
    return wheel


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A fresh environment with the wheel."""
    return Installed(tmp_path_factory.mktemp("installed"), wheel)
