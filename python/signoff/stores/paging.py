"""Cursors of listings: the place of the last item of a page."""

from __future__ import annotations

import re
from typing import Final

from signoff.errors import BadRequest

_CURSOR: Final = re.compile(r"(-?[0-9]{1,19})\.([0-9]{1,18})")
_LARGEST: Final = 2**63 - 1

FIRST: Final = (_LARGEST, _LARGEST)
"""The place before the newest item."""

OLDEST_FIRST: Final = (-_LARGEST, 0)
"""The place before the oldest item."""


def cursor(sort: int, number: int) -> str:
    """Write the place of an item: what it is sorted by, and the number (1 or more) that orders items of one `sort`."""
    return f"{sort}.{number}"


def place(text: str | None, *, oldest_first: bool = False) -> tuple[int, int]:
    """Read a cursor; None is the beginning.

    Raises:
        BadRequest: the cursor is not one of ours.
    """
    if text is None:
        return OLDEST_FIRST if oldest_first else FIRST
    match = _CURSOR.fullmatch(text)
    if match is None or not text.isascii() or abs(sort := int(match[1])) > _LARGEST:
        raise BadRequest("The cursor is malformed; pass on the one the previous page came with, or none.")
    return sort, int(match[2])
