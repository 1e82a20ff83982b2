"""Listings of runs, by what they are asked for."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tests.cli.commands import run, running


def test_listings_take_several_statuses_and_tags(folder: Path) -> None:
    with running(folder, "dev", "flow:app", "--port", "0") as server:

        def command(*arguments: str) -> Any:
            told = run(folder, *arguments, "--json", "--server", server.url)
            assert told.returncode == 0, told.stderr
            return json.loads(told.stdout)

        for name, tags in (("r1", ["a"]), ("r2", ["a", "b"]), ("r3", ["b"])):
            options = [option for tag in tags for option in ("--tag", tag)]
            command("start", "waits", "--input", "null", "--run-id", name, *options)
        command("cancel", "r3")

        def listed(*options: str) -> set[str]:
            return {row["id"] for row in command("list", *options)["runs"]}

        deadline = time.monotonic() + 30
        while listed("--status", "cancelled") != {"r3"} or listed("--status", "waiting") != {"r1", "r2"}:
            assert time.monotonic() < deadline
        assert listed("--status", "cancelled", "--status", "waiting") == {"r1", "r2", "r3"}
        assert listed("--tag", "a", "--tag", "b") == {"r2"}
        assert listed("--tag", "b", "--status", "cancelled", "--status", "failed") == {"r3"}
