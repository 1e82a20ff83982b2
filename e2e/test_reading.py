"""Nobody approves what they did not read: real clicks, at the places where a person's pointer was."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from e2e.conftest import Product, Visit, large_claim, settled, until
from e2e.test_approval import address, answers_of, outcome, replied

SIZES = {"wide": ViewportSize(width=1280, height=800), "phone": ViewportSize(width=390, height=844)}


def amend(product: Product, claim: str, number: int = 1) -> None:
    """Change one word of the claim: as short an amendment as there is."""
    amended = {**large_claim(), "purpose": f"Amended, {number}."}
    product.call("POST", f"/v1/runs/{claim}/events/claim.amended", {"id": f"amend-{number}", "payload": amended})
    until(lambda: len(product.entries(claim, "input.revised")) == number, "the request is revised")


def box(page: Page, name: str) -> dict[str, float]:
    """Return where a button is."""
    found = page.get_by_role("button", name=name).bounding_box()
    assert found is not None
    return {"x": found["x"], "y": found["y"], "width": found["width"], "height": found["height"]}


def overlap(a: dict[str, float], b: dict[str, float]) -> bool:
    """Tell whether two boxes share a place."""
    return (
        a["x"] < b["x"] + b["width"]
        and b["x"] < a["x"] + a["width"]
        and a["y"] < b["y"] + b["height"]
        and b["y"] < a["y"] + a["height"]
    )


def middle(place: dict[str, float]) -> tuple[float, float]:
    """Return the middle of a box."""
    return place["x"] + place["width"] / 2, place["y"] + place["height"] / 2


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
def test_a_double_click_does_not_acknowledge_and_approve(product: Product, visit: Visit, size: ViewportSize) -> None:
    claim = product.claim()
    page = visit("alice", address(claim), viewport=size)
    replies = answers_of(page)
    send = page.get_by_role("button", name="Approve")
    expect(send).to_be_enabled()
    send.scroll_into_view_if_needed()
    before = box(page, "Approve")
    amend(product, claim)
    notice = page.get_by_role("alert").filter(has_text="This request changed while you were reading")
    expect(notice).to_contain_text("Amended, 1.")
    # It moves nothing, shares no place with what answers, and has the focus.
    assert box(page, "Approve") == before
    assert not overlap(box(page, "Review again"), before)
    assert page.evaluate("document.querySelector('.signoff-amended').contains(document.activeElement)")
    expect(send).to_be_disabled()
    # A double click where the button was that answers does nothing, and the notice stays.
    page.mouse.dblclick(*middle(before))
    expect(notice).to_be_visible()
    # Nor does one on the notice's own button in its first second: too early to have been read.
    again = page.get_by_role("button", name="Review again")
    expect(again).to_be_enabled()
    review = middle(box(page, "Review again"))
    page.mouse.dblclick(*review)
    expect(notice).to_be_hidden()
    assert not overlap({"x": review[0], "y": review[1], "width": 1, "height": 1}, box(page, "Approve"))
    expect(page.get_by_text("Amended, 1.")).to_be_visible()
    # What answers is disarmed for a second, wherever the pointer is.
    page.mouse.dblclick(*middle(box(page, "Approve")))
    assert replies == []
    expect(send).to_be_enabled()
    send.click()
    expect(outcome(page)).to_contain_text("You approved this")
    replied(page, replies, 200)


def test_a_change_of_the_change_is_read_again(product: Product, visit: Visit) -> None:
    claim = product.claim()
    page = visit("alice", address(claim))
    expect(page.get_by_role("button", name="Approve")).to_be_enabled()
    again = page.get_by_role("button", name="Review again")
    amend(product, claim, 1)
    expect(again).to_be_enabled()
    place = middle(box(page, "Review again"))
    amend(product, claim, 2)
    expect(page.get_by_role("alert").filter(has_text="Amended, 2.")).to_be_visible()
    page.mouse.dblclick(*place)  # meant for what was there before
    expect(page.get_by_role("alert").filter(has_text="Amended, 2.")).to_be_visible()
    again.click()
    expect(page.get_by_text("Amended, 2.")).to_be_visible()
    expect(again).to_have_count(0)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
def test_what_is_typed_while_it_changes_stays(product: Product, visit: Visit, size: ViewportSize) -> None:
    claim = product.claim()
    page = visit("alice", address(claim), viewport=size)
    decline, reason = page.get_by_role("button", name="Decline"), page.get_by_role("textbox", name="Why not?")
    decline.click()
    reason.fill("The receipt")
    amend(product, claim)
    notice = page.get_by_role("alert").filter(has_text="This request changed while you were reading")
    expect(notice).to_contain_text("Amended, 1.")
    reason.press_sequentially(" is missing.")
    expect(decline).to_be_disabled()
    page.get_by_role("button", name="Review again").click()
    # What changed is marked where it stands.
    expect(page.locator("blockquote ins")).to_have_text("Amended, 1.")
    decline.click()
    expect(outcome(page)).to_contain_text("You declined this")
    assert product.entries(claim, "input.answered")[0]["value"] == {"comment": "The receipt is missing."}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
def test_however_much_has_changed_the_way_on_is_in_sight(product: Product, visit: Visit, size: ViewportSize) -> None:
    claim = product.claim()
    page = visit("alice", address(claim), viewport=size)
    expect(page.get_by_role("button", name="Approve")).to_be_enabled()
    page.locator(".timeline li").last.scroll_into_view_if_needed()
    newer = large_claim()
    newer |= {"title": "Another title. " * 9, "purpose": "Another purpose. " * 9, "cost_centre": "CC-1"}
    newer["claimant"] |= {"name": "Another name", "department": "Another department"}
    product.call("POST", f"/v1/runs/{claim}/events/claim.amended", {"id": "much", "payload": newer})
    notice = page.get_by_role("alert").filter(has_text="This request changed while you were reading")
    expect(notice).to_contain_text("Another title.")
    around, button = notice.bounding_box(), box(page, "Review again")
    assert around is not None
    assert button["y"] + button["height"] <= around["y"] + around["height"]
    assert around["y"] + around["height"] <= size["height"]


def test_nothing_answers_in_the_first_second(product: Product, visit: Visit) -> None:
    claim = product.claim()
    page = visit("alice")
    replies = answers_of(page)
    page.get_by_role("list", name="Requests waiting for you").get_by_role("link").first.click()
    page.get_by_role("button", name="Approve").wait_for()
    # By keyboard, as fast as a program can.
    page.evaluate("document.querySelector('[data-action=approve]').click()")
    expect(page.get_by_role("button", name="Approve")).to_be_enabled()
    assert replies == []
    assert product.entries(claim, "input.answered") == []


def test_enter_on_a_choice_or_in_a_text_does_not_send(asking: Product, call_on: Visit) -> None:
    page = call_on("alice", asking.ask("enter", of="text"))
    replies = answers_of(page)
    expect(page.get_by_role("button", name="Submit")).to_be_enabled()
    page.get_by_role("textbox", name="Answer").fill("yes")
    page.keyboard.press("Enter")
    page.goto(f"{asking.url}/?as=alice{asking.ask('enter-2', of='yes')}")
    expect(page.get_by_role("button", name="Submit")).to_be_enabled()
    page.get_by_role("radio", name="Yes").check()
    page.keyboard.press("Enter")
    settled(page)
    page.get_by_role("button", name="Submit").click()
    expect(outcome(page)).to_contain_text("You answered this")
    replied(page, replies, 200)
    assert asking.answered("enter-2")["value"] is True


def test_a_refusal_moves_no_choice_under_the_pointer(asking: Product, call_on: Visit) -> None:
    page = call_on("alice", asking.ask("moved", of="transfer", initial={"payee": {"kind": "cash"}}))
    slowly = page.get_by_role("radiogroup", name="How").get_by_role("radio", name="slowly")
    expect(slowly).to_be_checked()
    send = page.get_by_role("button", name="Submit")
    expect(send).to_be_enabled()
    send.scroll_into_view_if_needed()
    before = box(page, "Submit")
    page.mouse.click(*middle(before))
    amount = page.get_by_role("group", name="Payee").get_by_role("textbox", name="Amount")
    expect(amount).to_have_attribute("aria-invalid", "true")
    for _ in range(3):  # impatient clicks where the button was
        page.mouse.click(*middle(before))
    expect(slowly).to_be_checked()
    assert asking.entries("moved", "input.answered") == []


def test_a_form_that_shrinks_puts_no_armed_button_under_the_pointer(asking: Product, call_on: Visit) -> None:
    page = call_on("alice", asking.ask("shrinks", of="texts", initial=[f"Line {n}" for n in range(3)]))
    replies = answers_of(page)
    expect(page.get_by_role("button", name="Submit")).to_be_enabled()
    # Taking a row away moves what stands below it up, to where the pointer is.
    for number in (3, 2, 1):
        page.get_by_role("button", name=f"Remove Item {number}").click()
        page.mouse.click(*middle(box(page, "Submit")))
    assert replies == []
    expect(page.get_by_role("button", name="Submit")).to_be_enabled()


def test_what_lies_above_the_page_and_goes_leaves_no_armed_button_behind(asking: Product, call_on: Visit) -> None:
    first, second = asking.ask("above-1", of="yes"), asking.ask("above-2", of="yes")
    page = call_on("alice", first)
    page.get_by_role("radio", name="Yes").check()
    page.context.set_offline(True)
    settled(page)
    page.get_by_role("button", name="Submit").click()
    expect(outcome(page)).to_contain_text("Waiting for the network")
    page.evaluate("at => { location.hash = at; }", "#/")
    other = call_on("bora", first)
    other.get_by_role("radio", name="No", exact=True).check()
    settled(other)
    other.get_by_role("button", name="Submit").click()
    expect(outcome(other)).to_contain_text("You answered this")
    page.context.set_offline(False)
    told = page.get_by_role("complementary", name="Not delivered")
    expect(told).to_contain_text("Bora had decided already", timeout=15_000)
    page.evaluate("at => { location.hash = at; }", second)
    send = page.get_by_role("button", name="Submit")
    expect(send).to_be_enabled()
    told.get_by_role("button", name="Dismiss").click()
    expect(send).to_be_disabled()
    expect(send).to_be_enabled()
    assert asking.entries("above-2", "input.answered") == []


@pytest.mark.parametrize("action", ["approve", "reject"])
def test_each_action_has_a_button_of_its_own(asking: Product, call_on: Visit, action: str) -> None:
    run = f"two-{action}"
    page = call_on("alice", asking.ask(run, of="yes", actions=["approve", "reject"]))
    buttons = page.locator(".signoff-actions button")
    expect(buttons).to_have_text(["Approve", "Reject"])
    if action == "approve":
        page.get_by_role("radio", name="Yes").check()
    page.get_by_role("button", name=action.capitalize(), exact=True).click()
    expect(outcome(page)).to_contain_text("You approved this" if action == "approve" else "You rejected this")
    entry: dict[str, Any] = asking.answered(run)
    assert (entry["action"], entry["value"]) == (action, True if action == "approve" else None)


def test_the_focus_goes_to_the_outcome(asking: Product, call_on: Visit) -> None:
    page = call_on("alice", asking.ask("focus", of="yes"))
    page.get_by_role("radio", name="Yes").check()
    settled(page)
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", name="You answered this")).to_be_focused()
