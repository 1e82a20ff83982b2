"""What a person types and has not sent: on their other devices, offline, for the next day, and over nothing newer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from e2e.conftest import Product, Visit, settled
from e2e.test_offline import Profile, visit


@pytest.fixture
def profile(chromium: Browser, tmp_path: Path) -> Iterator[Profile]:
    """A browser's profile, in which browsers can be opened one after the other."""
    profile = Profile(chromium, tmp_path / "profile")
    yield profile
    profile.close()


def field(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Answer")


def told(page: Page) -> Locator:
    """Where what was filled in is, as the page says."""
    return page.locator(".signoff-draft")


def press(page: Page, name: str) -> None:
    settled(page)
    page.locator(".signoff-draft").get_by_role("button", name=name).click()


def test_what_is_filled_in_is_on_the_second_device_and_goes_with_the_answer(asking: Product, call_on: Visit) -> None:
    at = asking.ask("devices", of="text")
    # Where somebody has never saved any, a page looks for them every five seconds.
    asking.call("POST", "/v1/runs/devices/inputs/ask%3A0/draft", {"value": {}}, who="alice")
    desk, phone = call_on("alice", at), call_on("alice", at)
    field(desk).fill("Begun at the desk")
    expect(field(phone)).to_have_value("Begun at the desk")
    expect(told(phone)).to_contain_text("is saved")
    field(phone).press("End")
    field(phone).press_sequentially(", ended on the phone.")
    expect(field(desk)).to_have_value("Begun at the desk, ended on the phone.")
    bora = call_on("bora", at)
    expect(field(bora)).to_have_value("")
    settled(phone)
    phone.get_by_role("button", name="Submit").click()
    expect(phone.get_by_text("You answered this").first).to_be_visible()
    assert asking.answered("devices")["value"] == "Begun at the desk, ended on the phone."
    asking.ask("devices-2", of="text")
    desk.goto(f"{asking.url}/?as=alice#/request/devices-2/ask%3A0")
    expect(field(desk)).to_have_value("")


def test_what_is_typed_offline_is_saved_a_day_later_and_over_nothing_newer(
    asking: Product, call_on: Visit, profile: Profile
) -> None:
    context = profile.open()
    alone, both = asking.ask("train-1", of="text"), asking.ask("train-2", of="text", title="How many?")
    page, other = visit(context, asking, alone), visit(context, asking, both)
    for tab in (page, other):
        expect(field(tab)).to_be_visible()
    context.set_offline(True)
    for tab in (page, other):
        field(tab).fill("On the train")
        expect(told(tab)).to_contain_text("Kept on this device")
    profile.close()
    phone = call_on("alice", both)
    field(phone).fill("On the phone")
    expect(told(phone)).to_contain_text("is saved")

    page = profile.open().new_page()
    page.clock.install(time=datetime.now(UTC) + timedelta(days=1))
    page.goto(f"{asking.url}/?as=bora{alone}")
    expect(field(page)).to_have_value("")
    # It is saved by whatever page comes next, wherever that is.
    page.goto(f"{asking.url}/?as=alice")
    phone.goto(f"{asking.url}/?as=alice{alone}")
    expect(field(phone)).to_have_value("On the train")
    page.goto(f"{asking.url}/?as=alice{both}")
    expect(field(page)).to_have_value("On the train")
    expect(told(page)).to_contain_text("You filled this in elsewhere, too")
    page.reload()
    told(page).get_by_text("What differs there").click()
    expect(told(page).locator("ins")).to_have_text("On the phone")
    page.clock.run_for(1500)
    press(page, "Take what is there")
    expect(field(page)).to_have_value("On the phone")
    expect(told(page)).to_contain_text("is saved")


def test_what_is_shown_offline_says_how_old_it_is(asking: Product, call_on: Visit) -> None:
    page = call_on("alice", asking.ask("old", of="text"))
    expect(field(page)).to_be_visible()
    asking.kill()
    try:
        expect(page.locator(".connection").get_by_text("as it was").first).to_be_visible()
        expect(page.locator(".connection time").first).to_be_visible()
    finally:
        asking.start()
    expect(page.get_by_role("status", name="Connection").first).to_have_text("Live", timeout=30_000)
    expect(page.locator(".connection").get_by_text("as it was")).to_have_count(0)
