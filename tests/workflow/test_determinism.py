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


# -- patches -----------------------------------------------------------------------------------------------------------


async def before(ctx: Context) -> int:
    await ctx.step("check", work)
    await ctx.step("pay", work)
    return 1


async def after(ctx: Context) -> int:
    await ctx.step("check", work)
    if ctx.patched("audit"):
        await ctx.step("audit", work)
    await ctx.step("pay", work)
    return 2 if ctx.patched("audit") else 1


async def at_last(ctx: Context) -> int:
    await ctx.step("check", work)
    await ctx.step("audit", work)
    await ctx.step("pay", work)
    return 2


def test_a_run_that_passed_before_the_patch_keeps_the_old_branch() -> None:
    drive = Drive(before)
    drive.done("check:0")
    machine = Machine(define(after, "flow"))
    assert machine.advance(drive.journal) == []
    machine.advance([StepCompleted(5_000, "pay:0", 1, None)])
    assert machine.outcome is not None
    assert getattr(machine.outcome, "output", None) == 1


def test_a_run_that_has_not_passed_takes_the_new_branch() -> None:
    drive = Drive(before)
    machine = Machine(define(after, "flow"))
    assert machine.advance(drive.journal) == []
    new = machine.advance([StepCompleted(5_000, "check:0", 1, None)])
    assert [command.type for command in new] == ["patch.marked", "step.scheduled"]


def test_a_marked_journal_replays_with_and_without_the_question() -> None:
    drive = Drive(after)
    drive.done("check:0")
    drive.done("audit:0")
    drive.done("pay:0")
    assert drive.output == 2
    for flow in (after, at_last):
        machine = Machine(define(flow, "flow"))
        assert machine.advance(drive.journal) == []
        assert machine.outcome in drive.journal
