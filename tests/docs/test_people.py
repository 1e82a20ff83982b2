"""The pages that show whole applications of people: each in as few lines as it says, played to its end."""

from __future__ import annotations

from typing import Any

import pytest

from signoff.errors import InvalidAnswer
from signoff.testing import TestEngine
from tests.docs.test_snippets import _namespace, blocks

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
