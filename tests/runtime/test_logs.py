"""Failures are told to the log, once, with the place where they happened."""

from __future__ import annotations

import asyncio
import logging

import pytest

from signoff import App, Context, PublicError, Retry
from signoff.clock import ManualClock
from signoff.runtime.driver import BLOCKED_RETRY_MS
from tests.runtime.scene import Scene, scene, stage, working


def _told(caplog: pytest.LogCaptureFixture, run: str) -> list[str]:
    return [record.getMessage() for record in caplog.records if run in record.getMessage()]


async def _parked(on: Scene, run: str, clock: ManualClock) -> None:
    """Wait until nobody holds the run, nor will before the clock moves."""
    async with asyncio.timeout(10):
        while True:
            record = await on.engine.runs.record(run)
            if record.lease_owner is None and (record.wake_at or 0) > clock.now_ms():
                return
            await asyncio.sleep(0.001)


async def test_each_failed_attempt_and_the_failed_run_are_logged_once(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = App()

    async def pay() -> None:
        raise ValueError("no such account")

    @app.workflow
    async def pays(ctx: Context) -> None:
        await ctx.options(retry=Retry(attempts=2, first="1ms")).step("pay", pay)

    with caplog.at_level(logging.WARNING, "signoff.runtime"):
        async with stage(app, url) as on:
            run = await on.start("pays")
            row = await on.reaches(run, "failed")
            assert row["error"] == {"code": "step_failed", "message": None}
            async with asyncio.timeout(20):
                while len(_told(caplog, run)) < 3:  # the log follows the commit
                    await asyncio.sleep(0.001)
            first, last, ended = _told(caplog, run)
            assert "attempt 1 of the step pay:0 failed; the next one is at" in first
            assert "attempt 2 of the step pay:0 failed; it was the last" in last
            assert "has failed" in ended
            for message in (first, last):
                assert message.endswith("builtins.ValueError: no such account")
                assert 'raise ValueError("no such account")' in message
            assert "in test_each_failed_attempt_and_the_failed_run_are_logged_once.<locals>.pays" in ended


async def test_the_journal_keeps_the_place_and_the_streams_do_not(url: str) -> None:
    app = App()

    @app.workflow
    async def fails(_: Context) -> None:
        raise PublicError("The account is closed.")

    async with stage(app, url) as on:
        run = await on.start("fails")
        await on.reaches(run, "failed")
        [entry] = await on.entries(run, "run.failed")
        frame = entry["error"]["frames"][-1]
        assert (frame["file"], frame["source"]) == (__file__, 'raise PublicError("The account is closed.")')
        await on.placed()
        for path in (f"runs/{run}", "workflows/fails"):
            body = (await on.engine.streams.read(path)).body
            assert b"The account is closed." in body
            assert b"frames" not in body
            assert __file__.encode() not in body


async def test_a_blocked_run_is_logged_once_and_again_when_the_reason_changes(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    def version(name: str) -> App:
        app = App()

        @app.workflow(name="changes")
        async def changes(ctx: Context) -> None:
            await ctx.await_event(name)

        return app

    with caplog.at_level(logging.ERROR, "signoff.runtime"):
        clock = ManualClock(1_000_000)
        async with scene(url, clock) as on:
            async with working(version("first"), on):
                run = await on.start("changes")
                await on.reaches(run, "waiting")
            await on.engine.events.send(run, "first", id="1", payload=None)
            for _ in range(2):  # a worker, and one more with the same code
                async with working(version("second"), on, poll_ms=5):
                    await on.reaches(run, "blocked")
                    for _ in range(3):
                        await _parked(on, run, clock)
                        clock.advance(BLOCKED_RETRY_MS)
                    await _parked(on, run, clock)
            assert len(_told(caplog, run)) == 1
            assert len(await on.entries(run, "run.blocked")) == 1
            clock.advance(BLOCKED_RETRY_MS)
            async with working(version("third"), on, poll_ms=5):
                async with asyncio.timeout(10):
                    while len(await on.entries(run, "run.blocked")) < 2:
                        await asyncio.sleep(0.001)
            first, second = _told(caplog, run)
            assert "second:0" in first
            assert "third:0" in second
