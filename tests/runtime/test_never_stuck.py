"""No run is left behind: whatever a step, the code, a store or a stopping worker does, somebody goes on with it."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from signoff import App, Context, Retry
from signoff.clock import ManualClock
from signoff.errors import BadRequest
from signoff.runtime.driver import RunDriver
from signoff.stores.change import Change, Outcome, Rejected, SubjectWrite
from signoff.workflow.entry import DecidedBy
from tests.runtime.scene import Scene, scene, stage, working

NOON = 1_800_000_000_000
ONCE = Retry(attempts=1)
Body = Callable[[Context], Awaitable[Any]]


def app_of(body: Body) -> App:
    app = App()

    @app.workflow(name="flow", expose=("output",))
    async def flow(ctx: Context) -> Any:
        return await body(ctx)

    return app


async def outcome(body: Body, url: str) -> dict[str, Any]:
    async with stage(app_of(body), url) as on:
        return await on.reaches(await on.start("flow"), {"completed", "failed"})


# -- steps that end in unusual ways ------------------------------------------------------------------------------------


async def cancels_its_own_part() -> None:
    part = asyncio.create_task(asyncio.Event().wait())
    part.cancel()
    await part


def exits() -> None:
    sys.exit(3)


class Odd(BaseException):
    pass


async def raises_odd() -> None:
    raise Odd


async def cancels_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


class Hollow(Exception):
    def __getattr__(self, name: str) -> object:
        raise KeyError(name)


class Leaves(Exception):
    code = property(lambda self: sys.exit(3))

    def __str__(self) -> str:
        raise KeyboardInterrupt


class Unreadable:
    def __iter__(self) -> object:
        raise GeneratorExit


def sync(error: BaseException) -> Callable[[], None]:
    def raises() -> None:
        raise error

    return raises


def in_loop(error: BaseException) -> Callable[[], Awaitable[None]]:
    async def raises() -> None:
        raise error

    return raises


class Broken(Retry):
    def delay_ms(self, attempt: int, error: BaseException, rng: object = None) -> int | None:
        raise RuntimeError("no policy")


@pytest.mark.parametrize(
    ("fn", "code"),
    [
        (cancels_its_own_part, "cancelled_error"),
        (cancels_itself, "cancelled_error"),
        (exits, "system_exit"),
        (raises_odd, "odd"),
        (sync(StopIteration(5)), "stop_iteration"),
        (in_loop(StopIteration(5)), "runtime_error"),
        (sync(StopAsyncIteration()), "stop_async_iteration"),
        (sync(KeyboardInterrupt()), "keyboard_interrupt"),
        (in_loop(KeyboardInterrupt()), "keyboard_interrupt"),
        (in_loop(SystemExit(3)), "system_exit"),
        (sync(GeneratorExit()), "generator_exit"),
        (in_loop(GeneratorExit()), "generator_exit"),
        (sync(asyncio.CancelledError()), "cancelled_error"),
        (sync(Hollow("x")), "hollow"),
        (in_loop(Leaves("x")), "leaves"),
        (sync(BaseExceptionGroup("g", [KeyboardInterrupt(), ValueError()])), "base_exception_group"),
        (Unreadable, "unsupported_value"),
    ],
    ids=lambda value: getattr(value, "__qualname__", value),
)
@pytest.mark.parametrize("policy", [ONCE, Broken(attempts=9)], ids=["once", "broken"])
async def test_whatever_a_step_raises_is_one_failed_attempt(
    url: str, fn: Callable[..., Any], code: str, policy: Retry
) -> None:
    async def body(ctx: Context) -> None:
        await ctx.options(retry=policy).step("odd", fn)

    async with stage(app_of(body), url) as on:
        run = await on.start("flow")
        assert (await on.reaches(run, "failed"))["error"]["code"] == "step_failed"
        (failed,) = await on.entries(run, "step.failed")
        assert failed["error"]["code"] == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), "keyboard_interrupt"),
        (SystemExit(1), "system_exit"),
        (GeneratorExit(), "generator_exit"),
        (StopIteration(), "runtime_error"),
        (Hollow("x"), "hollow"),
        (Leaves("x"), "leaves"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
async def test_whatever_workflow_code_raises_fails_its_run_alone(url: str, error: BaseException, code: str) -> None:
    async def body(ctx: Context) -> None:
        raise error

    assert (await outcome(body, url))["error"]["code"] == code


@dataclass
class Poster:
    to: str

    async def __call__(self) -> str:
        return self.to


async def test_a_step_may_be_an_object_that_cannot_be_hashed(url: str) -> None:
    async def body(ctx: Context) -> str:
        return await ctx.options(retry=ONCE).step("post", Poster("alice"))

    assert (await outcome(body, url))["output"] == "alice"


async def test_a_retried_attempt_keeps_nothing_busy(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts, go_on = 0, asyncio.Event()
    again = asyncio.Event()
    pumps = 0
    pump = RunDriver.pump

    def counted(driver: RunDriver) -> None:
        nonlocal pumps
        pumps += 1
        pump(driver)

    async def flaky() -> str:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise OSError("not yet")
        again.set()
        await go_on.wait()
        return "ok"

    async def body(ctx: Context) -> str:
        return await ctx.options(retry=Retry(first="1ms")).step("flaky", flaky)

    monkeypatch.setattr(RunDriver, "pump", counted)
    async with stage(app_of(body), url, poll_ms=60_000) as on:
        run = await on.start("flow")
        await again.wait()
        before = pumps
        for _ in range(100):
            await asyncio.sleep(0)
        assert pumps - before <= 1
        go_on.set()
        assert (await on.reaches(run, "completed"))["output"] == "ok"


async def test_a_step_that_ends_while_another_is_committed_runs_once(url: str) -> None:
    calls: list[str] = []

    async with scene(url) as on:
        commit, right_has_ended = on.engine.store.commit, asyncio.Event()

        async def left() -> None:
            calls.append("left")

        async def right() -> None:
            calls.append("right")
            await committing.wait()
            right_has_ended.set()

        committing = asyncio.Event()

        async def slow(changes: Sequence[Change]) -> list[Outcome | Rejected]:
            if any(b'"step.completed"' in data for data in _appended(changes)):
                committing.set()
                await right_has_ended.wait()
                await asyncio.sleep(0)
            return await commit(changes)

        async def body(ctx: Context) -> None:
            await asyncio.gather(ctx.step("left", left), ctx.step("right", right))

        on.engine.store.commit = slow  # type: ignore[method-assign]
        async with working(app_of(body), on):
            await on.reaches(await on.start("flow"), "completed")
    assert calls == ["left", "right"]


async def test_a_run_is_cancelled_while_its_step_blocks_a_thread(url: str) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def blocks() -> None:
        begun.set()
        go_on.wait()

    async def body(ctx: Context) -> None:
        try:
            await ctx.step("blocks", blocks)
        except asyncio.CancelledError:
            await ctx.step("clean", int, "1")
            raise

    async with stage(app_of(body), url) as on:
        try:
            run = await on.start("flow")
            await asyncio.to_thread(begun.wait)
            await on.engine.runs.act("cancel", run, DecidedBy("operator", "test"))
            await on.reaches(run, "cancelled")
        finally:
            go_on.set()
        assert [entry["id"] for entry in await on.entries(run, "step.completed")] == ["clean:0"]


# -- code that asks for what cannot be written -------------------------------------------------------------------------

LONE = "\ud800"


async def odd_message(ctx: Context) -> None:
    ctx.progress(0.5, LONE)


async def no_message(ctx: Context) -> None:
    ctx.progress(0.5, object())  # type: ignore[arg-type]


async def odd_title(ctx: Context) -> None:
    ctx.await_input("x", int, title=LONE)


async def odd_audience(ctx: Context) -> None:
    ctx.await_input("x", int, title="x", to=[f"group:{LONE}"])


async def odd_reason(ctx: Context) -> None:
    ctx.await_input("x", int, title="x").withdraw(LONE)


async def no_key(ctx: Context) -> None:
    await ctx.await_event("t", key=5)  # type: ignore[call-overload]


async def odd_label(ctx: Context) -> None:
    ctx.options(label=LONE)


async def odd_callback(ctx: Context) -> None:
    def callback() -> None:
        raise Odd

    asyncio.get_running_loop().call_soon(callback)
    await ctx.sleep("1h")


@pytest.mark.parametrize(
    "body", [odd_message, no_message, odd_title, odd_audience, odd_reason, no_key, odd_label, odd_callback]
)
async def test_what_cannot_be_written_fails_where_it_is_asked_for(body: Body) -> None:
    assert (await outcome(body, "memory:"))["status"] == "failed"


async def test_a_loop_without_end_stops_its_run_and_not_the_worker(url: str) -> None:
    async def body(ctx: Context) -> None:
        while True:
            await asyncio.sleep(0)

    async def other(ctx: Context) -> str:
        return "done"

    app = app_of(body)
    app.workflow(name="other", expose=("output",))(other)
    # How often it goes round decides here, not for how long: on a busy machine the watchdog would be first.
    async with stage(app, url, activation_s=60) as on:
        run = await on.start("flow")
        assert (await on.reaches(run, "failed"))["error"]["code"] == "not_allowed_in_workflow"
        assert (await on.reaches(await on.start("other"), "completed"))["output"] == "done"


async def test_a_cancelled_run_that_is_blocked_is_cancelled_when_it_heals(url: str) -> None:
    clock = ManualClock(NOON)

    async def before(ctx: Context) -> None:
        await ctx.step("first", int, "1")
        await ctx.await_event("never")

    async def after(ctx: Context) -> None:
        await ctx.step("inserted", int, "1")
        await ctx.await_event("never")

    async with scene(url, clock) as on:
        async with working(app_of(before), on):
            run = await on.start("flow")
            await on.reaches(run, "waiting")
        async with working(app_of(after), on):
            await on.engine.events.send(run, "poke", id="1", payload=None)
            await on.reaches(run, "blocked")
            await on.engine.runs.act("cancel", run, DecidedBy("operator", "test"), reason="enough")
        async with working(app_of(before), on):
            await _strike(on, clock, 10_000)
            assert (await on.reaches(run, "cancelled"))["error"] is None


async def test_progress_takes_any_number(url: str) -> None:
    async def body(ctx: Context) -> None:
        ctx.progress(Decimal("0.25"))  # type: ignore[arg-type]

    async with stage(app_of(body), url) as on:
        run = await on.start("flow")
        await on.reaches(run, "completed")
        (row,) = await on.entries(run, "row.published")
        assert row["value"]["fraction"] == 0.25


async def test_what_the_store_refuses_blocks_the_run_and_heals(url: str) -> None:
    refusing = True

    async def body(ctx: Context) -> str:
        ctx.publish("note", "a", {"text": "unwelcome"})
        return "done"

    clock = ManualClock(NOON)
    async with scene(url, clock) as on:
        commit = on.engine.store.commit

        async def picky(changes: Sequence[Change]) -> list[Outcome | Rejected]:
            if refusing and any(b"unwelcome" in data for data in _appended(changes)):
                return [Rejected(BadRequest("not this"))] * len(changes)
            return await commit(changes)

        on.engine.store.commit = picky  # type: ignore[method-assign]
        async with working(app_of(body), on):
            run = await on.start("flow")
            assert (await on.reaches(run, "blocked"))["error"]["code"] == "bad_request"
            refusing = False
            await on.engine.events.send(run, "poke", id="1", payload=None)
            assert (await on.reaches(run, "completed"))["output"] == "done"


def test_a_retry_policy_says_what_is_wrong_with_it() -> None:
    with pytest.raises(TypeError, match="tuple of exception classes"):
        Retry(never=ValueError)  # type: ignore[arg-type]


# -- stopping ----------------------------------------------------------------------------------------------------------


async def test_a_step_that_outlives_the_drain_runs_again_at_once(url: str) -> None:
    attempts, begun = 0, asyncio.Event()

    async def hangs_once() -> int:
        nonlocal attempts
        attempts += 1
        begun.set()
        if attempts == 1:
            await asyncio.Event().wait()
        return attempts

    async def body(ctx: Context) -> int:
        return await ctx.step("hang", hangs_once)

    async with scene(url, ManualClock(NOON)) as on:
        run = await on.start("flow")
        async with working(app_of(body), on) as worker:
            await begun.wait()
            await worker.drain(timeout_s=0.01)
        async with working(app_of(body), on):
            assert (await on.reaches(run, "completed"))["output"] == 2


@pytest.mark.parametrize("others", [0, 1])
async def test_a_run_that_is_claimed_while_the_worker_stops_is_given_back(url: str, others: int) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> int:
        begun.set()
        await go_on.wait()
        return 1

    async def body(ctx: Context) -> int:
        return await ctx.step("slow", slow)

    async with scene(url, ManualClock(NOON)) as on:
        claim = on.engine.store.claim
        claiming, claimed = asyncio.Event(), asyncio.Event()

        async def slowly(*args: Any, **kwargs: Any) -> Any:
            records = await claim(*args, **kwargs)
            if records and claiming.is_set():
                claimed.set()
                await asyncio.sleep(0)
                while not worker.draining:
                    await asyncio.sleep(0)
            return records

        async with working(app_of(body), on) as worker:
            on.engine.store.claim = slowly  # type: ignore[method-assign]
            for _ in range(others):
                await on.start("flow")
                await begun.wait()
            claiming.set()
            run = await on.start("flow")
            await claimed.wait()
            draining = asyncio.create_task(worker.drain())
            go_on.set()
            await draining
        record = await on.engine.runs.record(run)
        assert (record.lease_owner, record.ready) == (None, True)
        on.engine.store.claim = claim  # type: ignore[method-assign]
        async with working(app_of(body), on):
            assert (await on.reaches(run, "completed"))["output"] == 1


# -- time --------------------------------------------------------------------------------------------------------------


async def _strike(on: Scene, clock: ManualClock, ms: int) -> None:
    clock.advance(ms)
    on.engine.store.bus().emit(["ready"])


async def test_an_early_event_does_not_begin_a_run_and_is_kept_for_it(url: str) -> None:
    clock = ManualClock(NOON)

    async def body(ctx: Context) -> list[Any]:
        return [ctx.now().timestamp() * 1000, await ctx.await_event("go")]

    async with scene(url, clock) as on, working(app_of(body), on):
        run = await on.start("flow", start_at=NOON + 60_000)
        await on.engine.events.send(run, "go", id="1", payload="early")
        async with asyncio.timeout(10):
            while (record := await on.engine.runs.record(run)).ready or record.lease_owner:
                await asyncio.sleep(0)
        assert record.wake_at == NOON + 60_000
        assert len(await on.entries(run)) == 2
        await _strike(on, clock, 60_000)
        assert (await on.reaches(run, "completed"))["output"] == [NOON + 60_000, "early"]


async def test_a_run_that_has_not_begun_is_cancelled_at_once(url: str) -> None:
    async def body(ctx: Context) -> None:
        await ctx.step("never", raises_odd)

    async with scene(url, ManualClock(NOON)) as on, working(app_of(body), on):
        run = await on.start("flow", start_at=NOON + 60_000)
        await on.engine.events.send(run, "go", id="1", payload="early")
        await on.engine.runs.act("cancel", run, DecidedBy("operator", "test"))
        assert (await on.reaches(run, "cancelled"))["error"] is None
        assert not await on.entries(run, "step.failed")


async def test_ten_thousand_timers_fire_together_in_bounded_commits(url: str) -> None:
    clock = ManualClock(NOON)

    async def body(ctx: Context) -> int:
        return len(await asyncio.gather(*(ctx.sleep("1h") for _ in range(10_000))))

    async with scene(url, clock) as on, working(app_of(body), on):
        run = await on.start("flow")
        await on.reaches(run, "sleeping")
        async with asyncio.timeout(15):
            await _strike(on, clock, 3_600_000)
            assert (await on.reaches(run, "completed"))["output"] == 10_000
        fired = await on.entries(run, "timer.fired")
        assert [entry["id"] for entry in fired] == [f"sleep:{n}" for n in range(10_000)]


def _appended(changes: Sequence[Change]) -> list[bytes]:
    """Return what Changes append to streams of their subjects' own."""
    writes = [change.write for change in changes if isinstance(change.write, SubjectWrite)]
    return [append.data for write in writes for append in write.appends]
