"""Fields of single values: texts, numbers, dates, choices and constants, as a form has them."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any, Final

import orjson

from signoff.workflow.input.attachment import limits_of
from signoff.workflow.input.schema import NO_OFFSET, OFFSET

FormField = dict[str, Any]


def typed(kind: str, text: str) -> Any:
    """Read what a person has typed into a field of one line.

    Args:
        kind: of the field.
        text: not empty.

    Raises:
        ValueError: it is not of the kind.

    Example:
        >>> typed("integer", "12"), typed("decimal", "0.10"), typed("date", "2026-03-01")
        (12, '0.10', '2026-03-01')
    """
    try:
        match kind:
            case "integer":
                return int(text)
            case "number":
                return _finite(float(text) if set(text) & set(".eE") else int(text))
            case "decimal":
                return str(_finite(Decimal(text)))
            case "json":
                orjson.loads(text)  # for what `json` lets pass: half a character, a number that is too large
                return json.loads(text, parse_constant=_no_json)
    except (InvalidOperation, RecursionError) as error:
        raise ValueError(str(error)) from error
    return text


def _finite(number: float | Decimal) -> float | Decimal:
    if not isfinite(number):
        raise ValueError("it is no number")
    return number


def _no_json(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_RADIOS: Final = 5
"""More options than these are a select."""

_LONG: Final = 200
"""A text that may have more characters has several lines."""

_NATIVE: Final = {"date": "date", "time": "time", "date-time": "datetime"}
_LIMITS: Final = {
    "min": "minimum",
    "max": "maximum",
    "exclusiveMin": "exclusiveMinimum",
    "exclusiveMax": "exclusiveMaximum",
    "step": "multipleOf",
}
_TIME_LIMITS: Final = {
    "min": "formatMinimum",
    "max": "formatMaximum",
    "exclusiveMin": "formatExclusiveMinimum",
    "exclusiveMax": "formatExclusiveMaximum",
}


def constant(value: Any) -> FormField:
    """Return the field of what can have one value only."""
    # Consent is given by a person, not by a form.
    return {"kind": "checkbox", "value": True} if value is True else {"kind": "hidden", "value": value}


def named(schema: dict[str, Any]) -> list[tuple[Any, str]]:
    """Return what `const` or `enum` allow, each with what it is called; nothing where there is neither."""
    if "const" in schema:
        title = schema.get("title")
        return [(schema["const"], title if isinstance(title, str) and title else _shown(schema["const"]))]
    values = schema.get("enum")
    return [(value, _shown(value)) for value in values if value is not None] if isinstance(values, list) else []


def choice(options: list[tuple[Any, str]]) -> FormField | None:
    """Return the field of one of several values; None where these are no single values."""
    if not options or any(isinstance(value, dict | list | None) for value, _ in options):
        return None
    kind = "radios" if len(options) <= _RADIOS else "select"
    return {"kind": kind, "options": [{"value": value, "label": label} for value, label in options]}


def or_nothing(field: FormField) -> FormField:
    """Return the field for a value or none, where that of the value alone cannot be left blank."""
    if field["kind"] not in {"checkbox", "hidden"}:
        return field
    values = [field["value"]] if "value" in field else [False, True]
    return choice([(value, _shown(value)) for value in values]) or {"kind": "json"}


def text(schema: dict[str, Any], ui: Any) -> FormField:
    """Return the field of a text, or of what is written as one."""
    format_ = schema.get("format")
    format_ = format_ if isinstance(format_, str) else None
    if format_ == "decimal":
        return decimal(schema)
    if format_ in _NATIVE:
        zone = {OFFSET: {"zone": True}, NO_OFFSET: {"zone": False}}.get(str(schema.get("pattern")), {})
        given = {name: schema[rule] for name, rule in _TIME_LIMITS.items() if isinstance(schema.get(rule), str)}
        return {"kind": _NATIVE[format_], **given, **zone}
    field: FormField = {"kind": "text", **counts(schema, {"minLength": "minLength", "maxLength": "maxLength"})}
    if isinstance(schema.get("pattern"), str):
        field["pattern"] = schema["pattern"]
    if format_ == "password":
        return field | {"kind": "password"}
    media = schema.get("contentMediaType")
    widget = ui.get("ui:widget") if isinstance(ui, dict) else None
    if field.get("maxLength", 0) > _LONG or widget == "textarea" or str(media).startswith("text/"):
        field["kind"] = "textarea"
    return field if format_ is None else field | {"format": format_}


def decimal(schema: dict[str, Any]) -> FormField:
    """Return the field of a number that is sent as text."""
    rules = schema.get("decimal")
    rules = rules if isinstance(rules, dict) else {}
    given = {name: str(rules[rule]) for name, rule in _LIMITS.items() if isinstance(rules.get(rule), str | int | float)}
    return {"kind": "decimal", **given, **counts(rules, {"places": "decimalPlaces", "digits": "maxDigits"})}


def number(schema: dict[str, Any], *, whole: bool) -> FormField:
    """Return the field of a number that is sent as such."""
    given = {name: schema[rule] for name, rule in _LIMITS.items() if _is_number(schema.get(rule))}
    for name, by in (("Min", 1), ("Max", -1)) if whole else ():
        # More than 0 is at least 1, which every input can say.
        bound = given.get(f"exclusive{name}")
        if isinstance(bound, int) and name.lower() not in given:
            del given[f"exclusive{name}"]
            given[name.lower()] = bound + by
    return {"kind": "integer" if whole else "number", **{name: given[name] for name in _LIMITS if name in given}}


def counts(schema: dict[str, Any], names: dict[str, str]) -> FormField:
    """Return the rules that count something, under the names that a form has for them."""
    return {name: schema[rule] for name, rule in names.items() if _is_count(schema.get(rule))}


def attached(rules: Any) -> FormField:
    """Return the field of a file that is attached."""
    limits = limits_of(rules)
    return {"kind": "attachment", **{name: one for name, one in limits.items() if one}}


def readable(name: str) -> str:
    """Return a name as people read it.

    Example:
        >>> readable("send_back")
        'Send back'
    """
    words = " ".join(name.replace("_", " ").replace("-", " ").split())
    return words[:1].upper() + words[1:] or name


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return value if isinstance(value, str) else orjson.dumps(value).decode()
