"""What the context gives by itself: names, chance; and that what was recorded counts before what the code says."""

from __future__ import annotations

from typing import Any

import pytest

from signoff import Context
from signoff.workflow.run.entries import RunFailed
from tests.workflow.drive import Drive, work


@pytest.mark.parametrize("name", ["", "a b", "ä", "x" * 129, "a:b", None, 3])
def test_names_are_checked(name: Any) -> None:
    async def flow(ctx: Context) -> None:
        await ctx.step(name, work)

    assert Drive(flow).error.code == "invalid_name"


def test_chance_is_the_same_in_every_replay_and_other_in_other_runs() -> None:
    async def flow(ctx: Context) -> list[Any]:
        return [ctx.random().random(), ctx.random().random(), str(ctx.uuid()), str(ctx.uuid()), ctx.uuid().version]

    one = Drive(flow).output
    assert one == Drive(flow).output
    assert one[0] != one[1]
    assert one[2] != one[3]
    assert one[4] == 4


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


# -- rows --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", [True, False], ids=["ended", "waits"])
@pytest.mark.parametrize(
    "use",
    [
        lambda ctx: ctx.step("b", work),
        lambda ctx: ctx.sleep("1s"),
        lambda ctx: ctx.await_event("go"),
        lambda ctx: ctx.await_input("ask", bool, title="?"),
        lambda ctx: ctx.publish("row", "key", {}),
        lambda ctx: ctx.patched("new"),
    ],
    ids=["step", "sleep", "event", "input", "row", "patch"],
)
def test_the_context_of_another_run_is_refused_in_words(use: Any, ends: bool) -> None:
    kept: list[Context] = []

    async def keeps(ctx: Context) -> None:
        kept.append(ctx)
        await ctx.step("a", work)

    async def borrows(ctx: Context) -> None:
        await ctx.step("a", work)
        use(kept[0])

    first = Drive(keeps)
    if ends:
        first.done("a:0")
    other = Drive(borrows)
    other.done("a:0")
    outcome = other.machine.outcome
    assert isinstance(outcome, RunFailed)
    assert outcome.error.code == "not_allowed_in_workflow"
    assert ("which has ended" if ends else "which does not run now") in outcome.error.message
    assert "'r1'" in outcome.error.message
    if not ends:
        assert [command.type for command in first.done("a:0")] == ["run.completed"], "nothing was asked of it"
