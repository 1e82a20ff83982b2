"""The built-in console, page by page: what people see of one another, what has changed, and what waits."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from e2e.conftest import Console, Product, asked, settled
from e2e.test_accessibility import violations

WIDE, PHONE = ViewportSize(width=1280, height=800), ViewportSize(width=375, height=780)
LIST = "Requests waiting for you"


def row(page: Page, title: str, called: str = LIST) -> Locator:
    """Return the row of a request in the list."""
    return page.get_by_role("list", name=called).get_by_role("listitem").filter(has_text=title)


def test_votes_are_seen_by_all_and_decide_together(consoled: Product, console: Console) -> None:
    at = asked(consoled, "voted", to=["user:ann", "user:ben"], need=2)
    ann, ben = console(at, who="ann", groups=""), console(at, who="ben", groups="")
    votes = ben.get_by_role("region", name="Votes")
    expect(votes.get_by_text("Nobody has voted yet.")).to_be_visible()
    ann.get_by_role("button", name="Approve").click()
    expect(ann.get_by_role("region", name="Votes").get_by_text("Your vote counts.")).to_be_visible()
    expect(votes.get_by_text("ann: Approve")).to_be_visible()
    expect(votes.get_by_role("progressbar", name="Approve")).to_have_attribute("value", "1")
    expect(row(ben, "Pay voted?").get_by_text("1/2")).to_be_visible()
    settled(ben)
    ben.get_by_role("button", name="Approve").click()
    for page in (ann, ben):
        expect(page.get_by_text("chose “Approve”").first).to_be_visible()
    assert consoled.answered("voted")["action"] == "approve"


def test_what_happens_next_and_what_has_happened_stand_beside_a_request(consoled: Product, console: Console) -> None:
    at = asked(consoled, "timed", to=["user:una"], deadline="5d", remind=["2d"])
    una = console(at, who="una", groups="")
    following = una.get_by_role("region", name="What happens next").get_by_role("listitem")
    expect(following.filter(has_text="Reminder")).to_contain_text("in 2 days")
    expect(following.filter(has_text="It expires")).to_contain_text("in 5 days")
    una.get_by_role("button", name="Hand on …").click()
    dialog = una.get_by_role("dialog", name="Hand on")
    dialog.get_by_label("To whom").fill("user:vic")
    dialog.get_by_label("Why").fill("On holiday")
    dialog.get_by_role("button", name="Hand on").click()
    expect(dialog).to_have_count(0)
    vic = console(at, who="vic", groups="")
    history = vic.get_by_role("region", name="What has happened").get_by_role("listitem")
    expect(history.filter(has_text="Handed on to")).to_contain_text("On holiday")
    vic.get_by_role("button", name="Approve").click()
    expect(history.filter(has_text="You chose “Approve”")).to_be_visible()
    vic.goto(vic.url.split("#")[0] + "#/runs/timed")
    timeline = vic.get_by_role("list", name="Timeline").get_by_role("listitem")
    expect(timeline).to_contain_text(["Started", "Exchange rate", "Pay timed?", "You chose “Approve”", "Completed"])


def test_what_has_changed_since_one_looked_is_marked_and_told(consoled: Product, console: Console) -> None:
    at = asked(consoled, "moved", to=["user:kay", "user:lou"], show={"total": "412.50"})
    kay, lou = console(who="kay", groups=""), console(at, who="lou", groups="")
    expect(row(kay, "Pay moved?").get_by_text("New")).to_be_attached()
    row(kay, "Pay moved?").get_by_role("link").click()
    expect(kay.get_by_role("heading", name="Pay moved?")).to_be_visible()
    expect(kay.get_by_text("Since you looked last")).to_have_count(0)
    kay.keyboard.press("Escape")
    expect(kay.get_by_text("Choose a request")).to_be_visible()
    expect(row(kay, "Pay moved?").get_by_text("Changed")).to_have_count(0)
    body = {"show": {"total": "512.50"}, "title": "Pay moved? (more)", "reason": "The second night was missing"}
    consoled.call("POST", "/v1/runs/moved/inputs/approve:0/revise", body)
    lou.get_by_label("Say something to all who see this request").fill("Look again.")
    lou.get_by_role("button", name="Comment", exact=True).click()
    changed = row(kay, "Pay moved? (more)")
    expect(changed.get_by_text("Changed")).to_be_visible()
    expect(changed.get_by_text("1 Comments")).to_be_visible()
    changed.get_by_role("link").click()
    since = kay.get_by_role("status").filter(has_text="Since you looked last")
    expect(since).to_contain_text("It was called “Pay moved?”")
    expect(since).to_contain_text("lou commented")
    expect(since.get_by_role("deletion")).to_contain_text("412.50")
    expect(since.get_by_role("insertion")).to_contain_text("512.50")
    expect(changed.get_by_text("Changed")).to_have_count(0)
    kay.reload()
    expect(kay.get_by_role("heading", name="Pay moved? (more)")).to_be_visible()
    expect(kay.get_by_text("Since you looked last")).to_have_count(0)
    # What comes above the buttons moves them: they rest for a second, and take the first click after it.
    lou.get_by_label("Say something to all who see this request").fill("And once more.")
    lou.get_by_role("button", name="Comment", exact=True).click()
    expect(kay.get_by_role("status").filter(has_text="Since you looked last")).to_contain_text("lou commented")
    settled(kay)
    expect(kay.get_by_role("button", name="Approve")).to_be_enabled()
    kay.get_by_role("button", name="Approve").click()
    expect(kay.get_by_text("You chose “Approve”").first).to_be_visible()


def test_a_run_that_has_gone_on_since_one_looked_is_marked(consoled: Product, console: Console) -> None:
    asked(consoled, "gone-on", to=["user:max"])
    page = console("#/runs/gone-on")
    expect(page.get_by_role("list", name="Timeline").get_by_text("Waits for max")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Choose a run")).to_be_visible()
    answer = {"submission_id": "s", "action": "approve", "value": {"comment": ""}}
    seen = consoled.call("GET", "/v1/runs/gone-on/inputs/approve:0")["input"]["revised"]
    consoled.call("POST", "/v1/runs/gone-on/inputs/approve:0/answer", {**answer, "seen_offset": seen})
    run = page.get_by_role("list", name="Runs").get_by_role("listitem").filter(has_text="gone-on")
    expect(run.get_by_text("Completed")).to_be_visible()
    expect(run.get_by_text("Changed")).to_be_attached()
    run.get_by_role("link").click()
    expect(page.get_by_text("It was “Waiting” and is “Completed” now.")).to_be_visible()
    expect(run.get_by_text("Changed")).to_have_count(0)


def test_an_answer_that_waits_for_the_network_is_listed_until_it_has_gone(consoled: Product, console: Console) -> None:
    at = asked(consoled, "offline", to=["user:nat"])
    page = console(at, who="nat", groups="")
    expect(page.get_by_role("button", name="Approve")).to_be_enabled()
    page.context.set_offline(True)
    expect(page.get_by_text("Offline: what you see may be old")).to_be_visible()
    settled(page)
    page.get_by_role("button", name="Approve").click()
    waiting = page.get_by_role("complementary", name="Not delivered")
    expect(waiting.get_by_text("Your answer waits to be sent")).to_be_visible()
    expect(waiting.get_by_role("link", name="Approve: offline · approve:0")).to_be_visible()
    expect(waiting.get_by_role("time")).to_be_visible()
    page.get_by_role("link", name="Inbox").click()
    expect(waiting.get_by_role("link")).to_be_visible()
    page.context.set_offline(False)
    expect(waiting).to_have_count(0)
    assert consoled.answered("offline")["by"]["id"] == "user:nat"


def test_back_and_forward_go_over_filters(consoled: Product, console: Console) -> None:
    asked(consoled, "back-due", title="Due soon", to=["user:oda"], deadline="2h")
    asked(consoled, "back-far", title="Due late", to=["user:oda"], deadline="9d")
    page = console(who="oda", groups="")
    rows = page.get_by_role("list", name=LIST).get_by_role("link")
    expect(rows).to_have_count(2)
    page.get_by_role("button", name=re.compile("Due in a day")).click()
    expect(rows).to_have_count(1)
    page.get_by_label("Sort by").select_option("title")
    rows.first.click()
    expect(page.get_by_role("heading", name="Due soon")).to_be_visible()
    page.go_back()
    page.go_back()
    expect(page.get_by_label("Sort by")).to_have_value("new")
    expect(rows).to_have_count(1)
    page.go_back()
    expect(rows).to_have_count(2)
    page.go_forward()
    expect(page.get_by_role("button", name=re.compile("Due in a day"))).to_have_attribute("aria-pressed", "true")
    page.get_by_role("searchbox").press_sequentially("soon")
    assert "q=soon" in page.url
    page.go_back()  # what was typed is one place with where it was typed
    expect(rows).to_have_count(2)


def test_an_operator_needs_no_pointer(consoled: Product, console: Console) -> None:
    asked(consoled, "by-keys", to=["user:pia"])
    page = console("#/runs?workflow=approve&tag=&started_by=")
    expect(page.get_by_role("list", name="Runs").get_by_role("link", name="by-keys")).to_be_visible()
    for key in ("j", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_role("heading", name="Approve Waiting")).to_be_visible()
    for _ in range(12):  # a list is one step, however long
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim() === 'Pause'"):
            break
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Pause “by-keys”?")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert page.evaluate("document.activeElement.textContent.trim()") == "Pause"
    page.keyboard.press("Escape")
    expect(page.get_by_text("Choose a run")).to_be_visible()
    for key in ("g", "s"):
        page.keyboard.press(key)
    expect(page.get_by_role("heading", name="System")).to_be_visible()


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_from_right_to_left_it_is_its_mirror_image(consoled: Product, console: Console, size: ViewportSize) -> None:
    name = f"rtl-{size['width']}"
    show = {"שם": "דנה", "lines": [{"what": "Hotel by the very long name of a place", "amount": "320.00"}] * 2}
    at = asked(consoled, name, title="לשלם את החשבון?", to=["user:dana"], deadline="2d", remind=["1d"], show=show)
    page = console(who="dana", groups="", viewport=size, bypass_csp=True, reduced_motion="reduce")
    places = {
        "": page.get_by_role("list", name=LIST),
        at: page.get_by_role("button", name="Approve"),
        "#/runs": page.get_by_role("list", name="Runs"),
        f"#/runs/{name}": page.get_by_role("list", name="Timeline"),
    }
    if size is PHONE:
        places = {place: sign for place, sign in places.items() if place in {"", at}}
    for place, sign in places.items():
        page.goto(f"{consoled.url}/console/?dir=rtl{place}")
        expect(sign).to_be_visible()
        assert violations(page) == [], place
        wide = (
            "[document.documentElement, ...document.querySelectorAll('.pane, .card')]"
            ".filter(e => e.scrollWidth > e.clientWidth).map(e => e.className)"
        )
        assert page.evaluate(wide) == [], place
        if size is WIDE:
            listed, detail = (page.locator(part).bounding_box() for part in (".list-pane", ".detail-pane"))
            assert listed is not None
            assert detail is not None
            assert detail["x"] == 0
            assert listed["x"] == detail["width"], "the list is at the right, where reading begins"


# What reaches out of the card that it is in, but for what scrolls; and whether that card covers the next.
OVER = """() => {
    const box = place => document.querySelector(place).getBoundingClientRect();
    const [shown, decide] = [box('.about .card'), box('.decide .card')];
    const cells = [...document.querySelectorAll('.about :is(td, th)')].filter(cell => !cell.closest('.signoff-scroll'));
    const over = cells.filter(cell => cell.getBoundingClientRect().right > shown.right + 1).map(cell => cell.innerText);
    if (shown.right > decide.left && shown.bottom > decide.top) over.push('the card');
    return over;
}"""


def test_what_a_whole_screen_holds_stays_in_its_place(consoled: Product, console: Console) -> None:
    long = "averyveryverylongnamewithoutanyspaceinit" * 4
    lines = [{"what": f"Line {n}", "receipt": f"receipt-{n}-2026-06-04.pdf", "amount": "320.00"} for n in range(3)]
    show = {"claim": {"by": {"email": f"{long}@example.org"}, "items": lines}, long[:60]: long}
    at = asked(consoled, "long", title=f"Pay {long}?", to=["user:quinn"], show=show)
    for size in (WIDE, PHONE):
        page = console(at, who="quinn", groups="", viewport=size)
        expect(page.get_by_role("button", name="Approve")).to_be_visible()
        assert page.evaluate(OVER) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_what_one_person_works_on_an_operator_takes_away_for_a_reason(consoled: Product, console: Console) -> None:
    at = asked(consoled, "held", to=["user:ray"])
    ray, operator = console(at, who="ray", groups=""), console(at)
    ray.get_by_role("button", name="I work on it").click()
    operator.get_by_role("button", name="Take it away").click()
    dialog = operator.get_by_role("dialog")
    dialog.get_by_label("Why").fill("He is ill")
    dialog.get_by_role("button", name="Take it away").click()
    expect(ray.get_by_text("Nobody works on it yet.")).to_be_visible()
    history = ray.get_by_role("region", name="What has happened").get_by_role("listitem")
    expect(history.filter(has_text="Taken away")).to_contain_text("He is ill")


def test_what_waits_for_anybody_is_told_by_streams(consoled: Product, console: Console) -> None:
    asked(consoled, "told-1", to=["user:sam"])
    page = console()
    everybody = "Requests waiting for people"
    with (
        page.expect_request(lambda sent: "/v1/live" in sent.url and '"inbox/user:sam"' in (sent.post_data or "")),
        page.expect_request(lambda sent: "/v1/live" in sent.url and '"workflows/approve"' in (sent.post_data or "")),
    ):
        page.reload()
    expect(row(page, "Pay told-1?", everybody)).to_be_visible()
    asked(consoled, "told-2", to=["user:sam"])
    expect(row(page, "Pay told-2?", everybody)).to_be_visible()
