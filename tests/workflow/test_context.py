from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from signoff import Context, InputExpired, InputRequest, InputWithdrawn, InvalidAnswer, Retry, step
from signoff.workflow.input.entries import InputRequested, InputRevised
from signoff.workflow.row.entries import RowPublished
from signoff.workflow.step.entries import StepScheduled
from tests.workflow.drive import Drive, asked, work


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


# -- steps -------------------------------------------------------------------------------------------------------------


@step(retry=Retry(attempts=5), timeout="10s", expose=True, label="Rate")
async def fetch(currency: str) -> Decimal:
    return Decimal(1)


def test_a_step_takes_the_options_of_its_function_and_of_the_call() -> None:
    async def flow(ctx: Context) -> None:
        ctx.step("plain", work)
        ctx.step("marked", fetch, "EUR")
        ctx.options(timeout="1s", label="Other").options(expose=False).step("chosen", fetch, currency="EUR")
        await ctx.step("last", work)

    drive = Drive(flow)
    calls = drive.machine.open_steps
    assert (calls["plain:0"].retry, calls["plain:0"].timeout_ms) == (Retry(), None)
    assert (calls["marked:0"].retry.attempts, calls["marked:0"].timeout_ms) == (5, 10_000)
    assert (calls["chosen:0"].retry.attempts, calls["chosen:0"].timeout_ms) == (5, 1_000)
    assert calls["chosen:0"].kwargs == {"currency": "EUR"}
    scheduled = {entry.id: entry for entry in drive.journal if isinstance(entry, StepScheduled)}
    labels = {id_: (entry.label, entry.expose) for id_, entry in scheduled.items()}
    assert labels == {
        "plain:0": (None, False),
        "marked:0": ("Rate", True),
        "chosen:0": ("Other", False),
        "last:0": (None, False),
    }


class Service:
    def charge(self, amount: int) -> Decimal:
        return Decimal(amount)

    def __call__(self) -> Decision:
        return Decision(approved=True)


@pytest.mark.parametrize(
    ("fn", "type_"),
    [
        (fetch, Decimal),
        (Service().charge, Decimal),
        (Service(), Decision),
        (partial(fetch, "EUR"), Decimal),
        (Decision, Decision),
        (lambda: 1, None),
        (print, None),
    ],
)
def test_results_are_read_as_what_the_function_returns(fn: Any, type_: Any) -> None:
    async def flow(ctx: Context) -> None:
        await ctx.step("a", fn)

    assert Drive(flow).machine.open_steps["a:0"].return_type is type_


def test_what_is_no_function_is_no_step() -> None:
    async def flow(ctx: Context) -> None:
        made = work(1)
        await ctx.step("a", made)

    error = Drive(flow).error
    assert error.code == "type_error"
    assert "ctx.step('a', …) takes a function" in error.message


@pytest.mark.parametrize("name", ["", "a b", "ä", "x" * 129, "a:b", None, 3])
def test_names_are_checked(name: Any) -> None:
    async def flow(ctx: Context) -> None:
        await ctx.step(name, work)

    assert Drive(flow).error.code == "invalid_name"


# -- time and chance ---------------------------------------------------------------------------------------------------


def test_chance_is_the_same_in_every_replay_and_other_in_other_runs() -> None:
    async def flow(ctx: Context) -> list[Any]:
        return [ctx.random().random(), ctx.random().random(), str(ctx.uuid()), str(ctx.uuid()), ctx.uuid().version]

    one = Drive(flow).output
    assert one == Drive(flow).output
    assert one[0] != one[1]
    assert one[2] != one[3]
    assert one[4] == 4


def test_sleep_takes_durations() -> None:
    async def flow(ctx: Context) -> None:
        await asyncio.gather(ctx.sleep("2s"), ctx.sleep(0.5), ctx.sleep(timedelta(days=1)))

    assert Drive(flow).machine.open_timers == {"sleep:0": 3_000, "sleep:1": 1_500, "sleep:2": 86_401_000}


def test_recorded_times_count_when_the_code_has_other_ones() -> None:
    async def before(ctx: Context) -> None:
        ctx.await_input("a", int, title="?", deadline="1h")
        ctx.await_event("b", timeout="1h")
        await ctx.sleep("1h")

    async def after(ctx: Context) -> None:
        ctx.await_input("a", int, title="?", deadline="2h")
        ctx.await_event("b", timeout="2h")
        await ctx.sleep("2h")

    drive, other = Drive(before), Drive(after)
    machine = type(other.machine)(other.definition)
    assert machine.advance(drive.journal) == []
    assert machine.wake_at() == 3_601_000
    assert machine.open_inputs == drive.machine.open_inputs
    assert machine.open_events == drive.machine.open_events


# -- requests ----------------------------------------------------------------------------------------------------------


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


# -- rows --------------------------------------------------------------------------------------------------------------


def test_rows_tell_whether_they_are_known() -> None:
    async def flow(ctx: Context) -> None:
        ctx.publish("line", "l1", {"price": Decimal("1.10")})
        ctx.publish("line", "l1", Decision(approved=True))
        ctx.publish("line", "l1", None)
        ctx.publish("line", "l1", None)
        ctx.publish("line", "l1", {})
        ctx.progress(0.5, "half")

    rows = [entry for entry in Drive(flow).journal if isinstance(entry, RowPublished)]
    assert [(row.row_type, row.value, row.update) for row in rows] == [
        ("line", {"price": "1.10"}, False),
        ("line", {"approved": True, "limit": None}, True),
        ("line", None, True),
        ("line", {}, False),
        ("progress", {"id": "main", "fraction": 0.5, "message": "half"}, False),
    ]


@pytest.mark.parametrize(
    "arguments",
    [("run", "k", {}), ("step", "k", {}), ("a b", "k", {}), ("line", "", {}), ("line", "\n", {}), ("line", 3, {}),
     ("line", "k", [1]), ("line", "k", "text"), ("line", "k", {"_seq": 1}), ("line", "k", {"a": "x" * (1 << 20)})],
)  # fmt: skip
def test_rows_that_are_none_are_refused(arguments: tuple[Any, ...]) -> None:
    async def flow(ctx: Context) -> None:
        ctx.publish(*arguments)

    assert Drive(flow).error.code in {"value_error", "type_error", "invalid_name"}


def test_progress_is_a_fraction() -> None:
    async def flow(ctx: Context) -> None:
        ctx.progress(50)

    assert Drive(flow).error.code == "value_error"


def test_the_context_is_of_no_use_inside_a_step() -> None:
    kept: list[Context] = []

    async def flow(ctx: Context) -> None:
        kept.append(ctx)
        await ctx.step("a", work)

    drive = Drive(flow)
    with pytest.raises(Exception, match="not inside a step"):
        kept[0].step("b", work)
    drive.done("a:0")
    assert asked(drive.journal)[-1] == "run.completed"
