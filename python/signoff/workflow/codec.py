"""How Python values become JSON and come back: the same value, or a clear refusal.

JSON stands for itself: None, booleans, finite floats, text, lists, dictionaries with text keys, integers up to 2^53.
All else is an object with the key `$signoff`, which names the kind, and `v`:

    int        "9007199254740993"        text, beyond 2^53 in either direction
    bytes      "AAE="                    base64
    datetime   "2026-01-02T03:04:05+00:00"   date, time alike, ISO 8601
    timedelta  [days, seconds, microseconds]
    decimal    "1.10"                    uuid alike
    tuple      [...]                     set, frozenset alike, in canonical order
    map        [[key, value], ...]       a dictionary with other keys than text
    escape     {...}                     a dictionary that has the key `$signoff` itself

Pydantic models and dataclasses are written as their members, enums as their value; they come back as what they were
when the reader names the type.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import math
import sys
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, get_type_hints, is_typeddict
from uuid import UUID

import orjson
from pydantic import BaseModel, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from signoff.errors import UnsupportedValue

Encoded = Any

TAG = "$signoff"
_SAFE = 2**53
_LEAVES = frozenset({type(None), bool})
_DEEPEST = 100


class _Refused(Exception):
    """Carry a refusal up to where the place is known; it becomes UnsupportedValue."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
        self.place: list[str] = []


def encode(value: Any) -> Encoded:
    """Return `value` as tagged JSON.

    Raises:
        UnsupportedValue: it has something the journal cannot keep (NaN, an open file, …); the detail names the place.

    Example:
        >>> encode({"price": Decimal("1.10")})
        {'price': {'$signoff': 'decimal', 'v': '1.10'}}
    """
    try:
        return _encode(value, 0)
    except _Refused as refused:
        place = "".join(reversed(refused.place))
        raise UnsupportedValue(f"The value cannot be kept: {refused.why} at ${place}.") from None


def _encode(value: Any, depth: int) -> Encoded:  # noqa: PLR0911 - one early return per JSON kind, most frequent first
    kind = type(value)
    if kind is str:
        return value if value.isascii() else _text(value)
    if kind in _LEAVES:
        return value
    if kind is int:
        return value if -_SAFE <= value <= _SAFE else _large(value)
    if kind is float:
        if math.isfinite(value):
            return value
        raise _Refused(f"{value} is no JSON number")
    if depth > _DEEPEST:
        raise _Refused(f"it is nested more than {_DEEPEST} deep (or contains itself)")
    if kind is dict:
        return _mapping(value, depth)
    if kind is list:
        return _items(value, depth)
    writer = _WRITERS.get(kind)
    if writer is not None:
        return writer(value, depth)
    return _other(value, depth)


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _Refused("the text has a lone surrogate") from None
    return value


def _large(value: int) -> Encoded:
    try:
        return {TAG: "int", "v": str(value)}
    except ValueError:
        raise _Refused("the integer has too many digits") from None


def _items(values: Any, depth: int) -> list[Encoded]:
    written = []
    for item in values:
        try:
            written.append(_encode(item, depth + 1))
        except _Refused as refused:
            refused.place.append(f"[{len(written)}]")
            raise
    return written


def _mapping(value: dict[Any, Any], depth: int) -> Encoded:
    written = {}
    for key, item in value.items():
        if type(key) is not str:
            return _keyed(value, depth)
        try:
            written[key if key.isascii() else _text(key)] = _encode(item, depth + 1)
        except _Refused as refused:
            refused.place.append(f".{key}")
            raise
    return {TAG: "escape", "v": written} if TAG in written else written


def _keyed(value: dict[Any, Any], depth: int) -> Encoded:
    if all(isinstance(key, str) for key in value):
        return _mapping({_plain_text(key): item for key, item in value.items()}, depth)
    return {TAG: "map", "v": [_items(pair, depth) for pair in value.items()]}


def _plain_text(value: str) -> str:
    return value.value if isinstance(value, Enum) else str.__str__(value)


def _canonical(values: Any, depth: int) -> list[Encoded]:
    return sorted(_items(values, depth), key=lambda item: orjson.dumps(item, option=orjson.OPT_SORT_KEYS))


def _tagged(name: str, write: Callable[[Any], Encoded]) -> Callable[[Any, int], Encoded]:
    return lambda value, _depth: {TAG: name, "v": write(value)}


def _isoformat(value: date | time) -> str:
    return value.isoformat()


_WRITERS: dict[type, Callable[[Any, int], Encoded]] = {
    datetime: _tagged("datetime", _isoformat),
    date: _tagged("date", _isoformat),
    time: _tagged("time", _isoformat),
    timedelta: _tagged("timedelta", lambda value: [value.days, value.seconds, value.microseconds]),
    Decimal: _tagged("decimal", str),
    UUID: _tagged("uuid", str),
    bytes: _tagged("bytes", lambda value: base64.b64encode(value).decode()),
    bytearray: _tagged("bytes", lambda value: base64.b64encode(value).decode()),
    tuple: lambda value, depth: {TAG: "tuple", "v": _items(value, depth)},
    set: lambda value, depth: {TAG: "set", "v": _canonical(value, depth)},
    frozenset: lambda value, depth: {TAG: "frozenset", "v": _canonical(value, depth)},
}


def _other(value: Any, depth: int) -> Encoded:
    if isinstance(value, BaseModel):
        return _encode(value.model_dump(mode="python", by_alias=True, round_trip=True), depth)
    if isinstance(value, Enum):
        return _encode(value.value, depth)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        members = {member.name: getattr(value, member.name) for member in dataclasses.fields(value) if member.init}
        return _encode(members, depth)
    for base in (str, int, float, dict, list, tuple, datetime, date, Decimal, UUID, bytes):
        if isinstance(value, base):
            return _encode(_as(base, value), depth)
    raise _Refused(f"{type(value).__module__}.{type(value).__qualname__} has no JSON form")


def _as(base: Any, value: Any) -> Any:
    """Return a value of a subclass as one of the class itself."""
    if base is str:
        return str.__str__(value)
    if base in (datetime, date):
        return base.fromisoformat(value.isoformat())
    return UUID(int=value.int) if base is UUID else base(value)


# -- reading -----------------------------------------------------------------------------------------------------------

_READERS: dict[str, Callable[[Any], Any]] = {
    "int": int,
    "bytes": base64.b64decode,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timedelta": lambda parts: timedelta(*parts),
    "decimal": Decimal,
    "uuid": UUID,
    "tuple": lambda items: tuple(map(_decode, items)),
    "set": lambda items: set(map(_decode, items)),
    "frozenset": lambda items: frozenset(map(_decode, items)),
    "map": lambda pairs: {_decode(key): _decode(item) for key, item in pairs},
    "escape": lambda members: {key: _decode(item) for key, item in members.items()},
}


def decode(encoded: Encoded, type_: Any = None) -> Any:
    """Return the value that `encode` wrote.

    Args:
        encoded: tagged JSON.
        type_: what it shall be (anything pydantic understands); None: plain Python values.

    Raises:
        UnsupportedValue: a tag is unknown, or the value does not fit the type; the detail says where.
        TypeError: pydantic cannot handle the type.
    """
    value = encoded if type(encoded) in _PLAIN else _decode(encoded)
    if type_ is None or type_ is Any or (type_ in _EXACT and type(value) is type_):
        return value
    adapter = _adapter(type_)
    if adapter is None:
        return value
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise UnsupportedValue(
            f"A recorded value does not fit {_name(type_)}: {_summary(error)}. Was the type changed?",
            errors=pointers(error),
        ) from error


_PLAIN = frozenset({str, int, float, bool, type(None)})
_EXACT = frozenset({str, int, float, bool})


def _decode(encoded: Encoded) -> Any:
    if type(encoded) is dict:
        if TAG not in encoded:
            return {key: item if type(item) in _PLAIN else _decode(item) for key, item in encoded.items()}
        tag = encoded[TAG]
        reader = _READERS.get(tag) if isinstance(tag, str) else None
        if reader is None:
            raise UnsupportedValue(f"The journal has a value of the unknown kind {tag!r:.100}.")
        return reader(encoded["v"])
    if type(encoded) is list:
        return [item if type(item) in _PLAIN else _decode(item) for item in encoded]
    return encoded


@lru_cache(maxsize=1024)
def _hashed_adapter(type_: Any) -> TypeAdapter[Any] | None:
    return _new_adapter(type_)


def _new_adapter(type_: Any) -> TypeAdapter[Any] | None:
    try:
        return TypeAdapter(_readable(type_))
    except PydanticSchemaGenerationError:
        return None
    except PydanticUserError as error:
        raise TypeError(f"{_name(type_)} cannot be read: {error.message}") from error


def _readable(type_: Any) -> Any:
    """Return a type pydantic accepts: before Python 3.12 it insists on the TypedDict of typing_extensions."""
    if sys.version_info >= (3, 12) or not is_typeddict(type_):
        return type_
    hints = get_type_hints(type_, include_extras=True)
    return TypedDict(type_.__name__, hints, total=type_.__total__)  # type: ignore[operator]


def _adapter(type_: Any) -> TypeAdapter[Any] | None:
    try:
        hash(type_)
    except TypeError:  # an annotation with something unhashable in it
        return _new_adapter(type_)
    return _hashed_adapter(type_)


def adapter(type_: Any) -> TypeAdapter[Any]:
    """Return pydantic's adapter for a type; made once per type.

    Raises:
        TypeError: pydantic cannot handle the type; the message names it.
    """
    found = _adapter(type_)
    if found is None:
        raise TypeError(f"{_name(type_)} cannot be described to people: use a pydantic model, dataclass or TypedDict.")
    return found


def pointers(error: ValidationError) -> list[dict[str, str]]:
    """Return pydantic's complaints as `[{"pointer", "message"}]` (RFC 6901)."""
    return [
        {
            "pointer": "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in problem["loc"]),
            "message": problem["msg"],
        }
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def _summary(error: ValidationError) -> str:
    first = pointers(error)[0]
    return f"{first['pointer'] or 'the value'}: {first['message']}"


def _name(type_: Any) -> str:
    return getattr(type_, "__qualname__", None) or repr(type_)


# -- for browsers ------------------------------------------------------------------------------------------------------


def public_json(value: Any) -> Any:
    """Return `value` as plain JSON for browsers: no tags; what JSON cannot say becomes text or lists.

    Decimals, UUIDs and integers beyond 2^53 become text, times ISO 8601, bytes base64, sets and tuples lists.

    Raises:
        UnsupportedValue: it has something that cannot be shown.
    """
    if isinstance(value, BaseModel):
        return _shown(encode(value.model_dump(mode="json", by_alias=True)))
    return _shown(encode(value))


def shown(encoded: Encoded) -> Any:
    """Return an encoded value as plain JSON for browsers; see `public_json`."""
    return _shown(encoded)


def _shown(encoded: Encoded) -> Any:  # noqa: PLR0911 - one return per kind of tag
    if type(encoded) is list:
        return [_shown(item) for item in encoded]
    if type(encoded) is not dict:
        return encoded
    tag = encoded.get(TAG)
    if tag is None:
        return {key: _shown(item) for key, item in encoded.items()}
    match tag:
        case "escape":
            return {key: _shown(item) for key, item in encoded["v"].items()}
        case "map":
            return {_key(key): _shown(item) for key, item in encoded["v"]}
        case "tuple" | "set" | "frozenset":
            return [_shown(item) for item in encoded["v"]]
        case "timedelta":
            return adapter(timedelta).dump_python(timedelta(*encoded["v"]), mode="json")
    return encoded["v"]


def _key(encoded: Encoded) -> str:
    plain = _shown(encoded)
    return plain if isinstance(plain, str) else json.dumps(plain)


def digest(value: Any) -> str:
    """Return the SHA-256 (hex) of a JSON value in canonical form: the same for any order of members."""
    try:
        canonical = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # integers beyond 64 bits
        canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    return hashlib.sha256(canonical).hexdigest()
