"""What facts mean: every line says what to do when something is wrong, and nothing when all is well."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from signoff.service.diagnosis import (
    HealthFacts,
    HealthFinding,
    SeenWorker,
    ToldTarget,
    WaitingRun,
    judge,
    judge_clocks,
)

NOW = 1_800_000_000_000
WORKER = SeenWorker("host:1", ("expense",), NOW + 10_000)
WELL = HealthFacts(NOW, "sqlite", 10, "power", 1.5, workers=(WORKER,))


def found(**facts: Any) -> dict[str, HealthFinding]:
    """Return the findings about these facts that differ from those when all is well, by check."""
    well = judge(WELL)
    return {finding.check: finding for finding in judge(replace(WELL, **facts)) if finding not in well}


def test_when_all_is_well_nothing_is_to_do() -> None:
    findings = judge(WELL)
    assert {finding.level for finding in findings} == {"ok"}
    assert {finding.todo for finding in findings} == {None}
    assert [finding.check for finding in findings] == [
        "store",
        "commit",
        "schema",
        "leases",
        "workers",
        "queue",
        "blocked",
        "failed",
        "posts",
    ]


def waiting(workflow: str = "expense", since: int = NOW - 1_500, run_id: str = "r1") -> WaitingRun:
    return WaitingRun(run_id, workflow, since)


def told(*, since: int | None = None, paused: bool = False, given_up: int = 0) -> ToldTarget:
    return ToldTarget("crm", paused, since, "the receiver answered 500", given_up)


@pytest.mark.parametrize(
    ("facts", "check", "level", "said"),
    [
        ({"survives": "nothing"}, "store", "note", "nothing beyond the end of its process"),
        ({"survives": "process"}, "store", "note", "not a loss of power"),
        ({"commit_ms": 350.04}, "commit", "note", "took 350.0 ms"),
        ({"commit_ms": 2_001.0}, "commit", "wrong", "each step of each run"),
        ({"far_leases": ("r7", "r8")}, "leases", "wrong", "2 runs are (such as r7)"),
        ({"workers": ()}, "workers", "note", "No worker is running"),
        ({"ready": (waiting("travel"),)}, "unknown_workflow", "wrong", "1 run is waiting for the workflow travel"),
        ({"ready": (waiting(), waiting(since=NOW - 61_000, run_id="r2"))}, "queue", "wrong", "r2 has been for 61.0 s"),
        ({"blocked": {"a": 1, "b": 2}}, "blocked", "wrong", "3 runs are blocked: b 2, a 1"),
        ({"failed": {"value_error": 1_000}}, "failed", "note", "1000 runs or more are failed"),
        ({"unplaced": 1_000}, "posts", "wrong", "what people see is behind"),
        ({"told": (told(since=NOW - 1_000),)}, "notifications", "note", "crm has not taken what it is told"),
        ({"told": (told(since=NOW - 90_000),)}, "notifications", "wrong", "for 90 s: the receiver answered 500"),
        ({"told": (told(since=NOW - 90_000, paused=True),)}, "notifications", "note", "crm is paused"),
        ({"told": (told(given_up=2),)}, "notifications", "note", "never told of 2 events"),
    ],
)
def test_what_is_amiss_is_said_with_what_to_do(facts: dict[str, Any], check: str, level: str, said: str) -> None:
    finding = found(**facts)[check]
    assert finding.level == level
    assert said in finding.says
    assert finding.todo


def test_runs_that_have_just_become_ready_are_no_trouble() -> None:
    assert [finding.level for finding in found(ready=(waiting(),)).values()] == ["ok"]
    assert [finding.level for finding in found(unplaced=3).values()] == ["ok"]
    assert [finding.level for finding in found(told=(told(),)).values()] == ["ok"]


@pytest.mark.parametrize(
    ("difference", "tolerance", "level"),
    [
        (0, 1, "ok"),
        (-900, 0, "ok"),
        (3_000, 2_500, "ok"),
        (3_000, 100, "note"),
        (-3_000, 0, "note"),
        (60_000, 100, "wrong"),
    ],
)
def test_clocks_that_differ(difference: int, tolerance: int, level: str) -> None:
    finding = judge_clocks(difference, tolerance)
    assert (finding.check, finding.level, finding.todo is None) == ("clock", level, level == "ok")
