"""What goes wrong does so where the test has planned it, or where the seed has it, and the run comes to its end."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime

import pytest

from signoff import App, Context
from signoff.errors import OutcomeUnknown
from signoff.testing import Chaos, TestEngine, answer
from signoff.testing.faults import Crash, Delay, Fault, Faults, LostReply
from signoff.workflow.step.entries import StepCompleted
from tests.testing.scene import expense_app

APPROVED = {"approved": True}


class Charges:
    """A workflow of three steps, and how often each was really done."""

    def __init__(self) -> None:
        self.done: Counter[int] = Counter()
        self.app = App()

        def charge(n: int) -> int:
            self.done[n] += 1
            return n

        @self.app.workflow
        async def charges(ctx: Context) -> int:
            return sum([await ctx.step("charge", charge, n) for n in range(3)])


@pytest.mark.parametrize(
    ("moment", "which", "done"),
    [
        ("before", "step.completed charge:1", {0: 1, 1: 2, 2: 1}),
        ("after", "step.completed charge:1", {0: 1, 1: 1, 2: 1}),
        ("before", "step.completed charge", {0: 2, 1: 1, 2: 1}),
        ("before", "run.completed", {0: 1, 1: 1, 2: 2}),
        ("before", 1, {0: 1, 1: 1, 2: 1}),
        ("after", 4, {0: 1, 1: 1, 2: 1}),
    ],
)
async def test_a_worker_dies_at_a_commit_and_another_takes_over(
    moment: str, which: int | str, done: dict[int, int]
) -> None:
    charges = Charges()
    async with TestEngine(charges.app) as engine:
        engine.crash(**{moment: which})
        run = await engine.start("charges")
        assert await run.result() == 3
        assert (engine.crashes, charges.done) == (1, done)
        assert len(await run.journal("step.completed")) == 3
        assert engine.now == datetime(2026, 1, 1, tzinfo=UTC)  # it took over at once


async def test_a_worker_dies_here_and_now() -> None:
    async with TestEngine(expense_app()) as engine:
        alice = engine.person("alice", groups=["finance"])
        run = await engine.start("expense", 120)
        seen = await alice.sees("approve")
        engine.crash()
        await alice.answers(seen, APPROVED)
        await engine.settled()
        engine.crash()
        engine.crash()  # it is dead already
        assert await run.result() == "receipt for 120"
        assert engine.crashes == 2


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_worker_dies_as_somebody_answers(moment: str) -> None:
    async with TestEngine(expense_app()) as engine:
        engine.crash(**{moment: "answer"})
        run = await engine.start("expense", 120)
        await engine.person("alice", groups=["finance"]).answers("approve", APPROVED)
        assert engine.crashes == 1
        assert await run.result() == "receipt for 120"


async def test_a_worker_dies_in_the_middle_of_a_step() -> None:
    began, attempts = asyncio.Event(), 0

    async def slow() -> str:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            began.set()
            await asyncio.Event().wait()
        return "done"

    async def flow(ctx: Context) -> str:
        return await ctx.step("slow", slow)

    async with TestEngine(flow) as engine:
        run = await engine.start(flow)
        await began.wait()
        engine.crash()
        assert await run.result() == "done"
        assert attempts == 2


async def test_a_run_that_costs_worker_after_worker_is_blocked() -> None:
    charges = Charges()
    async with TestEngine(charges.app) as engine:
        for _ in range(3):
            engine.crash(before="step.completed charge:0")
        run = await engine.start("charges")
        row = await run.reaches("blocked")
        assert (row["error"]["code"], engine.crashes) == ("worker_lost", 3)


@pytest.mark.parametrize(("written", "times"), [(True, 1), (False, 1)])
async def test_the_reply_of_a_commit_is_lost(written: bool, times: int) -> None:
    charges = Charges()
    async with TestEngine(charges.app) as engine:
        engine.lose_reply("step.completed charge:1", written=written)
        run = await engine.start("charges")
        assert await run.result() == 3
        assert (charges.done[1], engine.crashes) == (times, 0)
        assert len(await run.journal("step.completed")) == 3


@pytest.mark.parametrize("written", [True, False])
async def test_the_reply_to_an_answer_is_lost_and_it_is_sent_again(written: bool) -> None:
    async with TestEngine(expense_app()) as engine:
        alice = engine.person("alice", groups=["finance"])
        engine.lose_reply("answer", written=written)
        run = await engine.start("expense", 120)
        seen = await alice.sees("approve")
        with pytest.raises(OutcomeUnknown):
            await alice.answers(seen, APPROVED, submission_id="s1")
        assert (await alice.answers(seen, APPROVED, submission_id="s1")).replayed is written
        assert await run.result() == "receipt for 120"
        assert len(await run.journal("input.answered")) == 1


async def test_a_commit_and_an_answer_come_late() -> None:
    async with TestEngine(expense_app()) as engine:
        alice = engine.person("alice", groups=["finance"])
        engine.delay("5s", "step.completed quote")
        engine.delay("1h", "answer")
        run = await engine.start("expense", 120)
        await alice.answers("approve", APPROVED)
        assert engine.now == datetime(2026, 1, 1, 1, 0, 5, tzinfo=UTC)
        assert await run.result() == "receipt for 120"


async def test_an_answer_by_script_comes_late_too() -> None:
    async with TestEngine(expense_app()) as engine:
        engine.delay("1h", "answer")
        engine.person("alice", groups=["finance"]).will(answer("approve", APPROVED), after="1d")
        run = await engine.start("expense", 120)
        await run.reaches("sleeping")
        assert engine.now == datetime(2026, 1, 2, 1, tzinfo=UTC)


async def test_a_worker_that_was_silent_for_too_long_has_lost_its_run_and_nothing_is_done_twice() -> None:
    charges = Charges()
    async with TestEngine(charges.app) as engine:
        engine.delay("1h", "step.completed charge:1")
        run = await engine.start("charges")
        assert await run.result() == 3
        assert len(await run.journal("step.completed")) == 3


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_a_seed_draws_a_run_comes_to_its_end(seed: int) -> None:
    async with TestEngine(expense_app(), chaos=Chaos(seed, crash=0.3, lose_reply=0.3, delay=0.3)) as engine:
        alice = engine.person("alice", groups=["finance"])
        runs = [await engine.start("expense", n) for n in range(4)]
        for run in runs:
            await alice.answers("approve", APPROVED, run=run.id)
        assert [await run.result() for run in runs] == [f"receipt for {n}" for n in range(4)]
        assert [len(await run.journal("step.completed")) for run in runs] == [2] * 4


def test_a_seed_draws_the_same_again_and_another_draws_otherwise() -> None:
    def drawn(seed: int) -> list[Fault | None]:
        chaos = Chaos(seed, crash=0.25, lose_reply=0.25, delay=0.25)
        return [chaos.draw(run, at) for run in ("run-1", "run-2") for at in range(50)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert {type(fault) for fault in drawn(1)} == {Crash, LostReply, Delay, type(None)}
    assert {Chaos(1, crash=0, lose_reply=0, delay=0).draw("r", at) for at in range(50)} == {None}


def test_a_fault_is_met_once_and_what_is_tried_again_meets_none_that_is_drawn() -> None:
    faults = Faults(Chaos(1, crash=1, lose_reply=0, delay=0))
    entry = StepCompleted(1, "charge:0", 1, None)
    assert isinstance(faults.of_commit("r", 0, [entry]), Crash)
    assert faults.of_commit("r", 0, [entry]) is None
    faults = Faults()
    faults.plan(Delay(1), 2)
    faults.plan(Delay(2), "step.completed charge")
    found = [faults.of_commit("r", at, [entry]) for at in range(4)]
    assert found == [Delay(2), Delay(1), None, None]
    with pytest.raises(ValueError, match="counted from 1 on"):
        faults.plan(Crash(), 0)
