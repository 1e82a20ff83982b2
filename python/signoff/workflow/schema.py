"""JSON Schema 2020-12: what a type looks like to people's forms, and whether an answer fits.

Complaints are JSON Pointers (RFC 6901) with messages written for people. Validators are compiled once per schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import orjson
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError as Complaint
from pydantic import TypeAdapter, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from signoff.workflow.codec import adapter

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_MOST = 50


@lru_cache(maxsize=512)
def _schema_of(type_: Any) -> bytes:
    written = {"$schema": DIALECT, **adapter(type_).json_schema()}
    Draft202012Validator.check_schema(written)
    return orjson.dumps(written)


def schema_of(type_: Any) -> dict[str, Any]:
    """Return the JSON Schema of what a person has to send for a type.

    Raises:
        TypeError: pydantic cannot describe the type.
    """
    found: dict[str, Any] = orjson.loads(_schema_of(type_))
    return found


_formats = FormatChecker(formats=())


def _checked(name: str, type_: Any) -> None:
    reader = TypeAdapter(type_)

    @_formats.checks(name)
    def check(value: object) -> bool:
        if not isinstance(value, str):
            return True
        try:
            reader.validate_python(value)
        except ValidationError:
            return False
        return not value.lstrip("+-.").isdigit()  # pydantic reads numbers as times since the epoch; people mean dates


for _name, _type in (("date-time", datetime), ("date", date), ("time", time), ("duration", timedelta), ("uuid", UUID)):
    _checked(_name, _type)


@_formats.checks("email")
def _email(value: object) -> bool:
    return not isinstance(value, str) or (0 < value.find("@") < len(value) - 1 and not any(c.isspace() for c in value))


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> Draft202012Validator:
    return Draft202012Validator(orjson.loads(schema), registry=Registry(), format_checker=_formats)


def complaints(schema: Mapping[str, Any] | bool, value: Any) -> list[dict[str, str]]:
    """Return what does not fit as `[{"pointer", "message"}]`, at most 50; empty if the value fits.

    References out of the schema are never fetched.

    Example:
        >>> complaints({"type": "object", "required": ["amount"]}, {})
        [{'pointer': '/amount', 'message': 'This is required.'}]
    """
    found: dict[tuple[str, str], None] = {}
    try:
        for complaint in _validator(orjson.dumps(schema)).iter_errors(value):
            for pointer, message in _readable(complaint):
                found[pointer, message] = None
            if len(found) >= _MOST:
                break
    except Unresolvable:
        found["", "The form refers to a schema that is not part of it; tell whoever wrote the workflow."] = None
    except RecursionError:
        found["", "This is nested too deeply."] = None
    return [{"pointer": pointer, "message": message} for pointer, message in list(found)[:_MOST]]


def _pointer(*parts: object) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _readable(complaint: Complaint) -> Iterator[tuple[str, str]]:
    path = complaint.absolute_path
    rule: Any = complaint.validator_value
    instance: Any = complaint.instance
    match complaint.validator:
        case "required":
            for name in rule:
                if name not in instance:
                    yield _pointer(*path, name), "This is required."
        case "additionalProperties" | "unevaluatedProperties" if rule is False:
            schema: Any = complaint.schema
            known = schema.get("properties", {})
            for name in instance:
                if name not in known:
                    yield _pointer(*path, name), "This was not asked for."
        case "anyOf" | "oneOf":
            yield from _alternatives(complaint)
        case "if":
            yield _pointer(*path), "This does not fit together."
        case keyword:
            yield _pointer(*path), _message(str(keyword), rule)


def _alternatives(complaint: Complaint) -> Iterator[tuple[str, str]]:
    """Complain about the one alternative that was probably meant: the only one that is not null."""
    branches: dict[object, list[Complaint]] = {}
    for inner in complaint.context or ():
        branches.setdefault(inner.schema_path[0], []).append(inner)
    meant = [inner for inner in branches.values() if not _of_null(inner)]
    if len(meant) == 1:
        for inner in meant[0]:
            yield from _readable(inner)
        return
    kinds = {kind for inner in meant for kind in [_wrong_kind(inner)] if kind}
    if len(kinds) == len(meant) and kinds:
        yield _pointer(*complaint.absolute_path), f"This must be {' or '.join(sorted(kinds))}."
        return
    fitting = [inner for inner in meant if not _wrong_kind(inner)]
    if len(fitting) == 1:
        for inner in fitting[0]:
            yield from _readable(inner)
        return
    yield _pointer(*complaint.absolute_path), "This is none of the forms it may have."


def _of_null(branch: list[Complaint]) -> bool:
    return any(inner.validator == "type" and inner.validator_value == "null" for inner in branch)


def _wrong_kind(branch: list[Complaint]) -> str | None:
    for inner in branch:
        if inner.validator == "type" and isinstance(inner.validator_value, str) and len(inner.schema_path) == 2:
            return _KINDS.get(inner.validator_value)
    return None


_KINDS = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "yes or no",
    "object": "a group of fields",
    "array": "a list",
    "null": "empty",
}

_FORMATS = {
    "date-time": "a date and time",
    "date": "a date",
    "time": "a time",
    "duration": "a length of time",
    "uuid": "a UUID",
    "email": "an email address",
}


def _message(keyword: str, rule: Any) -> str:  # noqa: PLR0911 - one return per keyword
    match keyword:
        case "type":
            kinds = rule if isinstance(rule, list) else [rule]
            return f"This must be {' or '.join(_KINDS.get(kind, str(kind)) for kind in kinds)}."
        case "enum":
            return f"This must be one of: {', '.join(_shown(item) for item in rule)}."
        case "const":
            return f"This must be {_shown(rule)}."
        case "format":
            return f"This must be {_FORMATS.get(rule, rule)}."
        case "minLength":
            return "This may not be empty." if rule == 1 else f"This must have at least {rule} characters."
        case "minItems":
            return "Add at least one." if rule == 1 else f"There must be at least {rule}."
    template = _TEMPLATES.get(keyword)
    return template.format(rule=_shown(rule)) if template else "This does not fit."


_TEMPLATES = {
    "minimum": "This must be at least {rule}.",
    "maximum": "This must be at most {rule}.",
    "exclusiveMinimum": "This must be more than {rule}.",
    "exclusiveMaximum": "This must be less than {rule}.",
    "multipleOf": "This must be a multiple of {rule}.",
    "maxLength": "This must have at most {rule} characters.",
    "maxItems": "There must be at most {rule}.",
    "uniqueItems": "Every item may be there only once.",
    "pattern": "This does not have the expected form ({rule}).",
    "minProperties": "There must be at least {rule}.",
    "maxProperties": "There must be at most {rule}.",
}


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= 100 else text[:99] + "…"
