"""An approval UI in five minutes, as its page tells it: an installed wheel, a fresh folder, the inbox in Chromium."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect
from tests.packaging.installed import Installed, built
from tests.packaging.served import dev
from tests.packaging.tutorial import COMMANDS, INBOX, OPERATOR, PRINTED, PROGRAM, TITLE


def test_alice_approves_bora_sees_it_and_the_run_goes_on(chromium: Browser, tmp_path: Path) -> None:
    [wheel] = built(tmp_path / "wheel", "-t", "wheel")
    installed = Installed(tmp_path / "installed", wheel)
    folder = tmp_path / "fresh"
    folder.mkdir()
    (folder / "expense.py").write_text(PROGRAM)
    serve, start, wait = COMMANDS
    with dev(installed, folder, *serve[2:]) as url, chromium.new_context() as alice, chromium.new_context() as bora:
        installed.run(folder, *start, "--server", url)
        pages = [context.new_page() for context in (alice, bora)]
        for page, who in zip(pages, ("alice", "bora"), strict=True):
            page.goto(url + INBOX.replace("alice", who))
            expect(page.get_by_role("link", name=TITLE)).to_be_visible()
        deciding, watching = pages
        deciding.get_by_role("link", name=TITLE).click()
        deciding.get_by_role("button", name="Approve").click()
        expect(watching.get_by_role("link", name=TITLE)).to_have_count(0)
        assert installed.run(folder, *wait, "--server", url).strip() == PRINTED
        operator = alice.new_page()
        operator.goto(f"{url}{OPERATOR}#/runs/claim-1")
        expect(operator.get_by_text("Pay", exact=True)).to_be_visible()
