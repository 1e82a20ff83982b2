"""Durations and deadlines as people write them: `250ms`, `2s`, `5m`, `3h`, `3d`, `1w`, `1h30m`."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from signoff.errors import BadRequest

Duration = str | int | float | timedelta
"""A length of time: text such as `1h30m`, seconds, or a timedelta."""

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_part = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d|w)")
_whole = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d|w))+").fullmatch
_MOST = 100 * 366 * 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def duration_ms(value: Duration) -> int:
    """Return a length of time in whole milliseconds, rounded up.

    Args:
        value: text such as `250ms` or `1h30m`, seconds as a number, or a timedelta. At most 100 years.

    Raises:
        BadRequest: it is none of these, or negative.

    Example:
        >>> duration_ms("1h30m"), duration_ms(0.25), duration_ms(timedelta(days=1))
        (5400000, 250, 86400000)
    """
    try:
        ms = _ms(value)
    except (OverflowError, ValueError):
        ms = None
    if ms is None or not 0 <= ms <= _MOST:
        raise BadRequest(f"{value!r:.100} is no duration: write for example 250ms, 2s, 5m, 3h, 3d, 1w or 1h30m.")
    return ms


def _ms(value: object) -> int | None:
    if isinstance(value, str):
        if not _whole(value):
            return None
        return math.ceil(sum(float(number) * _UNITS[unit] for number, unit in _part.findall(value)))
    if isinstance(value, timedelta):
        return -(-value // _MS)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return math.ceil(round(value * 1000, 6))
    return None


def deadline_ms(value: Duration | datetime, now_ms: int) -> int:
    """Return a deadline in milliseconds since the epoch.

    Args:
        value: a duration from now, or an aware datetime.
        now_ms: now, in milliseconds since the epoch.

    Raises:
        BadRequest: it is neither, or a datetime without a time zone.
    """
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise BadRequest("A deadline needs a time zone: use datetime.now(UTC) or ctx.now() to build it.")
        return (value - _EPOCH) // _MS
    return now_ms + duration_ms(value)


def moment(ms: int) -> datetime:
    """Return a time in milliseconds since the epoch as an aware datetime, UTC."""
    return _EPOCH + ms * _MS
