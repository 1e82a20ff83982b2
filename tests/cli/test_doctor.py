"""`signoff doctor` says what is wrong, in words and by its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import run, running


def test_a_server_that_is_well(folder: Path) -> None:
    with running(folder, "dev", "flow:app", "--port", "0", "--data", "data") as dev:
        done = run(folder, "doctor", "--server", dev.url)
        assert (done.returncode, done.stderr) == (0, "")
        assert "   ok  The server's clock and this machine's agree.\n" in done.stdout
        told = json.loads(run(folder, "doctor", "--server", dev.url, "--json").stdout)
        assert {finding["check"] for finding in told["findings"]} >= {"clock", "store", "workers", "queue"}
        assert "wrong" not in {finding["level"] for finding in told["findings"]}


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    done = run(tmp_path, "doctor", "--server", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert done.stdout.startswith("WRONG  No Signoff server answers at http://127.0.0.1:9")
    assert "\n       -> Start it" in done.stdout


def test_a_store_without_a_server(tmp_path: Path) -> None:
    missing = run(tmp_path, "doctor", "--store", "sqlite:///none.db", "--json")
    assert missing.returncode == 1
    [finding] = json.loads(missing.stdout)["findings"]
    assert (finding["check"], finding["level"]) == ("store", "wrong")
    (tmp_path / "made.db").touch()
    done = run(tmp_path, "doctor", "--store", "sqlite:///made.db")
    assert done.returncode == 0
    assert " note  No worker is running.\n       -> Start one: signoff worker APP" in done.stdout


@pytest.mark.parametrize("scheme", ["postgresql", "redis"])
def test_a_store_on_a_server_that_is_not_there_is_named_with_the_reason(tmp_path: Path, scheme: str) -> None:
    """All but the password."""
    done = run(tmp_path, "doctor", "--store", f"{scheme}://me:secret@127.0.0.1:1/0")
    assert done.returncode == 1
    assert done.stdout.startswith("WRONG  ")
    assert "127.0.0.1:1" in done.stdout
    assert "nothing listens there" in done.stdout
    assert "secret" not in done.stdout + done.stderr
