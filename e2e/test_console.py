"""The built-in console: people and operators, on a real server, in Chromium."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from e2e.conftest import HERE, Console, Product, asked, until
from e2e.prefixed import SECRET
from e2e.test_accessibility import violations
from signoff import tokens

WIDE, PHONE = ViewportSize(width=1280, height=800), ViewportSize(width=375, height=780)
LIST = "Requests waiting for you"


def test_a_request_is_seen_by_those_who_are_asked_and_decided_before_their_eyes(
    consoled: Product, console: Console
) -> None:
    alice, bora, chidi = console(who="alice"), console(who="bora"), console(who="chidi", groups="audit")
    expect(chidi.get_by_text("Nothing waits for you")).to_be_visible()
    at = asked(consoled, "lamp")
    for page in (alice, bora):
        expect(page.get_by_role("list", name=LIST).get_by_role("link", name="Pay lamp?")).to_be_visible()
    expect(chidi.get_by_text("Nothing waits for you")).to_be_visible()
    assert "j" not in chidi.get_by_role("main").inner_text().split()

    bora.goto(bora.url.split("#")[0] + at)
    expect(bora.get_by_role("button", name="Reject")).to_be_enabled()
    alice.get_by_role("link", name="Pay lamp?").click()
    alice.get_by_label("Comment", exact=False).first.fill("Fine.")
    alice.get_by_role("button", name="Approve").click()
    expect(alice.get_by_text("You chose “Approve”").first).to_be_visible()
    expect(bora.get_by_text("alice chose “Approve”").first).to_be_visible()
    expect(bora.get_by_role("link", name="Pay lamp?")).to_have_count(0)
    entry = consoled.answered("lamp")
    assert (entry["action"], entry["value"], entry["by"]["id"]) == ("approve", {"comment": "Fine."}, "user:alice")


def test_what_one_person_works_on_nobody_else_answers(consoled: Product, console: Console) -> None:
    at = asked(consoled, "desk")
    alice, bora = console(at, who="alice"), console(at, who="bora")
    alice.get_by_role("button", name="I work on it").click()
    expect(alice.get_by_text("You work on it, until")).to_be_visible()
    expect(bora.get_by_text("alice works on it, until")).to_be_visible()
    expect(bora.get_by_role("button", name="Approve")).to_have_count(0)
    alice.get_by_role("button", name="Give it back").click()
    expect(bora.get_by_text("Nobody works on it yet.")).to_be_visible()
    bora.get_by_label("Say something to all who see this request").fill("I take it.")
    bora.get_by_role("button", name="Comment", exact=True).click()
    expect(alice.get_by_role("list", name="Comments").get_by_text("I take it.")).to_be_visible()


def test_what_is_searched_filtered_and_sorted_stands_in_the_address(consoled: Product, console: Console) -> None:
    asked(consoled, "due-soon", title="Zebra crossing", deadline="2h")
    asked(consoled, "due-late", title="Aardvark enclosure", deadline="9d")
    page = console(who="zoe", groups="finance")
    rows = page.get_by_role("list", name=LIST).get_by_role("link")
    page.get_by_role("searchbox").fill("zebra")
    expect(rows).to_have_count(1)
    expect(page.get_by_role("button", name=re.compile("^All"))).to_contain_text("1")
    page.get_by_role("searchbox").fill("")
    page.get_by_role("button", name=re.compile("Due in a day")).click()
    expect(rows.filter(has_text="Zebra")).to_be_visible()
    expect(rows.filter(has_text="Aardvark")).to_have_count(0)
    page.get_by_label("Sort by").select_option("due")
    assert "view=soon" in page.url
    assert "sort=due" in page.url
    page.reload()
    expect(rows.filter(has_text="Zebra")).to_be_visible()
    expect(rows.filter(has_text="Aardvark")).to_have_count(0)


def test_the_keyboard_suffices(consoled: Product, console: Console) -> None:
    asked(consoled, "keys", to=["user:kim"])
    page = console(who="kim", groups="")
    expect(page.get_by_role("link", name="Pay keys?")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Pay keys?")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_be_enabled()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim() === 'Approve'"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_text("You chose “Approve”").first).to_be_visible()
    assert consoled.answered("keys")["by"]["id"] == "user:kim"


def test_a_run_goes_on_before_the_eyes_of_whoever_looks(consoled: Product, console: Console) -> None:
    asked(consoled, "watched")
    page = console("#/runs/watched")
    timeline = page.get_by_role("list", name="Timeline")
    expect(timeline.get_by_text("Exchange rate")).to_be_visible()
    expect(timeline.get_by_text("Waits for everybody in finance")).to_be_visible()
    row = consoled.call("GET", "/v1/runs/watched/inputs/approve:0")["input"]
    answer = {"submission_id": "s1", "action": "approve", "value": {"comment": ""}, "seen_offset": row["revised"]}
    consoled.call("POST", "/v1/runs/watched/inputs/approve:0/answer", answer)
    expect(timeline.get_by_text("Completed")).to_be_visible()
    page.get_by_role("link", name="Journal").click()
    expect(page.get_by_text("run.completed")).to_be_visible()
    page.get_by_role("link", name="Data").click()
    expect(page.get_by_role("group", name="Result")).to_contain_text("approve")


def test_what_steps_say_is_read_as_it_comes(consoled: Product, console: Console) -> None:
    consoled.call("POST", "/v1/runs", {"workflow": "thinking", "run_id": "thought"})
    consoled.reaches("thought", "sleeping")
    page = console("#/runs/thought?tab=output")
    expect(page.get_by_role("region", name="reasoning")).to_contain_text("It seems right.")


def test_an_operator_is_asked_before_anything_is_done(consoled: Product, console: Console) -> None:
    asked(consoled, "verbs")
    page = console("#/runs/verbs")
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Leave it").click()
    assert consoled.row("verbs")["status"] == "waiting"
    page.get_by_role("button", name="Pause").click()
    page.get_by_label("Reason").fill("Holidays")
    page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    expect(page.get_by_role("heading", name="Approve Paused")).to_be_visible()
    assert consoled.entries("verbs", "run.paused")[0]["reason"] == "Holidays"


def test_several_runs_are_acted_on_at_once_and_what_is_refused_is_told(consoled: Product, console: Console) -> None:
    for number in range(3):
        consoled.call("POST", "/v1/runs", {"workflow": "ledger", "run_id": f"ledger-{number}", "input": number})
    for number in range(3):
        consoled.reaches(f"ledger-{number}", "failed")
    page = console("#/system")
    expect(page.get_by_text("Runs that need somebody")).to_be_visible()
    page.get_by_role("link", name="3 runs").click()
    expect(page.get_by_role("list", name="Runs").get_by_role("link")).to_have_count(3)
    page.get_by_label("Select all shown").check()
    page.get_by_role("button", name="End now").click()
    dialog = page.get_by_role("dialog", name="End 3 runs now?")
    dialog.get_by_role("button", name="End now").click()
    expect(dialog.get_by_role("status")).to_contain_text("Done: 3 runs")
    expect(dialog.get_by_role("progressbar")).to_have_attribute("value", "3")
    dialog.get_by_role("button", name="Close").last.click()
    expect(page.get_by_text("No run fits")).to_be_visible()
    assert {consoled.row(f"ledger-{number}")["status"] for number in range(3)} == {"cancelled"}


def test_where_the_code_failed_is_shown_to_operators_alone(consoled: Product, console: Console) -> None:
    consoled.call("POST", "/v1/runs", {"workflow": "ledger", "run_id": "frames", "input": 7})
    consoled.reaches("frames", "failed")
    operator, alice = console("#/runs/frames"), console("#/runs/frames", who="alice")
    operator.get_by_text("Where in the code").first.click()
    expect(operator.get_by_text(re.compile(r"consoled\.py:\d+ refuse"))).to_be_visible()
    expect(alice.get_by_role("list", name="Timeline").get_by_text("Failed", exact=True)).to_be_visible()
    expect(alice.get_by_text("Where in the code")).to_have_count(0)
    expect(alice.get_by_text("The ledger refused 7")).to_have_count(0)


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (PHONE, "dark")], ids=["wide", "phone"])
def test_axe_finds_nothing(consoled: Product, console: Console, size: ViewportSize, scheme: str) -> None:
    name = f"axe-{scheme}"
    at = asked(consoled, name, description="**Look** at it", deadline="1d", remind=["1h"])
    if scheme == "light":
        consoled.call("POST", "/v1/runs", {"workflow": "ledger", "run_id": "axe-failed", "input": 1})
        consoled.reaches("axe-failed", "failed")
    page = console(viewport=size, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce")
    places = {
        "": page.get_by_role("list", name="Requests waiting for people"),
        at: page.get_by_role("button", name="Approve"),
        "#/runs": page.get_by_role("list", name="Runs"),
        f"#/runs/{name}": page.get_by_role("list", name="Timeline"),
        f"#/runs/{name}?tab=journal": page.get_by_role("list", name="Journal"),
        "#/runs/axe-failed": page.get_by_text("Where in the code").first,
        "#/system": page.get_by_text("What was looked at"),
    }
    if size is PHONE:  # where the page is laid out otherwise
        places = {place: sign for place, sign in places.items() if place in {"", at, f"#/runs/{name}", "#/system"}}
    for place, sign in places.items():
        page.goto(f"{consoled.url}/console/{place}")
        expect(sign).to_be_visible()
        assert violations(page) == [], place
        wide = (
            "[document.documentElement, ...document.querySelectorAll('.pane')].some(e => e.scrollWidth > e.clientWidth)"
        )
        assert not page.evaluate(wide), place


def test_a_long_inbox_is_no_long_document(consoled: Product, console: Console) -> None:
    for number in range(150):
        body = {
            "workflow": "approve",
            "run_id": f"many-{number:03}",
            "input": {"title": f"Many {number:03}", "to": ["group:many"]},
        }
        consoled.call("POST", "/v1/runs", body)
    page = console(who="mia", groups="many", viewport=PHONE)
    expect(page.get_by_text("150 requests")).to_be_visible(timeout=20_000)
    rows = page.get_by_role("list", name=LIST).get_by_role("listitem")
    assert rows.count() < 40
    expect(rows.first).to_have_attribute("aria-setsize", "150")
    page.get_by_label("Sort by").select_option("title")
    for _ in range(3):
        page.keyboard.press("j")
    page.locator(".scroller").evaluate("box => box.scrollTo(0, box.scrollHeight)")
    expect(page.get_by_role("link", name="Many 149")).to_be_visible()
    assert rows.count() < 40


SCROLL = """
async (label) => {
  const list = document.querySelector(`ul[aria-label="${label}"]`);
  const box = list.closest(".scroller");
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  box.scrollTo(0, 0);
  await frame();
  await frame();
  let [most, rows, empty] = [0, 0, 0];
  for (let number = 0; number < 20; number++) {
    const before = new Set(list.children);
    box.scrollBy(0, 96);
    await frame();
    await frame();
    most = Math.max(most, [...list.children].filter((row) => !before.has(row)).length);
    rows = Math.max(rows, list.children.length);
    const [above, below] = [list.firstElementChild, list.lastElementChild].map((row) => row.getBoundingClientRect());
    const { top, bottom } = box.getBoundingClientRect();
    if (above.top > top || below.bottom < Math.min(bottom, innerHeight)) empty++;
  }
  return { most, rows, empty };
}
"""
"""Scrolls twenty times; tells how many rows were new after one of them, how many there were, and how
often there was none where one should be."""


def work_ms(page: Page, label: str) -> float:
    """Return the processor time that a page needs to scroll a list: its script, styles and layout."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
        return float(sum(metrics[f"{what}Duration"] for what in ("Script", "RecalcStyle", "Layout")))

    before = spent()
    found = page.evaluate(SCROLL, label)
    after = spent()
    session.detach()
    assert found["rows"] < 60
    assert found["most"] <= 4, "a frame draws what comes into sight, not the list"
    assert found["empty"] == 0
    return (after - before) * 1000


@pytest.mark.parametrize(
    ("workflow", "few", "many", "at", "items"),
    [("crowd", 60, 5_000, "", LIST), ("busy", 100, 2_000, "#/runs/busy-{}", "Timeline")],
    ids=["an inbox of 5,000 requests", "a run of 2,000 steps"],
)
def test_what_is_long_scrolls_as_what_is_short(
    consoled: Product, console: Console, workflow: str, few: int, many: int, at: str, items: str
) -> None:
    pages = []
    for count in (few, many):
        run_id = f"{workflow}-{count}"
        consoled.call("POST", "/v1/runs", {"workflow": workflow, "run_id": run_id, "input": count})
        consoled.reaches(run_id, "waiting")
        page = console(at.format(count), who="" if at else "mia", groups=f"crowd{count}")
        row = page.get_by_role("list", name=items).get_by_role("listitem").nth(5)
        expect(row).to_have_attribute("aria-setsize", re.compile(rf"^{count}$|^{count + 2}$"), timeout=40_000)
        pages.append(page)
    taken = [[work_ms(page, items) for page in pages] for _ in range(2)]
    short, long = (min(times) for times in zip(*taken, strict=True))
    assert long < 2 * short
    assert long / 40 < 8, "half of a frame, of sixty a second: it is forty frames"


@pytest.fixture
def prefixed(tmp_path: Path) -> Iterator[str]:
    """The address of an application that has the console below a prefix."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "e2e.prefixed:host", "--port", str(port), "--log-level", "warning"],
            cwd=HERE.parent,
            env={**os.environ, "SIGNOFF_STORE": f"sqlite:///{tmp_path / 'signoff.db'}"},
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}/tools/signoff"

    def healthy() -> bool:
        assert process.poll() is None, (tmp_path / "server.log").read_text()
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):
                return True
        except OSError:
            return False

    until(healthy, "the application answers")
    yield url
    process.terminate()
    process.wait(20)


def test_below_a_prefix_one_signs_in_with_a_token(chromium: Browser, prefixed: str) -> None:
    context = chromium.new_context(viewport=WIDE)
    refused: list[str] = []
    try:
        page = context.new_page()
        page.on("console", lambda message: refused.append(message.text) if "Content Security" in message.text else None)
        page.goto(f"{prefixed}/")
        assert page.url == f"{prefixed}/console/"
        page.get_by_label("Token").fill("nonsense")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("This token is not good here")
        page.get_by_label("Token").fill(tokens.mint(SECRET, "boss", operator=True))
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("Nothing waits for you")).to_be_visible()
        start = {"workflow": "approve", "run_id": "p", "input": {"title": "Below a prefix?", "to": ["user:boss"]}}
        page.evaluate(
            "([url, token, body]) => fetch(url, {method: 'POST', body: JSON.stringify(body), headers: "
            "{'Content-Type': 'application/json', Authorization: `Bearer ${token}`}})",
            [f"{prefixed}/v1/runs", tokens.mint(SECRET, "boss", operator=True), start],
        )
        page.get_by_role("link", name="Below a prefix?").click()
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_text("You chose “Approve”").first).to_be_visible()
        page.reload()
        expect(page.get_by_text("You chose “Approve”").first).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Token")).to_be_visible()
        assert refused == []
    finally:
        context.close()


def test_three_browsers_see_the_votes_come_and_two_of_them_decide(consoled: Product, console: Console) -> None:
    at = asked(consoled, "board", quorum=2)
    people = [console(at, who=who) for who in ("alice", "bora", "chidi")]
    alice, bora, chidi = people
    for page, action, votes in ((alice, "Approve", 1), (chidi, "Reject", 2)):
        page.get_by_role("button", name=action).click()
        expect(page.get_by_text("Your vote counts").first).to_be_visible()
        for other in people:
            expect(other.get_by_role("region", name="Votes").get_by_role("listitem")).to_have_count(votes)
            expect(other.get_by_text("1 of 2 agree so far.")).to_be_visible()
    bora.get_by_role("button", name="Approve").click()
    for page in people:
        expect(page.get_by_text("chose “Approve”").first).to_be_visible()
    entry = consoled.answered("board")
    assert (entry["action"], entry["by"]["id"]) == ("approve", "user:bora")


def test_the_way_back_through_a_wizard_outlives_reloads_with_what_was_filled_in(
    consoled: Product, console: Console
) -> None:
    consoled.call("POST", "/v1/runs", {"workflow": "join", "run_id": "join", "input": None})
    until(lambda: consoled.call("GET", "/v1/runs/join")["inputs"], "the run asks")
    page = console("#/inbox/join/contact%3A0", who="alice")
    base = page.url.split("#")[0]
    page.get_by_label("E-mail").fill("ada@example.com")
    page.get_by_role("button", name="Submit").click()
    until(lambda: [one["name"] for one in consoled.call("GET", "/v1/runs/join")["inputs"]] == ["address"], "page two")
    page.goto(f"{base}#/inbox/join/address%3A0")
    page.get_by_label("Street").fill("Long Road")
    expect(page.get_by_text("What you filled in is saved")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Street")).to_have_value("Long Road")
    page.get_by_role("button", name="Back", exact=True).click()
    page.goto(f"{base}#/inbox/join/contact%3A0")
    expect(page.get_by_label("E-mail")).to_have_value("ada@example.com")
    page.reload()
    expect(page.get_by_label("E-mail")).to_have_value("ada@example.com")
    page.get_by_role("button", name="Submit").click()
    page.goto(f"{base}#/inbox/join/address%3A0")
    expect(page.get_by_label("Street")).to_have_value("Long Road")
    page.get_by_label("City").fill("York")
    page.get_by_role("button", name="Submit").click()
    until(lambda: consoled.row("join")["status"] == "completed", "the run completes")
    assert consoled.row("join")["output"] == "ada@example.com, Long Road, York"
