from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from signoff.stores.sqlite import writer
from tests.stores.sqlite.watched import Watched


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> type[Watched]:
    """The connections of all writers that are opened in the test, counted anew."""

    def connect(path: Path) -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Watched)

    monkeypatch.setattr(writer, "connect", connect)
    Watched.short = Watched.long = 0
    Watched.fault = None
    return Watched
