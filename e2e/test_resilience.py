"""Nothing blanks the page: whatever is stored, shown, hinted, or set wrong around it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from e2e.conftest import Product, Visit, large_claim, settled, until
from e2e.test_approval import address, outcome

BLOCKED = """
for (const name of ['localStorage', 'sessionStorage']) {
  Object.defineProperty(window, name, { get() { throw new DOMException('denied', 'SecurityError'); } });
}
"""
FULL = "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };"


@pytest.mark.parametrize("script", [BLOCKED, FULL], ids=["blocked", "full"])
def test_without_storage_one_can_decide(asking: Product, call_on: Visit, script: str) -> None:
    run = f"store-{len(script)}"
    page = call_on("alice", asking.ask(run, of="text"), script=script)
    page.get_by_role("textbox", name="Answer").fill("No storage.")
    settled(page)
    page.get_by_role("button", name="Submit").click()
    expect(outcome(page)).to_contain_text("You answered this")
    page.get_by_role("combobox", name="You are").select_option("bora")
    expect(page.get_by_role("heading", name="Waiting for you")).to_be_visible()
    assert asking.answered(run)["value"] == "No storage."


KEEP = """
([name, text]) => new Promise((done, failed) => {
  const opening = indexedDB.open('signoff');
  opening.onsuccess = () => {
    const writing = opening.result.transaction('drafts', 'readwrite');
    writing.objectStore('drafts').put(text, name);
    writing.oncomplete = () => { opening.result.close(); done(); };
    writing.onerror = failed;
  };
})
"""


def test_a_tampered_draft_is_no_answer(asking: Product, call_on: Visit) -> None:
    page = call_on("alice", asking.ask("tampered", of="numbers"))
    field = page.get_by_role("textbox", name="A", exact=True)
    for draft in [[], "x", {"submit": {"a": {"b": 1}, "d": [1]}}, {"submit": "text"}, {"submit": [None]}]:
        asking.call("POST", "/v1/runs/tampered/inputs/ask%3A0/draft", {"value": draft}, who="alice")
        page.reload()
        expect(page.get_by_text("What you filled in is saved")).to_be_visible()
        expect(field).to_have_value("")
    name = json.dumps([asking.url, "alice", "tampered", "ask:0"], separators=(",", ":"))
    for text in ["{", "null", "[]", '{"runId": "tampered", "value": {"submit": {"a": 1}}}']:
        page.evaluate(KEEP, [f"signoff:draft:{name}", text])
        page.reload()
        expect(page.get_by_text("What you filled in is saved")).to_be_visible()
        expect(field).to_have_value("")


def test_hints_that_mean_nothing_are_passed_over(asking: Product, call_on: Visit) -> None:
    hints = [
        {"ui:widget": "hologram"},
        {"ui:widget": 5, "ui:enumNames": "no"},
        {"ui:enumNames": ["Only one"]},
        {"ui:field": {}},
    ]
    page = call_on("alice")
    for number, ui in enumerate(hints):
        page.goto(f"{asking.url}/?as=alice{asking.ask(f'ui-{number}', of='yes', ui=ui)}")
        expect(page.get_by_role("radiogroup", name="Answer").get_by_role("radio")).to_have_count(2)


def nearly() -> list[Any]:
    """Return what looks like a claim at first sight."""
    claim = large_claim()
    report: dict[str, Any] = {"claim": claim, "amount": "1", "findings": []}
    return [
        {**report, "claim": {**claim, "items": [None]}},
        {**report, "claim": {**claim, "claimant": {"name": 5}}},
        {**report, "claim": {**claim, "total": {"a": 1}, "trip": "Oslo"}},
        {**report, "findings": [{"code": None}]},
        {"claim": {"claimant": {}, "items": [], "currency": "EUR"}, "findings": [1]},
    ]


def test_what_nearly_looks_like_a_claim_is_shown_by_its_members(asking: Product, call_on: Visit) -> None:
    page = call_on("alice")
    for number, shown in enumerate(nearly()):
        page.goto(f"{asking.url}/?as=alice{asking.ask(f'near-{number}', of='yes', show=shown)}")
        expect(page.get_by_role("region", name="What is shown")).to_contain_text("Claim")
        expect(page.get_by_role("radio", name="Yes")).to_be_visible()


def test_a_clock_that_is_a_day_off_changes_no_deadline(product: Product, visit: Visit) -> None:
    claim = product.claim()
    page = visit("alice", address(claim), script="")
    expect(page.get_by_role("article").get_by_text("due in 3 days")).to_be_visible()
    for off in (timedelta(hours=-26), timedelta(hours=94)):
        later = visit("alice")
        later.clock.install(time=datetime.now(UTC) + off)
        later.goto(f"{product.url}/?as=alice{address(claim)}")
        later.reload()
        expect(later.get_by_role("article").get_by_text("due in 3 days")).to_be_visible()
        expect(later.get_by_text("ago", exact=False).first).not_to_contain_text("hour")


def test_a_run_of_three_thousand_steps_leaves_the_page_at_ease(asking: Product, call_on: Visit) -> None:
    asking.call("POST", "/v1/runs", {"workflow": "busy", "run_id": "busy", "input": 3000})
    until(lambda: asking.row("busy")["status"] == "waiting", "the run has taken its steps", 60)
    watch = (
        "new PerformanceObserver(list => (window.long ??= []).push(...list.getEntries())).observe({type: 'longtask'});"
    )
    page = call_on("alice", "#/runs/busy", script=watch)
    timeline = page.get_by_role("region", name="Timeline")
    expect(timeline).to_contain_text("3002 entries", timeout=30_000)
    expect(timeline.get_by_role("listitem")).to_have_count(100)
    page.evaluate("window.long = []")
    begin = page.evaluate("performance.now()")
    # Three ticks of the page's clock.
    page.wait_for_function("begin => performance.now() > begin + 3200", arg=begin)
    assert page.evaluate("Math.max(0, ...window.long.map(task => task.duration))") < 100
    page.get_by_role("button", name="Show earlier entries").click()
    expect(timeline.get_by_role("listitem")).to_have_count(600)


def test_paper_has_all_of_it(asking: Product, call_on: Visit) -> None:
    page = call_on("alice", asking.ask("paper", of="yes", show={"lines": [f"Line {n}." for n in range(300)]}))
    shown = page.get_by_role("region", name="What is shown")
    expect(shown.get_by_role("listitem")).to_have_count(100)
    page.emulate_media(media="print")
    expect(shown.get_by_role("listitem")).to_have_count(300)
    clipped = page.evaluate(
        "[...document.querySelectorAll('main, main *')].filter(e => e.scrollHeight > e.clientHeight + 1"
        " && !['visible', 'clip'].includes(getComputedStyle(e).overflowY)).map(e => e.className)"
    )
    assert clipped == []
    assert b"/Count 1 " not in page.pdf(), "three hundred lines fit on no single page"


def test_forced_colors_show_what_is_chosen(asking: Product, call_on: Visit) -> None:
    page = call_on("alice", asking.ask("forced", of="yes"), forced_colors="active")
    page.get_by_role("radio", name="Yes").check()
    expect(page.get_by_role("radio", name="Yes")).to_have_css("appearance", "auto")
    line = "kind => getComputedStyle(document.querySelector('.timeline li'), kind).backgroundColor"
    ink = page.evaluate("getComputedStyle(document.body).color")
    assert [page.evaluate(line, kind) for kind in ("::before", "::after")] == [ink, ink]
