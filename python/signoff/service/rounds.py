"""Rounds: what each process looks after every few seconds, whatever went wrong the last time."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

from signoff.clock import Clock, sleep
from signoff.outages import OutageLog


async def go_round(
    clock: Clock, every_s: Callable[[], float], look: Callable[[], Awaitable[object]], outage: OutageLog
) -> None:
    """Look again and again, for ever.

    Args:
        clock: what is waited by.
        every_s: seconds between two looks; a quarter more or less is waited, so that processes come apart.
        look: what is done; if it fails, it is done again the next time.
        outage: is told whether it failed.

    Example:
        >>> task = asyncio.create_task(go_round(clock, lambda: EVERY_S, self.sweep, outage))
    """
    while True:
        pause = every_s() * random.uniform(3 / 4, 5 / 4)  # noqa: S311 - apart, not hard to guess
        await sleep(clock, pause, idle=True)
        try:
            await look()
            outage.over()
        except Exception as error:  # whatever it is: nobody else would look
            outage.failed(error)
