"""The page of a signed link: it needs no JavaScript, runs none, and only its form decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

from e2e.asking import EVIL
from e2e.conftest import Product
from e2e.test_accessibility import PHONE, WIDE, violations

Opened = Callable[..., Page]

HOSTILE = f'{EVIL} **b** [x](javascript:window.__xss=1) <https://a.example/"onclick=window.__xss=1> ![p](javascript:1)'
ORDER = {"notes": ["one"], "labels": {"a": 1}, "pay": {"kind": "cash", "amount": 1}}


def link(product: Product, run_id: str, **how: Any) -> str:
    """Make a link for Alice, as a service that sends mail would."""
    body = {"for": ["user:alice", "group:finance"], **how}
    return str(product.call("POST", f"/v1/runs/{run_id}/inputs/ask%3A0/links", body)["url"])


def row(product: Product, run_id: str) -> dict[str, Any]:
    return dict(product.call("GET", f"/v1/runs/{run_id}/inputs/ask%3A0")["input"])


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Opened]:
    """Open an address in a browser of its own, without JavaScript unless said; nothing may run or be refused there."""
    contexts: list[BrowserContext] = []
    ran: list[str] = []

    def open_page(url: str, **options: Any) -> Page:
        context = chromium.new_context(**{"java_script_enabled": False, **options})
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("dialog", lambda dialog: ran.append(dialog.message))
        page.on("pageerror", lambda error: ran.append(str(error)))
        page.on("console", lambda message: ran.append(message.text) if "Security" in message.text else None)
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert ran == []


def test_it_decides_without_javascript(asking: Product, opened: Opened) -> None:
    asking.ask("decide", of="yes", title="Pay?", description="Look at **this**.", actions=["approve", "reject"])
    page = opened(link(asking, "decide", once=True))
    expect(page.locator("strong")).to_have_text("this")
    page.get_by_label("Answer").check()
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    entry = asking.answered("decide")
    assert (entry["action"], entry["value"], entry["by"]["id"]) == ("reject", True, "user:alice")
    page.reload()  # sends the form again
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    page.goto(page.url)
    expect(page.get_by_text("Your answer is recorded")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
    assert len(asking.entries("decide", "input.answered")) == 1


def test_what_does_not_fit_keeps_what_was_typed(asking: Product, opened: Opened) -> None:
    asking.ask("typed", of="order", initial=ORDER)
    page = opened(link(asking, "typed"))
    page.get_by_label("Amount", exact=True).first.fill("a lot")
    page.get_by_label("Rate", exact=True).fill("1.5")
    page.get_by_label("Item 2", exact=True).fill("<b>two</b>")
    page.get_by_label("Card", exact=True).check()
    page.get_by_label("Number", exact=True).fill("4711")
    page.get_by_role("button", name="Add a row").first.click()
    expect(page.get_by_label("Name 5", exact=True)).to_be_visible()
    page.get_by_role("button", name="Submit").click()
    amount = page.get_by_label("Amount", exact=True).first
    expect(page.get_by_role("alert")).to_contain_text("nothing was recorded")
    expect(amount).to_have_value("a lot")
    expect(amount).to_have_attribute("aria-invalid", "true")
    expect(amount).to_have_accessible_description("This must be a number.")
    page.get_by_role("alert").get_by_role("link", name="Amount").click()
    expect(amount).to_be_in_viewport()
    expect(page.get_by_label("Rate", exact=True)).to_have_value("1.5")
    expect(page.get_by_label("Item 2", exact=True)).to_have_value("<b>two</b>")
    expect(page.get_by_label("Number", exact=True)).to_have_value("4711")
    for name, text in (("Count", "3"), ("1", "1"), ("2", "2"), ("Extra", "{}")):
        page.get_by_label(name, exact=True).fill(text)
    amount.fill("12.50")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    value = asking.answered("typed")["value"]
    assert (value["amount"], value["rate"], value["notes"]) == ("12.50", 1.5, ["one", "<b>two</b>"])
    assert value["pay"] == {"kind": "card", "number": "4711"}


def test_what_was_changed_meanwhile_is_said_and_what_was_typed_is_kept(asking: Product, opened: Opened) -> None:
    asking.ask("stale", of="text", title="Which?", show={"sum": 1, "to": "Bora"})
    page = opened(link(asking, "stale"))
    page.get_by_label("Answer").fill("this one")
    body = {"title": "Which one?", "show": {"sum": 2, "to": "Bora"}, "reason": "a typo"}
    asking.call("POST", "/v1/runs/stale/inputs/ask%3A0/revise", body)
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("alert")).to_contain_text("What changed: the title, sum.")
    expect(page.get_by_role("heading", name="Which one?")).to_be_visible()
    expect(page.get_by_label("Answer")).to_have_value("this one")
    page.get_by_role("button", name="Submit").click()
    assert asking.answered("stale")["value"] == "this one"


@pytest.mark.parametrize("bypass", [False, True], ids=["as it is", "without its policy"])
def test_whatever_a_request_says_nothing_runs(asking: Product, opened: Opened, bypass: bool) -> None:
    run_id = f"hostile-{bypass}"
    shown = {EVIL: [EVIL, {EVIL: EVIL}], "rows": [{EVIL: EVIL}, {EVIL: EVIL}]}
    asking.ask(run_id, of="hostile", title=EVIL, description=HOSTILE, show=shown, actions=["submit", "reject"])
    page = opened(link(asking, run_id), java_script_enabled=True, bypass_csp=bypass)
    reply = page.reload()
    assert reply is not None
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy

    def nothing_ran() -> None:
        assert page.evaluate("window.__xss") is None
        assert page.locator("script, img, svg, iframe, object, [onclick], [onload], [onerror]").count() == 0
        assert page.locator("main").count() == 1
        assert all(
            href.startswith(("https://", "#"))
            for href in page.eval_on_selector_all("a", "all => all.map(a => a.getAttribute('href'))")
        )

    nothing_ran()
    for field in page.locator("input[type=text], textarea").all():
        field.fill(f"{EVIL} javascript:window.__xss=1")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("alert").first).to_contain_text("nothing was recorded")
    nothing_ran()
    page.locator("input[name='v/number']").fill("1")
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    nothing_ran()
    page.goto(page.url)
    expect(page.get_by_role("heading", name="Already decided")).to_be_visible()
    nothing_ran()


def test_a_browser_that_fetches_beforehand_changes_nothing(asking: Product, opened: Opened) -> None:
    asking.ask("prefetch", of="yes")
    url = link(asking, "prefetch", once=True)
    before = row(asking, "prefetch"), asking.call("GET", "/v1/runs/prefetch/history")
    page = opened(f"{asking.url}/health", java_script_enabled=True)
    listing = f"<!doctype html><link rel=prefetch href='{url}'><link rel=prerender href='{url}'><p>mail"
    page.context.route("**/mail", lambda route: route.fulfill(content_type="text/html", body=listing))
    with page.expect_response(url) as fetched:
        page.goto(f"{asking.url}/mail")
    assert fetched.value.status == 200
    assert "prefetch" in (fetched.value.request.all_headers().get("sec-purpose") or "")
    seen = page.evaluate(
        "url => Promise.all(['GET', 'HEAD', 'OPTIONS'].map(how => fetch(url, {method: how}).then(got => got.status)))",
        url,
    )
    assert seen == [200, 200, 204]
    assert (row(asking, "prefetch"), asking.call("GET", "/v1/runs/prefetch/history")) == before
    page.goto(url)
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (PHONE, "dark")], ids=["wide", "phone"])
def test_axe_finds_nothing_on_it(asking: Product, opened: Opened, size: ViewportSize, scheme: str) -> None:
    run_id = f"axe-{size['width']}"
    words = "# Claim\n\nSee [the page](https://a.example).\n\n| what | sum |\n|--|-:|\n| tea | 3 |\n\n> quoted, `code`"
    shown = {"parts": [{"a": 1}, {"a": 2}], "none": None, "list": ["x"]}
    asking.ask(run_id, of="order", title="Well?", description=words, show=shown, initial=ORDER, deadline="3d")
    url = link(asking, run_id)
    page = opened(url, java_script_enabled=True, bypass_csp=True, viewport=size, color_scheme=scheme)
    assert violations(page) == []
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
