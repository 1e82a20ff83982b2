"""Time comes in here and nowhere else.

Everything that must know the time takes a `Clock`; tests hand in one they can move. Times are whole milliseconds since
the Unix epoch (UTC), because that is what journals, rows and indexes keep.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    """Tell the time."""

    def now_ms(self) -> int:
        """Return milliseconds since the Unix epoch, UTC."""
        ...


class SystemClock:
    """Read the machine's wall clock."""

    def now_ms(self) -> int:
        """Return milliseconds since the Unix epoch, UTC."""
        return time.time_ns() // 1_000_000


class ManualClock:
    """Stand still until moved; for tests and simulations.

    Example:
        >>> clock = ManualClock(1_000)
        >>> clock.advance(500)
        >>> clock.now_ms()
        1500
    """

    def __init__(self, now_ms: int = 0) -> None:
        self._now = now_ms

    def now_ms(self) -> int:
        """Return the time this clock was last moved to, in milliseconds."""
        return self._now

    def advance(self, by_ms: int) -> None:
        """Move the clock forward by `by_ms` milliseconds."""
        self._now += by_ms


def rfc3339(ms: int) -> str:
    """Write a time in milliseconds as rows carry it: UTC, three decimals, `Z`.

    Example:
        >>> rfc3339(0)
        '1970-01-01T00:00:00.000Z'
    """
    return f"{_second(ms // 1000)}.{ms % 1000:03d}Z"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
