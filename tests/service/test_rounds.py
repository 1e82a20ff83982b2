from __future__ import annotations

import asyncio
import logging

import pytest

from signoff.clock import ManualClock
from signoff.outages import OutageLog
from signoff.service.rounds import go_round


async def test_a_look_that_fails_is_told_and_the_next_one_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    clock, looks, enough = ManualClock(0), [], asyncio.Event()

    async def look() -> None:
        looks.append(clock.now_ms())
        if len(looks) == 2:
            raise ConnectionError("nobody is there")
        if len(looks) == 4:
            enough.set()

    outage = OutageLog(logging.getLogger("signoff.rounds"), "cannot look")
    task = asyncio.create_task(go_round(clock, lambda: 4.0, look, outage))
    async with asyncio.timeout(10):
        while not enough.is_set():
            clock.advance(250)
            await asyncio.sleep(0)
    task.cancel()
    waits = [after - before for before, after in zip([0, *looks], looks, strict=False)]
    assert all(3_000 <= wait <= 6_000 for wait in waits), waits
    assert caplog.messages[0] == "cannot look: nobody is there"
