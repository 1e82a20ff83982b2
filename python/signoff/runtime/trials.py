"""Trials: runs whose last worker was lost are tried one at a time, lest the one that cost it takes the others along.

Whoever was there when a worker died may have been its death. Tried alone, each shows what it does. One that has cost
all but the last worker it may cost is looked at longer, with nobody beside it who may be it: a run that only waits for
a slow step is never condemned for its neighbour.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from signoff.runtime.driver import MOST_LOST, RunDriver
from signoff.runtime.port import ClaimedRun

TRIAL_S: Final = 1.0
"""Seconds for which a run whose last worker was lost is the only such one here, unless it comes to an entry before."""

LAST_TRIAL_S: Final = 60.0
"""The same for a run that would be given up if it cost one worker more; and how long others are held against it."""


def is_suspect(run: ClaimedRun) -> bool:
    """Say whether a run may have cost its last worker, and is not given up yet."""
    return 0 < run.lost < MOST_LOST


def _is_last_chance(run: ClaimedRun) -> bool:
    return run.lost == MOST_LOST - 1


class Trials:
    """The suspects that a worker drives.

    Args:
        next_one: is called when another suspect may be tried.
    """

    def __init__(self, next_one: Callable[[], None]) -> None:
        self._next_one = next_one
        self._now: RunDriver | None = None
        self._unproven: set[RunDriver] = set()

    def admit(self, run: ClaimedRun) -> bool:
        """Say whether a suspect may be tried now."""
        return not self._unproven if _is_last_chance(run) else self._now is None

    def begin(self, run: ClaimedRun, driver: RunDriver) -> None:
        """Try a suspect that was admitted. Times are real ones: what counts is whether this process lives."""
        self._now = driver
        self._unproven.add(driver)
        loop = asyncio.get_running_loop()
        loop.call_later(LAST_TRIAL_S if _is_last_chance(run) else TRIAL_S, self._leave_time_for_others, driver)
        loop.call_later(LAST_TRIAL_S, self.proven, driver)

    def proven(self, driver: RunDriver) -> None:
        """Learn that a driver's run has come to an entry, or ended, and this worker is still there."""
        if self._unproven and driver in self._unproven:
            self._unproven.remove(driver)
            self._leave_time_for_others(driver)
            self._next_one()

    def _leave_time_for_others(self, driver: RunDriver) -> None:
        if self._now is driver:
            self._now = None
            self._next_one()
