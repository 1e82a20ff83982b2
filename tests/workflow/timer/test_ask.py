"""Sleeps as workflow code asks for them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from signoff import Context
from tests.workflow.drive import Drive


def test_sleep_takes_durations() -> None:
    async def flow(ctx: Context) -> None:
        await asyncio.gather(ctx.sleep("2s"), ctx.sleep(0.5), ctx.sleep(timedelta(days=1)))

    assert Drive(flow).machine.open_timers == {"sleep:0": 3_000, "sleep:1": 1_500, "sleep:2": 86_401_000}
