"""The digest of a JSON value."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson


def digest(value: Any) -> str:
    """Return the SHA-256 (hex) of a JSON value in canonical form: the same for any order of members."""
    try:
        canonical = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an integer beyond 64 bits, or a value nested deeper than orjson writes
        parts: list[bytes] = []
        _write(value, parts)
        canonical = b"".join(parts)
    return hashlib.sha256(canonical).hexdigest()


def _write(value: Any, parts: list[bytes]) -> None:
    """Write as orjson does, floats above all: `json.dumps` writes those in another form than protocol §13.4 has."""
    if isinstance(value, dict):
        before = b"{"
        for key in sorted(value):
            parts += (before, orjson.dumps(key), b":")
            _write(value[key], parts)
            before = b","
        parts.append(b"}" if value else b"{}")
    elif isinstance(value, list | tuple):
        before = b"["
        for item in value:
            parts.append(before)
            _write(item, parts)
            before = b","
        parts.append(b"]" if value else b"[]")
    elif type(value) is int:
        parts.append(b"%d" % value)
    else:
        parts.append(orjson.dumps(value))
