"""The page for everybody: axe finds nothing, the keyboard suffices, a phone shows it without sideways scrolling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from e2e.conftest import EXAMPLE, Product, settled
from e2e.test_approval import outcome

AXE: Path = EXAMPLE / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WIDE, PHONE = ViewportSize(width=1280, height=800), ViewportSize(width=390, height=844)


def violations(page: Page) -> list[str]:
    """Return what axe complains about, with the places."""
    page.add_script_tag(path=AXE)
    found: list[dict[str, Any]] = page.evaluate("tags => axe.run({runOnly: tags}).then(r => r.violations)", RULES)
    return [f"{one['id']}: {node['target']}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_axe_finds_nothing(chromium: Browser, product: Product, scheme: Any, size: ViewportSize) -> None:
    claim = product.claim()
    # The product's own policy forbids foreign scripts; axe is one.
    context = chromium.new_context(viewport=size, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce")
    try:
        page = context.new_page()
        page.goto(f"{product.url}/?as=alice")
        expect(page.get_by_role("list", name="Requests waiting for you")).to_be_visible()
        assert violations(page) == []
        page.goto(f"{product.url}/?as=alice#/request/{claim}/approve%3A0")
        expect(page.get_by_role("button", name="Approve")).to_be_enabled()
        assert violations(page) == []
        page.get_by_role("button", name="Decline").click()
        expect(page.get_by_role("textbox", name="Why not?")).to_be_visible()
        assert violations(page) == []
        settled(page)
        page.get_by_role("button", name="Decline").click()
        expect(page.get_by_role("textbox", name="Why not?")).to_have_attribute("aria-invalid", "true")
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.goto(f"{product.url}/?as=alice#/runs/{claim}")
        expect(page.get_by_role("region", name="Timeline")).to_be_visible()
        assert violations(page) == []
        page.evaluate("document.body.append(document.createElement('input'))")
        assert any(one.startswith("label:") for one in violations(page)), "axe does not look"
    finally:
        context.close()


def test_axe_finds_nothing_in_any_form(chromium: Browser, asking: Product) -> None:
    order = {"notes": ["one", "two"], "labels": {"a": 1}, "pay": {"kind": "cash", "amount": 1}}
    forms: dict[str, dict[str, Any]] = {"order": {"initial": order}, "either": {}, "yes": {}, "decimal": {}}
    shown = {"name": "A thing", "parts": [{"a": 1}, {"a": 2}], "none": None}
    context = chromium.new_context(viewport=PHONE, bypass_csp=True, reduced_motion="reduce")
    try:
        page = context.new_page()
        for of, more in forms.items():
            page.goto(f"{asking.url}/?as=alice{asking.ask(f'axe-{of}', of=of, show=shown, **more)}")
            expect(page.get_by_role("button", name="Submit")).to_be_enabled(timeout=20_000)
            assert violations(page) == [], of
            page.get_by_role("button", name="Submit").click()
            expect(page.locator("[aria-invalid=true]").first).to_be_visible()
            assert violations(page) == [], of
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    finally:
        context.close()


def test_the_keyboard_suffices(chromium: Browser, product: Product) -> None:
    claim = product.claim()
    context = chromium.new_context(viewport=WIDE)
    try:
        page = context.new_page()
        page.goto(f"{product.url}/?as=alice")
        link = page.get_by_role("list", name="Requests waiting for you").get_by_role("link").first
        expect(link).to_be_visible()
        _tab_to(page, "a[href*='request']")
        page.keyboard.press("Enter")
        decline = page.get_by_role("button", name="Decline")
        expect(decline).to_be_enabled(timeout=20_000)
        _tab_to(page, "[data-action=decline]")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Decline")).to_be_focused()
        _tab_to(page, "textarea")
        page.keyboard.type("By keyboard.")
        _tab_to(page, "[data-action=decline]")
        expect(decline).to_be_enabled(timeout=20_000)
        page.keyboard.press("Enter")
        expect(outcome(page)).to_contain_text("You declined this")
        expect(page.get_by_role("heading", name="You declined this")).to_be_focused()
        assert product.entries(claim, "input.answered")[0]["value"]["comment"] == "By keyboard."
    finally:
        context.close()


def _tab_to(page: Page, selector: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"the keyboard does not reach {selector}")
