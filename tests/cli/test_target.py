"""Where operations go."""

from __future__ import annotations

from pathlib import Path

import pytest

from signoff.cli.target import Target
from tests.cli.commands import run, running


def test_a_token_is_not_shown() -> None:
    target = Target.of(None, "http://127.0.0.1:4437", "eyJhbGciOiJub25lIn0.e30.")
    assert target.token == "eyJhbGciOiJub25lIn0.e30."
    assert "eyJ" not in repr(target)


@pytest.mark.parametrize(
    "arguments",
    [["list"], ["show", "r1"], ["tail", "r1"], ["cancel", "r1"], ["stream", "read", "a"]],
    ids=lambda arguments: arguments[0],
)
def test_a_store_that_is_not_there_is_not_created(folder: Path, arguments: list[str]) -> None:
    before = sorted(folder.iterdir())
    told = run(folder, *arguments, "--store", "sqlite:///deep/typo.db")
    assert told.returncode == 1
    assert "There is no store at" in told.stderr
    assert sorted(folder.iterdir()) == before


def test_a_missing_token_is_told_with_its_option(folder: Path) -> None:
    with running(folder, "dev", "flow:app", "--port", "0", SIGNOFF_SECRET="s" * 40) as server:
        told = run(folder, "list", "--server", server.url)
    assert told.returncode == 1
    assert "--token" in told.stderr
