"""Content types: which are well formed, and which are the same (Durable Streams §5.2, §12.4)."""

from __future__ import annotations

import re
from typing import Final

from signoff.errors import BadRequest
from signoff.streams.stream import media_type

DEFAULT: Final = "application/octet-stream"
LONGEST: Final = 255

_TOKEN: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"  # noqa: S105  RFC 9110 §5.6.2, not a secret
_WELL_FORMED: Final = re.compile(rf"{_TOKEN}/{_TOKEN}\s*(;[\x20-\x7e\t]*)?", re.ASCII)
_CHARSET: Final = re.compile(r';\s*charset\s*=\s*"?([^\s";]+)', re.IGNORECASE)


def check(content_type: str) -> str:
    """Return a content type that came from outside, stripped.

    Raises:
        BadRequest: it is not `type/subtype` with optional parameters, or is too long.
    """
    text = content_type.strip()
    if len(text) > LONGEST or not _WELL_FORMED.fullmatch(text):
        raise BadRequest("The Content-Type must be `type/subtype`, optionally with parameters. Nothing was stored.")
    return text


def same(a: str, b: str) -> bool:
    """Tell whether two content types describe the same bytes.

    Type and subtype are compared without case; parameters do not matter, save a charset that both name.

    Example:
        >>> same("Text/Plain", "text/plain; charset=utf-8")
        True
    """
    if a == b:
        return True
    if media_type(a) != media_type(b):
        return False
    first, second = _charset(a), _charset(b)
    return first is None or second is None or first == second


def is_text(content_type: str) -> bool:
    """Tell whether SSE carries such a stream as text; anything else but JSON travels in base64 (§5.8)."""
    return content_type[:5].lower() == "text/"


def _charset(content_type: str) -> str | None:
    found = _CHARSET.search(content_type)
    return None if found is None else found[1].lower().replace("utf8", "utf-8")
