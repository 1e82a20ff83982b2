"""Observers are told what a worker does: once, with frozen objects, and nothing of what is merely replayed."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import TypeVar

import pytest

from signoff import App, Context, Retry
from signoff.clock import ManualClock
from signoff.embed import Signoff
from signoff.runtime.observe import (
    AnswerReceived,
    AttemptEnded,
    AttemptStarted,
    EntriesCommitted,
    Observation,
    RunClaimed,
    RunEnded,
    RunIsBlocked,
    RunLost,
    RunReleased,
    RunReplayed,
    RunWaiting,
    StoreTrouble,
)
from signoff.stores.open import open_store
from tests.runtime.scene import scene, working

E = TypeVar("E", bound=Observation)
NOON = 1_800_000_000_000


class Recorder:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Observation] = []

    def observe(self, event: Observation) -> None:
        self.events.append(event)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    async def told(self, kind: type[E], count: int = 1) -> list[E]:
        """Wait until so many of a kind were told, and return them."""
        async with asyncio.timeout(20):
            while len(self.of(kind)) < count:
                await asyncio.sleep(0.001)
        return self.of(kind)

    @property
    def kinds(self) -> list[type[Observation]]:
        return [type(event) for event in self.events]


def app_of_two() -> App:
    """Return a workflow of a step, a question and a step."""
    app = App()

    async def work(n: int) -> int:
        return n

    @app.workflow(expose=("output",))
    async def two(ctx: Context) -> int:
        first = await ctx.step("work", work, 1)
        answer = await ctx.await_input("ok", bool, title="ok?", to=["group:finance"], deadline="3d")
        return first + await ctx.step("work", work, 2) if answer.value else 0

    return app


async def test_the_life_of_a_run_is_told_in_order(url: str) -> None:
    told = Recorder()
    async with scene(url, ManualClock(NOON)) as on, working(app_of_two(), on, observers=[told]):
        run = await on.start("two")
        row = await on.asks(run, "ok:0")
        [waiting] = await told.told(RunWaiting)
        assert told.kinds == [
            RunClaimed,
            RunReplayed,
            EntriesCommitted,
            AttemptStarted,
            AttemptEnded,
            EntriesCommitted,
            RunWaiting,
        ]
        assert (waiting.inputs, waiting.timers, waiting.wake_at) == (("ok:0",), (), NOON + 3 * 86_400_000)
        told.events.clear()
        await on.answer(row, True)
        await on.reaches(run, "completed")
        [ended] = await told.told(RunEnded)
    assert told.kinds == [
        RunClaimed,
        RunReplayed,
        AnswerReceived,
        EntriesCommitted,
        AttemptStarted,
        AttemptEnded,
        EntriesCommitted,
        RunEnded,
    ]
    assert {(event.run_id, event.workflow) for event in told.events} == {(run, "two")}
    assert (ended.status, ended.error) == ("completed", None)
    [answer] = told.of(AnswerReceived)
    assert (answer.input, answer.action, answer.waited_ms) == ("ok:0", "submit", 0)
    [started], [done] = told.of(AttemptStarted), told.of(AttemptEnded)
    assert (started.step, started.name, started.attempt) == ("work:1", "work", 1)
    assert (done.step, done.outcome, done.error) == ("work:1", "completed", None)
    assert 0 <= done.duration_s < 20
    with pytest.raises(dataclasses.FrozenInstanceError):
        done.attempt = 2  # type: ignore[misc]


async def test_what_is_replayed_is_not_told_again(url: str) -> None:
    before, after = Recorder(), Recorder()
    async with scene(url) as on:
        run = await on.start("two")
        async with working(app_of_two(), on, observers=[before]):
            row = await on.asks(run, "ok:0")
            await before.told(RunWaiting)
        await on.answer(row, False)
        entries = len(await on.entries(run))
        async with working(app_of_two(), on, observers=[after]):
            await on.reaches(run, "completed")
            await after.told(RunEnded)
    assert after.kinds == [RunClaimed, RunReplayed, AnswerReceived, EntriesCommitted, RunEnded]
    [replayed] = after.of(RunReplayed)
    assert replayed.entries == entries
    assert 0 < replayed.duration_s < 20


async def test_each_attempt_is_told_with_how_it_ended(url: str) -> None:
    app, told, begun = App(), Recorder(), asyncio.Event()

    async def fails() -> None:
        raise ValueError("no such account")

    async def hangs() -> None:
        begun.set()
        await asyncio.Event().wait()

    @app.workflow
    async def pays(ctx: Context) -> None:
        hanging = ctx.step("hang", hangs)
        try:
            await ctx.options(retry=Retry(attempts=2, first="1ms")).step("pay", fails)
        finally:
            hanging.cancel()

    async with scene(url) as on, working(app, on, observers=[told]):
        await on.reaches(await on.start("pays"), "failed")
        [ended] = await told.told(RunEnded)
        await told.told(AttemptEnded, 3)
    ends = [(one.step, one.attempt, one.outcome, one.error and one.error.code) for one in told.of(AttemptEnded)]
    assert sorted(ends) == [
        ("hang:0", 1, "cancelled", None),
        ("pay:0", 1, "failed", "value_error"),
        ("pay:0", 2, "failed", "value_error"),
    ]
    first, last = [one for one in told.of(AttemptEnded) if one.name == "pay"]
    assert first.retry_at is not None
    assert last.retry_at is None
    assert ended.status == "failed"
    assert ended.error is not None
    assert ended.error.code == "step_failed"


async def test_what_is_committed_is_the_journal(url: str) -> None:
    told = Recorder()
    async with scene(url) as on, working(app_of_two(), on, observers=[told]):
        run = await on.start("two")
        await on.answer(await on.asks(run, "ok:0"), True)
        await on.reaches(run, "completed")
        await told.told(RunEnded)
        written = [entry["type"] for entry in await on.entries(run)]
    ours = [entry.type for event in told.of(EntriesCommitted) for entry in event.entries]
    assert ours == [type_ for type_ in written if type_ not in {"run.started", "input.answered"}]


async def test_a_lost_lease_is_told(url: str) -> None:
    app, begun, go_on = App(), asyncio.Event(), asyncio.Event()
    told, clock = Recorder(), ManualClock(NOON)

    async def slow() -> None:
        begun.set()
        await go_on.wait()

    @app.workflow
    async def one(ctx: Context) -> None:
        await ctx.step("slow", slow)

    async with scene(url, clock) as on, working(app, on, observers=[told], lease_ms=60_000):
        run = await on.start("one")
        await begun.wait()
        clock.advance(61_000)
        [taken] = await on.engine.store.claim("another", ["one"], now=clock.now_ms(), lease_ms=60_000, limit=1)
        go_on.set()
        [lost] = await told.told(RunLost)
        assert (lost.run_id, lost.epoch) == (run, taken.epoch - 1)
        assert await on.entries(run, "step.completed") == []


async def test_a_blocked_run_is_told_once_and_a_stopping_worker_releases(url: str) -> None:
    old, new, told = App(), App(), Recorder()
    begun = asyncio.Event()

    async def holds() -> None:
        begun.set()
        await asyncio.sleep(0.01)

    @old.workflow(name="flow")
    async def before(ctx: Context) -> None:
        await ctx.step("one", holds)
        await ctx.step("two", holds)
        await ctx.await_event("go")

    @new.workflow(name="flow")
    async def after(ctx: Context) -> None:
        await ctx.step("other", holds)

    async with scene(url) as on:
        run = await on.start("flow")
        async with working(old, on, observers=[told]):
            await begun.wait()
        assert told.kinds[-1] is RunReleased
        async with working(old, on):
            await on.reaches(run, "waiting")
        await on.engine.events.send(run, "poke", id="1", payload=None)
        told.events.clear()
        async with working(new, on, observers=[told]):
            await on.reaches(run, "blocked")
            [blocked] = await told.told(RunIsBlocked)
        assert blocked.error.code == "non_determinism"
        assert AnswerReceived not in told.kinds


async def test_trouble_with_the_store_is_told_and_waited_out(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Recorder()
    async with scene(url) as on:
        run = await on.start("two")
        read, fails = on.engine.store.read, True

        async def broken(*args: object) -> object:
            nonlocal fails
            if fails:
                fails = False
                raise OSError("no such disk")
            return await read(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(on.engine.store, "read", broken)
        async with working(app_of_two(), on, observers=[told]):
            await on.asks(run, "ok:0")
        assert "no such disk" in told.of(StoreTrouble)[0].what


async def test_an_observer_that_fails_harms_nothing_and_is_logged_once(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    told = Recorder()

    class Broken:
        def observe(self, event: Observation) -> None:
            raise RuntimeError("cannot count")

    with caplog.at_level(logging.ERROR, "signoff.runtime"):
        async with scene(url) as on, working(app_of_two(), on, observers=[Broken(), told, Broken()]):
            run = await on.start("two")
            await on.answer(await on.asks(run, "ok:0"), True)
            await on.reaches(run, "completed")
            await told.told(RunEnded)
    complaints = [record for record in caplog.records if "observer" in record.getMessage()]
    assert len(complaints) == 2
    assert "cannot count" in caplog.text


async def test_an_application_that_has_signoff_in_it_observes_its_worker() -> None:
    told = Recorder()
    signoff = Signoff(open_store("memory:"), app_of_two(), observers=[told])
    async with signoff.lifespan():
        await signoff.engine.runs.start("two")
        await told.told(RunWaiting)
    assert told.of(RunClaimed)[0].epoch == 1
