"""The example in Next.js, built and started: what the server renders is what the browser goes on with."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from e2e.conftest import Product, settled, until
from e2e.test_accessibility import PHONE, violations

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "next"
TITLE = "Chidi: 3 days off, from 4 May"

# Before anything is hydrated: what of the page is taken away again, what moves, and which element is the title.
WATCH = """
window.removed = [];
window.moved = 0;
new PerformanceObserver(list => { for (const entry of list.getEntries()) window.moved += entry.value; })
  .observe({ type: "layout-shift", buffered: true });
document.addEventListener("DOMContentLoaded", () => {
  window.title = document.querySelector("h1");
  for (const part of document.querySelectorAll("header, main"))
    new MutationObserver(changes => {
      for (const { removedNodes } of changes) for (const node of removedNodes) window.removed.push(node.textContent);
    }).observe(part, { childList: true, subtree: true });
});
"""


def visible(html: str) -> str:
    """Return what of a page is there without its scripts and their data."""
    return re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)


@dataclass
class Site:
    """The site, and the Signoff server it is rendered from."""

    url: str
    product: Product

    def ask(self, run_id: str) -> str:
        """Start a run that asks the leads; return the address of its page."""
        leave = {"who": "Chidi", "first": "2027-05-04", "last": "2027-05-06", "why": "A long weekend"}
        self.product.call("POST", "/v1/runs", {"workflow": "leave", "run_id": run_id, "input": leave})
        until(lambda: self.product.call("GET", f"/v1/runs/{run_id}")["inputs"], "the run asks")
        until(lambda: TITLE in self.html("/"), "it is in the inbox")
        return f"{self.url}/runs/{run_id}"

    def html(self, path: str, who: str = "alice") -> str:
        """Return the page that somebody gets."""
        request = urllib.request.Request(f"{self.url}{path}", headers={"Cookie": f"person={who}"})
        with urllib.request.urlopen(request, timeout=30) as reply:
            return str(reply.read().decode())


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The built site and its server."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    data = tmp_path_factory.mktemp("next")
    product = Product(data, "leave:app", EXAMPLE, ("--allow-origin", url))
    product.start()
    node = shutil.which("node")
    assert node is not None
    with (data / "next.log").open("wb") as log:
        started = subprocess.Popen(
            [node, "node_modules/next/dist/bin/next", "start", "-H", "127.0.0.1", "-p", str(port)],
            cwd=EXAMPLE,
            env={**os.environ, "SIGNOFF_PUBLIC_URL": product.url, "NEXT_TELEMETRY_DISABLED": "1"},
            stdout=log,
            stderr=log,
        )
    site = Site(url, product)
    try:
        until(lambda: answers(site, started, data / "next.log"), "the site answers", 60)
        yield site
    finally:
        started.terminate()
        started.wait(20)
        product.kill()


def answers(site: Site, started: subprocess.Popen[bytes], log: Path) -> bool:
    """Say whether the site is up."""
    assert started.poll() is None, log.read_text()
    try:
        return "Days off" in site.html("/")
    except (urllib.error.URLError, OSError):
        return False


def enter(chromium: Browser, site: Site, who: str, complaints: list[str], **options: object) -> BrowserContext:
    """Open a browser as somebody; what its console complains of is noted."""
    context = chromium.new_context(**options)  # type: ignore[arg-type]
    context.set_default_timeout(20_000)
    context.add_cookies([{"name": "person", "value": who, "url": site.url}])
    context.add_init_script(WATCH)
    context.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    return context


def is_live(page: Page) -> None:
    """Wait until the page is hydrated and follows its streams: then its buttons may be pressed."""
    expect(page.get_by_role("button", name="Approve", exact=True)).not_to_be_disabled(timeout=20_000)
    expect(page.get_by_role("button", name="Approve", exact=True)).to_have_attribute("aria-disabled", "false")


def test_the_first_html_holds_what_somebody_may_see_and_no_token(site: Site, chromium: Browser) -> None:
    address = site.ask("first")
    whole = site.html("/runs/first")
    html = visible(whole)
    assert f"<bdi>{TITLE}</bdi></h1>" in html
    assert f"<title>{TITLE}</title>" in html
    assert 'data-action="approve"' in html
    assert 'data-action="decline"' in html
    assert "A long weekend" in html
    inbox = site.html("/")
    assert f'href="/runs/first">{TITLE}</a>' in visible(inbox)
    for told in (whole, inbox):
        assert "eyJ" not in told, "a token"
    assert TITLE not in site.html("/", "chidi"), "is nobody's whom nobody asks"
    assert "Nothing waits for you." in site.html("/", "chidi")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        site.html("/runs/none")
    context = enter(chromium, site, "alice", [], java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    expect(page.get_by_role("heading", name=TITLE)).to_be_visible()
    expect(page.get_by_role("button", name="Approve", exact=True)).to_be_visible()
    context.close()


def test_it_is_taken_over_without_a_flash_and_followed_live_in_every_tab(site: Site, chromium: Browser) -> None:
    address = site.ask("second")
    complaints: list[str] = []
    ours, theirs = (enter(chromium, site, who, complaints) for who in ("alice", "bora"))
    page, other, inbox = ours.new_page(), theirs.new_page(), theirs.new_page()
    for one, at in ((page, address), (other, address), (inbox, site.url)):
        one.goto(at)
    is_live(page)
    is_live(other)
    settled(page)
    for one in (page, other):
        assert one.evaluate("window.removed") == []
        assert one.evaluate("window.moved") == 0
        assert one.evaluate("window.title === document.querySelector('h1') && window.title.isConnected")
    assert violations(page) == []
    entry = inbox.get_by_role("main").get_by_role("link", name=TITLE)
    expect(entry.and_(inbox.locator("[href='/runs/second']"))).to_be_visible()

    page.get_by_role("button", name="Approve", exact=True).click()
    page.get_by_role("button", name="Approve", exact=True).last.click()
    for one in (page, other):
        progress = one.get_by_role("region", name="What becomes of it")
        expect(progress.get_by_role("status")).to_have_text("Chidi is away until 6 May", timeout=20_000)
        expect(progress.get_by_role("listitem")).to_have_text("Calendar: completed")
    expect(other.get_by_role("main")).to_contain_text("by alice")
    expect(entry.and_(inbox.locator("[href='/runs/second']"))).to_have_count(0)
    assert site.product.answered("second")["action"] == "approve"
    assert complaints == []
    # Who comes now reads in the HTML what has become of it.
    html = visible(site.html("/runs/second", "bora"))
    assert "Chidi is away until 6 May" in html
    assert "Calendar" in html
    assert 'data-action="approve"' not in html
    ours.close()
    theirs.close()


def test_days_are_asked_for_on_the_server(site: Site, chromium: Browser) -> None:
    complaints: list[str] = []
    context = enter(chromium, site, "chidi", complaints, viewport=PHONE, color_scheme="dark")
    page = context.new_page()
    page.goto(f"{site.url}/ask")
    assert violations(page) == []
    page.get_by_label("First day").fill("2027-07-05")
    page.get_by_label("Last day").fill("2027-07-05")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("heading", name="Chidi: 1 day off, from 5 July")).to_be_visible(timeout=20_000)
    page.get_by_role("button", name="Bora").click()
    link = page.get_by_role("main").get_by_role("link", name="Chidi: 1 day off, from 5 July")
    expect(link).to_be_visible()
    assert violations(page) == []
    link.click()
    is_live(page)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert complaints == []
    context.close()
