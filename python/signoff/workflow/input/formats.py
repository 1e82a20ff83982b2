"""What the formats of JSON Schema mean here: what pydantic reads, so that an answer that passes can be read.

The bounds of dates, times and decimals that JSON Schema cannot express are keywords of our own (see `schema.py`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import Annotated, Any
from uuid import UUID

from annotated_types import Ge, Gt, Le, Lt, MultipleOf
from pydantic import (
    UUID1,
    UUID3,
    UUID4,
    UUID5,
    AnyUrl,
    Field,
    IPvAnyAddress,
    IPvAnyInterface,
    IPvAnyNetwork,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import MultiHostUrl

from signoff.workflow.input.attachment import KEYWORD as ATTACHMENT
from signoff.workflow.input.attachment import broken_limits

_TIMES: dict[str, Any] = {"date-time": datetime, "date": date, "time": time, "duration": timedelta}
_READ_BY_PYDANTIC: dict[str, Any] = {
    "decimal": Decimal,
    "uuid": UUID,
    "uuid1": UUID1,
    "uuid3": UUID3,
    "uuid4": UUID4,
    "uuid5": UUID5,
    "uri": AnyUrl,
    "multi-host-uri": MultiHostUrl,
    "ipv4": IPv4Address,
    "ipv6": IPv6Address,
    "ipv4network": IPv4Network,
    "ipv6network": IPv6Network,
    "ipv4interface": IPv4Interface,
    "ipv6interface": IPv6Interface,
    "ipvanyaddress": IPvAnyAddress,
    "ipvanynetwork": IPvAnyNetwork,
    "ipvanyinterface": IPvAnyInterface,
}

NAMES = {
    "date-time": "a date and time",
    "date": "a date",
    "time": "a time",
    "duration": "a length of time",
    "email": "an email address",
    "decimal": "a number",
    "uri": "a web address, such as https://example.org/page",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
    "ipvanyaddress": "an IP address",
    "base64": "base64 text",
    "base64url": "base64 text",
} | {name: "a UUID" for name in _READ_BY_PYDANTIC if name.startswith("uuid")}
"""Formats as people read them."""


@lru_cache(maxsize=512)
def _reader(type_: Any) -> TypeAdapter[Any]:
    return TypeAdapter(type_)


def _reads(type_: Any) -> Callable[[str], bool]:
    def check(value: str) -> bool:
        return _is(type_, value)

    return check


def _is(type_: Any, value: object) -> bool:
    try:
        _reader(type_).validate_python(value)
    except ValidationError:
        return False
    return True


def _is_time(type_: Any) -> Callable[[str], bool]:
    def check(value: str) -> bool:
        # Pydantic reads numbers as times since the epoch; people mean dates.
        return not value.lstrip("+-.").isdigit() and _is(type_, value)

    return check


def _is_email(value: str) -> bool:
    return 0 < value.find("@") < len(value) - 1 and not any(character.isspace() for character in value)


def _is_base64(value: str) -> bool:
    try:
        base64.b64decode(value.encode().translate(bytes.maketrans(b"-_", b"+/")), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


CHECKS: dict[str, Callable[[str], bool]] = {
    **{name: _is_time(type_) for name, type_ in _TIMES.items()},
    **{name: _reads(type_) for name, type_ in _READ_BY_PYDANTIC.items()},
    "email": _is_email,
    "base64": _is_base64,
    "base64url": _is_base64,
}
"""For each format, whether a text has it. A format that is not here is not checked."""

_LIMITS: dict[str, Any] = {"Minimum": Ge, "Maximum": Le, "ExclusiveMinimum": Gt, "ExclusiveMaximum": Lt}


def _decimal_limit(name: str, rule: Any) -> Any:
    match name:
        case "multipleOf":
            return MultipleOf(Decimal(rule))
        case "maxDigits":
            return Field(max_digits=rule)
        case "decimalPlaces":
            return Field(decimal_places=rule)
    return _LIMITS[name[0].upper() + name[1:]](Decimal(rule))


def broken_rules(rules: dict[str, Any], value: object) -> list[tuple[str, Any]]:
    """Return the rules of a `decimal` keyword that a number, or a number as text, breaks, each with its bound."""
    if isinstance(value, bool) or not isinstance(value, int | float | str) or not _is(Decimal, value):
        return []
    return [(name, rule) for name, rule in rules.items() if not _is(_decimal_within(name, rule), value)]


@lru_cache(maxsize=512)
def _decimal_within(name: str, rule: Any) -> Any:
    return Annotated[Decimal, _decimal_limit(name, rule)]


def within(format_: object, limit: str, bound: str, value: object) -> bool:
    """Tell whether a date or time keeps a bound; what is none keeps every bound.

    Args:
        format_: `date`, `date-time`, `time` or `duration`; nothing is checked for others.
        limit: `Minimum`, `Maximum`, `ExclusiveMinimum` or `ExclusiveMaximum`.
        bound: as text of that format.
        value: what was sent.
    """
    type_ = _TIMES.get(str(format_))
    if type_ is None or not isinstance(value, str) or not CHECKS[str(format_)](value):
        return True
    return _is(_within(type_, limit, bound), value)


@lru_cache(maxsize=512)
def _within(type_: Any, limit: str, bound: str) -> Any:
    return Annotated[type_, _LIMITS[limit](_reader(type_).validate_python(bound))]


class DecimalKeyword:
    """The keyword `decimal`: bounds and digits of a number that may come as text."""

    def __init__(self, _schema: dict[str, Any], rules: dict[str, Any], _path: list[str | int]) -> None:
        self._rules = rules

    def validate(self, value: Any) -> None:
        """Refuse a value that breaks a rule.

        Raises:
            ValueError: it does.
        """
        if broken_rules(self._rules, value):
            raise ValueError


class AttachmentKeyword:
    """The keyword `attachment`: which files may be attached."""

    def __init__(self, _schema: dict[str, Any], rules: Any, _path: list[str | int]) -> None:
        self._rules = rules

    def validate(self, value: Any) -> None:
        """Refuse a file that is too large, or of another type.

        Raises:
            ValueError: it is.
        """
        if broken_limits(self._rules, value):
            raise ValueError


class BoundKeyword:
    """A keyword `formatMinimum` and its siblings: bounds of dates and times."""

    limit = ""

    def __init__(self, schema: dict[str, Any], bound: str, _path: list[str | int]) -> None:
        self._format, self._bound = schema.get("format"), bound

    def validate(self, value: Any) -> None:
        """Refuse a date or time beyond the bound.

        Raises:
            ValueError: it is beyond.
        """
        if not within(self._format, self.limit, self._bound, value):
            raise ValueError


KEYWORDS: dict[str, Any] = {
    "decimal": DecimalKeyword,
    ATTACHMENT: AttachmentKeyword,
    **{f"format{name}": type(f"Format{name}", (BoundKeyword,), {"limit": name}) for name in _LIMITS},
}
"""The keywords of our own, by name."""
