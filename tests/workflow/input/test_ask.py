"""What a request may be: so many principals, so large, and no more; and what going back gives the workflow."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from signoff import Context
from signoff.workflow.input.entries import InputRequested
from signoff.workflow.input.spec import MOST_ACTIONS, MOST_BYTES, MOST_PRINCIPALS, check_spec
from tests.workflow.drive import Drive

PEOPLE = [f"user:u{n}" for n in range(MOST_PRINCIPALS)]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"to": [*PEOPLE, "user:more"]}, f"name 101 principals, and take {MOST_PRINCIPALS} at most"),
        ({"to": PEOPLE, "forbid": ["user:more"]}, "name 101 principals"),
        ({"to": ["user:" + "x" * 256]}, "is no principal"),
        ({"title": "x" * 501}, "500 characters at most, not 501"),
        ({"description": "x" * 20_001}, "20000 characters at most"),
        ({"show": "x" * MOST_BYTES}, "bytes as JSON at most"),
        ({"actions": [f"a{n}" for n in range(MOST_ACTIONS + 1)]}, f"takes {MOST_ACTIONS} at most"),
        ({"actions": ["x" * 129]}, "128 printable characters"),
        ({"actions": ["a\nb"]}, "printable"),
        ({"actions": []}, "at least one action"),
    ],
)
def test_what_is_too_much_is_refused_in_words(members: dict[str, Any], message: str) -> None:
    async def flow(ctx: Context) -> None:
        await ctx.await_input("a", int, **{"title": "?", **members})

    error = Drive(flow).error
    assert (error.code, message in error.message) == ("value_error", True), error.message


def test_as_much_as_is_allowed_is_asked() -> None:
    async def flow(ctx: Context) -> None:
        await ctx.await_input("a", int, title="x" * 500, description="x" * 20_000, to=PEOPLE, show="x" * 200_000)

    assert list(Drive(flow).machine.open_inputs) == ["a:0"]


def test_a_revision_is_bounded_too() -> None:
    async def flow(ctx: Context) -> None:
        request = ctx.await_input("a", int, title="?")
        request.revise(to=[*PEOPLE, "user:more"])

    assert "101 principals" in Drive(flow).error.message
    with pytest.raises(ValueError, match="at most"):
        check_spec({"show": "x" * MOST_BYTES})


class Page(BaseModel):
    name: str
    amount: int


def test_going_back_gives_what_was_filled_in_as_it_was() -> None:
    async def wizard(ctx: Context) -> list[Any]:
        first = await ctx.await_input("page", Page, title="1", actions=["submit", "back"])
        again = ctx.await_input("page", Page, title="1 again", initial=first.value, actions=["submit", "back"])
        second = await again
        return [first.action, first.value, second.action, second.value]

    drive = Drive(wizard)
    half = {"name": "Ada", "amount": "not yet", "more": [1]}
    [asked] = drive.answer("page:0", half, "back")
    assert isinstance(asked, InputRequested)
    assert asked.spec["initial"] == half
    drive.answer("page:1", None, "back")
    assert drive.output == ["back", half, "back", None]
