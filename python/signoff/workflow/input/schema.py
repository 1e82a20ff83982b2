"""JSON Schema 2020-12 of a type: what people's forms are made from, and what their answers are held to.

It is as strict as the type wherever JSON Schema can say it. Two things pydantic leaves out are said by keywords of our
own, which other readers pass over: `decimal` (bounds and digits of a Decimal, which people may send as text) and
`formatMinimum`, `formatMaximum`, `formatExclusiveMinimum`, `formatExclusiveMaximum` (bounds of dates and times).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from signoff.workflow.codec import adapter

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(type_: Any) -> dict[str, Any]:
    """Return the JSON Schema of what a person has to send for a type.

    Raises:
        TypeError: pydantic cannot describe the type, or it asks for what cannot be checked when an answer comes; the
            message says what.

    Example:
        >>> schema_of(int)
        {'$schema': 'https://json-schema.org/draft/2020-12/schema', 'type': 'integer'}
    """
    found: dict[str, Any] = orjson.loads(_schema_of(type_))
    return found


def given_schema(written: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON Schema that the code gives itself, if it can be a form.

    Raises:
        TypeError: it asks for what cannot be checked when an answer comes; the message says what.
    """
    from signoff.workflow.input.complaints import check_schema  # noqa: PLC0415

    schema = {"$schema": DIALECT, **written}
    check_schema(schema)
    return schema


def takes_null(type_: Any) -> bool:
    """Tell whether the schema of a type lets null pass."""
    from signoff.workflow.input.complaints import complaints  # noqa: PLC0415

    return not complaints(schema_of(type_), None)


@lru_cache(maxsize=512)
def _schema_of(type_: Any) -> bytes:
    # Loaded here: it compiles patterns and takes a while to import, which programs that ask nobody need not pay.
    from signoff.workflow.input.complaints import check_schema  # noqa: PLC0415

    written = {"$schema": DIALECT, **adapter(type_).json_schema(schema_generator=_FormSchema)}
    check_schema(written)
    return orjson.dumps(written)


_DECIMAL = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
OFFSET = r"([Zz]|[+-][0-9]{2}:?[0-9]{2})$"
NO_OFFSET = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt _][0-9:.]+)?$"
_BOUNDS = {"ge": "Minimum", "le": "Maximum", "gt": "ExclusiveMinimum", "lt": "ExclusiveMaximum"}
_DECIMAL_RULES = {
    "ge": "minimum",
    "le": "maximum",
    "gt": "exclusiveMinimum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "max_digits": "maxDigits",
    "decimal_places": "decimalPlaces",
}


class _FormSchema(GenerateJsonSchema):
    """Pydantic's generator, made as strict as the types it describes."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        rules = {name: schema[rule] for rule, name in _DECIMAL_RULES.items() if schema.get(rule) is not None}  # type: ignore[literal-required]
        digits = {name: value if isinstance(value, int) else str(value) for name, value in rules.items()}
        number = {
            "type": "number",
            **{name: float(value) for name, value in rules.items() if name not in {"maxDigits", "decimalPlaces"}},
        }
        text: JsonSchemaValue = {"type": "string", "format": "decimal", "pattern": _DECIMAL}
        more = {"decimal": digits} if digits else {}
        return {"anyOf": [number | more, text | more]}

    def url_schema(self, schema: core_schema.UrlSchema) -> JsonSchemaValue:
        written = super().url_schema(schema)
        if schemes := schema.get("allowed_schemes"):
            written["pattern"] = f"^({'|'.join(map(_any_case, schemes))}):"
        return written

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        written = super().str_schema(schema)
        least = written.get("minLength", 0)
        if schema.get("strip_whitespace", self._config.str_strip_whitespace) and least:
            # What counts is left after white space at both ends is taken off.
            visible = r"\S" if least == 1 else rf"\S[\s\S]{{{least - 2},}}\S"
            if "pattern" in written:
                written.setdefault("allOf", []).append({"pattern": visible})
            else:
                written["pattern"] = visible
        return written

    def date_schema(self, schema: core_schema.DateSchema) -> JsonSchemaValue:
        return super().date_schema(schema) | _bounds(schema)

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> JsonSchemaValue:
        written = super().datetime_schema(schema) | _bounds(schema)
        match schema.get("tz_constraint"):
            case "aware" | int():
                written["pattern"] = OFFSET
            case "naive":
                written["pattern"] = NO_OFFSET
        return written

    def time_schema(self, schema: core_schema.TimeSchema) -> JsonSchemaValue:
        return super().time_schema(schema) | _bounds(schema)

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        return super().timedelta_schema(schema) | _bounds(schema)

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        written = super().dict_schema(schema)
        keys: Any = schema.get("keys_schema")
        if keys is not None and "propertyNames" not in written and "patternProperties" not in written:
            names = self.generate_inner(keys.copy())
            if names.get("type") == "integer":
                names = {"pattern": "^-?[0-9]+$"}
            elif names.get("type") != "string" or len(names) == 1:
                return written
            written["propertyNames"] = {rule: value for rule, value in names.items() if rule != "title"}
        return written


def _bounds(schema: Any) -> JsonSchemaValue:
    if schema.get("now_op") == "future":
        raise TypeError(
            "A date that must lie in the future depends on the clock, and would be judged anew at every replay. "
            "Ask for a date and compare it with ctx.now()."
        )
    return {
        f"format{name}": TypeAdapter(type(schema[rule])).dump_python(schema[rule], mode="json")
        for rule, name in _BOUNDS.items()
        if schema.get(rule) is not None
    }


def _any_case(scheme: str) -> str:
    return "".join(f"[{c.lower()}{c.upper()}]" if c.isalpha() else ("\\" + c if c in ".+-" else c) for c in scheme)
