"""Requests as workflow code asks for them: what one may be, how large, and what the code gets for an answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from signoff import Before, Context, Escalation, InputExpired, InputRequest, InputWithdrawn, InvalidAnswer
from signoff.workflow.input.entries import InputRequested, InputRevised
from signoff.workflow.input.spec import MOST_ACTIONS, MOST_BYTES, MOST_PRINCIPALS, check_spec
from tests.workflow.drive import Drive, asked, work

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


@pytest.mark.parametrize("given", ["group:finance", "", None, 7])
def test_one_text_is_no_list_of_its_letters(given: Any) -> None:
    async def asks(ctx: Context) -> None:
        await ctx.await_input("a", int, title="?", to=given)

    async def forbids(ctx: Context) -> None:
        await ctx.await_input("a", int, title="?", forbid=given)

    async def escalates(ctx: Context) -> None:
        await ctx.await_input("a", int, title="?", escalate=[Escalation("1d", given)])

    async def revises(ctx: Context) -> None:
        ctx.await_input("a", int, title="?").revise(to=given)

    async def proposes(ctx: Context) -> None:
        await ctx.approve_tool("mail", {}, to=given)

    async def pages(ctx: Context) -> None:
        await ctx.wizard().ask("a", int, title="?", to=given)

    for flow in (asks, forbids, escalates, revises, proposes, pages):
        name, example = ("forbid", "[ctx.started_by]") if flow is forbids else ("to", '["group:finance"]')
        error = Drive(flow).error
        expected = f"`{name}` of a request is a list of texts, e.g. {name}={example}, not {given!r}."
        assert (error.code, error.message) == ("type_error", expected), flow


def test_one_time_is_no_list_of_times() -> None:
    options: list[dict[str, Any]] = [
        {"remind": "1d"},
        {"remind": Before("1d"), "deadline": "2d"},
        {"escalate": Escalation("1d", ["user:alice"])},
        {"escalate": "1d"},
    ]
    for given in options:

        async def flow(ctx: Context, given: dict[str, Any] = given) -> None:
            await ctx.await_input("a", int, title="?", **given)

        error = Drive(flow).error
        assert error.code == "type_error"
        assert "`remind` is a list of times" in error.message


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


class Decision(BaseModel):
    approved: bool
    limit: Decimal | None = None

    @field_validator("limit")
    @classmethod
    def _small(cls, limit: Decimal | None) -> Decimal | None:
        if limit is not None and limit > 100:
            raise ValueError("too much")
        return limit


def spec_of(drive: Drive) -> InputRequested:
    return next(entry for entry in drive.journal if isinstance(entry, InputRequested))


def test_a_request_is_asked_as_written_and_answered_as_its_type() -> None:
    @dataclass
    class Report:
        amount: Decimal

    async def flow(ctx: Context) -> list[Any]:
        request = ctx.await_input(
            "approve",
            Decision,
            title="Approve?",
            description="**Look**",
            show=Report(Decimal("1.10")),
            initial=Decision(approved=False),
            ui={"wide": True},
            actions=("approve", "reject"),
            to=["group:finance"],
            forbid=["user:eve"],
            deadline="3d",
            expose=True,
        )
        answer = await request
        again = await request
        return [answer.value, answer.action, answer.by.id, answer.at, again is answer, request.pending]

    drive = Drive(flow)
    entry = spec_of(drive)
    assert entry.spec["schema"]["required"] == ["approved"]
    assert entry.spec["schema"]["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert {name: entry.spec[name] for name in entry.spec if name != "schema"} == {
        "title": "Approve?",
        "description": "**Look**",
        "ui": {"wide": True},
        "show": {"amount": "1.10"},
        "initial": {"approved": False, "limit": None},
        "actions": ["approve", "reject"],
    }
    assert (entry.to, entry.forbid, entry.expose) == (("group:finance",), ("user:eve",), True)
    assert drive.machine.open_inputs == {"approve:0": 259_201_000}
    drive.answer("approve:0", {"approved": True, "limit": "9.5"}, "approve")
    value, action, by, _, again, pending = drive.output
    assert value == {"approved": True, "limit": {"$signoff": "decimal", "v": "9.5"}}
    assert (action, by, again, pending) == ("approve", "user:alice", True, False)


def test_a_rejection_may_come_without_a_value() -> None:
    async def flow(ctx: Context) -> Any:
        answer = await ctx.await_input("a", Decision, title="?", actions=["approve", "reject"])
        return [answer.action, answer.value]

    drive = Drive(flow)
    drive.answer("a:0", None, "reject")
    assert drive.output == ["reject", None]


def test_deadline_and_answer_have_one_outcome_by_order() -> None:
    async def flow(ctx: Context) -> str:
        request = ctx.await_input("a", int, title="?", deadline="1h")
        try:
            await request
        except InputExpired:
            with pytest.raises(InputExpired):
                await request
            return "late"
        return "answered"

    late = Drive(flow)
    late.expire("a:0")
    late.answer("a:0", 1)
    assert late.output == "late"
    early = Drive(flow)
    early.answer("a:0", 1)
    early.expire("a:0")
    assert early.output == "answered"


def test_an_answer_python_refuses_can_be_asked_again() -> None:
    async def flow(ctx: Context) -> Any:
        try:
            await ctx.await_input("a", Decision, title="?")
        except InvalidAnswer as refused:
            errors = refused.extra["errors"]
            answer = await ctx.await_input("a", Decision, title="Again?")
            return [errors[0]["pointer"], answer.value.approved]

    drive = Drive(flow)
    assert asked(drive.answer("a:0", {"approved": True, "limit": 1000})) == ["input.requested a:1"]
    drive.answer("a:1", {"approved": True})
    assert drive.output == ["/limit", True]


def test_a_request_is_revised_while_it_waits() -> None:
    async def flow(ctx: Context) -> list[Any]:
        request = ctx.await_input("a", int, title="?", deadline="1h", to=["user:alice"])
        first = await request.revise(title="How much?", show={"n": Decimal(1)}, deadline=None, to=["user:bob"])
        nothing = await request.revise()
        answer = await request
        return [first, nothing, answer.value, await request.revise(title="Too late")]

    drive = Drive(flow)
    revised = next(entry for entry in drive.journal if isinstance(entry, InputRevised))
    assert revised.changes == {"title": "How much?", "show": {"n": "1"}, "to": ["user:bob"], "deadline": None}
    assert drive.machine.open_inputs == {"a:0": None}
    drive.answer("a:0", 5)
    assert drive.output == [True, False, 5, False]


def test_a_withdrawn_request_raises_wherever_it_is_awaited() -> None:
    async def flow(ctx: Context) -> list[str]:
        request = ctx.await_input("a", int, title="?")

        async def wait() -> str:
            try:
                await request
            except InputWithdrawn as withdrawn:
                return str(withdrawn)
            return "answered"

        waiting = [asyncio.create_task(wait()) for _ in range(2)]
        await ctx.step("s", work)
        assert await request.withdraw("not needed")
        assert not await request.withdraw()
        return await asyncio.gather(*waiting, wait())

    drive = Drive(flow)
    assert asked(drive.done("s:0")) == ["input.withdrawn a:0", "run.completed"]
    assert drive.output == ["The request a:0 was withdrawn: not needed."] * 3


async def timeout(ctx: Context, request: InputRequest[int]) -> None:
    async with asyncio.timeout(1):
        await request


async def wait_for(ctx: Context, request: InputRequest[int]) -> None:
    await asyncio.wait_for(request, 1)


async def cancelled_task(ctx: Context, request: InputRequest[int]) -> None:
    task = asyncio.ensure_future(request)
    await asyncio.wait({task}, timeout=1)
    task.cancel()
    await task


@pytest.mark.parametrize("give_up", [timeout, wait_for, cancelled_task])
def test_giving_the_wait_up_withdraws_the_request(give_up: Any) -> None:
    async def flow(ctx: Context) -> str:
        request = ctx.await_input("a", int, title="?")
        try:
            await give_up(ctx, request)
        except (TimeoutError, asyncio.CancelledError):
            try:
                await request
            except InputWithdrawn:
                return "withdrawn"
        return "answered"

    drive = Drive(flow)
    assert "input.withdrawn a:0" in asked(drive.fire("timer:0"))
    assert drive.output == "withdrawn"


def test_requests_can_be_gathered() -> None:
    async def flow(ctx: Context) -> int:
        found = await asyncio.gather(*(ctx.await_input("a", int, title="?") for _ in range(3)))
        return sum(answer.value for answer in found)

    drive = Drive(flow)
    for id_ in ("a:1", "a:0", "a:2"):
        drive.answer(id_, 2)
    assert drive.output == 6


@pytest.mark.parametrize(
    "members",
    [
        {"title": ""},
        {"title": 3},
        {"title": "t", "description": 3},
        {"title": "t", "ui": []},
        {"title": "t", "actions": []},
        {"title": "t", "actions": ["a", "a"]},
        {"title": "t", "actions": [1]},
        {"title": "t", "to": ["alice"]},
        {"title": "t", "to": ["group:"]},
        {"title": "t", "forbid": ["role:x"]},
        {"title": "t", "deadline": "soon"},
        {"title": "t", "show": object()},
    ],
)
def test_requests_that_could_not_be_shown_are_refused(members: dict[str, Any]) -> None:
    async def flow(ctx: Context) -> None:
        await ctx.await_input("a", int, **members)

    assert Drive(flow).error.code in {"type_error", "value_error", "bad_request", "unsupported_value"}


def test_a_type_nobody_could_fill_in_is_refused() -> None:
    async def flow(ctx: Context) -> None:
        await ctx.await_input("a", asyncio.Future, title="?")

    assert Drive(flow).error.code == "type_error"
