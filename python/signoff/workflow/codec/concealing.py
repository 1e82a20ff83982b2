"""Keep secrets out of a value of which only the JSON Schema is at hand: an answer at the door."""

from __future__ import annotations

from typing import Any

from signoff.pointers import unescaped

MASK = "**********"
"""What people see of a secret."""

_MOST = 100_000
"""How many places of value and schema are looked at; beyond that all of the rest counts as secret."""


def conceal(value: Any, schema: dict[str, Any]) -> Any:
    """Return a plain value without what its JSON Schema calls a secret (`writeOnly`).

    Args:
        value: plain JSON that fits the schema.
        schema: of the value; `$ref` is followed within it.

    Example:
        >>> conceal({"pin": "1234"}, {"properties": {"pin": {"writeOnly": True}}})
        {'pin': '**********'}
    """
    return _Concealing(schema).look(value, schema, 0) if _has_secrets(schema) else value


def leave_out(value: Any, schema: dict[str, Any]) -> Any:
    """Return a plain value of which what its JSON Schema calls a secret is left out: a form is filled in with it.

    Args:
        value: plain JSON, which need not fit the schema.
        schema: of the value; `$ref` is followed within it.

    Example:
        >>> leave_out({"name": "Ada", "pin": "1234"}, {"properties": {"pin": {"writeOnly": True}}})
        {'name': 'Ada'}
    """
    if not _has_secrets(schema):
        return value
    left = _without(_Concealing(schema, _OUT).look(value, schema, 0))
    return None if left is _OUT else left


_OUT: Any = object()


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without(part) for name, part in value.items() if part is not _OUT}
    return [_without(part) for part in value if part is not _OUT] if isinstance(value, list) else value


def _has_secrets(node: Any) -> bool:
    if isinstance(node, dict):
        return node.get("writeOnly") is True or any(map(_has_secrets, node.values()))
    return isinstance(node, list) and any(map(_has_secrets, node))


class _Concealing:
    __slots__ = ("_left", "_mask", "_root")

    def __init__(self, root: dict[str, Any], mask: Any = MASK) -> None:
        self._mask = mask
        self._root = root
        self._left = _MOST

    def look(self, value: Any, schema: Any, depth: int) -> Any:
        """Return the value without secrets; `depth` counts references and alternatives above it."""
        if value is None or not isinstance(schema, dict):
            return value
        self._left -= 1
        if schema.get("writeOnly") is True or self._left < 0 or depth > _DEEPEST:
            return "" if value == "" else self._mask
        alternatives = (one for name in ("anyOf", "oneOf", "allOf") for one in schema.get(name, ()))
        for other in (self._referred(schema.get("$ref")), *alternatives):
            value = self.look(value, other, depth + 1)
        if isinstance(value, dict):
            known, rest = schema.get("properties", {}), schema.get("additionalProperties")
            return {name: self.look(part, known.get(name, rest), depth) for name, part in value.items()}
        if isinstance(value, list):
            first, rest = schema.get("prefixItems", []), schema.get("items")
            first = [*first, *[rest] * (len(value) - len(first))]
            return [self.look(part, one, depth) for part, one in zip(value, first, strict=False)]
        return value

    def _referred(self, ref: Any) -> Any:
        if not isinstance(ref, str) or not ref.startswith("#/"):
            return None
        found: Any = self._root
        for part in ref[2:].split("/"):
            name = unescaped(part)
            found = found.get(name) if isinstance(found, dict) else None
        return found


_DEEPEST = 200
