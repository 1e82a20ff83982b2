from __future__ import annotations

from typing import Any

import pytest

from signoff.cli.start import _watch


def row(status: str, code: str | None = None) -> dict[str, Any]:
    return {"id": "r1", "status": status, "error": None if code is None else {"code": code, "message": None}}


def test_a_blocked_run_is_told_of_once_for_each_reason(capsys: pytest.CaptureFixture[str]) -> None:
    watch = _watch()
    for seen in (
        row("running"),
        row("blocked", "unknown_workflow"),
        row("blocked", "unknown_workflow"),
        row("blocked", "non_determinism"),
        row("waiting"),
        row("blocked", "non_determinism"),
    ):
        watch(seen)
    captured = capsys.readouterr()
    assert captured.out == ""
    told = [line.split("; ")[0] for line in captured.err.splitlines()]
    assert told == [
        "Run r1 is blocked (unknown_workflow)",
        "Run r1 is blocked (non_determinism)",
        "Run r1 is blocked (non_determinism)",
    ]
