"""`signoff link` prints links that work, and takes them back."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from tests.cli.commands import run, running
from tests.cli.terminal import at_terminal

WHO = ("--for", "user:alice", "--for", "group:finance")


def test_a_link_is_printed_works_and_is_taken_back(folder: Path) -> None:
    with running(folder, "dev", "flow:app", "--port", "0", "--data", "data") as dev:
        at = ("--server", dev.url)
        run(folder, "start", "expense", "--input", "120", "--run-id", "r1", *at)
        until_asked(folder, dev.url)

        made = run(folder, "link", "r1", "approve:0", *WHO, "--action", "submit", "--once", "--expires", "36h", *at)
        url = made.stdout.strip()
        assert (made.returncode, url.count("\n")) == (0, 0)
        assert url.startswith(f"{dev.url}/v1/answer/")
        assert "(in 1 d)" in made.stderr
        page = httpx.get(url, trust_env=False)
        assert (page.status_code, "Approve 120?" in page.text) == (200, True)

        taken = run(folder, "link", "revoke", url, *at)
        assert taken.stdout.startswith("Revoked link:")
        assert taken.stdout.removeprefix("Revoked link:").strip(".\n") in made.stderr
        assert httpx.get(url, trust_env=False).status_code == 410

        told = json.loads(run(folder, "link", "mint", "r1", *WHO, "--json", *at).stdout)
        assert httpx.get(told["url"], trust_env=False).status_code == 200
        assert run(folder, "link", "revoke", told["id"], *at).returncode == 0
        assert httpx.get(told["url"], trust_env=False).status_code == 410

        with at_terminal(folder, "link", "r1", *WHO, SIGNOFF_SERVER=dev.url, COLUMNS="60") as terminal:
            assert terminal.ends() == 0
            first = terminal.shown.splitlines()[0]
        assert httpx.get(first, trust_env=False).status_code == 200

        stranger = run(folder, "link", "r1", "approve:0", "--for", "user:alice", *at)
        assert (stranger.returncode, stranger.stdout) == (1, "")
        assert "user:alice was not asked approve:0; those who were: group:finance" in stranger.stderr


def test_what_cannot_be_meant_is_said(folder: Path) -> None:
    for arguments, words in (
        (("r1", "approve:0"), "Say --for PERSON"),
        (("r1", "approve:0", "--for", "user:a", "--expires", "soon"), "no duration"),
        (("revoke", "http://127.0.0.1/v1/answer/a.b.c"), "a part of it was lost"),
    ):
        done = run(folder, "link", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert words in done.stderr
    shown = run(folder, "link", "--help")
    assert shown.returncode == 0
    assert "revoke" in shown.stdout


def until_asked(folder: Path, url: str) -> None:
    """Wait until the run asks: `tail` shows its rows as they come."""
    with httpx.stream("GET", f"{url}/v1/stream/runs/r1", params={"offset": "-1", "live": "sse"}, timeout=20) as rows:
        assert any("approve:0" in line for line in rows.iter_lines())
