"""Paths of streams below the stream root: which are allowed, and which belong to the engine."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

from signoff.errors import BadRequest

LONGEST: Final = 1024
"""Bytes of a path in UTF-8."""

REMEMBERED: Final = 4096
"""Paths whose check is not repeated: every request makes it several times."""

ENGINE_ROOTS: Final = frozenset({"runs", "inbox", "workflows"})
RESERVED_ROOT: Final = "__ds"
"""First segment of the protocol's control paths (§6)."""

_FORBIDDEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\\\ud800-\udfff]|%[0-9A-Fa-f]{2}")
_ENCODED_SLASH: Final = re.compile(rb"%2f|%5c", re.IGNORECASE)


@lru_cache(maxsize=REMEMBERED)
def check(path: str) -> str:
    """Return the path, if a stream may live there.

    Raises:
        BadRequest: it is empty or too long, has an empty segment, `.` or `..`, control characters, backslashes, or
            percent-encoding that is still there after decoding once.
    """
    if not path or len(path.encode("utf-8", "surrogatepass")) > LONGEST:
        raise BadRequest(f"A stream's path has 1 to {LONGEST} bytes.")
    if _FORBIDDEN.search(path):
        raise BadRequest("A stream's path has no control characters, backslashes or doubly encoded characters.")
    if not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise BadRequest("A stream's path has no empty segments, `.` or `..`.")
    return path


@lru_cache(maxsize=REMEMBERED)
def from_url(raw: bytes) -> str:
    """Decode the part of a URL below the stream root, once, and check it.

    Raises:
        BadRequest: see `check`; also for bytes that are not UTF-8 and for slashes that are percent-encoded.
    """
    if _ENCODED_SLASH.search(raw):
        raise BadRequest("A stream's path has no encoded slashes.")
    try:
        return check(unquote_to_bytes(raw).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadRequest("A stream's path is UTF-8.") from error


def engine_owned(path: str) -> bool:
    """Tell whether the engine alone writes here."""
    return path.partition("/")[0] in ENGINE_ROOTS


def reserved(path: str) -> bool:
    """Tell whether the protocol keeps this path for its own control API (§6)."""
    return path.partition("/")[0] == RESERVED_ROOT
