"""Operators retry, rewind and fork runs, with workers, people and one another at it at the same time."""

from __future__ import annotations

import asyncio
import random
import threading
from contextlib import suppress
from functools import partial
from typing import Any

import orjson
import pytest

from signoff import App, Context, Retry, StepFailed
from signoff.clock import ManualClock
from signoff.errors import (
    AlreadyDecided,
    InputNotFound,
    NotBlocked,
    RunClosed,
    RunConflict,
    RunNotFound,
    Stale,
    SubmissionReused,
    UnknownCommand,
    Withdrawn,
)
from signoff.paths import inbox_path, run_path
from signoff.streams import state
from signoff.workflow import journal
from signoff.workflow.entry import DecidedBy
from signoff.workflow.machine import Machine
from signoff.workflow.projection import refold
from signoff.workflow.run.cut import effective, is_cut
from signoff.workflow.step.entries import StepCompleted
from signoff.workflow.view import View
from tests.runtime.scene import Scene, scene, stage, working

OPERATOR = DecidedBy("operator", "local")


class World:
    """What the steps of a test meet outside."""

    def __init__(self) -> None:
        self.down = True
        self.done: list[str] = []
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def pay(self, what: str = "pay") -> str:
        if self.down:
            raise OSError("the bank is down")
        self.done.append(what)
        return f"{what} {len(self.done)}"

    async def note(self, what: str) -> str:
        self.done.append(what)
        return what

    async def slow(self) -> str:
        self.begun.set()
        await self.go_on.wait()
        return "slow"


async def rows(on: Scene, path: str) -> dict[tuple[str, str], Any]:
    """Return the rows of a stream as a browser has them."""
    await on.placed()
    found = await on.engine.store.read(path, 0, 1 << 24)
    assert found is not None
    return state.fold(message for batch in found[1] for message in orjson.loads(b"[" + batch.data + b"]"))


async def left(on: Scene, run: str) -> list[str]:
    """Return what is left of a journal: type and id of each entry."""
    entries = effective([journal.from_json(entry) for entry in await on.entries(run)])
    return [f"{entry.type} {getattr(entry, 'id', '')}".strip() for entry in entries]


def claims(world: World) -> App:
    """Return an app whose runs ask, note down and pay."""
    app = App()

    @app.workflow
    async def claim(ctx: Context, amount: int) -> str:
        answer = await ctx.await_input("approve", bool, title=f"Pay {amount}?", to=["user:alice"])
        if not answer.value:
            return "refused"
        await ctx.step("note", world.note, "noted")
        return await ctx.options(retry=Retry(attempts=2, first="1ms")).step("pay", world.pay)

    return app


async def approved(on: Scene, value: bool = True) -> str:
    run = await on.start("claim", 5)
    await on.answer(await on.asks(run, "approve:0"), value)
    return run


# -- retry -------------------------------------------------------------------------------------------------------------


async def test_a_failed_run_goes_on_at_the_step_it_failed_by(url: str) -> None:
    world = World()
    async with stage(claims(world), url) as on:
        run = await approved(on)
        assert (await on.reaches(run, "failed"))["error"]["code"] == "step_failed"
        shown = (await rows(on, run_path(run)))["step", "pay:0"]
        assert (shown["status"], shown["attempt"]) == ("failed", 2)
        world.down = False
        row = await on.engine.runs.act("retry", run, OPERATOR)
        assert (row["status"], row["error"]) == ("running", None)
        await on.reaches(run, "completed")
        assert world.done == ["noted", "pay"], "what was done before is not done again"
        [asked] = await on.entries(run, "input.requested")
        assert len(await on.entries(run, "step.failed")) == 2, "the journal keeps them"
        completed = (await on.entries(run, "step.completed"))[-1]
        assert (completed["id"], completed["attempt"]) == ("pay:0", 1)
        shown = await rows(on, run_path(run))
        assert shown["step", "pay:0"] | {"ended_at": ""} == {
            **shown["step", "pay:0"],
            "status": "completed",
            "attempt": 1,
            "error": None,
            "ended_at": "",
        }
        assert shown["input", asked["id"]]["status"] == "answered"
        assert "step.failed pay:0" not in await left(on, run)


async def test_a_run_that_failed_by_its_code_is_replayed_with_the_code_of_today(url: str) -> None:
    def app_of(broken: bool) -> App:
        app = App()

        @app.workflow
        async def total(ctx: Context, numbers: list[int]) -> int:
            found = await ctx.step("fetch", world.note, "fetched")
            if broken:
                raise KeyError(found)
            return sum(numbers)

        return app

    world = World()
    async with scene(url) as on:
        run = await on.start("total", [1, 2])
        async with working(app_of(True), on):
            await on.reaches(run, "failed")
            await on.engine.runs.act("retry", run, OPERATOR)
            while len(await on.entries(run, "run.failed")) < 2:
                await asyncio.sleep(0.005)
        async with working(app_of(False), on):
            await on.engine.runs.act("retry", run, OPERATOR)
            await on.reaches(run, "completed")
            assert (await on.engine.outcomes.get(run, operator=True)).output == 3
        assert world.done == ["fetched"]


async def test_what_was_withdrawn_because_the_run_failed_is_asked_again(url: str) -> None:
    world, app = World(), App()

    async def gated() -> str:
        await world.go_on.wait()
        return await world.pay()

    @app.workflow
    async def both(ctx: Context) -> list[Any]:
        ask = ctx.await_input("approve", bool, title="?", to=["user:alice"])
        paid = await ctx.options(retry=Retry(attempts=1)).step("pay", gated)
        return [paid, (await ask).value]

    async with stage(app, url) as on:
        run = await on.start("both")
        seen = await on.asks(run, "approve:0")
        world.go_on.set()
        await on.reaches(run, "failed")
        assert (await on.engine.inputs.get(run, "approve:0"))["reason"] == "failed"
        assert await rows(on, inbox_path("user:alice")) == {}
        world.down = False
        await on.engine.runs.act("retry", run, OPERATOR)
        row = await on.asks(run, "approve:0")
        assert (row["revision"], row["reason"], row["decided_at"]) == (1, None, None)
        assert list((await rows(on, inbox_path("user:alice"))).values()) == [row | {"id": f"{run}/approve:0"}]
        with pytest.raises(Stale):
            await on.answer(seen, True)
        await on.answer(row, True)
        await on.reaches(run, "completed")
        assert (await on.engine.outcomes.get(run, operator=True)).output == ["pay 1", True]


async def test_steps_that_were_done_beside_the_failed_ones_are_not_done_again(url: str) -> None:
    world, app = World(), App()

    @app.workflow
    async def batch(ctx: Context) -> list[str]:
        steps = [ctx.options(retry=Retry(attempts=1)).step("pay", world.pay, str(n)) for n in range(2)]
        found = await asyncio.gather(*steps, ctx.step("note", world.note, "n"), return_exceptions=True)
        for one in found:
            if isinstance(one, StepFailed):
                raise one
        return sorted(map(str, found))

    async with stage(app, url) as on:
        run = await on.start("batch")
        await on.reaches(run, "failed")
        world.down = False
        await on.engine.runs.act("retry", run, OPERATOR)
        await on.reaches(run, "completed")
        assert sorted(world.done) == ["0", "1", "n"]


async def test_a_step_whose_error_was_let_pass_after_a_cleanup_begins_anew(url: str) -> None:
    world, app = World(), App()

    @app.workflow
    async def saga(ctx: Context) -> str:
        try:
            return str(await ctx.options(retry=Retry(attempts=1)).step("pay", world.pay))
        except StepFailed:
            await ctx.step("undo", world.note, "undone")
            raise

    async with stage(app, url) as on:
        run = await on.start("saga")
        await on.reaches(run, "failed")
        world.down = False
        await on.engine.runs.act("retry", run, OPERATOR)
        await on.reaches(run, "completed")
        assert ("step", "undo:0") not in await rows(on, run_path(run))
        assert world.done == ["undone", "pay"]


@pytest.mark.parametrize("first", ["cancel", "retry"])
async def test_a_retry_against_a_cancel(url: str, first: str) -> None:
    world = World()
    async with scene(url) as on:
        async with working(claims(world), on):
            run = await approved(on)
            await on.reaches(run, "failed")
        world.down = False
        act = on.engine.runs.act
        acts = {"cancel": act("cancel", run, OPERATOR), "retry": act("retry", run, OPERATOR)}
        order = [acts.pop(first), *acts.values()]
        outcomes = await asyncio.gather(*order, return_exceptions=True)
        async with working(claims(world), on):
            if first == "cancel":
                assert isinstance(outcomes[0], RunClosed)
                await on.reaches(run, "completed")
            else:
                assert [isinstance(outcome, dict) for outcome in outcomes] == [True, True]
                await on.reaches(run, "cancelled")
                assert world.done == ["noted"]


# -- rewind ------------------------------------------------------------------------------------------------------------


async def test_what_came_from_a_command_on_is_undone(url: str) -> None:
    world = World()
    world.down = False
    app = claims(world)

    @app.workflow
    async def held(ctx: Context, amount: int) -> str:
        await ctx.step("first", world.note, "1")
        await ctx.step("second", world.note, "2")
        ctx.publish("bill", "b", {"n": 2})
        await ctx.await_event("paid")
        return "held"

    async with stage(app, url) as on:
        run = await on.start("held", 5)
        await on.reaches(run, "waiting")
        before = await on.entries(run)
        row = await on.engine.runs.act("rewind", run, OPERATOR, to="second:0", reason="wrong account")
        assert row["status"] == "running"
        await on.reaches(run, "waiting")
        assert world.done == ["1", "2", "2"]
        after = await on.entries(run)
        assert after[: len(before)] == before, "the journal keeps all of it"
        cut = after[len(before)]
        assert {name: cut[name] for name in ("type", "to", "keep", "reason", "by")} == {
            "type": "run.rewound",
            "to": "second:0",
            "keep": 3 + sum(entry["type"] == "run.described" for entry in before),
            "reason": "wrong account",
            "by": {"kind": "operator", "id": "local"},
        }
        shown = await rows(on, run_path(run))
        assert {key for kind, key in shown if kind == "step"} == {"first:0", "second:0"}
        assert shown["bill", "b"]["n"] == 2
        await on.engine.runs.act("rewind", run, OPERATOR, to="second:0", after=True)
        await on.reaches(run, "waiting")
        assert world.done == ["1", "2", "2"], "it was kept"
        await on.engine.events.send(run, "paid", id="1", payload=None)
        await on.reaches(run, "completed")


async def test_an_answer_is_undone_and_asked_for_again(url: str) -> None:
    async with stage(claims(World()), url) as on:
        run = await on.start("claim", 5)
        seen = await on.asks(run, "approve:0")
        await on.answer(seen, True, submission="once")
        await on.reaches(run, "failed")
        await on.engine.runs.act("rewind", run, OPERATOR, to="approve:0")
        row = await on.asks(run, "approve:0")
        assert (row["revision"], row["revised"] > seen["revised"]) == (0, True)
        for stale in (seen["revised"],):
            with pytest.raises(Stale):
                await on.answer(row, True, seen=stale)
        again = await on.answer(seen, True, submission="once")
        assert again.replayed, "the very same submission is the one that was accepted, and is undone with it"
        assert await on.engine.inputs.pending(run) == [row]
        assert list((await rows(on, inbox_path("user:alice"))).values()) == [row | {"id": f"{run}/approve:0"}]
        await on.answer(row, False)
        await on.reaches(run, "completed")


async def test_a_request_that_is_kept_is_open_again(url: str) -> None:
    app = App()

    @app.workflow
    async def two(ctx: Context) -> list[Any]:
        left, right = (ctx.await_input(name, bool, title="?", to=["user:alice"]) for name in ("left", "right"))
        first = await left
        await ctx.sleep("1h")
        return [first.value, (await right).value]

    async with stage(app, url) as on:
        run = await on.start("two")
        seen = await on.asks(run, "right:0")
        await on.answer(seen, True)
        await on.answer(await on.asks(run, "left:0"), True)
        await on.reaches(run, "sleeping")
        await on.engine.runs.act("rewind", run, OPERATOR, to="right:0", after=True)
        left_row, right_row = await on.asks(run, "left:0"), await on.engine.inputs.get(run, "right:0")
        assert (left_row["revision"], right_row["status"]) == (1, "answered")
        with pytest.raises(AlreadyDecided):
            await on.answer(seen, False)
        await on.engine.runs.act("rewind", run, OPERATOR, to="left:0", after=True)
        with pytest.raises((Stale, InputNotFound, Withdrawn)):
            await on.answer(seen, False)
        await on.answer(await on.asks(run, "right:0"), False)
        await on.answer(await on.asks(run, "left:0"), False)
        await on.reaches(run, "sleeping")


async def test_events_are_kept_and_their_ids_stay_used(url: str) -> None:
    app = App()

    @app.workflow
    async def events(ctx: Context) -> list[Any]:
        found = [await ctx.await_event("paid", type=int) for _ in range(2)]
        await ctx.await_event("end")
        return found

    async with stage(app, url) as on:
        run = await on.start("events")
        for n in (1, 2):
            await on.engine.events.send(run, "paid", id=str(n), payload=n)
        await on.reaches(run, "waiting")
        while (
            not await on.entries(run, "event.awaited") or (await on.entries(run, "event.awaited"))[-1]["id"] != "end:0"
        ):
            await asyncio.sleep(0.005)
        await on.engine.runs.act("rewind", run, OPERATOR, to="paid:0")
        assert (await on.engine.events.send(run, "paid", id="2", payload=2)).duplicate
        await on.engine.events.send(run, "end", id="1", payload=None)
        await on.reaches(run, "completed")
        assert (await on.engine.outcomes.get(run, operator=True)).output == [1, 2]


async def test_time_goes_on_from_the_rewind(url: str) -> None:
    app = App()

    @app.workflow
    async def sleeper(ctx: Context) -> float:
        began = ctx.now()
        await ctx.sleep("1h")
        return (ctx.now() - began).total_seconds()

    clock = ManualClock(1_700_000_000_000)
    async with scene(url, clock) as on, working(app, on):
        run = await on.start("sleeper")
        await on.reaches(run, "sleeping")
        clock.advance(50 * 60_000)
        await on.engine.runs.act("rewind", run, OPERATOR, to="sleep:0")
        await on.reaches(run, "sleeping")
        while len(await on.entries(run, "timer.started")) < 2:
            await asyncio.sleep(0.005)
        first, second = await on.entries(run, "timer.started")
        assert second["fire_at"] - first["fire_at"] == 50 * 60_000


@pytest.mark.parametrize("first", ["answer", "rewind", "kept"])
async def test_a_rewind_against_an_answer_on_its_way(url: str, first: str) -> None:
    app = App()

    @app.workflow
    async def claim(ctx: Context) -> Any:
        await ctx.step("note", int)
        answer = await ctx.await_input("approve", bool, title="?", to=["user:alice"])
        await ctx.sleep("1h")
        return answer.value

    async with scene(url) as on:
        async with working(app, on):
            run = await on.start("claim")
            row = await on.asks(run, "approve:0")
        after = first == "kept"
        acts = {
            "answer": on.answer(row, True),
            "rewind": on.engine.runs.act("rewind", run, OPERATOR, to="approve:0" if after else "note:0", after=after),
        }
        order = [acts.pop("rewind" if first == "rewind" else "answer"), *acts.values()]
        outcomes = await asyncio.gather(*order, return_exceptions=True)
        request = await on.engine.inputs.get(run, "approve:0")
        if first == "rewind":
            assert isinstance(outcomes[1], Withdrawn)
            assert outcomes[1].extra["row"]["reason"] == "rewound"
        elif first == "answer":
            assert (request["status"], request["reason"]) == ("withdrawn", "rewound")
            assert ("input", "approve:0") not in await rows(on, run_path(run))
        else:
            assert request["status"] == "answered"
        async with working(app, on):
            if first == "kept":
                await on.reaches(run, "sleeping")
            else:
                assert (await on.asks(run, "approve:0"))["revised"] > row["revised"]


async def test_the_second_of_two_operators_decides_on_what_the_first_has_left(url: str) -> None:
    world = World()
    async with scene(url) as on:
        async with working(claims(world), on):
            run = await approved(on)
            await on.reaches(run, "failed")
        rewind = partial(on.engine.runs.act, "rewind", run, OPERATOR)
        outcomes = await asyncio.gather(rewind(to="note:0"), rewind(to="note:0"), return_exceptions=True)
        assert isinstance(outcomes[0], dict)
        assert isinstance(outcomes[1], UnknownCommand)
        assert outcomes[1].extra["known"] == ["approve:0"]
        assert len(await on.entries(run, "run.rewound")) == 1
        assert (await rewind(to="approve:0", after=True))["status"] == "running"


@pytest.mark.parametrize("kind", ["async", "thread"])
async def test_the_result_of_an_attempt_that_was_begun_before_never_counts(url: str, kind: str) -> None:
    app, begun, go_on, tries = App(), threading.Event(), threading.Event(), 0

    def blocking() -> int:
        nonlocal tries
        tries += 1
        mine = tries
        begun.set()
        if mine == 1:
            go_on.wait(20)
        return mine

    async def waiting() -> int:
        return await asyncio.to_thread(blocking)

    @app.workflow
    async def flow(ctx: Context) -> int:
        await ctx.step("note", int)
        return await ctx.step("slow", waiting if kind == "async" else blocking)

    async with stage(app, url) as on:
        run = await on.start("flow")
        await asyncio.to_thread(begun.wait, 20)
        await on.engine.runs.act("rewind", run, OPERATOR, to="slow:0")
        await on.reaches(run, "completed")
        go_on.set()
        assert (await on.engine.outcomes.get(run, operator=True)).output == 2
        assert [entry["result"] for entry in await on.entries(run, "step.completed")] == [0, 2]


async def test_another_process_rewinds_what_a_worker_holds(shared_url: str) -> None:
    world = World()
    app = App()

    @app.workflow
    async def flow(ctx: Context) -> list[str]:
        return [await ctx.step("note", world.note, "n"), await ctx.step("slow", world.slow)]

    async with stage(app, shared_url) as on, scene(shared_url) as elsewhere:
        run = await on.start("flow")
        await world.begun.wait()
        world.begun.clear()
        await elsewhere.engine.runs.act("rewind", run, OPERATOR, to="note:0")
        async with asyncio.timeout(20):
            await world.begun.wait()
        world.go_on.set()
        await on.reaches(run, "completed")
        assert world.done == ["n", "n"]


async def test_a_run_that_is_over_is_not_rewound_and_an_unknown_id_is_named(url: str) -> None:
    world = World()
    world.down = False
    async with stage(claims(world), url) as on:
        run = await approved(on)
        await on.reaches(run, "completed")
        with pytest.raises(RunClosed, match=r"cannot be rewound.*Fork it"):
            await on.engine.runs.act("rewind", run, OPERATOR, to="pay:0")
        with pytest.raises(NotBlocked, match="Fork it"):
            await on.engine.runs.act("retry", run, OPERATOR)
        open_run = await on.start("claim", 6)
        await on.asks(open_run, "approve:0")
        with pytest.raises(UnknownCommand, match=r"'pay:7'.*What it has asked for last: approve:0\.") as unknown:
            await on.engine.runs.act("rewind", open_run, OPERATOR, to="pay:7")
        assert (unknown.value.status, unknown.value.extra["known"]) == (404, ["approve:0"])
        with pytest.raises(RunNotFound):
            await on.engine.runs.act("rewind", "nobody", OPERATOR, to="pay:0")


# -- fork --------------------------------------------------------------------------------------------------------------


async def test_a_fork_of_a_completed_run_does_the_last_turn_again(url: str) -> None:
    world = World()
    world.down = False
    async with stage(claims(world), url) as on:
        run = await approved(on)
        await on.reaches(run, "completed")
        before = await on.entries(run)
        forked = await on.engine.runs.act("fork", run, OPERATOR)
        new = forked["id"]
        assert forked["forked_from"]["run_id"] == run
        await on.reaches(new, "completed")
        assert world.done == ["noted", "pay"], "all is shared but the end"
        assert await on.entries(run) == before
        assert (await on.entries(new))[0]["run_id"] == new


async def test_a_fork_at_a_request_asks_it_again_in_the_new_run(url: str) -> None:
    async with stage(claims(World()), url) as on:
        run = await approved(on, False)
        await on.reaches(run, "completed")
        await on.engine.runs.act("fork", run, OPERATOR, run_id="again", at="approve:0")
        row = await on.asks("again", "approve:0")
        assert set(await rows(on, inbox_path("user:alice"))) == {("input", "again/approve:0")}
        same = await on.engine.runs.act("fork", run, OPERATOR, run_id="again", at="approve:0")
        assert same["id"] == "again"
        assert len(await on.entries("again", "run.started")) == 1
        with pytest.raises(RunConflict, match="'again' is taken by another run"):
            await on.engine.runs.act("fork", run, OPERATOR, run_id="again", at="approve:0", after=True)
        await on.answer(row, False)
        await on.reaches("again", "completed")
        assert await rows(on, inbox_path("user:alice")) == {}


async def test_a_fork_may_go_on_from_a_run_that_is_cancelled_or_rewound(url: str) -> None:
    world = World()
    async with stage(claims(world), url) as on:
        run = await approved(on)
        await on.reaches(run, "failed")
        await on.engine.runs.act("rewind", run, OPERATOR, to="note:0")
        await on.reaches(run, "failed")
        await on.engine.runs.act("terminate", run, OPERATOR)
        world.down = False
        forked = await on.engine.runs.act("fork", run, OPERATOR, at="pay:0")
        row = await on.reaches(forked["id"], "completed")
        assert world.done == ["noted", "noted", "pay"]
        assert row["id"] != run
        with pytest.raises(UnknownCommand):
            await on.engine.runs.act("fork", run, OPERATOR, at="pay:9")


async def test_a_fork_of_a_cancelled_run_is_not_cancelled(url: str) -> None:
    async with stage(claims(World()), url) as on:
        run = await on.start("claim", 5)
        await on.asks(run, "approve:0")
        await on.engine.runs.act("cancel", run, OPERATOR)
        await on.reaches(run, "cancelled")
        await on.engine.runs.act("fork", run, OPERATOR, run_id="again")
        await on.answer(await on.asks("again", "approve:0"), False)
        await on.reaches("again", "completed")


async def test_a_submission_of_the_source_means_nothing_in_the_fork(url: str) -> None:
    async with stage(claims(World()), url) as on:
        run = await on.start("claim", 5)
        row = await on.asks(run, "approve:0")
        await on.answer(row, False, submission="once")
        await on.reaches(run, "completed")
        await on.engine.runs.act("fork", run, OPERATOR, run_id="again", at="approve:0")
        row = await on.asks("again", "approve:0")
        assert not (await on.answer(row, False, submission="once")).replayed
        with pytest.raises(SubmissionReused):
            await on.answer(row, True, submission="once")


async def test_an_event_that_is_shared_is_known_to_the_fork(url: str) -> None:
    app = App()

    @app.workflow
    async def events(ctx: Context) -> list[Any]:
        return [await ctx.await_event("paid", type=int) for _ in range(2)]

    async with stage(app, url) as on:
        run = await on.start("events")
        await on.engine.events.send(run, "paid", id="1", payload=1 << 60)
        while len(await on.entries(run, "event.awaited")) < 2:
            await asyncio.sleep(0.005)
        await on.engine.events.send(run, "paid", id="2", payload=2)
        await on.reaches(run, "completed")
        await on.engine.runs.act("fork", run, OPERATOR, run_id="again", at="paid:1")
        assert (await on.engine.events.send("again", "paid", id="1", payload=1 << 60)).duplicate
        with pytest.raises(SubmissionReused):
            await on.engine.events.send("again", "paid", id="1", payload=7)
        await on.reaches("again", "waiting")
        assert not (await on.engine.events.send("again", "paid", id="3", payload=3)).duplicate
        await on.reaches("again", "completed")
        assert (await on.engine.outcomes.get("again", operator=True)).output == [str(1 << 60), 3]


# -- all at once -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
async def test_operators_people_and_workers_at_once_leave_what_the_journal_says(url: str, seed: int) -> None:
    chance = random.Random(seed)
    app = App()

    def flaky() -> int:
        if chance.random() < 0.3:
            raise OSError("down")
        return 1

    @app.workflow
    async def busy(ctx: Context) -> int:
        steps = [ctx.options(retry=Retry(attempts=2, first="1ms")).step("work", flaky) for _ in range(2)]
        ask = ctx.await_input("approve", bool, title="?", to=["user:alice"])
        done = sum(await asyncio.gather(*steps))
        await ctx.sleep(0.002)
        answer = await ask
        ctx.publish("bill", "b", {"n": done})
        again = await ctx.options(retry=Retry(attempts=1)).step("work", flaky)
        await ctx.await_event("end")
        return done + again + answer.value

    async with scene(url) as on, working(app, on), working(app, on):
        runs = [await on.start("busy") for _ in range(6)]

        async def operate(rounds: int) -> None:
            for _ in range(rounds):
                run, to = chance.choice(runs), chance.choice(["work:0", "work:1", "work:2", "sleep:0", "approve:0"])
                with suppress(RunClosed, UnknownCommand, NotBlocked):
                    if chance.random() < 0.3:
                        await on.engine.runs.act("retry", run, OPERATOR)
                    else:
                        await on.engine.runs.act("rewind", run, OPERATOR, to=to, after=chance.random() < 0.5)
                await asyncio.sleep(chance.random() / 200)

        async def answer() -> None:
            while True:
                for run in runs:
                    for row in await on.engine.inputs.pending(run):
                        with suppress(Stale, Withdrawn, AlreadyDecided):
                            await on.answer(row, True)
                await asyncio.sleep(0.003)

        async def ended_by_event(run: str) -> bool:
            try:
                await on.engine.events.send(run, "end", id="1", payload=None)
            except RunClosed:  # it has failed
                return False
            return True

        async with asyncio.timeout(60):
            answering = asyncio.create_task(answer())
            await asyncio.gather(operate(25), operate(25))
            for run in runs:
                while not await ended_by_event(run):
                    with suppress(NotBlocked):
                        await on.engine.runs.act("retry", run, OPERATOR)
                while (row := await on.engine.runs.get(run))["status"] != "completed":
                    if row["status"] == "failed":
                        with suppress(NotBlocked):
                            await on.engine.runs.act("retry", run, OPERATOR)
                    await asyncio.sleep(0.005)
            answering.cancel()
        cuts = 0
        for run in runs:
            entries = [journal.from_json(entry) for entry in await on.entries(run)]
            cuts += sum(map(is_cut, entries))
            assert await asyncio.to_thread(Machine(app.get("busy")).advance, entries) == []
            view = View()
            refold(view, entries, past=True)
            assert view.past is not None
            assert await rows(on, run_path(run)) == view.past.rows
            results = [entry.id for entry in effective(entries) if isinstance(entry, StepCompleted)]
            assert len(results) == len(set(results)), "each result counts once"
        assert cuts > 10
        assert await rows(on, inbox_path("user:alice")) == {}


# -- paused runs -------------------------------------------------------------------------------------------------------


async def test_a_pause_outlives_a_rewind_and_a_fork_goes_on(url: str) -> None:
    world = World()
    world.down = False
    async with scene(url) as on:
        run = await on.start("claim", 5)
        async with working(claims(world), on):
            await on.asks(run, "approve:0")
        assert (await on.engine.runs.act("pause", run, OPERATOR))["status"] == "paused"
        row = await on.engine.runs.act("rewind", run, OPERATOR, to="approve:0")
        assert row["status"] == "paused"
        forked = await on.engine.runs.act("fork", run, OPERATOR)
        assert forked["status"] == "running"
        async with working(claims(world), on):
            await on.answer(await on.asks(forked["id"], "approve:0"), False)
            await on.reaches(forked["id"], "completed")
            assert await on.engine.inputs.pending(run) == [], "nothing is asked anew while the run is paused"
            await on.engine.runs.act("resume", run, OPERATOR)
            await on.asks(run, "approve:0")
