"""Cursors of listings: the place of the last item of a page, newest first."""

from __future__ import annotations

import re

from signoff.errors import BadRequest

_CURSOR = re.compile(r"(-?[0-9]{1,18})\.([0-9]{1,18})")

FIRST = (2**63 - 1, 2**63 - 1)
"""The place before the newest item."""


def cursor(created_at: int, number: int) -> str:
    """Write the place of an item: its creation time (ms) and the number that orders items of one millisecond."""
    return f"{created_at}.{number}"


def place(text: str | None) -> tuple[int, int]:
    """Read a cursor; None is the beginning.

    Raises:
        BadRequest: the cursor is not one of ours.
    """
    if text is None:
        return FIRST
    if (match := _CURSOR.fullmatch(text)) is None:
        raise BadRequest("The cursor is malformed; pass on the one the previous page came with, or none.")
    return int(match[1]), int(match[2])
