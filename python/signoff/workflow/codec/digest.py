"""The digest of a JSON value."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import orjson


def digest(value: Any) -> str:
    """Return the SHA-256 (hex) of a JSON value in canonical form: the same for any order of members."""
    try:
        canonical = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # integers beyond 64 bits
        canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    return hashlib.sha256(canonical).hexdigest()
