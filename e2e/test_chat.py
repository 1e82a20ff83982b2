"""A page with `useChat` of the AI SDK, both majors, shows a run's output, its approval and a further attempt."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from tests.aisdk.test_chat import EXAMPLE, origin
from tests.aisdk.test_chat import HERE as PACKAGES

__all__ = ["origin"]

HTML = '<!doctype html><div id="root"></div><script type="module" src="/page.js"></script>'


@pytest.mark.parametrize("major", ["6", "7"])
def test_use_chat_shows_a_run_and_its_approval(chromium: Browser, origin: str, major: str, tmp_path: Path) -> None:
    built = tmp_path / "page.js"
    bundle = ["node_modules/.bin/esbuild", str(EXAMPLE / "page.jsx"), "--bundle", "--format=esm", "--jsx=automatic"]
    named = [f"--alias:@ai-sdk/react=react{major}", f"--alias:ai=ai{major}", f"--outfile={built}"]
    found = {**os.environ, "NODE_PATH": str(PACKAGES / "node_modules")}
    subprocess.run([*bundle, *named, "--log-level=warning"], cwd=PACKAGES, env=found, check=True, timeout=60)
    page = chromium.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.route("**/page.html", lambda route: route.fulfill(body=HTML, content_type="text/html"))
    page.route("**/page.js", lambda route: route.fulfill(path=built, content_type="text/javascript"))
    page.goto(f"{origin}/page.html")
    page.get_by_role("textbox", name="What to look at").fill("flaky disk")
    page.get_by_role("button", name="Ask").click()
    approve = page.get_by_role("button", name="Approve flaky disk")
    expect(approve).to_be_visible(timeout=15_000)
    agent = page.get_by_role("region", name="The agent")
    expect(agent.locator("blockquote")).to_have_text("Nobody has opened flaky disk this year.")
    said = agent.locator("p:not(.call)")
    expect(said).to_have_text(["I will remove flaky disk"])
    approve.click()
    expect(said).to_have_text(["I will remove flaky disk", "Done."], timeout=15_000)
    expect(agent.locator(".call")).to_have_text("remove flaky disk: done")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.close()
    assert failures == []
