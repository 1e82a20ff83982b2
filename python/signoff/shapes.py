"""What a JSON object may hold: members by name, each with its check, all faults told at once.

Pure. Faults are named by JSON Pointer (RFC 6901) in the problem's `errors`, in words in its `detail`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from signoff.errors import BadRequest
from signoff.names import ID_RULE, is_name, is_principal
from signoff.pointers import escaped
from signoff.timestamps import is_rfc3339

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)\Z")

MOST_TAGS = 32

Check = Callable[[Any], Any]


class WrongValue(Exception):
    """What is wrong with the value of a member; `at` points below it."""

    def __init__(self, message: str, at: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.at = at


@dataclass(frozen=True, slots=True)
class Shape:
    """The members that a JSON object has.

    Attributes:
        required: checks by name; a check returns the value to use or raises `WrongValue`.
        optional: the same, for members that may be absent.
    """

    required: Mapping[str, Check] = field(default_factory=dict)
    optional: Mapping[str, Check] = field(default_factory=dict)

    def read(self, body: Any) -> dict[str, Any]:
        """Check a parsed body; return the members that are there.

        Raises:
            BadRequest: naming every member that is missing, unknown or wrong.
        """
        if not isinstance(body, dict):
            raise BadRequest(f"The body must be a JSON object, not {_kind(body)}. Nothing was stored.")
        checks = {**self.required, **self.optional}
        errors = [_error(f"/{name}", "is missing") for name in self.required if name not in body]
        values: dict[str, Any] = {}
        for name, value in body.items():
            check = checks.get(name)
            if check is None:
                errors.append(_error(f"/{escaped(name[:140])}", "is not a member this request has"))
                continue
            try:
                values[name] = check(value)
            except WrongValue as wrong:
                errors.append(_error(f"/{name}{wrong.at}", wrong.message))
        if errors:
            said = "; ".join(f"{error['pointer']} {error['message']}" for error in errors[:8])
            raise BadRequest(f"The body is not what is expected here: {said}. Nothing was stored.", errors=errors[:64])
        return values


def _error(pointer: str, message: str) -> dict[str, str]:
    return {"pointer": pointer, "message": message}


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


def anything(value: Any) -> Any:
    """Take any JSON."""
    return value


def name(value: Any) -> str:
    """Take a name: `[A-Za-z0-9_.-]{1,128}`."""
    if not isinstance(value, str):
        raise WrongValue(f"must be a string, not {_kind(value)}")
    if not is_name(value):
        raise WrongValue("must be 1 to 128 of the characters A-Z a-z 0-9 _ . -")
    return value


def principal(value: Any) -> str:
    """Take a principal, such as `user:alice` or `group:finance`."""
    if not isinstance(value, str):
        raise WrongValue(f"must be a string, not {_kind(value)}")
    if not is_principal(value):
        raise WrongValue(f"must be `user:` or `group:` and {ID_RULE}")
    return value


def text(most: int, *, least: int = 1, lines: bool = False) -> Check:
    """Take a string of `least` to `most` characters, without control characters (line breaks if `lines`)."""

    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise WrongValue(f"must be a string, not {_kind(value)}")
        if not least <= len(value) <= most:
            raise WrongValue(f"must have {least} to {most} characters, and has {len(value)}")
        if any(ord(char) == 127 or (ord(char) < 32 and not (lines and char in "\n\t\r")) for char in value):
            raise WrongValue("must not have control characters")
        return value

    return check


def flag(value: Any) -> bool:
    """Take true or false."""
    if not isinstance(value, bool):
        raise WrongValue(f"must be true or false, not {_kind(value)}")
    return value


def maybe(check: Check) -> Check:
    """Take null, or what `check` takes."""

    def either(value: Any) -> Any:
        return None if value is None else check(value)

    return either


def tags(value: Any) -> tuple[str, ...]:
    """Take a list of short strings."""
    if not isinstance(value, list):
        raise WrongValue(f"must be an array of strings, not {_kind(value)}")
    if len(value) > MOST_TAGS:
        raise WrongValue(f"must have at most {MOST_TAGS} items, and has {len(value)}")
    tag = text(128)
    found = []
    for index, item in enumerate(value):
        try:
            found.append(tag(item))
        except WrongValue as wrong:
            raise WrongValue(wrong.message, f"/{index}") from wrong
    return tuple(dict.fromkeys(found))


def moment(value: Any) -> str:
    """Take a time as rows carry it."""
    if not is_rfc3339(value):
        raise WrongValue("must be a time as rows have it, such as 2026-03-01T09:30:00.000Z")
    return str(value)


def instant(value: Any) -> int:
    """Take a time (RFC 3339 with an offset); return milliseconds since the epoch, 0 for what was before it."""
    message = "must be a time such as 2026-03-01T09:30:00Z"
    if not isinstance(value, str) or not _INSTANT.match(value):
        raise WrongValue(message)
    try:
        moment = datetime.fromisoformat(value.upper())
    except ValueError as error:
        raise WrongValue(message) from error
    return max(0, round(moment.timestamp() * 1000))


def number(least: int, most: int) -> Check:
    """Take an integer from `least` to `most`; `50.0` is one, too."""

    def check(value: Any) -> int:
        whole = type(value) is int or (isinstance(value, float) and value.is_integer())
        if not whole or not least <= value <= most:
            raise WrongValue(f"must be an integer from {least} to {most}")
        return int(value)

    return check


def truth(value: Any) -> bool:
    """Take true or false."""
    if not isinstance(value, bool):
        raise WrongValue(f"must be true or false, not {_kind(value)}")
    return value


def list_of(check: Check, most: int) -> Check:
    """Take an array of at most `most` items that `check` takes."""

    def each(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise WrongValue(f"must be an array, not {_kind(value)}")
        if len(value) > most:
            raise WrongValue(f"must have at most {most} items, and has {len(value)}")
        found = []
        for n, item in enumerate(value):
            try:
                found.append(check(item))
            except WrongValue as wrong:
                raise WrongValue(wrong.message, f"/{n}{wrong.at}") from wrong
        return found

    return each


def one_of(*choices: str) -> Check:
    """Take one of these strings."""

    def check(value: Any) -> str:
        if value not in choices:
            raise WrongValue(f"must be one of {', '.join(choices)}")
        return str(value)

    return check
