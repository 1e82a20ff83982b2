"""Code that has been changed under a run is noticed before it does anything, and told in words."""

from __future__ import annotations

from typing import Any

import pytest

from signoff import Context, NonDeterminism
from signoff.workflow.definition import define
from signoff.workflow.entry import Entry
from signoff.workflow.machine import Machine
from signoff.workflow.step.entries import StepCompleted
from tests.workflow.drive import Drive, work


async def right(ctx: Context) -> str:
    await ctx.step("check", work)
    await ctx.step("pay", work)
    ctx.publish("note", "n1", {"text": "paid"})
    return "done"


async def inserted(ctx: Context) -> str:
    await ctx.step("check", work)
    await ctx.step("audit", work)
    await ctx.step("pay", work)
    ctx.publish("note", "n1", {"text": "paid"})
    return "done"


async def removed(ctx: Context) -> str:
    await ctx.step("check", work)
    ctx.publish("note", "n1", {"text": "paid"})
    return "done"


async def swapped(ctx: Context) -> str:
    await ctx.step("pay", work)
    await ctx.step("check", work)
    ctx.publish("note", "n1", {"text": "paid"})
    return "done"


async def other_row(ctx: Context) -> str:
    await ctx.step("check", work)
    await ctx.step("pay", work)
    ctx.publish("note", "n2", {"text": "paid"})
    return "done"


async def waits(ctx: Context) -> str:
    await ctx.step("check", work)
    await ctx.await_event("never")
    return "done"


async def ends_early(ctx: Context) -> str:
    await ctx.step("check", work)
    return "done"


async def swallows(ctx: Context) -> str:
    try:
        await ctx.step("audit", work)
    except Exception:
        return "I saw nothing"
    return "done"


def journal_of(flow: Any) -> list[Entry]:
    drive = Drive(flow)
    drive.done("check:0")
    drive.done("pay:0")
    assert drive.output == "done"
    return drive.journal


@pytest.mark.parametrize(
    ("flow", "expected", "found"),
    [
        (inserted, "step.scheduled pay:0", "step.scheduled audit:0"),
        (removed, "step.scheduled pay:0", "row.published note/n1"),
        (swapped, "step.scheduled check:0", "step.scheduled pay:0"),
        (other_row, "row.published note/n1", "row.published note/n2"),
        (waits, "step.scheduled pay:0", "event.awaited never:0"),
        (ends_early, "step.scheduled pay:0", "run.completed"),
        (swallows, "step.scheduled check:0", "step.scheduled audit:0"),
    ],
)
def test_a_difference_is_told_readably(flow: Any, expected: str, found: str) -> None:
    machine = Machine(define(flow, "flow"))
    with pytest.raises(NonDeterminism) as caught:
        machine.advance(journal_of(right))
    assert caught.value.extra["expected"] == expected
    assert caught.value.extra["found"] == found
    text = str(caught.value)
    assert f"expected (journal)  {expected}" in text
    assert f"found (code)        {found}" in text
    assert "ctx.patched" in text
    with pytest.raises(NonDeterminism):
        machine.advance([])
    machine.close()


def test_it_tells_where_in_the_users_code() -> None:
    with pytest.raises(NonDeterminism) as caught:
        Machine(define(inserted, "flow")).advance(journal_of(right))
    where = caught.value.extra["where"]
    assert "test_determinism.py" in where
    assert where.endswith("in inserted")
    assert "step.scheduled check:0" in caught.value.extra["before"]


def test_recorded_commands_nobody_asked_for_are_told() -> None:
    drive = Drive(right)
    drive.done("check:0")
    entries = [entry for entry in drive.journal if not isinstance(entry, StepCompleted)]
    with pytest.raises(NonDeterminism) as caught:
        Machine(define(right, "flow")).advance(entries)
    assert caught.value.extra["expected"] == "step.scheduled pay:0"
    assert caught.value.extra["found"] == "nothing: the code waits"
    assert "test_determinism.py" in caught.value.extra["where"]


def test_the_right_code_heals() -> None:
    entries = journal_of(right)
    with pytest.raises(NonDeterminism):
        Machine(define(swapped, "flow")).advance(entries)
    machine = Machine(define(right, "flow"))
    assert machine.advance(entries) == []
    assert machine.outcome in entries
