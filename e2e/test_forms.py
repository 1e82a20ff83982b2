"""What is sent is what was typed; what the form cannot show it says, and takes as JSON."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from e2e.asking import EVIL
from e2e.conftest import Product, Visit, settled
from e2e.test_approval import answers_of, outcome


def send(page: Page) -> None:
    """Press the button that answers."""
    settled(page)
    page.get_by_role("button", name="Submit").click()


@pytest.mark.parametrize("locale", ["en-US", "de-DE"])
def test_a_number_is_what_was_typed(asking: Product, call_on: Visit, locale: str) -> None:
    page = call_on("alice", asking.ask(f"numbers-{locale}", of="numbers"), locale=locale)
    typed = ["1,5", "1.500,25", "1,500.25", "9007199254740992", "12345678901234567890,10"]
    for name, text in zip("ABCDE", typed, strict=True):
        page.get_by_role("textbox", name=name, exact=True).fill(text)
    send(page)
    expect(outcome(page)).to_contain_text("You answered this")
    sent = {"a": 1.5, "b": 1500.25, "c": 1500.25, "d": 9007199254740992, "e": "12345678901234567890.10"}
    assert asking.answered(f"numbers-{locale}")["value"] == sent


def test_what_cannot_be_sent_as_typed_is_refused_at_its_field(asking: Product, call_on: Visit) -> None:
    page = call_on("alice", asking.ask("refused", of="numbers"))
    replies = answers_of(page)
    said = {
        "A": ("1,500", "can be read as 1.5 or as 1500"),
        "D": ("12345678901234567890", "would arrive as 12345678901234567000"),
        "E": ("a lot", "is not a number"),
    }
    for name, (text, _) in said.items():
        page.get_by_role("textbox", name=name, exact=True).fill(text)
    send(page)
    for name, (_, complaint) in said.items():
        field = page.get_by_role("textbox", name=name, exact=True)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(re.compile(complaint))
    expect(page.get_by_role("textbox", name="A", exact=True)).to_be_focused()
    assert replies == []


def test_a_wheel_changes_no_number(asking: Product, call_on: Visit) -> None:
    page = call_on("alice", asking.ask("wheel", of="number"))
    field = page.get_by_role("textbox", name="Answer")
    field.fill("5")
    field.hover()
    page.mouse.wheel(0, 400)
    page.mouse.wheel(0, -100)
    send(page)
    assert asking.answered("wheel")["value"] == 5


def test_a_proposal_of_the_wrong_kind_is_not_turned_into_text(asking: Product, call_on: Visit) -> None:
    page = call_on("alice", asking.ask("wrong", of="text", initial={"a": 1}))
    expect(page.get_by_text("does not fit this form")).to_be_visible()
    expect(page.get_by_role("textbox", name="Answer")).to_have_value("")
    send(page)
    assert asking.answered("wrong")["value"] == ""


def test_a_form_of_every_sort_goes_out_as_it_was_filled_in(asking: Product, call_on: Visit) -> None:
    page = call_on("alice", asking.ask("order", of="order"))
    page.get_by_role("textbox", name="Amount", exact=True).first.fill("0,10")
    page.get_by_role("textbox", name="Rate").fill("2.5")
    page.get_by_role("textbox", name="Count").fill("3")
    page.get_by_role("radiogroup", name="Sure").get_by_role("radio", name="Yes").check()
    size, labels = page.get_by_role("group", name="Size"), page.get_by_role("group", name="Labels")
    size.get_by_role("textbox", name="1").fill("4")
    size.get_by_role("textbox", name="2").fill("5")
    page.get_by_role("button", name="Add a row: Labels").click()
    labels.get_by_role("textbox", name="Name 1").fill("a/b")
    labels.get_by_role("textbox", name="Value 1").fill("7")
    page.get_by_role("button", name="Add a row: Notes").click()
    page.get_by_role("group", name="Notes").get_by_role("textbox", name="Item 1").fill("first")
    page.get_by_role("combobox", name="Pay").select_option("Cash")
    page.get_by_role("group", name="Pay").get_by_role("textbox", name="Amount").fill("9")
    extra = page.get_by_role("textbox", name="Extra")
    expect(extra).to_have_accessible_description(re.compile("Write it as JSON"))
    extra.fill('{"deep": [1, {"x": null}]}')
    # A pattern that JavaScript cannot read is the server's affair: the optional field is empty, and stays out.
    send(page)
    expect(outcome(page)).to_contain_text("You answered this")
    assert asking.answered("order")["value"] == {
        "amount": "0.10",
        "rate": 2.5,
        "count": 3,
        "sure": True,
        "size": [4, 5],
        "labels": {"a/b": 7},
        "notes": ["first"],
        "pay": {"kind": "cash", "amount": 9},
        "extra": {"deep": [1, {"x": None}]},
    }


def test_a_pattern_of_python_is_checked_by_the_server(asking: Product, call_on: Visit) -> None:
    page = call_on(
        "alice", asking.ask("year", of="order", initial={"amount": "1", "rate": 1, "count": 1, "sure": True})
    )
    year = page.get_by_role("textbox", name="Year")
    year.fill("next year")
    page.get_by_role("group", name="Size").get_by_role("textbox", name="1").fill("1")
    page.get_by_role("group", name="Size").get_by_role("textbox", name="2").fill("1")
    page.get_by_role("textbox", name="Extra").fill("{}")
    page.get_by_role("combobox", name="Pay").select_option("Card")
    page.get_by_role("group", name="Pay").get_by_role("textbox", name="Number").fill("4")
    send(page)
    expect(year).to_have_attribute("aria-invalid", "true")
    year.fill("2026")
    send(page)
    expect(outcome(page)).to_contain_text("You answered this")
    assert asking.answered("year")["value"]["year"] == "2026"


def test_members_of_one_kind_have_names_of_their_own_and_tables_room(asking: Product, call_on: Visit) -> None:
    size = {"width": 390, "height": 844}
    page = call_on("alice", asking.ask("transfer", of="transfer", initial={"payee": {"kind": "cash"}}), viewport=size)
    page.get_by_role("group", name="Payee").get_by_role("textbox", name="Amount").fill("5")
    box = page.get_by_role("textbox", name="Item 2").first.bounding_box()
    assert box is not None
    assert box["width"] > 100
    # Without a value it would be the default: nobody can choose nothing.
    expect(page.get_by_role("radiogroup", name="How").get_by_role("radio")).to_have_count(2)
    send(page)
    expect(outcome(page)).to_contain_text("You answered this")
    assert asking.answered("transfer")["value"]["table"] == [[1, 2], [3]]


def test_what_a_validator_says_stands_at_the_field_in_every_tab(asking: Product, call_on: Visit) -> None:
    at = asking.ask("seat", workflow="seat")
    first, second = call_on("alice", at), call_on("bora", at)
    second.get_by_role("textbox", name="E-mail").fill("carla@example.com")
    first.get_by_role("textbox", name="E-mail").fill("bora@example.com")
    send(first)
    for page in (first, second):
        field = page.get_by_role("textbox", name="E-mail")
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description("That address is taken.")
    expect(first.get_by_role("textbox", name="E-mail")).to_be_focused()
    # What the other has typed stays, and is judged by itself.
    send(second)
    expect(outcome(second)).to_contain_text("You answered this")
    expect(outcome(first)).to_contain_text("Bora answered this")
    assert asking.reaches("seat", "completed")["output"] == "carla@example.com"


def test_a_row_is_added_moved_and_removed_by_keyboard(asking: Product, call_on: Visit) -> None:
    page = call_on("alice", asking.ask("rows", of="texts", initial=["one"]))
    expect(page.get_by_role("button", name="Submit")).to_be_enabled()
    page.get_by_role("button", name="Add a row: Answer").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("two")
    page.get_by_role("button", name="Move Item 2 up").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Move Item 1 down")).to_be_focused()
    expect(page.get_by_role("textbox", name="Item 1")).to_have_value("two")
    page.get_by_role("button", name="Remove Item 2").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Remove Item 1")).to_be_focused()
    send(page)
    assert asking.answered("rows")["value"] == ["two"]


def test_whatever_a_request_says_is_text(asking: Product, call_on: Visit) -> None:
    said = f'{EVIL} **b** [x](javascript:window.__xss=1) <https://a.example/"onclick=window.__xss=1>'
    page = call_on(
        "alice", asking.ask("evil", of="hostile", title=EVIL, description=said, show={EVIL: [said, {EVIL: 1}]})
    )
    expect(page.locator(".signoff-description strong")).to_have_text("b")
    page.get_by_role("button", name="Submit").click()
    expect(page.locator("[aria-invalid=true]").first).to_be_visible()
    assert page.evaluate("window.__xss") is None
    assert page.locator("article :is(script, img, svg, a[href^=javascript], [onclick], [style])").count() == 0
