"""Paths of streams in URLs, and which belong to the engine; the grammar of paths is `signoff.names`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

from signoff.errors import BadRequest
from signoff.names import REMEMBERED
from signoff.names import check_path as check
from signoff.paths import ENGINE_ROOTS

__all__ = ["check", "engine_owned", "from_url", "reserved"]

RESERVED_ROOT: Final = "__ds"
"""First segment of the protocol's control paths (§6)."""

_ENCODED_SLASH: Final = re.compile(rb"%2f|%5c", re.IGNORECASE)


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
