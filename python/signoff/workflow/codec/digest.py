"""The digest of a JSON value."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson


def digest(value: Any) -> str:
    """Return the SHA-256 (hex) of a JSON value in canonical form: the same for any order of members."""
    return digest_of(canonical(value))


def digest_of(canonical: bytes) -> str:
    """Return the digest of a value that is written in canonical form already."""
    return hashlib.sha256(canonical).hexdigest()


def canonical(value: Any) -> bytes:
    """Write a JSON value in canonical form."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an integer beyond 64 bits, or a value nested deeper than orjson writes
        parts: list[bytes] = []
        _write(value, parts)
        return b"".join(parts)


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
