"""How often one caller may call: a token bucket for each, in this process alone."""

from __future__ import annotations

from typing import Final

from signoff.clock import Clock
from signoff.errors import TooManyRequests

MOST: Final = 10_000
"""Callers that are remembered; one that has been silent for as long as its bucket takes to fill is as good as new."""


class RateLimit:
    """A bound on how often each caller may do something.

    Args:
        rate: times a second, in the long run; 0: any number.
        burst: times at once.
        clock: tells the time.

    Example:
        >>> RateLimit(100, 1_000, clock).take("user:alice")
    """

    def __init__(self, rate: float, burst: int, clock: Clock) -> None:
        self._apart = 1 / rate if rate else 0.0
        self._room = self._apart * burst
        self._clock = clock
        self._began_ms = clock.now_ms()  # small numbers: a thousand sums of large ones are off by more than one call
        self._full_at: dict[str, float] = {}

    def take(self, caller: str) -> None:
        """Count one more.

        Raises:
            TooManyRequests: it is one too many for now; it does not count.
        """
        if not self._apart:
            return
        now = (self._clock.now_ms() - self._began_ms) / 1000
        full_at = max(self._full_at.get(caller, now), now) + self._apart
        wait = full_at - now - self._room
        if wait > 1e-6:
            raise TooManyRequests(
                "You call more often than this server lets anybody. Nothing was done; send it again later.",
                retry_after=max(1, -int(-wait // 1)),
            )
        if len(self._full_at) >= MOST and caller not in self._full_at:
            self._full_at = {known: at for known, at in self._full_at.items() if at > now}
            if len(self._full_at) >= MOST:
                self._full_at.clear()
        self._full_at[caller] = full_at
