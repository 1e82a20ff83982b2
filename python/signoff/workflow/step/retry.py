"""When a step is tried again: exponential backoff with a ceiling, and errors that are never retried."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from signoff.errors import PayloadTooLarge, UnsupportedValue
from signoff.workflow.durations import Duration, duration_ms


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a step is tried, and how long to wait in between.

    Args:
        attempts: how often the step is tried in all; 1: no second attempt.
        first: the wait after the first failure, e.g. `"1s"`, seconds, or a timedelta.
        factor: every further wait is this much longer.
        most: no wait is longer than this.
        jitter: 0 to 1: the part of each wait that is random, so that many runs do not come back at once.
        never: exception classes that are not retried.

    Example:
        >>> Retry(attempts=5, first="200ms", most="10s", never=(ValueError,)).delay_ms(2, OSError())
        400
    """

    attempts: int = 3
    first: Duration = "1s"
    factor: float = 2.0
    most: Duration = "60s"
    jitter: float = 0.0
    never: tuple[type[BaseException], ...] = ()

    def __post_init__(self) -> None:
        """Refuse a policy that makes no sense, where it is written."""
        if (
            not (_number(self.attempts, int) and self.attempts >= 1)
            or not (_number(self.factor) and math.isfinite(self.factor) and self.factor >= 1)
            or not (_number(self.jitter) and 0 <= self.jitter <= 1)
        ):
            raise ValueError(
                "A retry policy needs a whole number of attempts >= 1, a finite factor >= 1 and a jitter between 0 "
                "and 1."
            )
        duration_ms(self.first), duration_ms(self.most)
        if not isinstance(self.never, tuple) or not all(
            isinstance(kind, type) and issubclass(kind, BaseException) for kind in self.never
        ):
            raise TypeError(f"`never` of a retry policy is a tuple of exception classes, not {self.never!r:.100}.")

    def delay_ms(self, attempt: int, error: BaseException, rng: random.Random | None = None) -> int | None:
        """Return how long to wait after a failed attempt, in milliseconds, or None: give up.

        Args:
            attempt: the one that failed, from 1.
            error: what it raised.
            rng: where jitter comes from; without it there is none.
        """
        # By `type`: `isinstance` would ask the exception for its `__class__`, which is its author's code.
        if attempt >= self.attempts or issubclass(type(error), (*self.never, UnsupportedValue, PayloadTooLarge)):
            return None
        most = duration_ms(self.most)
        first = duration_ms(self.first)
        try:
            wait = min(first * self.factor ** (attempt - 1), most)
        except OverflowError:
            wait = most if first else 0
        if rng is not None and self.jitter:
            wait *= 1 - self.jitter * rng.random()
        return min(round(wait), most)


def _number(value: object, *kinds: type) -> bool:
    return isinstance(value, kinds or (int, float)) and not isinstance(value, bool)


DEFAULT = Retry()
