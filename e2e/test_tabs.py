"""Ten tabs of one browser on HTTP/1.1, with its six connections to a host: one of them carries what all tabs watch."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from e2e.conftest import Product, Visit, settled
from e2e.test_approval import outcome


class Lines:
    """The live requests of a browser that have begun and not ended."""

    def __init__(self, context: BrowserContext) -> None:
        self.open: set[Request] = set()
        self.apart = 0
        context.on("request", self._begun)
        context.on("requestfinished", self._ended)
        context.on("requestfailed", self._ended)

    def become(self, count: int, page: Page) -> None:
        """Wait until there are so many; a page has to wait, since what it tells is heard meanwhile."""
        for _ in range(800):
            if len(self._there()) == count:
                return
            page.wait_for_timeout(50)
        assert len(self._there()) == count

    def _there(self) -> list[Request]:
        """Return those of tabs that are there: of a tab that was closed, nothing more is heard."""
        return [request for request in self.open if not request.frame.page.is_closed()]

    def _begun(self, request: Request) -> None:
        if request.url.endswith("/v1/live"):
            self.open.add(request)
        elif "live=sse" in request.url:
            self.apart += 1

    def _ended(self, request: Request) -> None:
        self.open.discard(request)


def answer(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Answer").fill(text)
    settled(page)
    page.get_by_role("button", name="Submit").click()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """One browser profile, for all tabs."""
    context = chromium.new_context()
    context.set_default_timeout(15_000)
    yield context
    context.close()


def test_ten_tabs_share_a_connection_and_survive_the_tab_that_has_it(
    asking: Product, call_on: Visit, context: BrowserContext
) -> None:
    lines = Lines(context)
    first, second = asking.ask("tabs-1", of="text"), asking.ask("tabs-2", of="text")
    leader = call_on("alice", first, context=context)
    expect(leader.get_by_role("textbox", name="Answer")).to_be_visible()
    tabs = [call_on("alice", first, context=context) for _ in range(9)]
    for tab in tabs:
        expect(tab.get_by_role("textbox", name="Answer")).to_be_visible()
    lines.become(1, leader)
    answer(tabs[-1], "From the tenth.")
    for tab in [leader, *tabs]:
        expect(outcome(tab)).to_contain_text("You answered this")

    leader.close()
    for tab in tabs:
        tab.goto(f"{asking.url}/?as=alice{second}")
        expect(tab.get_by_role("textbox", name="Answer")).to_be_visible()
    lines.become(1, tabs[0])
    answer(tabs[0], "After the first was closed.")
    for tab in tabs:
        expect(outcome(tab)).to_contain_text("You answered this")
    assert lines.apart == 0


def test_tabs_of_different_people_show_each_what_is_theirs(
    asking: Product, call_on: Visit, context: BrowserContext
) -> None:
    """Over one connection: the rights are of each read, not of the tab that has it."""
    asked = asking.ask("tabs-3", of="text")
    lines = Lines(context)
    alice = call_on("alice", asked, context=context)
    expect(alice.get_by_role("textbox", name="Answer")).to_be_visible()
    bora = call_on("bora", context=context)
    expect(bora.get_by_role("heading", name="Waiting for you")).to_be_visible()
    expect(bora.get_by_text("Live", exact=True)).to_be_visible()
    answer(alice, "Mine.")
    expect(outcome(alice)).to_contain_text("You answered this")
    lines.become(1, alice)
    assert lines.apart == 0
