"""Code that has been changed asks which way it went; the answer is the journal's."""

from __future__ import annotations

from signoff import Context
from signoff.workflow.definition import define
from signoff.workflow.machine import Machine
from signoff.workflow.step.entries import StepCompleted
from tests.workflow.drive import Drive, work


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
