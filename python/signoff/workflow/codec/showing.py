"""How values look to people: plain JSON, the same at the top and nested."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from typing import Any

import orjson
from pydantic import BaseModel, RootModel

from signoff.workflow.codec import records
from signoff.workflow.codec.concealing import MASK
from signoff.workflow.codec.kinds import TAG, NotEncodable, class_name
from signoff.workflow.codec.reading import value_of
from signoff.workflow.codec.types import adapter
from signoff.workflow.codec.writing import DEEPEST, ValueWriter, spend, write, written
from signoff.workflow.entry import SAME, Encoded


def public_json(value: Any) -> Any:
    """Return `value` as plain JSON for browsers: no tags; what JSON cannot say becomes text or lists.

    Models and dataclasses, wherever they stand, are what pydantic makes of them in JSON mode: with their aliases,
    computed fields and serializers, and without what they exclude. Decimals, UUIDs and integers beyond 2^53 become
    text, times ISO 8601, bytes base64, sets and tuples lists, secrets asterisks.

    Raises:
        UnsupportedValue: it has something that cannot be shown; the detail names the place.
    """
    return shown(written(value, _ShowingWriter()))


def shown(encoded: Encoded) -> Any:  # noqa: PLR0911 - one return per kind of tag
    """Return an encoded value as plain JSON for browsers; see `public_json`."""
    if type(encoded) is list:
        return [shown(item) for item in encoded]
    if type(encoded) is not dict:
        return encoded
    tag = encoded.get(TAG)
    if tag is None:
        return {key: shown(item) for key, item in encoded.items()}
    match tag:
        case "escape":
            return {key: shown(item) for key, item in encoded["v"].items()}
        case "object":
            return {key: shown(item) for key, item in {**encoded.get("extra", {}), **encoded["v"]}.items()}
        case "map":
            return {_key(key): shown(item) for key, item in encoded["v"]}
        case "timedelta":
            return adapter(timedelta).dump_python(timedelta(*encoded["v"]), mode="json")
        case "secret":
            return "" if value_of(encoded["v"]) == "" else MASK
    return shown(encoded["v"])


def _key(encoded: Encoded) -> str:
    plain = shown(encoded)
    return plain if isinstance(plain, str) else json.dumps(plain)


class _ShowingWriter(ValueWriter):
    """A writer of records as pydantic serializes them."""

    __slots__ = ()

    def record(self, value: Any, depth: int) -> Encoded:
        if isinstance(value, Enum | tuple):
            return super().record(value, depth)
        _check_finite(value, depth, self)
        dump = value.model_dump if isinstance(value, BaseModel) else _dump(value)
        if dump is None:
            return super().record(value, depth)
        try:
            plain = _serialized(dump)
        except Exception as error:
            raise NotEncodable(
                f"{class_name(type(value))} raised {class_name(type(error))} when it was shown"
            ) from error
        return write(plain, depth + 1, self)


def _serialized(dump: Any) -> Any:
    try:
        return dump(mode="json", by_alias=True, warnings=False)
    except UnicodeDecodeError:  # it has bytes that are no text
        return dump(mode="python", by_alias=True, warnings=False)


def _dump(value: Any) -> Any:
    """Return how pydantic writes a dataclass; None: it cannot."""
    try:
        known = adapter(type(value))
    except TypeError:
        return None
    return lambda **how: known.dump_python(value, **how)


def _check_finite(value: Any, depth: int, writer: ValueWriter) -> None:
    """Refuse what would be used up, or never end, by looking at it."""
    if depth > DEEPEST:
        raise NotEncodable(f"it is nested more than {DEEPEST} deep (or contains itself)")
    spend(1, writer)
    if isinstance(value, Iterator):
        raise NotEncodable(f"{class_name(type(value))} can be read only once")
    kind: Any = type(value)
    if isinstance(value, dict):
        parts: Any = value.items()
    elif isinstance(value, list | tuple | set | frozenset):
        parts = enumerate(value)
    elif isinstance(value, RootModel):
        parts = (("root", value.root),)
    elif records.is_record_class(kind) and not isinstance(value, Enum):
        parts = records.members_of(value).items()
    else:
        return
    for name, part in parts:
        if type(part) not in _PLAIN:
            try:
                _check_finite(part, depth + 1, writer)
            except NotEncodable as refused:
                refused.place.append(f".{name}" if isinstance(name, str) else f"[{name!r:.100}]")
                raise


_PLAIN = frozenset({str, int, float, bool, type(None)})


def shown_apart(value: Any, encoded: Encoded) -> Any:
    """Return what people see of a value if it is not what its encoded form shows; else `SAME`.

    Raises:
        UnsupportedValue: as `public_json`.
    """
    plain = public_json(value)
    return SAME if orjson.dumps(plain) == orjson.dumps(shown(encoded)) else plain
