"""An approval UI in five minutes: its steps, in a fresh folder, with the wheel."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from tests.packaging.installed import Installed
from tests.packaging.served import dev
from tests.packaging.tutorial import COMMANDS, INBOX, OPERATOR, PRINTED, PROGRAM, TITLE


def test_it_needs_less_than_25_lines() -> None:
    assert len([line for line in PROGRAM.splitlines() if line.strip()]) < 25


def test_its_steps_lead_to_a_page_and_a_paid_claim(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "expense.py").write_text(PROGRAM)
    serve, start, wait = COMMANDS
    with dev(installed, tmp_path, *serve[2:]) as url:
        installed.run(tmp_path, *start, "--server", url)
        for page in (INBOX, OPERATOR):
            shown = httpx.get(f"{url}{page}", headers={"accept": "text/html"})
            assert (shown.status_code, shown.headers["content-type"]) == (200, "text/html; charset=utf-8")
        at = ("--server", url)
        assert TITLE in installed.run(tmp_path, "signoff", "inputs", "--json", *at)
        installed.run(
            tmp_path, "signoff", "answer", "claim-1", "approve:0", "--action", "approve", "--value", "{}", *at
        )
        assert installed.run(tmp_path, *wait, *at).strip() == PRINTED
        claim = [word.replace("claim-1", "claim-2") for word in start]
        installed.run(tmp_path, *claim, *at)
    assert (tmp_path / ".signoff" / "signoff.db").is_file()
    with dev(installed, tmp_path, *serve[2:]) as url:
        listed = json.loads(installed.run(tmp_path, "signoff", "inputs", "--json", "--server", url))
        assert [row["run_id"] for row in listed["inputs"] if row["status"] == "pending"] == ["claim-2"]
