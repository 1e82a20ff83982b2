"""Pages that follow one another: people go back and forth, and nothing that they have filled in is lost."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from signoff import App, Context, Decided
from signoff.errors import AlreadyDecided, InvalidAnswer, NotInAudience, Stale, Withdrawn
from signoff.streams import offset
from tests.runtime.scene import Scene, person, stage

ALICE = person("alice")


@dataclass
class Contact:
    email: str


@dataclass
class Address:
    city: str
    street: str


def onboarding() -> tuple[App, list[str]]:
    app, made = App(), []

    async def look_up(email: str) -> str:
        made.append(email)
        return email.upper()

    @app.workflow(expose=("output",))
    async def onboard(ctx: Context) -> dict[str, Any]:
        pages = ctx.wizard(of=3)
        to = ["user:alice"]
        contact = await pages.ask("contact", Contact, title="Who are you?", to=to, deadline="1h")
        known = await ctx.step("look_up", look_up, contact.value.email)
        address = await pages.ask("address", Address, title=f"Where does {known} live?", to=to)
        await pages.ask("consent", bool, title="Agreed?", to=to)
        ctx.point_of_no_return()
        await pages.ask("done", type(None), title="Read and understood?", to=to)
        return {"email": contact.value.email, "city": address.value.city}

    return app, made


async def shown(on: Scene, run: str) -> bytes:
    """Return all that the run's stream has shown."""
    found = await on.engine.store.read(f"runs/{run}", 0, 1 << 20)
    assert found is not None
    return b"".join(batch.data for batch in found[1])


async def answered(on: Scene, run: str, key: str, value: Any, action: str = "submit") -> dict[str, Any]:
    row = await on.asks(run, key)
    await on.answer(row, value, action=action, who=ALICE)
    return row


async def test_a_wizard_goes_forth_and_tells_where_it_is(url: str) -> None:
    app, _ = onboarding()
    async with stage(app, url) as on:
        run = await on.start("onboard")
        first = await answered(on, run, "contact:0", {"email": "a@x"})
        assert first["wizard"] == {"step": 1, "of": 3, "back": None}
        assert first["actions"] == ["submit"]
        second = await answered(on, run, "address:0", {"city": "Lyon", "street": "1"})
        assert second["wizard"] == {"step": 2, "of": 3, "back": "contact:0"}
        assert second["actions"] == ["submit", "back"]
        await answered(on, run, "consent:0", True)
        last = await answered(on, run, "done:0", None)
        assert (last["wizard"], last["actions"]) == ({"step": 4, "of": 3, "back": None}, ["submit"])
        assert (await on.reaches(run, "completed"))["output"] == {"email": "a@x", "city": "Lyon"}


async def test_back_brings_both_pages_as_they_were_left(url: str) -> None:
    """Answers and half pages stay, whichever way people go; what was done in between is undone."""
    app, made = onboarding()
    async with stage(app, url) as on:
        run = await on.start("onboard")
        await answered(on, run, "contact:0", {"email": "a@x"})
        half = await answered(on, run, "address:0", {"city": "Ly"}, "back")
        again = await on.asks(run, "contact:0")
        assert (again["initial"], again["status"]) == ({"email": "a@x"}, "pending")
        assert offset.decode(again["revised"]) > offset.decode(half["revised"])
        await answered(on, run, "contact:0", {"email": "b@x"})
        address = await on.asks(run, "address:0")
        assert (address["initial"], address["title"]) == ({"city": "Ly"}, "Where does B@X live?")
        await answered(on, run, "address:0", {"city": "Lyon", "street": "1"})
        await answered(on, run, "consent:0", None, "back")
        address = await on.asks(run, "address:0")
        assert address["initial"] == {"city": "Lyon", "street": "1"}
        await answered(on, run, "address:0", {"city": "Paris", "street": "2"}, "back")
        assert (await on.asks(run, "contact:0"))["initial"] == {"email": "b@x"}
        await answered(on, run, "contact:0", {"email": "b@x"})
        assert (await on.asks(run, "address:0"))["initial"] == {"city": "Paris", "street": "2"}
        await answered(on, run, "address:0", {"city": "Rome", "street": "3"})
        await answered(on, run, "consent:0", True)
        await answered(on, run, "done:0", None)
        assert (await on.reaches(run, "completed"))["output"] == {"email": "b@x", "city": "Rome"}
        assert made == ["a@x", "b@x", "b@x"]


async def test_a_step_back_is_taken_once(url: str) -> None:
    """The same submission again gets the first outcome; another one finds that the page is gone."""
    app, _ = onboarding()
    async with stage(app, url) as on:
        run = await on.start("onboard")
        first = await answered(on, run, "contact:0", {"email": "a@x"})
        row = await on.asks(run, "address:0")
        back = await on.answer(row, {"city": "Ly"}, action="back", who=ALICE, submission="one")
        assert (back.row["status"], back.row["reason"]) == ("withdrawn", "back")
        assert back.row["decided_by"] == {"kind": "person", "id": "user:alice"}
        again = await on.answer(row, {"city": "Ly"}, action="back", who=ALICE, submission="one")
        assert again.replayed
        assert again.row == back.row
        with pytest.raises(Withdrawn):
            await on.answer(row, {"city": "Ly"}, action="back", who=ALICE, submission="two")
        with pytest.raises(Stale):  # the page as it was before it came up again
            await on.answer(first, {"email": "c@x"}, who=ALICE)
        rewound = await on.entries(run, "run.rewound")
        assert [(one["to"], one["by"]["id"], one["reason"]) for one in rewound] == [("contact:0", "user:alice", "back")]


async def test_nobody_goes_back_where_nothing_is_offered(url: str) -> None:
    app, _ = onboarding()
    async with stage(app, url) as on:
        run = await on.start("onboard")
        row = await on.asks(run, "contact:0")
        with pytest.raises(InvalidAnswer):
            await on.answer(row, None, action="back", who=ALICE)
        for key, value in (("contact:0", {"email": "a@x"}), ("address:0", {"city": "L", "street": "1"})):
            await answered(on, run, key, value)
        consent = await answered(on, run, "consent:0", True)
        await on.asks(run, "done:0")
        with pytest.raises(AlreadyDecided):
            await on.answer(consent, None, action="back", who=ALICE)


class Login(BaseModel):
    name: str
    password: SecretStr


async def test_secrets_are_not_filled_in_again(url: str) -> None:
    """Neither those of a page that was answered, nor those of one that is left half done."""
    app = App()

    @app.workflow
    async def sign_in(ctx: Context) -> None:
        pages = ctx.wizard()
        for name in ("first", "second", "third"):
            await pages.ask(name, Login, title=name, to=["user:alice"])

    value = {"name": "ada", "password": "hunter2"}
    async with stage(app, url) as on:
        run = await on.start("sign_in")
        await answered(on, run, "first:0", value)
        await answered(on, run, "second:0", value, "back")
        assert (await on.asks(run, "first:0"))["initial"] == {"name": "ada"}
        await answered(on, run, "first:0", value)
        assert (await on.asks(run, "second:0"))["initial"] == {"name": "ada"}
        assert b"hunter2" not in await shown(on, run)


async def test_nobody_goes_back_to_what_was_asked_of_others_or_over_what_others_decided(url: str) -> None:
    app = App()

    @app.workflow
    async def many(ctx: Context) -> None:
        async def boss() -> None:
            await ctx.await_input("ok", bool, title="Fine?", to=["user:boss"])

        async def people() -> None:
            pages = ctx.wizard()
            await pages.ask("a", int, title="A?", to=["user:alice"])
            await pages.ask("b", int, title="B?", to=["user:alice", "user:zoe"])

        await asyncio.gather(people(), boss())

    async with stage(app, url) as on:
        run = await on.start("many")
        await answered(on, run, "a:0", 1)
        page = await on.asks(run, "b:0")
        with pytest.raises(NotInAudience):
            await on.answer(page, None, action="back", who=person("zoe"))
        await on.answer(await on.asks(run, "ok:0"), True, who=person("boss"))
        with pytest.raises(InvalidAnswer, match="would undo what user:boss has decided since") as refused:
            await on.answer(page, None, action="back", who=ALICE)
        assert [one["pointer"] for one in refused.value.extra["errors"]] == [""]
        assert [entry["id"] for entry in await on.entries(run, "input.answered")] == ["a:0", "ok:0"]


async def test_back_leads_over_what_a_policy_has_answered(url: str) -> None:
    app = App()

    @app.workflow
    async def three(ctx: Context) -> None:
        pages = ctx.wizard()
        await pages.ask("a", int, title="A?", to=["user:alice"])
        await pages.ask("b", int, title="B?", to=["user:alice"], decide=lambda: Decided("submit", 1, "as always"))
        await pages.ask("c", int, title="C?", to=["user:alice"])

    async with stage(app, url) as on:
        run = await on.start("three")
        await answered(on, run, "a:0", 5)
        page = await answered(on, run, "c:0", None, "back")
        assert page["wizard"] == {"step": 3, "of": None, "back": "a:0"}
        assert (await on.asks(run, "a:0"))["initial"] == 5
