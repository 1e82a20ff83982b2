"""No value changes on the way: from a step to the code, after a restart, and to the people who look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson
from pydantic import BaseModel, Field, SecretStr, computed_field

from signoff import App, Context, StepFailed
from signoff.workflow import journal
from signoff.workflow.codec import public_json
from signoff.workflow.projection import project
from signoff.workflow.view import View
from tests.runtime.scene import Scene, scene, stage, working

if TYPE_CHECKING:
    from fractions import Fraction

HUSH = "**********"


@dataclass
class Approved:
    by: str


@dataclass
class Rejected:
    by: str


class Base(BaseModel):
    id: int


class Premium(Base):
    discount: float


class Line(BaseModel):
    count: int = Field(alias="howMany")
    price: Decimal
    key: SecretStr = SecretStr("hush")

    @computed_field
    def total(self) -> Decimal:
        return self.count * self.price


class When(BaseModel, strict=True):
    day: date
    amount: Decimal = Decimal(1)


def decide() -> Approved | Rejected:
    return Rejected("bob")


def customer() -> Base:
    return Premium(id=1, discount=0.5)


def meet() -> datetime:
    return datetime(2026, 10, 24, 9, tzinfo=ZoneInfo("Europe/Berlin"))


def lines() -> list[Line]:
    return [Line.model_validate({"howMany": 2, "price": "1.50"})]


SHOWN = {"howMany": 2, "price": "1.50", "key": HUSH, "total": "3.00"}


async def test_values_are_the_same_before_and_after_a_restart(url: str) -> None:
    app = App()
    seen: list[list[Any]] = []

    @app.workflow(expose=("output",))
    async def flow(ctx: Context) -> str:
        meeting = await ctx.step("meet", meet) + timedelta(days=1)
        seen.append([await ctx.step("decide", decide), await ctx.step("customer", customer), meeting.isoformat()])
        await ctx.await_event("go")
        return "done"

    async with scene(url) as on:
        async with working(app, on):
            run = await on.start("flow")
            await on.reaches(run, "waiting")
        async with working(app, on):
            await on.engine.events.send(run, "go", id="e1", payload=None)
            await on.reaches(run, "completed")
    assert seen == [[Rejected("bob"), Premium(id=1, discount=0.5), "2026-10-25T09:00:00+01:00"]] * 2
    assert [type(values[1]) for values in seen] == [Premium, Premium]


async def test_a_result_that_would_change_is_one_failed_attempt(url: str) -> None:
    app = App()
    ran: list[str] = []

    def wrong() -> None:
        ran.append("wrong")
        return {"a": 1}  # type: ignore[return-value]

    def unsaid():  # type: ignore[no-untyped-def]
        ran.append("unsaid")
        return Approved("ann")

    def unresolved() -> Fraction | None:
        ran.append("unresolved")
        return None

    @app.workflow(expose=("output",))
    async def flow(ctx: Context) -> list[str]:
        told = []
        for fn in (wrong, unsaid, unresolved):
            try:
                await ctx.step("s", fn)
            except StepFailed as failed:
                told.append(f"{failed.extra['attempts']} {failed.extra['error']['code']}")
        return told

    async with stage(app, url) as on:
        run = await on.start("flow")
        row = await on.reaches(run, "completed")
        assert row["output"] == ["1 unsupported_value"] * 3
        messages = [entry["error"]["message"] for entry in await on.entries(run, "step.failed")]
        assert "not of its declared type NoneType" in messages[0]
        assert "declare its type: annotate what the function returns" in messages[1]
        assert "so it was not run" in messages[2]
    assert ran == ["wrong", "unsaid"]


async def rows(on: Scene, run: str) -> list[dict[str, Any]]:
    """Fold the journal once more, as a rebuilt index would."""
    view = View()
    delta = project(view, [journal.from_json(entry) for entry in await on.entries(run)], 0)
    return [orjson.loads(message) for message in delta.public]


async def test_what_is_exposed_looks_as_it_shows_itself_and_stays_so(url: str) -> None:
    app = App()

    @app.workflow(expose=("input", "output"))
    async def flow(ctx: Context, line: Line) -> dict[str, list[Line]]:
        ctx.publish("line", "l1", line)
        ctx.publish("lines", "l2", {"of": [line]})
        found = await ctx.options(expose=True).step("lines", lines)
        hidden = await ctx.step("hidden", lines)
        request = ctx.await_input("pin", Line, title="?", show={"a": [line]}, to=["user:alice"], expose=True)
        await request
        return {"lines": found + hidden}

    async with stage(app, url) as on:
        run = await on.start("flow", {"howMany": 2, "price": "1.50", "key": "hush"})
        asked = await on.asks(run, "pin:0")
        assert asked["show"] == {"a": [SHOWN]}
        done = await on.answer(asked, {"howMany": 1, "price": "1.50", "key": "hush"})
        assert done.row["value"] == {"howMany": 1, "price": "1.50", "key": HUSH}
        row = await on.reaches(run, "completed")
        assert row["input"] == SHOWN
        assert row["output"] == {"lines": [SHOWN, SHOWN]}
        messages = await rows(on, run)
        last = {(message["type"], message["key"]): message["value"] for message in messages}
        assert last["run", run]["output"] == {"lines": [SHOWN, SHOWN]}
        assert last["step", "lines:0"]["result"] == [SHOWN]
        assert "result" not in last["step", "hidden:0"]
        assert last["line", "l1"] == {"id": "l1", **SHOWN}
        assert last["lines", "l2"] == {"id": "l2", "of": [SHOWN]}
        assert b"hush" not in orjson.dumps(messages)
        assert [entry.get("shown") for entry in await on.entries(run, "step.completed")] == [[SHOWN], None]


async def test_a_strict_model_is_an_input_as_json_has_it(url: str) -> None:
    app = App()

    @app.workflow(expose=("output",))
    async def flow(ctx: Context, when: When) -> str:
        return repr(when.day)

    async with stage(app, url) as on:
        run = await on.start("flow", {"day": "2026-01-02"})
        assert (await on.reaches(run, "completed"))["output"] == "datetime.date(2026, 1, 2)"
        run = await on.start("flow", {"day": "2026-01-02", "amount": True})
        row = await on.reaches(run, "failed")
        assert row["error"]["code"] == "invalid_input"


async def test_the_plain_form_is_not_kept_twice(url: str) -> None:
    app = App()

    def plain() -> dict[str, Decimal]:
        return {"a": Decimal("1.10")}

    @app.workflow(expose=("output",))
    async def flow(ctx: Context) -> dict[str, Decimal]:
        return await ctx.options(expose=True).step("plain", plain)

    async with stage(app, url) as on:
        run = await on.start("flow")
        row = await on.reaches(run, "completed")
        assert row["output"] == public_json(plain()) == {"a": "1.10"}
        entries = await on.entries(run, "step.completed", "run.completed")
        assert len(entries) == 2
        assert not any("shown" in entry for entry in entries)
