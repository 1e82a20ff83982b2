"""The engine as authors meet it: steps, sleeps, events, inputs, retries, cancellation."""

from __future__ import annotations

import asyncio
import itertools
import sys
import threading
import time
from contextvars import ContextVar
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from signoff import App, Context, EventTimedOut, PublicError, Retry, StepFailed, current_step, step
from signoff.clock import JumpingClock, ManualClock
from signoff.errors import JournalUnreadable, RunClosed, RunConflict, UnknownWorkflow
from signoff.service.engine import Engine
from signoff.service.events import Emitted
from signoff.service.kinds import RunFilter
from signoff.stores.change import Change, Committed, OwnAppend, SubjectWrite
from signoff.stores.open import open_store
from signoff.workflow.entry import DecidedBy
from tests.runtime.scene import scene, stage, working

OPERATOR = DecidedBy("operator", "test")


@dataclass
class Order:
    name: str
    amount: Decimal


async def test_steps_run_in_order_with_types(url: str) -> None:
    app = App()
    seen: list[str] = []

    def price(order: Order) -> Decimal:
        info = current_step()
        seen.append(f"{info.key}#{info.attempt}")
        return order.amount * 2

    async def note(amount: Decimal, *, text: str) -> dict[str, str | None]:
        seen.append(current_step().key)
        return {"text": f"{text} {amount}", "nothing": None}

    @app.workflow(expose=("output",))
    async def order(ctx: Context, order: Order) -> list[object]:
        doubled = await ctx.step("z.price", price, order)
        noted = await ctx.step("a.note", note, doubled, text="twice")
        again = await ctx.step("z.price", price, Order("x", Decimal(1)))
        return [str(doubled), noted, str(again), type(doubled).__name__]

    async with stage(app, url) as on:
        run = await on.start("order", {"name": "a", "amount": "2.50"})
        row = await on.reaches(run, "completed")
        assert row["output"] == ["5.00", {"text": "twice 5.00", "nothing": None}, "2", "Decimal"]
        assert seen == [f"{run}/z.price:0#1", f"{run}/a.note:0", f"{run}/z.price:1#1"]
        scheduled = await on.entries(run, "step.scheduled")
        assert [entry["id"] for entry in scheduled] == ["z.price:0", "a.note:0", "z.price:1"]


async def test_the_code_describes_a_run_that_was_started_without_it(url: str) -> None:
    app = App()

    @app.workflow(version="7", expose=("input", "output"), tags=("finance",))
    async def described(ctx: Context, amount: int) -> int:
        await ctx.await_event("go")
        return amount

    async with scene(url) as on:
        run = await on.start("described", 5, tags=["q3"])
        before = await on.engine.runs.get(run)
        assert (before["version"], before["tags"], "input" in before) == ("1", ["q3"], False)
        for _ in range(2):
            async with working(app, on):
                row = await on.reaches(run, "waiting")
        assert (row["version"], row["tags"], row["input"]) == ("7", ["q3", "finance"], 5)
        assert len(await on.entries(run, "run.described")) == 1
        tagged = await on.engine.runs.list(RunFilter(tags=("finance",)))
        assert [found["id"] for found in tagged.items] == [run]
        async with working(app, on):
            await on.engine.events.send(run, "go", id="1", payload=None)
            assert (await on.reaches(run, "completed"))["output"] == 5


async def test_gather_runs_steps_at_the_same_time(url: str) -> None:
    app = App()
    both = asyncio.Barrier(2)

    async def meet(n: int) -> int:
        await both.wait()
        return n

    @app.workflow(expose=("output",))
    async def pair(ctx: Context) -> list[int]:
        async with asyncio.timeout(20):
            return list(await asyncio.gather(ctx.step("meet", meet, 1), ctx.step("meet", meet, 2)))

    async with stage(app, url) as on:
        row = await on.reaches(await on.start("pair"), "completed")
        assert row["output"] == [1, 2]


async def test_a_sleep_outlives_the_worker(url: str) -> None:
    app = App()

    @app.workflow(expose=("output",))
    async def nap(ctx: Context) -> float:
        begin = ctx.now()
        await ctx.sleep("3d")
        return (ctx.now() - begin).total_seconds()

    clock = JumpingClock()
    async with scene(url, clock) as on:
        with clock.stopped():
            run = await on.start("nap")
            async with working(app, on):
                await on.reaches(run, "sleeping")
        async with working(app, on):
            row = await on.reaches(run, "completed")
        assert 3 * 86_400 <= row["output"] < 3 * 86_400 + 60


async def test_retries_back_off_and_then_succeed(url: str) -> None:
    app = App()
    attempts: list[tuple[int, float]] = []

    @step(retry=Retry(attempts=4, first="40ms", factor=2.0, jitter=0.0))
    async def flaky() -> str:
        attempts.append((current_step().attempt, time.monotonic()))
        if len(attempts) < 3:
            raise OSError("not yet")
        return "ok"

    @app.workflow(expose=("output",))
    async def stubborn(ctx: Context) -> str:
        return await ctx.step("flaky", flaky)

    async with stage(app, url) as on:
        run = await on.start("stubborn")
        assert (await on.reaches(run, "completed"))["output"] == "ok"
        assert [n for n, _ in attempts] == [1, 2, 3]
        gaps = [later[1] - earlier[1] for earlier, later in itertools.pairwise(attempts)]
        assert gaps[0] >= 0.035
        assert gaps[1] >= 0.075
        failed = await on.entries(run, "step.failed")
        assert [entry["attempt"] for entry in failed] == [1, 2]


async def test_exhausted_and_never_retried_errors_reach_the_code(url: str) -> None:
    app = App()
    calls: list[str] = []

    async def broken(kind: str) -> None:
        calls.append(kind)
        raise ValueError("bad") if kind == "value" else OSError("down")

    @app.workflow(expose=("output",))
    async def careful(ctx: Context) -> list[str]:
        told = []
        patient = ctx.options(retry=Retry(attempts=2, first="5ms", never=(ValueError,)))
        for kind in ("value", "os"):
            try:
                await patient.step("broken", broken, kind)
            except StepFailed as error:
                told.append(f"{error.extra['error']['code']} after {error.extra['attempts']}")
        return told

    @app.workflow
    async def careless(ctx: Context) -> None:
        await ctx.options(retry=Retry(attempts=1)).step("broken", broken, "os")

    async with stage(app, url) as on:
        row = await on.reaches(await on.start("careful"), "completed")
        assert row["output"] == ["value_error after 1", "os_error after 2"]
        assert calls == ["value", "os", "os"]
        failed = await on.reaches(await on.start("careless"), "failed")
        assert failed["error"]["code"] == "step_failed"
        assert failed["error"]["message"] is None


async def test_only_public_errors_show_their_message(url: str) -> None:
    app = App()

    @app.workflow
    async def refuses(ctx: Context, public: bool) -> None:
        if public:
            raise PublicError("The budget is used up.")
        raise RuntimeError("password=hunter2")

    async with stage(app, url) as on:
        shown = await on.reaches(await on.start("refuses", True), "failed")
        hidden = await on.reaches(await on.start("refuses", False), "failed")
        assert shown["error"]["message"] == "The budget is used up."
        assert hidden["error"] == {"code": "runtime_error", "message": None}


async def test_events_before_and_after_the_wait_arrive_in_order(url: str) -> None:
    app = App()

    @app.workflow(expose=("output",))
    async def listener(ctx: Context) -> list[int]:
        return [await ctx.await_event("tick", type=int) for _ in range(10)]

    async with scene(url) as on:
        run = await on.start("listener")
        for n in range(5):
            await on.engine.events.send(run, "tick", id=f"e{n}", payload=n)
        async with working(app, on):
            await on.reaches(run, "waiting")
            for n in range(5, 10):
                await on.engine.events.send(run, "tick", id=f"e{n}", payload=n)
                assert (await on.engine.events.send(run, "tick", id=f"e{n}", payload=n)).duplicate
            assert (await on.reaches(run, "completed"))["output"] == list(range(10))
        with pytest.raises(RunClosed):
            await on.engine.events.send(run, "tick", id="late", payload=1)


async def test_a_timed_out_wait_swallows_no_later_event(url: str) -> None:
    app = App()

    @app.workflow(expose=("output",))
    async def patient(ctx: Context) -> list[str]:
        told = []
        try:
            await ctx.await_event("tick", timeout="50ms")
        except EventTimedOut:
            told.append("timed out")
        event = await ctx.await_event("tick", type=str)
        return [*told, event]

    async with stage(app, url) as on:
        run = await on.start("patient")
        while not await on.entries(run, "event.timed_out"):
            await asyncio.sleep(0.01)
        await on.engine.events.send(run, "tick", id="1", payload="late")
        assert (await on.reaches(run, "completed"))["output"] == ["timed out", "late"]


async def test_emit_wakes_a_thousand_waiters_once(url: str) -> None:
    app = App()

    @app.workflow(expose=("output",))
    async def waiter(ctx: Context, key: str) -> object:
        return await ctx.await_event("go", key=key)

    async with stage(app, url) as on:
        runs = await asyncio.gather(*(on.start("waiter", "a" if n % 2 else "b") for n in range(1000)))
        for run in runs:
            await on.reaches(run, "waiting")
        assert await on.engine.events.emit("go", id="1", payload={"x": []}, key="a") == Emitted(500)
        assert await on.engine.events.emit("go", id="1", payload={"x": []}, key="a") == Emitted(0)
        assert await on.engine.events.emit("go", id="2", payload=2, key="b") == Emitted(500)
        for n, run in enumerate(runs):
            assert (await on.reaches(run, "completed"))["output"] == ({"x": []} if n % 2 else 2)
            assert len(await on.entries(run, "event.received")) == 1


async def test_cancel_runs_cleanup_as_durable_steps(url: str) -> None:
    app = App()
    cleaned: list[str] = []

    async def clean(what: str) -> None:
        cleaned.append(what)

    @app.workflow
    async def booking(ctx: Context) -> None:
        try:
            await ctx.await_input("confirm", bool, title="Book?", to=["group:finance"])
        except asyncio.CancelledError:
            await ctx.step("release", clean, "room")
            raise
        finally:
            await ctx.step("log", clean, "log")

    async with stage(app, url) as on:
        run = await on.start("booking")
        await on.asks(run, "confirm:0")
        await on.engine.runs.act("cancel", run, OPERATOR, reason="changed plans")
        assert await on.engine.inputs.pending(run) == []
        row = await on.reaches(run, "cancelled")
        assert cleaned == ["room", "log"]
        assert row["status"] == "cancelled"
        assert (await on.engine.inputs.get(run, "confirm:0"))["status"] == "withdrawn"
        with pytest.raises(RunClosed):
            await on.engine.runs.act("cancel", run, OPERATOR)


async def test_cancel_stops_a_step_under_way(url: str) -> None:
    app = App()
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def forever() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    @app.workflow
    async def endless(ctx: Context) -> None:
        await ctx.step("forever", forever)

    async with stage(app, url) as on:
        run = await on.start("endless")
        await begun.wait()
        await on.engine.runs.act("cancel", run, OPERATOR)
        await on.reaches(run, "cancelled")
        async with asyncio.timeout(5):
            await stopped.wait()
        assert stopped.is_set()


async def test_starting_twice_is_one_run(url: str) -> None:
    app = App()

    @app.workflow
    async def once(ctx: Context, n: int) -> int:
        return n

    async with stage(app, url) as on:
        first = await on.engine.runs.start("once", 1, run_id="r1")
        again = await on.engine.runs.start("once", 1, run_id="r1")
        assert (first.created, again.created) == (True, False)
        with pytest.raises(RunConflict):
            await on.engine.runs.start("once", 2, run_id="r1")
        many = await asyncio.gather(*(on.engine.runs.start("once", 1, run_id="r2") for _ in range(20)))
        assert sum(started.created for started in many) == 1


async def test_only_known_workflows_start_where_all_are_known(url: str) -> None:
    engine = await Engine.open(open_store(url), workflows=("expense",))
    try:
        with pytest.raises(UnknownWorkflow, match="Known: expense"):
            await engine.runs.start("expnse", 1)
        assert (await engine.runs.list(RunFilter())).items == ()
        assert (await engine.runs.start("expense", 1)).created
    finally:
        await engine.close()


async def test_a_step_that_blocks_does_not_hold_other_runs_up(url: str) -> None:
    app = App()

    go_on = threading.Event()

    def slow() -> str:
        assert go_on.wait(60)
        return "slow"

    async def quick() -> str:
        return "quick"

    @app.workflow
    async def slowly(ctx: Context) -> str:
        return await ctx.step("slow", slow)

    @app.workflow
    async def quickly(ctx: Context) -> str:
        return await ctx.step("quick", quick)

    async with stage(app, url) as on:
        behind = await on.start("slowly")
        await on.reaches(behind, "running")
        await on.reaches(await on.start("quickly"), "completed")
        go_on.set()
        await on.reaches(behind, "completed")


async def test_step_timeout_is_a_failed_attempt(url: str) -> None:
    app = App()

    async def hangs() -> None:
        await asyncio.Event().wait()

    @app.workflow(expose=("output",))
    async def guarded(ctx: Context) -> str:
        try:
            await ctx.options(timeout="50ms", retry=Retry(attempts=2, first="5ms")).step("hangs", hangs)
        except StepFailed as error:
            return str(error.extra["error"]["code"])
        return "no"

    async with stage(app, url) as on:
        assert (await on.reaches(await on.start("guarded"), "completed"))["output"] == "step_timed_out"


async def test_a_changed_workflow_is_blocked_and_heals(url: str) -> None:
    old, new = App(), App()

    async def one() -> int:
        return 1

    @old.workflow(name="flow", expose=("output",))
    async def before(ctx: Context) -> int:
        first = await ctx.step("first", one)
        await ctx.await_input("ok", bool, title="ok?", to=["group:finance"])
        return first

    @new.workflow(name="flow", expose=("output",))
    async def after(ctx: Context) -> int:
        first = await ctx.step("inserted", one)
        await ctx.await_input("ok", bool, title="ok?", to=["group:finance"])
        return first

    async with scene(url) as on:
        run = await on.start("flow")
        async with working(old, on):
            row = await on.asks(run, "ok:0")
        async with working(new, on):
            await on.answer(row, True)
            blocked = await on.reaches(run, "blocked")
            assert blocked["error"]["code"] == "non_determinism"
        (entry,) = await on.entries(run, "run.blocked")
        assert "inserted:0" in entry["error"]["message"]
        assert "first:0" in entry["error"]["message"]
        await on.engine.events.send(run, "poke", id="1", payload=None)
        async with working(old, on):
            assert (await on.reaches(run, "completed"))["output"] == 1


async def test_an_entry_of_a_newer_version_blocks_the_run_and_names_it(url: str) -> None:
    app = App()

    @app.workflow
    async def waits(ctx: Context) -> None:
        await ctx.await_event("go")

    async with scene(url) as on:
        run = await on.start("waits")
        record = await on.engine.runs.record(run)
        newer = OwnAppend(f"runs/{run}/journal", b'{"v":99,"type":"run.teleported","at":1}', 1)
        write = SubjectWrite(replace(record, version=record.version + 1), record.version, appends=(newer,))
        assert isinstance(await on.engine.committer.commit(Change(write)), Committed)
        async with working(app, on):
            blocked = await on.reaches(run, "blocked")
        assert blocked["error"]["code"] == "workflow_error"
        batch = await on.engine.store.read(f"runs/{run}/journal", 2, 1 << 20)
        assert batch is not None
        assert b"99" in batch[1][-1].data
        assert (await on.engine.runs.record(run)).lease_owner is None
        for verb, body in (("rewind", {"to": "go:0"}), ("fork", {})):
            with pytest.raises(JournalUnreadable, match="Nothing was changed"):
                await on.engine.runs.act(verb, run, OPERATOR, **body)
        with pytest.raises(JournalUnreadable, match=run):
            await on.engine.runs.history(run)


async def test_a_long_run_is_cheap_to_suspend(shared_url: str) -> None:
    app = App()

    async def work(n: int) -> int:
        return n

    @app.workflow(expose=("output",))
    async def long(ctx: Context) -> int:
        total = sum([await ctx.step("work", work, n) for n in range(1000)])
        answer = await ctx.await_input("ok", bool, title="ok?", to=["group:finance"])
        return total if answer.value else -1

    async with scene(shared_url) as on:
        run = await on.start("long")
        async with working(app, on):
            row = await on.asks(run, "ok:0")
        await on.answer(row, True)
        async with working(app, on):
            assert (await on.reaches(run, "completed"))["output"] == sum(range(1000))
        completed = await on.entries(run, "step.completed")
        assert [entry["id"] for entry in completed] == [f"work:{n}" for n in range(1000)]


async def test_a_worker_that_claims_its_own_run_again_drives_it_once(url: str) -> None:
    app, clock = App(), ManualClock(1_800_000_000_000)
    calls: list[int] = []
    go_on = asyncio.Event()

    async def slow() -> int:
        calls.append(current_step().attempt)
        await go_on.wait()
        return 1

    @app.workflow(expose=("output",))
    async def one(ctx: Context) -> int:
        return await ctx.step("slow", slow)

    async with scene(url, clock) as on, working(app, on, lease_ms=60_000):
        run = await on.start("one")
        async with asyncio.timeout(20):
            while len(calls) < 1:
                await asyncio.sleep(0.005)
            clock.advance(61_000)
            on.engine.store.bus().emit(["ready"])
            while len(calls) < 2:
                await asyncio.sleep(0.005)
        go_on.set()
        assert (await on.reaches(run, "completed"))["output"] == 1
        assert calls == [1, 1]
        assert len(await on.entries(run, "step.completed")) == 1
        assert (await on.engine.runs.record(run)).epoch == 2


async def test_an_event_reaches_a_run_whose_step_is_still_running(url: str) -> None:
    app = App()
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def long() -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return "never"

    @app.workflow(expose=("output",))
    async def either(ctx: Context) -> str:
        step_, event = ctx.step("long", long), asyncio.ensure_future(ctx.await_event("go", type=str))
        await asyncio.wait({step_, event}, return_when=asyncio.FIRST_COMPLETED)
        return event.result()

    async with stage(app, url) as on:
        run = await on.start("either")
        await begun.wait()
        await on.engine.events.send(run, "go", id="1", payload="come")
        assert (await on.reaches(run, "completed"))["output"] == "come"
        async with asyncio.timeout(5):
            await stopped.wait()
        assert [entry["id"] for entry in await on.entries(run, "step.cancelled")] == ["long:0"]


async def test_a_drained_worker_finishes_its_step_and_lets_go(url: str) -> None:
    app = App()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(n: int) -> int:
        begun.set()
        await go_on.wait()
        return n

    @app.workflow(expose=("output",))
    async def two(ctx: Context) -> int:
        return await ctx.step("slow", slow, 1) + await ctx.step("slow", slow, 2)

    async with scene(url) as on:
        run = await on.start("two")
        async with working(app, on) as worker:
            await begun.wait()
            draining = asyncio.create_task(worker.drain(timeout_s=10))
            go_on.set()
            await draining
        record = await on.engine.runs.record(run)
        assert record.lease_owner is None
        assert [entry["id"] for entry in await on.entries(run, "step.completed")] == ["slow:0"]
        async with working(app, on):
            assert (await on.reaches(run, "completed"))["output"] == 3


tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


async def test_steps_see_the_context_variables_of_the_workflow_and_keep_theirs(url: str) -> None:
    app = App()

    def in_a_thread() -> str:
        found = f"{tenant.get()} {current_step().name}"
        tenant.set("the thread's")
        return found

    async def on_the_loop() -> str:
        found = f"{tenant.get()} {current_step().name}"
        tenant.set("the step's")
        return found

    @app.workflow(expose=("output",))
    async def scoped(ctx: Context) -> list[str]:
        before = await ctx.step("before", on_the_loop)
        tenant.set("alice")
        found = [before, await ctx.step("thread", in_a_thread), await ctx.step("loop", on_the_loop), tenant.get()]
        await ctx.await_event("go")
        return [*found, await ctx.step("after", in_a_thread)]

    tenant.set("the worker's")
    async with scene(url) as on:
        async with working(app, on):
            run = await on.start("scoped")
            await on.reaches(run, "waiting")
        async with working(app, on):  # another worker replays
            await on.engine.events.send(run, "go", id="1", payload=None, key=None)
            row = await on.reaches(run, "completed")
        expected = ["the worker's before", "alice thread", "alice loop", "alice", "alice after"]
        assert row["output"] == expected


async def test_a_run_records_the_python_it_was_begun_on(url: str) -> None:
    app = App()

    @app.workflow
    async def plain(ctx: Context) -> None: ...

    async with stage(app, url) as on:
        run = await on.start("plain")
        await on.reaches(run, "completed")
        (started,) = await on.entries(run, "run.started")
        assert started["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"
