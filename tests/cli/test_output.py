from __future__ import annotations

from datetime import UTC, datetime

import pytest

from signoff.cli import output

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "now"), (0.4, "now"), (1, "1 s ago"), (-59, "in 59 s"), (3_599, "59 min ago"), (-86_400, "in 1 d")],
)
def test_distances(seconds: float, said: str) -> None:
    assert output.distance(seconds) == said


def test_times_are_local_and_relative() -> None:
    said = output.when("2026-03-01T11:58:00.000Z", NOW).plain
    assert said.endswith("(2 min ago)")
    assert said.startswith(output.local("2026-03-01T11:58:00.000Z"))
    assert output.when(None).plain == "-"


def test_nobody_else_writes_to_the_terminal() -> None:
    assert "\x1b" not in output.plain("\x1b[31mred\x07\u202e")
    assert output.plain("two\nlines") == "two lines"
    assert output.plain("\udcff") == "?"
    assert output.cell("[bold]not markup").plain == "[bold]not markup"


def test_piped_tables_have_no_colour_and_are_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("Run", "Status"), [("r" * 300, "failed"), ("r2", None)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "r" * 300 + "  failed"
    assert [line for line in lines if line != line.rstrip()] == []
