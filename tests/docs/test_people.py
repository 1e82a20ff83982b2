"""The pages that show whole applications of people: each in as few lines as it says, played to its end."""

from __future__ import annotations

from typing import Any

import pytest

from signoff.errors import InvalidAnswer
from signoff.testing import TestEngine
from tests.docs.test_snippets import ROOT, _namespace, blocks

ONBOARDING = blocks("docs/guide/onboarding.md")[0]


def test_the_onboarding_has_at_most_45_lines() -> None:
    assert len(ONBOARDING.splitlines()) <= 45


async def test_people_go_through_the_onboarding() -> None:
    app = _namespace(ONBOARDING)["app"]
    async with TestEngine(app) as engine:
        run = await engine.start("onboarding", "user:alice")
        alice = engine.person("alice")
        with pytest.raises(InvalidAnswer) as refused:
            await alice.answers("contact", {"email": "taken@example.com", "name": "Alice"})
        assert [one["pointer"] for one in refused.value.extra["errors"]] == ["/email"]
        row = (await run.pending())[0].row
        assert (row["status"], row["errors"][0]["message"], row["wizard"]["step"]) == ("pending", "already taken", 1)
        await alice.answers("contact", {"email": "a@example.com", "name": "Alice"})
        await alice.answers("team", {"role": "sales"}, action="back")
        again = (await run.asks("contact")).row
        assert again["initial"] == {"email": "a@example.com", "name": "Alice"}
        await alice.answers("contact", {"email": "b@example.com", "name": "Bea"})
        team = (await run.asks("team")).row
        assert (team["initial"], team["title"]) == ({"role": "sales"}, "Welcome, Bea. Your team?")
        await alice.answers("team", {"role": "sales", "seats": 2})
        await alice.answers("consent", {"terms": True})
        assert await run.result() == "b@example.com joined sales"


async def test_who_stops_in_the_middle_is_looked_after() -> None:
    app = _namespace(ONBOARDING)["app"]
    async with TestEngine(app) as engine:
        run = await engine.start("onboarding", "user:alice")
        alice = engine.person("alice")
        await alice.answers("contact", {"email": "a@example.com", "name": "Alice"})
        await alice.answers("team", {"role": "finance"})
        await engine.advance("4d")
        row = (await run.pending())[0].row
        assert row["audience"] == ["user:alice", "group:support"]
        assert [one["what"] for one in row["history"]] == ["reminded", "escalated"]
        assert _planned(row) == ["remind", "default"]
        assert await run.result() == "a@example.com did not agree (timeout)"


def _planned(row: dict[str, Any]) -> list[str]:
    return [one["what"] for one in row["schedule"] if one["done_at"] is None]


COMPARED = "docs/guide/compared.md"
EXPENSE = blocks(COMPARED)[0]


def test_the_lines_are_counted_as_the_page_says() -> None:
    page = (ROOT / COMPARED).read_text()
    counts = [
        sum(bool(line.strip()) for line in code.splitlines())
        for code in (*blocks(COMPARED)[1:], *blocks(COMPARED, "js"), EXPENSE)
    ]
    assert len(EXPENSE.splitlines()) <= 40
    workflow, api, page_code, ours = counts
    said = (
        f"{workflow} lines of workflow, {api} of API and {page_code} for the page, {workflow + api + page_code} in all"
    )
    assert said in page
    assert f"against\n{ours} here" in page


async def test_two_approve_a_large_expense() -> None:
    app = _namespace(EXPENSE)["app"]
    async with TestEngine(app) as engine:
        run = await engine.start("expense", {"title": "Train", "amount": 1500})
        alice, bora = (engine.person(name, groups=["finance"]) for name in ("alice", "bora"))
        await alice.answers("approve", None, action="approve")
        row = (await run.asks("approve")).row
        assert (row["quorum"]["need"], [one["by"]["id"] for one in row["votes"]]) == (2, ["user:alice"])
        await bora.answers("approve", None, action="approve")
        assert await run.result() == "paid 1500.0"


async def test_one_rejects_and_says_why() -> None:
    app = _namespace(EXPENSE)["app"]
    async with TestEngine(app) as engine:
        run = await engine.start("expense", {"title": "Train", "amount": 1500})
        alice = engine.person("alice", groups=["finance"])
        with pytest.raises(InvalidAnswer):
            await alice.answers("approve", {"comment": ""}, action="reject")
        await alice.answers("approve", {"comment": "no receipt"}, action="reject")
        assert await run.result() == "rejected: no receipt"


async def test_an_expense_that_nobody_looks_at_goes_up_and_comes_to_its_end() -> None:
    space = _namespace(EXPENSE)
    async with TestEngine(space["app"]) as engine:
        run = await engine.start("expense", {"title": "Train", "amount": 20})
        await engine.advance("3d")
        row = (await run.pending())[0].row
        assert row["audience"] == ["group:finance", "group:directors"]
        assert space["mails"] == ["group:finance: Approve Train?"]
        assert await run.result() == "rejected: nobody answered"
        dora = engine.person("dora", groups=["directors"])
        assert dora.inbox() == []
