"""What a query string may hold, and the key of a request in a path; what a body may hold is in `signoff.shapes`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from signoff.errors import BadRequest, InvalidName
from signoff.names import is_key
from signoff.shapes import Check, WrongValue

MOST_REPEATED = 20
LIMITS = (1, 500)


def limit(value: str) -> int:
    """Take a page size as a query string has it."""
    least, most = LIMITS
    if not re.fullmatch(r"[0-9]{1,4}", value) or not least <= int(value) <= most:
        raise WrongValue(f"must be a number from {least} to {most}")
    return int(value)


@dataclass(frozen=True, slots=True)
class Repeated:
    """A query parameter that may be given several times; a list comes of it."""

    check: Check


def query(raw: bytes, checks: Mapping[str, Check | Repeated]) -> dict[str, Any]:
    """Check a query string; return the parameters that are there. An empty value is as good as none.

    Raises:
        BadRequest: naming parameters that are unknown, repeated or wrong.
    """
    values: dict[str, Any] = {}
    seen: set[str] = set()
    for pair in raw.split(b"&") if raw else ():
        key, _, value = (_decoded(part) for part in pair.replace(b"+", b" ").partition(b"="))
        check = checks.get(key)
        if check is None:
            known = ", ".join(checks) or "none"
            raise BadRequest(f"There is no query parameter {key[:140]!r} here; there are: {known}.")
        if key in seen and not isinstance(check, Repeated):
            raise BadRequest(f"The query parameter {key!r} is given more than once.")
        seen.add(key)
        if value == "":
            continue
        try:
            if isinstance(check, Repeated):
                _add(values.setdefault(key, []), check.check(value))
            else:
                values[key] = check(value)
        except WrongValue as wrong:
            raise BadRequest(f"The query parameter {key!r} {wrong.message}.") from wrong
    return values


def _add(values: list[Any], value: Any) -> None:
    if value not in values:
        if len(values) == MOST_REPEATED:
            raise WrongValue(f"may be given {MOST_REPEATED} times at most")
        values.append(value)


def _decoded(part: bytes) -> str:
    try:
        return unquote_to_bytes(part).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest("The query string is not UTF-8.") from error


def path_key(value: str) -> str:
    """Return a path segment that is the key of a request, `name:n`.

    Raises:
        InvalidName: it is not.
    """
    if not is_key(value):
        raise InvalidName(f"The request's key {value[:140]!r} must be a name, a colon and a number, such as approve:0.")
    return value
