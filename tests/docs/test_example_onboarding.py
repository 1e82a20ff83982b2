"""The example of a wizard, played: refused at the field, back, on another device, and with whoever stops in between."""

from __future__ import annotations

import importlib
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType

import orjson
import pytest

from signoff.errors import InvalidAnswer
from signoff.testing import TestEngine, answer, crash_everywhere

FOLDER = Path(__file__).parents[2] / "examples" / "onboarding"
ALICE = {"email": "a@example.com", "name": "Alice"}


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module of the example, with accounts of its own."""
    monkeypatch.setenv("SIGNOFF_EXAMPLE_DATA", str(tmp_path))
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module("onboarding")
    del sys.modules["onboarding"]


def teams(folder: Path) -> dict[str, str]:
    """Return who has an account, and in which team."""
    with closing(sqlite3.connect(folder / "accounts.sqlite")) as accounts:
        return dict(accounts.execute("SELECT email, team FROM accounts"))


async def test_an_address_that_is_taken_is_refused_at_its_field_and_the_way_back_loses_nothing(
    example: ModuleType, tmp_path: Path
) -> None:
    async with TestEngine(example.app) as engine:
        run = await engine.start("onboarding", "user:alice")
        alice = engine.person("alice")
        with pytest.raises(InvalidAnswer) as refused:
            await alice.answers("contact", {"email": "taken@example.com", "name": "Alice"})
        assert refused.value.extra["errors"][0]["pointer"] == "/email"
        row = (await run.pending())[0].row
        assert (row["errors"][0]["message"], row["wizard"]["of"]) == ("taken@example.com is taken.", 3)
        await alice.answers("contact", ALICE)
        await alice.answers("team", {"role": "sales", "laptop": "strong"}, action="back")
        assert (await run.asks("contact")).row["initial"] == ALICE
        await alice.answers("contact", ALICE | {"name": "Alicia"})
        team = (await run.asks("team")).row
        assert team["initial"] == {"role": "sales", "laptop": "strong"}
        assert team["title"] == "Welcome, Alicia. Where will you work?"
        await alice.answers("team", {"role": "sales"})
        await alice.answers("consent", {"terms": True})
        assert await run.result() == "a@example.com joined sales."
    assert teams(tmp_path)["a@example.com"] == "sales"


async def test_half_a_page_comes_up_on_another_device(example: ModuleType) -> None:
    async with TestEngine(example.app) as engine:
        run = await engine.start("onboarding", "user:alice")
        await run.asks("contact")
        alice = engine.person("alice")
        await engine.services.inputs.drafts.save(run.id, "contact:0", {"name": "Ali"}, alice.who)
        await engine.services.store.place()
        kept = orjson.loads(await engine.services.outputs.read("drafts/user:alice"))
        assert [(one["value"]["id"], one["value"]["value"]) for one in kept] == [
            (f"{run.id}/contact:0", {"name": "Ali"})
        ]
        await alice.answers("contact", ALICE)
        assert (await run.asks("team")).row["wizard"]["step"] == 2


async def test_who_does_not_agree_has_no_account(example: ModuleType, tmp_path: Path) -> None:
    async with TestEngine(example.app) as engine:
        run = await engine.start("onboarding", "user:alice")
        alice = engine.person("alice")
        await alice.answers("contact", ALICE)
        await alice.answers("team", {"role": "finance"})
        await engine.advance("4d")
        assert (await run.pending())[0].row["audience"] == ["user:alice", "group:support"]
        assert await run.result() == "a@example.com did not agree."
    assert set(teams(tmp_path)) == {"taken@example.com"}


async def test_an_account_is_created_once_whenever_the_worker_dies(example: ModuleType, tmp_path: Path) -> None:
    played: list[str] = []

    async def taken_in(engine: TestEngine) -> None:
        email = f"a{len(played)}@example.com"
        alice = engine.person("alice")
        pages = {"contact": ALICE | {"email": email}, "team": {"role": "sales"}, "consent": {"terms": True}}
        for page, said in pages.items():
            alice.will(answer(page, said))
        run = await engine.start("onboarding", "user:alice")
        assert await run.result() == f"{email} joined sales."
        played.append(email)

    assert await crash_everywhere(example.app, taken_in) >= 8
    assert set(teams(tmp_path)) == {"taken@example.com", *played}
