"""How a time is written for people and programs. What tells the time, and waits for it, is `signoff.clock`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

_WRITTEN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")


def rfc3339(ms: int) -> str:
    """Write a time in milliseconds as rows carry it: UTC, three decimals, `Z`.

    Example:
        >>> rfc3339(0)
        '1970-01-01T00:00:00.000Z'
    """
    return f"{_second(ms // 1000)}.{ms % 1000:03d}Z"


def is_rfc3339(text: object) -> bool:
    """Return True for a text that `rfc3339` could have written.

    Example:
        >>> is_rfc3339(rfc3339(0))
        True
    """
    return isinstance(text, str) and _WRITTEN.fullmatch(text) is not None


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
