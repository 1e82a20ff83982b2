"""What the code asks for page by page."""

from __future__ import annotations

import pytest

from signoff import Context
from signoff.workflow.input.entries import InputRequested, InputRevised
from tests.workflow.drive import Drive


def test_a_page_knows_the_one_before_it() -> None:
    async def flow(ctx: Context) -> None:
        pages = ctx.wizard(of=2)
        await pages.ask("a", int, title="A?")
        await pages.ask("b", int, title="B?", actions=["approve", "back"])
        pages.of = 4
        left = pages.ask("c", int, title="C?", step=2)
        pages.ask("d", int, title="D?")
        await left

    drive = Drive(flow)
    drive.answer("a:0", 1)
    drive.answer("b:0", 1, "approve")
    asked = [entry for entry in drive.journal if isinstance(entry, InputRequested)]
    assert [(one.policy or {})["wizard"] for one in asked] == [
        {"step": 1, "of": 2, "back": None},
        {"step": 2, "of": 2, "back": "a:0"},
        {"step": 2, "of": 4, "back": "b:0"},
        {"step": 3, "of": 4, "back": None},
    ]
    assert [one.spec["actions"] for one in asked[:3]] == [["submit"], ["approve", "back"], ["submit", "back"]]


def test_behind_a_point_of_no_return_nobody_goes_back() -> None:
    async def flow(ctx: Context) -> None:
        pages = ctx.wizard()
        await pages.ask("a", int, title="A?")
        page = pages.ask("b", int, title="B?")
        await ctx.sleep(60)
        ctx.point_of_no_return()
        ctx.point_of_no_return()
        await page
        await pages.ask("c", int, title="C?")
        await pages.ask("d", int, title="D?")

    drive = Drive(flow)
    drive.answer("a:0", 1)
    drive.fire("sleep:0")
    [revised] = [entry for entry in drive.journal if isinstance(entry, InputRevised)]
    assert revised.changes == {"wizard": {"step": 2, "of": None, "back": None}, "actions": ["submit"]}
    drive.answer("b:0", 1)
    drive.answer("c:0", 1)
    places = [(one.policy or {})["wizard"]["back"] for one in drive.journal if isinstance(one, InputRequested)]
    assert places == [None, "a:0", None, "c:0"]


def test_a_wizard_has_a_page() -> None:
    async def flow(ctx: Context) -> None:
        with pytest.raises(ValueError, match="at least one page"):
            ctx.wizard(of=0)

    assert Drive(flow).output is None
