"""What a part of a schema comes to: references followed, `null` told apart, single alternatives taken."""

from __future__ import annotations

from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from signoff.pointers import unescaped

_MOST_TURNS: Final = 50
_SHAPING: Final = frozenset(
    {"$ref", "type", "const", "enum", "anyOf", "oneOf", "allOf", "properties", "additionalProperties", "items"}
)
"""Rules that say what a value is, rather than what it must not be."""


class Settled(NamedTuple):
    """A part of a schema as a form can read it.

    Attributes:
        schema: its rules, without references and without `null`.
        within: the references that lead to it.
        nullable: it may be null, too.
        endless: it refers to what it is itself a part of, or to what is not there.
    """

    schema: dict[str, Any]
    within: tuple[str, ...]
    nullable: bool = False
    endless: bool = False


def settle(root: Any, schema: Any, within: tuple[str, ...]) -> Settled:
    """Return what a part of a schema comes to.

    Args:
        root: the whole schema.
        schema: the part, whatever stands there.
        within: the references that lead to it.
    """
    nullable = False
    for _ in range(_MOST_TURNS):
        if not isinstance(schema, dict):
            return Settled({}, within, nullable, endless=schema is not True)
        reference = schema.get("$ref")
        if reference is not None:
            target = _target(root, reference)
            if target is None or reference in within:
                return Settled({}, within, nullable, endless=True)
            within = (*within, reference)
            schema = target | _without(schema, "$ref")
            continue
        without, null = _not_null(schema)
        nullable |= null
        merged = _single(without)
        if merged is None:
            return Settled(without, within, nullable, _mixed(without))
        schema = merged
    return Settled({}, within, nullable, endless=True)


def _target(root: Any, reference: Any) -> dict[str, Any] | None:
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    part = root
    for token in unquote(reference[1:]).split("/")[1:]:
        name = unescaped(token)
        if isinstance(part, list) and name.isdecimal() and int(name) < len(part):
            part = part[int(name)]
        elif isinstance(part, dict) and name in part:
            part = part[name]
        else:
            return None
    return part if isinstance(part, dict) else None


def _not_null(schema: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return a schema without the alternative of being null, and whether it had that."""
    kinds = schema.get("type")
    if isinstance(kinds, list):
        kept = [kind for kind in kinds if kind != "null"]
        return schema | {"type": kept[0] if len(kept) == 1 else kept}, len(kept) < len(kinds) and bool(kept)
    for rule in ("anyOf", "oneOf"):
        branches = schema.get(rule)
        if isinstance(branches, list):
            left = [branch for branch in branches if not _is_null(branch)]
            if left and len(left) < len(branches):
                return schema | {rule: left}, True
    values = schema.get("enum")
    if isinstance(values, list) and None in values and len(values) > 1:
        return schema | {"enum": [value for value in values if value is not None]}, True
    return schema, False


def _is_null(schema: Any) -> bool:
    return isinstance(schema, dict) and (schema.get("type") == "null" or schema.get("const", 0) is None)


def _single(schema: dict[str, Any]) -> dict[str, Any] | None:
    """Return a schema with its only alternative taken; None if there is a choice, or nothing to take."""
    for rule in ("anyOf", "oneOf", "allOf"):
        parts = schema.get(rule)
        if isinstance(parts, list) and len(parts) == 1 and isinstance(parts[0], dict):
            return parts[0] | _without(schema, rule)
    return None


def _mixed(schema: dict[str, Any]) -> bool:
    """Tell whether several parts say together what the value is; what only narrows it is the server's to judge."""
    parts = schema.get("allOf")
    return isinstance(parts, list) and any(not isinstance(part, dict) or _SHAPING & part.keys() for part in parts)


def _without(schema: dict[str, Any], rule: str) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != rule}
