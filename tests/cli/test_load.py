"""Applications are found by the name of their module or by their file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import FLOW, run, running


@pytest.mark.parametrize("where", ["./flow.py:app", "flow.py:app", "sub/pack/flow.py:app", "{here}/flow.py:app"])
def test_an_application_is_found_by_its_file(folder: Path, where: str) -> None:
    (folder / "sub" / "pack").mkdir(parents=True)
    (folder / "sub" / "pack" / "__init__.py").touch()
    (folder / "sub" / "pack" / "other.py").write_text("ready = True")
    (folder / "sub" / "pack" / "flow.py").write_text(f"from pack.other import ready\n{FLOW}")
    with running(folder, "dev", where.format(here=folder), "--port", "0") as server:
        assert run(folder, "start", "waits", "--server", server.url).returncode == 0


def test_a_file_that_is_not_there_is_told(folder: Path) -> None:
    told = run(folder, "dev", "./flou.py:app")
    assert told.returncode == 2
    assert "There is no file flou.py" in told.stderr
