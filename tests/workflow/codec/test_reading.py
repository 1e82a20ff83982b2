"""How what came from outside is read, and what the clock has to do with it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, Field, FutureDate, SecretStr, ValidationInfo, field_validator

from signoff import Context, UnsupportedValue
from signoff.workflow.codec import decode, encode, receive
from signoff.workflow.definition import define
from signoff.workflow.entry import Command
from signoff.workflow.event.entries import EventReceived
from signoff.workflow.machine import Machine
from signoff.workflow.run.entries import RunFailed, RunStarted
from signoff.workflow.step.entries import StepScheduled
from tests.workflow.drive import Drive, asked, work


class Strict(BaseModel, strict=True):
    day: date
    count: int = 1
    amount: Decimal = Decimal(0)


class Aliased(BaseModel):
    name: str = Field("none", alias="theName")


class Due(BaseModel):
    day: FutureDate


@dataclass
class Plan:
    due: list[Due]


class Raising(BaseModel):
    a: int

    @field_validator("a")
    @classmethod
    def fails(cls, a: int, info: ValidationInfo) -> int:
        raise KeyError(f"hush {a}")


def test_a_strict_type_is_as_strict_as_json_lets_it_be() -> None:
    assert receive({"day": "2026-01-02", "amount": "1.10"}, Strict) == Strict(
        day=date(2026, 1, 2), amount=Decimal("1.10")
    )
    assert receive(encode({"day": date(2026, 1, 2), "count": 2**60}), Strict).count == 2**60
    for wrong in ({"day": "2026-01-02", "count": "1"}, {"day": "2026-01-02", "count": True}, {"day": 5}):
        with pytest.raises(UnsupportedValue, match="A value does not fit Strict"):
            receive(wrong, Strict)


def test_what_was_recorded_is_read_leniently_and_by_any_name() -> None:
    assert decode({"day": "2026-01-02", "count": "1"}, Strict).count == 1
    assert decode({"name": "a"}, Aliased).name == decode({"theName": "a"}, Aliased).name == "a"


def test_what_came_from_outside_has_aliases_only() -> None:
    assert receive({"theName": "a"}, Aliased).name == "a"
    assert receive({"name": "a"}, Aliased).name == "none"


def test_what_looks_like_a_tag_in_json_is_none() -> None:
    looks = {"$signoff": "date", "v": "2026-01-01"}
    assert receive(encode(looks)) == looks
    with pytest.raises(UnsupportedValue):
        receive(encode({"day": looks}), Strict)


@pytest.mark.parametrize("read", [decode, receive])
def test_whatever_the_types_own_code_raises_is_a_refusal(read: Any) -> None:
    with pytest.raises(UnsupportedValue, match=r"its code raised builtins.KeyError") as refused:
        read({"a": 1}, Raising)
    assert "hush" not in refused.value.detail


@pytest.mark.parametrize(
    "encoded",
    [
        {"$signoff": "decimal"},
        {"$signoff": "date", "v": "never"},
        {"$signoff": "datetime", "v": "2026-01-01T00:00:00", "zone": "Nowhere/Land"},
        {"$signoff": "map", "v": [[[], 1]]},
        {"$signoff": "url", "class": "Path", "v": "a"},
        {"$signoff": "secret", "class": "str", "v": "a"},
        [{"$signoff": "pattern", "v": "(", "flags": 0}],
    ],
)
def test_a_malformed_tag_is_a_refusal(encoded: Any) -> None:
    with pytest.raises(UnsupportedValue, match="malformed value"):
        decode(encoded)


# -- the clock ---------------------------------------------------------------------------------------------------------

PAST = {"day": "2020-01-01"}


@pytest.mark.parametrize(
    ("type_", "value"), [(Due, PAST), (list[Due], [PAST]), (Plan, {"due": [PAST]}), (FutureDate, "2020-01-01")]
)
def test_what_was_accepted_before_is_not_judged_by_the_clock_again(type_: Any, value: Any) -> None:
    with pytest.raises(UnsupportedValue, match="future"):
        receive(value, type_)
    assert receive(value, type_, again=True) == decode(value, type_)


async def planned(ctx: Context, due: Due) -> str:
    await ctx.step("s", work)
    event = await ctx.await_event("e", type=Due)
    await ctx.step("t", work)
    return f"{due.day} {event.day}"


def test_a_replay_on_a_later_day_goes_the_same_way() -> None:
    drive = Drive(planned, {"day": "2999-01-01"})
    drive.done("s:0")
    assert asked(drive.event("e", {"day": "2999-01-01"})) == ["step.scheduled t:0"]
    later = [on_a_later_day(entry) for entry in drive.journal]
    machine = Machine(define(planned, "flow"))
    assert machine.advance(later) == []
    assert list(machine.open_steps) == ["t:0"]


def on_a_later_day(entry: Any) -> Any:
    """The entry as if its dates were past by now."""
    match entry:
        case RunStarted():
            return RunStarted(entry.at, "r1", "flow", "1", PAST, "seed", "digest")
        case EventReceived():
            return EventReceived(entry.at, "e", "e1", PAST)
    return entry


def test_the_first_time_the_clock_counts() -> None:
    drive = Drive(planned, PAST)
    ended: list[Command] = [entry for entry in drive.journal if isinstance(entry, RunFailed)]
    assert drive.error.code == "invalid_input"
    assert len(ended) == 1
    assert not any(isinstance(entry, StepScheduled) for entry in drive.journal)


HIDDEN = "hu-sh"  # here, because a traceback quotes the lines it goes through


class Login(BaseModel):
    password: SecretStr = Field(min_length=8)
    user: str


@pytest.mark.parametrize("read", [decode, receive])
def test_no_secret_stands_in_the_traceback_of_a_refusal(read: Any) -> None:
    with pytest.raises(UnsupportedValue, match="Login") as refused:
        read({"password": HIDDEN}, Login)
    assert HIDDEN not in "".join(traceback.format_exception(refused.value))
