"""How a time is written for people and programs. What tells the time, and waits for it, is `signoff.clock`."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


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
