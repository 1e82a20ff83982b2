"""Tokens that end while a page is open: it fetches others, and nothing is lost or loaded anew."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Route, expect

from e2e.conftest import HERE, settled, until
from e2e.prefixed import SECRET
from e2e.test_console import prefixed
from signoff import tokens
from signoff.server.access.tokens import LEEWAY_S

__all__ = ["prefixed"]

HTML = '<!doctype html><title>Renewed</title><main></main><script type="module" src="/page.js"></script>'
JS = HERE.parent / "js-client"


def call(url: str, token: str, body: Any = None) -> Any:
    """Call the API; the status, if it refuses."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=20) as reply:
            return json.loads(reply.read())
    except urllib.error.HTTPError as refused:
        return refused.code


def bundle(into: Path) -> Path:
    """Build the page."""
    esbuild, page = str(JS / "node_modules/.bin/esbuild"), str(HERE / "renewing.jsx")
    command = [esbuild, page, "--bundle", "--format=esm", "--jsx=automatic"]
    found = {**os.environ, "NODE_PATH": str(JS / "node_modules")}
    subprocess.run([*command, f"--outfile={into}", "--log-level=warning"], env=found, check=True, timeout=120)
    return into


def test_tokens_end_while_somebody_types_and_while_an_answer_waits(
    chromium: Browser, prefixed: str, tmp_path: Path
) -> None:
    boss = tokens.mint(SECRET, "boss", operator=True)
    start = {"workflow": "approve", "run_id": "renewed", "input": {"title": "Still you?"}}
    call(f"{prefixed}/v1/runs", boss, start)
    until(lambda: call(f"{prefixed}/v1/runs/renewed", boss)["inputs"], "the run asks")
    given: list[str] = []

    def short(route: Route) -> None:
        """Give a token that ends in two seconds."""
        now = time.time() - LEEWAY_S - 58
        given.append(tokens.mint(SECRET, "alice", groups=["finance"], grants=["run:read:*"], ttl_s=60, now=now))
        route.fulfill(body=given[-1])

    def ended() -> bool:
        return bool(call(f"{prefixed}/v1/me", given[-1]) == 401)

    page_js = bundle(tmp_path / "page.js")
    context = chromium.new_context()
    try:
        context.set_default_timeout(15_000)
        page = context.new_page()
        failures: list[str] = []
        loaded: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("domcontentloaded", lambda page: loaded.append(page.url))
        context.route("**/page.html", lambda route: route.fulfill(body=HTML, content_type="text/html"))
        context.route("**/page.js", lambda route: route.fulfill(path=page_js, content_type="text/javascript"))
        context.route("**/token", short)
        page.goto(f"{prefixed.removesuffix('/tools/signoff')}/page.html#renewed")
        comment = page.get_by_role("textbox", name="Comment")
        comment.fill("Typed")
        expect(page.get_by_text("What you filled in is saved")).to_be_visible()

        until(ended, "the token ends")
        comment.press_sequentially(", and typed on")
        expect(page.locator(".signoff-draft")).to_contain_text("is saved")
        saved = f"{prefixed}/v1/stream/drafts/user:alice?offset=-1"
        own = tokens.mint(SECRET, "alice", groups=["finance"])
        until(
            lambda: call(saved, own)[-1]["value"]["value"] == {"approve": {"comment": "Typed, and typed on"}},
            "the draft is saved",
        )
        assert len(given) > 1

        context.set_offline(True)
        settled(page)
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_text("Waiting for the network")).to_be_visible()
        until(ended, "the token ends while the answer waits")
        before = len(given)
        context.set_offline(False)
        expect(page.get_by_text("Your answer is recorded.")).to_be_visible()
        assert len(given) > before
        history = call(f"{prefixed}/v1/runs/renewed/history", boss)["entries"]
        answers = [(one["value"], one["by"]["id"]) for one in history if one["type"] == "input.answered"]
        assert answers == [({"comment": "Typed, and typed on"}, "user:alice")]
        assert (len(loaded), failures) == (1, [])
    finally:
        context.close()
