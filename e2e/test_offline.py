"""An answer given offline: it outlives its tab and its browser, is sent once, and what it came to is told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Locator, Page, expect

from e2e.conftest import ARGUMENTS, CHROMIUM, Product, settled, until
from e2e.test_approval import outcome

WAITING = """
() => new Promise((done, failed) => {
  const opening = indexedDB.open('signoff');
  opening.onerror = failed;
  opening.onsuccess = () => {
    const reading = opening.result.transaction('answers').objectStore('answers').getAll();
    reading.onerror = failed;
    reading.onsuccess = () => {
      opening.result.close();
      done(reading.result.filter(text => !('outcome' in JSON.parse(text))).length);
    };
  };
})
"""
"""Counts the answers that this browser has yet to send."""


class Profile:
    """One profile on disk, and the browser that is open on it."""

    def __init__(self, chromium: Browser, folder: Path) -> None:
        self.chromium, self.folder = chromium, folder
        self.context: BrowserContext | None = None
        self.replies: list[int] = []

    def open(self) -> BrowserContext:
        """Open a browser on the profile, the last one being closed."""
        self.close()
        self.context = self.chromium.browser_type.launch_persistent_context(
            self.folder, executable_path=CHROMIUM, args=ARGUMENTS
        )
        listen(self.context, self.replies)
        return self.context

    def close(self) -> None:
        """Close the browser, if one is open."""
        if self.context is not None:
            self.context.close()
        self.context = None


def listen(context: BrowserContext, replies: list[int]) -> None:
    """Collect the status of every reply to an answer."""
    context.set_default_timeout(15_000)
    context.on("response", lambda reply: replies.append(reply.status) if reply.url.endswith("/answer") else None)


@pytest.fixture
def profile(chromium: Browser, tmp_path: Path) -> Iterator[Profile]:
    """A browser's profile, in which browsers can be opened one after the other."""
    profile = Profile(chromium, tmp_path / "profile")
    yield profile
    profile.close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """One browser, for all tabs."""
    context = chromium.new_context()
    yield context
    context.close()


def visit(context: BrowserContext, asking: Product, at: str) -> Page:
    page = context.new_page()
    page.goto(f"{asking.url}/?as=alice{at}")
    return page


def answer(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Answer").fill(text)
    settled(page)
    page.get_by_role("button", name="Submit").click()


def aside(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Not delivered")


def test_after_a_day_offline_what_still_counts_is_sent_once_and_what_does_not_is_told(
    asking: Product, profile: Profile
) -> None:
    context = profile.open()
    counts, changes = asking.ask("day-1", of="text"), asking.ask("day-2", of="text", title="How many?")
    page = visit(context, asking, counts)
    expect(page.get_by_role("textbox", name="Answer")).to_be_visible()
    other = visit(context, asking, changes)
    expect(other.get_by_role("textbox", name="Answer")).to_be_visible()
    context.set_offline(True)
    for tab in (page, other):
        answer(tab, "Given on a train.")
        expect(outcome(tab)).to_contain_text("Waiting for the network")
    expect(aside(page)).to_contain_text("2 answers wait to be sent")
    profile.close()
    revised = {"title": "How many now?", "show": None, "reason": "a typo"}
    asking.call("POST", "/v1/runs/day-2/inputs/ask%3A0/revise", revised)

    page = profile.open().new_page()
    page.clock.install(time=datetime.now(UTC) + timedelta(days=1))
    page.goto(f"{asking.url}/?as=bora")
    expect(page.get_by_role("heading", name="Waiting for you")).to_be_visible()
    expect(aside(page)).not_to_contain_text("answer")
    assert profile.replies == [], "nobody else sends it"
    page.goto(f"{asking.url}/?as=alice")
    expect(aside(page)).to_contain_text("The request had changed before it arrived")
    expect(aside(page)).to_contain_text("How many now?")
    assert asking.answered("day-1")["value"] == "Given on a train."
    assert sorted(profile.replies) == [200, 409]
    assert asking.entries("day-2", "input.answered") == []
    # A reload in the moment in which the reply came would send it again, and it would count once.
    until(lambda: page.evaluate(WAITING) == 0, "the browser knows that it was delivered")
    page.reload()
    aside(page).get_by_role("button", name="Dismiss").click()
    expect(aside(page)).not_to_contain_text("How many now?")
    page.reload()
    expect(page.get_by_role("heading", name="Waiting for you")).to_be_visible()
    expect(aside(page)).not_to_contain_text("How many now?")
    assert len(profile.replies) == 2


def test_what_waited_for_a_deleted_run_is_told_and_the_run_that_has_its_id_waits_on(
    asking: Product, context: BrowserContext
) -> None:
    replies: list[int] = []
    listen(context, replies)
    page = visit(context, asking, asking.ask("again", of="text"))
    expect(page.get_by_role("textbox", name="Answer")).to_be_visible()
    context.set_offline(True)
    answer(page, "To the first.")
    expect(outcome(page)).to_contain_text("Waiting for the network")
    page.close()
    for verb in ("terminate", "delete"):
        asking.call("POST", f"/v1/runs/again/{verb}", {})
    at = asking.ask("again", of="text")
    context.set_offline(False)
    page = visit(context, asking, "")
    expect(aside(page)).to_contain_text("The request had changed before it arrived")
    assert replies == [409]
    assert asking.entries("again", "input.answered") == []
    page = visit(context, asking, at)
    expect(page.get_by_role("textbox", name="Answer")).to_have_value("")
    answer(page, "To the second.")
    assert asking.answered("again")["value"] == "To the second."


def test_two_tabs_show_one_answer_and_one_of_them_sends_it(asking: Product, context: BrowserContext) -> None:
    replies: list[int] = []
    listen(context, replies)
    at = asking.ask("tabs", of="text")
    tabs = [visit(context, asking, at), visit(context, asking, at)]
    for tab in tabs:
        expect(tab.get_by_role("textbox", name="Answer")).to_be_visible()
    context.set_offline(True)
    answer(tabs[0], "From the first.")
    for tab in tabs:
        expect(outcome(tab)).to_contain_text("Waiting for the network")
    context.set_offline(False)
    for tab in tabs:
        expect(outcome(tab)).to_contain_text("You answered this")
        expect(aside(tab)).not_to_contain_text("waits")
    assert replies == [200]
    assert asking.answered("tabs")["value"] == "From the first."


def test_the_unsent_answer_of_a_crashed_tab_is_sent_by_another(asking: Product, context: BrowserContext) -> None:
    replies: list[int] = []
    listen(context, replies)
    at = asking.ask("crash", of="text")
    page = visit(context, asking, at)
    expect(page.get_by_role("textbox", name="Answer")).to_be_visible()
    page.route("**/answer", lambda route: route.abort())
    answer(page, "Before the crash.")
    expect(outcome(page)).to_contain_text("Waiting for the network")
    with pytest.raises(Error, match="crash"):
        page.goto("chrome://crash")
    other = visit(context, asking, "")
    expect(other.get_by_role("heading", name="Waiting for you")).to_be_visible()
    assert asking.answered("crash")["value"] == "Before the crash."
    expect(aside(other)).not_to_contain_text("waits")
    assert replies == [200]


def test_a_browser_that_allows_no_database_sends_it_after_a_reload(asking: Product, context: BrowserContext) -> None:
    context.set_default_timeout(15_000)
    context.add_init_script("Object.defineProperty(window, 'indexedDB', { get() { throw new DOMException('no'); } })")
    page = visit(context, asking, asking.ask("private", of="text"))
    expect(page.get_by_role("textbox", name="Answer")).to_be_visible()
    context.route("**/answer", lambda route: route.abort())
    answer(page, "In private.")
    expect(outcome(page)).to_contain_text("Waiting for the network")
    context.unroute("**/answer")
    page.reload()
    expect(outcome(page)).to_contain_text("You answered this")
    assert len(asking.entries("private", "input.answered")) == 1
