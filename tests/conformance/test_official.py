"""The official conformance suite, run by vitest against a real server, on every store."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from tests.conformance.running import HERE, LONG_POLL_S, Running

ALL = 338
"""Tests of the suite, subscriptions included: one that shrinks unnoticed proves nothing."""


def test_the_official_suite(server: Running, packages: Path, tmp_path: Path) -> None:
    results = _run(server, packages, tmp_path / "results.json")
    wrong = [
        f"{result['fullName']}: {result['failureMessages'][0].splitlines()[0]}"
        for result in results
        if result["status"] == "failed"
    ]
    assert not wrong, "\n".join(wrong)
    assert Counter(result["status"] for result in results) == {"passed": ALL}


def _run(server: Running, packages: Path, report: Path) -> list[dict[str, Any]]:
    """Run the suite; return what it says about each test."""
    environment = {
        **os.environ,
        "SIGNOFF_STREAMS_URL": server.origin,
        "SIGNOFF_LONG_POLL_MS": str(int(LONG_POLL_S * 1000)),
    }
    done = subprocess.run(
        [packages / ".bin" / "vitest", "run", "--reporter=json", f"--outputFile={report}"],
        cwd=HERE,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert report.exists(), done.stdout + done.stderr
    files = json.loads(report.read_text())["testResults"]
    return [result for file in files for result in file["assertionResults"]]
