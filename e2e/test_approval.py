"""An expense claim, decided in a browser: everything a person can do to it, and everything that may happen."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, Route, expect

from e2e.conftest import Product, Visit, large_claim, settled, some_claims, until


def address(claim: str) -> str:
    """Return the page's address of a claim's request."""
    return f"#/request/{claim}/approve%3A0"


def decide(page: Page, verdict: str, comment: str = "") -> None:
    """Press the button; who declines is asked why, and presses again."""
    settled(page)
    page.get_by_role("button", name=verdict).click()
    if verdict == "Decline":
        page.get_by_role("textbox", name="Why not?").fill(comment)
        settled(page)
        page.get_by_role("button", name=verdict).click()


def answers_of(page: Page) -> list[int]:
    """Collect the status of every reply to an answer."""
    replies: list[int] = []
    page.on("response", lambda reply: replies.append(reply.status) if reply.url.endswith("/answer") else None)
    return replies


def replied(page: Page, replies: list[int], *statuses: int) -> None:
    """Wait for the replies, and no others: the stream may have shown what they say before."""
    until(lambda: page.evaluate("1") and len(replies) >= len(statuses), "the server has replied")
    assert replies == list(statuses)


def outcome(page: Page) -> Locator:
    """Find where the page says what became of the decision."""
    return page.get_by_role("region", name="Decision").locator(".signoff-outcome")


def test_approve_and_watch_it_finish(product: Product, visit: Visit) -> None:
    claim = product.claim()
    page = visit("alice")
    page.get_by_role("list", name="Requests waiting for you").get_by_role("link").first.click()
    decide(page, "Approve")
    expect(outcome(page)).to_contain_text("You approved this")
    timeline = page.get_by_role("region", name="Timeline")
    expect(timeline).to_contain_text("A short pause", timeout=15_000)
    expect(timeline).to_contain_text("Completed", timeout=15_000)
    names = timeline.get_by_role("listitem").locator(".what")
    asked = ["Handed in", "House rules", "Asked finance", "You approved this"]
    told = [*asked, "Exchange rate", "Line on the bank statement", "Payment", "Completed"]
    assert sorted(names.all_inner_texts()) == sorted(told), "what people call it, not what the code does"
    assert product.paid(claim) == 1
    row = product.row(claim)
    assert row["output"]["decided_by"] == "user:alice"
    (answered,) = product.entries(claim, "input.answered")
    assert answered["by"] == {"kind": "person", "id": "user:alice"}
    page.goto(f"{product.url}/?as=alice#/runs")
    expect(page.get_by_role("link", name=claim).or_(page.get_by_text(claim)).first).to_be_visible()


def test_decline_with_a_comment(product: Product, visit: Visit) -> None:
    claim = product.claim()
    page = visit("bora", address(claim))
    decide(page, "Decline", "The receipt is missing.")
    expect(outcome(page)).to_contain_text("You declined this")
    row = product.reaches(claim, "completed")
    assert row["output"]["outcome"] == "declined"
    assert row["output"]["comment"] == "The receipt is missing."
    assert product.paid(claim) == 0


def test_a_422_is_shown_at_the_field_and_corrected(product: Product, visit: Visit) -> None:
    claim = product.claim()
    page = visit("alice", address(claim))
    replies = answers_of(page)
    page.get_by_role("button", name="Decline").click()
    comment = page.get_by_role("textbox", name="Why not?")
    comment.fill("No.")
    settled(page)
    page.get_by_role("button", name="Decline").click()
    expect(comment).to_have_attribute("aria-invalid", "true")
    expect(comment).to_be_focused()
    replied(page, replies, 422)
    assert product.entries(claim, "input.answered") == []
    comment.fill("Not this quarter.")
    settled(page)
    page.get_by_role("button", name="Decline").click()
    expect(outcome(page)).to_contain_text("You declined this")
    replied(page, replies, 422, 200)
    assert product.reaches(claim, "completed")["output"]["comment"] == "Not this quarter."


def test_a_double_click_is_one_submission(product: Product, visit: Visit) -> None:
    claim = product.claim()
    page = visit("alice", address(claim))
    settled(page)
    page.get_by_role("button", name="Approve").dblclick()
    expect(outcome(page)).to_contain_text("You approved this")
    product.reaches(claim, "completed")
    assert len(product.entries(claim, "input.answered")) == 1
    assert product.paid(claim) == 1


def test_the_loser_of_two_tabs_sees_who_decided(product: Product, visit: Visit) -> None:
    claim = product.claim()
    first, second = visit("alice", address(claim)), visit("bora", address(claim))
    second.get_by_role("button", name="Decline").click()
    # The second tab's view of the world stands still, as on a train: its click is decided by the server alone.
    second.route("**/v1/stream/**", lambda route: route.abort())
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    second.route("**/answer", hold)
    second.get_by_role("textbox", name="Why not?").fill("I say no.")
    settled(second)
    second.get_by_role("button", name="Decline").click()
    until(lambda: second.evaluate("1") and held, "the second tab has clicked")
    decide(first, "Approve")
    expect(outcome(first)).to_contain_text("You approved this")
    held[0].continue_()
    expect(outcome(second)).to_contain_text("Alice approved this")
    product.reaches(claim, "completed")
    assert len(product.entries(claim, "input.answered")) == 1


def test_another_tab_follows_without_reload(product: Product, visit: Visit) -> None:
    claim = product.claim()
    first, second = visit("alice", address(claim)), visit("bora", address(claim))
    expect(second.get_by_role("button", name="Approve")).to_be_visible()
    decide(first, "Approve")
    expect(outcome(second)).to_contain_text("Alice approved this")
    expect(second.get_by_role("region", name="Timeline")).to_contain_text("Completed", timeout=15_000)


def test_a_reload_in_the_middle_keeps_the_answer(product: Product, visit: Visit) -> None:
    claim = product.claim()
    page = visit("alice", address(claim))
    lost: list[str] = []

    def accept_and_lose_the_reply(route: Route) -> None:
        if not lost:
            lost.append(route.fetch().text())  # the server has accepted; the page never hears of it
            return
        route.continue_()

    page.route("**/answer", accept_and_lose_the_reply)
    decide(page, "Approve")
    until(lambda: page.evaluate("1") and lost, "the answer is on its way")
    page.reload()
    expect(outcome(page)).to_contain_text("You approved this")
    product.reaches(claim, "completed")
    assert len(product.entries(claim, "input.answered")) == 1
    assert product.paid(claim) == 1


def test_offline_during_the_click_is_accepted_once_when_back(product: Product, visit: Visit) -> None:
    claim = product.claim()
    page = visit("alice", address(claim))
    expect(page.get_by_role("button", name="Approve")).to_be_enabled()
    page.context.set_offline(True)
    settled(page)
    page.get_by_role("button", name="Approve").click()
    expect(outcome(page)).to_contain_text("Waiting for the network")
    assert product.entries(claim, "input.answered") == []
    page.context.set_offline(False)
    expect(outcome(page)).to_contain_text("You approved this")
    product.reaches(claim, "completed")
    assert len(product.entries(claim, "input.answered")) == 1
    assert product.paid(claim) == 1


def test_an_answer_that_is_refused_when_its_page_has_gone_is_told(product: Product, visit: Visit) -> None:
    claim = product.claim()
    page = visit("alice", address(claim))
    expect(page.get_by_role("button", name="Approve")).to_be_enabled()
    page.context.set_offline(True)
    settled(page)
    page.get_by_role("button", name="Approve").click()
    expect(outcome(page)).to_contain_text("Waiting for the network")
    page.get_by_role("link", name="All claims").click()
    other = visit("bora", address(claim))
    decide(other, "Decline", "I was quicker.")
    expect(outcome(other)).to_contain_text("You declined this")
    page.context.set_offline(False)
    told = page.get_by_role("complementary", name="Not delivered")
    expect(told).to_contain_text("Bora had decided already", timeout=15_000)
    expect(told).to_contain_text(large_claim()["title"])
    page.set_viewport_size({"width": 375, "height": 667})
    settled(page)
    above, below = told.bounding_box(), page.locator("#main").bounding_box()
    assert above is not None
    assert below is not None
    assert above["y"] + above["height"] <= below["y"], "on a phone it covers nothing"
    told.get_by_role("button", name="Dismiss").click()
    expect(told).not_to_contain_text("Bora")
    page.reload()
    expect(page.get_by_role("heading", name="Claims")).to_be_visible()
    expect(told).not_to_contain_text("Bora")


def test_killed_between_ask_and_answer(product: Product, visit: Visit) -> None:
    claim = product.claim()
    page = visit("alice", address(claim))
    expect(page.get_by_role("button", name="Approve")).to_be_visible()
    product.kill()
    decide(page, "Approve")
    product.start()
    expect(outcome(page)).to_contain_text("You approved this", timeout=30_000)
    product.reaches(claim, "completed")
    assert len(product.entries(claim, "input.answered")) == 1
    assert product.paid(claim) == 1


def test_killed_between_answer_and_completion(product: Product, visit: Visit) -> None:
    claim = product.claim()
    page = visit("alice", address(claim))
    decide(page, "Approve")
    expect(outcome(page)).to_contain_text("You approved this")
    product.kill()
    assert product.paid(claim) == 0  # the workflow sleeps two seconds before it pays
    product.start()
    expect(page.get_by_role("region", name="Timeline")).to_contain_text("Completed", timeout=30_000)
    assert product.reaches(claim, "completed")["output"]["outcome"] == "paid"
    assert product.paid(claim) == 1


def test_a_revision_while_reading_is_stale_then_approved(product: Product, visit: Visit) -> None:
    claim = product.claim()
    page = visit("alice", address(claim))
    replies = answers_of(page)
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if held:
            route.continue_()
        held.append(route)

    # The answer is on its way when the request changes: the page could not know, and the server decides.
    page.route("**/answer", hold_the_first)
    decide(page, "Approve")
    until(lambda: page.evaluate("1") and held, "the answer is on its way")
    before = large_claim()
    amended = {**before, "title": "An amended title", "total": before["total"] + 100}
    product.call("POST", f"/v1/runs/{claim}/events/claim.amended", {"id": "amend-1", "payload": amended})
    until(lambda: product.entries(claim, "input.revised"), "the request is revised")
    held[0].continue_()
    until(lambda: page.evaluate("1") and replies, "the server has refused")
    assert product.entries(claim, "input.answered") == []
    changed = page.get_by_role("alert").filter(has_text="This request changed while you were reading")
    expect(changed).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_be_disabled()
    page.get_by_role("button", name="Review again").click()
    expect(page.get_by_role("heading", name="An amended title")).to_be_visible()
    decide(page, "Approve")
    expect(outcome(page)).to_contain_text("You approved this")
    replied(page, replies, 409, 200)
    assert product.reaches(claim, "completed")["output"]["outcome"] == "paid"


def test_who_was_not_asked_cannot_answer(product: Product, visit: Visit) -> None:
    claim = product.claim()
    page = visit("chidi", address(claim))
    decide(page, "Approve")
    expect(outcome(page)).to_contain_text("You are not among those asked")
    assert product.entries(claim, "input.answered") == []
    inbox = visit("chidi")
    expect(inbox.get_by_text("Nothing is waiting for you")).to_be_visible()
    expect(inbox.get_by_text(claim)).to_have_count(0)
    expect(inbox.locator("kbd")).to_have_count(0)


def test_the_list_counts_what_it_shows_and_says_until_when(product: Product, visit: Visit) -> None:
    chosen = some_claims("EUR", "JPY", "KRW", "USD")
    for claim in chosen:
        product.hand_in(claim)
    page = visit("alice", address(chosen[0]["id"]), viewport={"width": 1280, "height": 800})
    rows = page.get_by_role("list", name="Requests waiting for you").get_by_role("link")
    expect(rows).to_have_count(4)
    heading = page.get_by_role("heading", name="Waiting for you")
    expect(heading).to_have_text("Waiting for you 4")
    expect(rows.get_by_text("Due in 3 days")).to_have_count(4)
    expect(page.get_by_role("button", name="Approve")).to_be_visible()
    expect(page.get_by_text("Live", exact=True).filter(visible=True)).to_have_count(1)
    ends = rows.locator(".fraction").evaluate_all("all => all.map(one => one.getBoundingClientRect().left)")
    assert len(ends) == 4
    assert max(ends) - min(ends) < 0.5, "decimal signs stand below each other, also of a currency without decimals"
    page.get_by_role("searchbox").fill(chosen[1]["id"])
    expect(heading).to_have_text("Waiting for you 1 of 4")
    page.goto(f"{product.url}/?as=alice#/runs")
    expect(page.get_by_role("heading", name="Claims")).to_have_text("Claims 0 of 4")
    which = page.get_by_role("group", name="Which claims").locator("label")
    expect(which).to_have_text(["Finished 0", "Under way 4", "All 4"])
    which.nth(1).click()
    expect(page.get_by_role("heading", name="Claims")).to_have_text("Claims 4")


def test_ctrl_c_stops_cleanly_with_readers_connected(product: Product, visit: Visit) -> None:
    claim = product.claim()
    page = visit("alice", address(claim))
    expect(page.get_by_role("button", name="Approve")).to_be_visible()
    assert product.stop() == 0
    product.start()
    decide(page, "Approve")
    expect(outcome(page)).to_contain_text("You approved this", timeout=30_000)
    assert product.reaches(claim, "completed")["status"] == "completed"
