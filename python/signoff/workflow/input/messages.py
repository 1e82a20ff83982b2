"""What people read of a rule that their answer breaks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from signoff.workflow.input.formats import NAMES, broken_rules

FITS_NOT = "This does not fit."
NO_FILE = "This is no attached file; attach it again."

KINDS = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "yes or no",
    "object": "a group of fields",
    "array": "a list",
    "null": "empty",
}
"""JSON types as people read them."""

_TEMPLATES = {
    "minimum": "This must be at least {rule}.",
    "maximum": "This must be at most {rule}.",
    "exclusiveMinimum": "This must be more than {rule}.",
    "exclusiveMaximum": "This must be less than {rule}.",
    "multipleOf": "This must be a multiple of {rule}.",
    "maxDigits": "This may have at most {rule} digits.",
    "decimalPlaces": "This may have at most {rule} digits after the point.",
    "formatMinimum": "This must be {rule} or later.",
    "formatMaximum": "This must be {rule} or earlier.",
    "formatExclusiveMinimum": "This must be later than {rule}.",
    "formatExclusiveMaximum": "This must be earlier than {rule}.",
    "maxLength": "This must have at most {rule} characters.",
    "maxItems": "There must be at most {rule}.",
    "uniqueItems": "Every item may be there only once.",
    "pattern": "This does not have the expected form ({rule}).",
    "minProperties": "There must be at least {rule}.",
    "maxProperties": "There must be at most {rule}.",
}

SINGLE = frozenset({*_TEMPLATES, "format", "minLength", "minItems", "decimal"}) - {"maxDigits", "decimalPlaces"}
"""Rules about one value, which are looked at one by one."""


def messages(rule: str, bound: Any, value: Any) -> Iterator[str]:
    """Yield what to tell people of a value that breaks a rule."""
    if rule == "decimal":
        for name, limit in broken_rules(bound, value):
            yield message(name, limit)
    else:
        yield message(rule, bound)


def message(keyword: str, rule: Any) -> str:  # noqa: PLR0911 - one return per keyword
    """Return what a keyword of a schema asks for, in words."""
    match keyword:
        case "type":
            kinds = rule if isinstance(rule, list) else [rule]
            return f"This must be {' or '.join(KINDS.get(kind, str(kind)) for kind in kinds)}."
        case "enum":
            return f"This must be one of: {', '.join(_shown(item) for item in rule)}."
        case "const":
            return f"This must be {_shown(rule)}."
        case "format":
            return f"This must be {NAMES.get(rule, rule)}."
        case "minLength":
            return "This may not be empty." if rule == 1 else f"This must have at least {rule} characters."
        case "minItems":
            return "Add at least one." if rule == 1 else f"There must be at least {rule}."
    template = _TEMPLATES.get(keyword)
    return template.format(rule=_shown(rule)) if template else FITS_NOT


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= 100 else text[:99] + "…"
