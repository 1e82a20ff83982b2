"""How long a stream lives: a sliding time to live, or a fixed end (Durable Streams §4, §5.1).

Renewing a time to live costs a write, so a read that follows the last renewal closely does not renew; the same span
is granted at the end, so that no stream expires earlier than promised.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Final

from signoff.errors import BadRequest
from signoff.streams.stream import Head

GRACE: Final = 16
"""The share of the time to live, one part in so many, within which a renewal is spared."""

_TTL: Final = re.compile(r"0|[1-9][0-9]{0,11}", re.ASCII)
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)


def parse_ttl(text: str) -> int:
    """Read `Stream-TTL`, in seconds.

    Raises:
        BadRequest: not a natural number in plain decimal notation.
    """
    if not _TTL.fullmatch(text):
        raise BadRequest("Stream-TTL is a whole number of seconds, like `3600`. Nothing was stored.")
    return int(text)


def check_expires_at(text: str) -> str:
    """Return the text of `Stream-Expires-At` unchanged.

    Raises:
        BadRequest: not a time in RFC 3339.
    """
    try:
        instant(text)
    except ValueError as error:
        raise BadRequest(
            "Stream-Expires-At is a time in RFC 3339, like `2030-01-31T12:00:00Z`. Nothing was stored."
        ) from error
    return text


@lru_cache(maxsize=1024)
def instant(text: str) -> int:
    """Read a time in RFC 3339 as milliseconds since the epoch.

    Raises:
        ValueError: it is not one.
    """
    if not _INSTANT.fullmatch(text):
        raise ValueError(f"not a time in RFC 3339: {text!r}")
    return int(datetime.fromisoformat(text.upper()).timestamp() * 1000)


def same_end(a: str | None, b: str | None) -> bool:
    """Tell whether two `Stream-Expires-At`, well formed or absent, mean the same."""
    if a is None or b is None:
        return a is b
    return instant(a) == instant(b)


def end(head: Head) -> int | None:
    """Return when (milliseconds) the stream's life will be over if nobody renews it; None: never, or it is deleted."""
    if head.deleted:
        return None
    if head.expires_at is not None:
        return instant(head.expires_at)
    if head.ttl_s is not None:
        ttl = head.ttl_s * 1000
        return head.touched_at + ttl + ttl // GRACE
    return None


def is_expired(head: Head, now: int) -> bool:
    """Tell whether the stream's life is over at `now` (milliseconds), and it is not deleted already."""
    over = end(head)
    return over is not None and now >= over


def renew(head: Head, now: int, new_version: int | None = None) -> Head | None:
    """Return the head as a read at `now` leaves it, with `new_version`; None if that needs no write."""
    if head.ttl_s is None or now - head.touched_at <= head.ttl_s * 1000 // GRACE:
        return None
    return head._replace(version=head.next_version(new_version), touched_at=now)
