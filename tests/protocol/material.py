"""Load what stands in `protocol/`: schemas by name, and the cases of a vector file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

PROTOCOL = Path(__file__).parents[2] / "protocol"
SCHEMAS: dict[str, Any] = {path.name: json.loads(path.read_text()) for path in sorted((PROTOCOL / "schemas").iterdir())}
_registry: Registry[Any] = Registry().with_resources(
    (schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS.values()
)


def validator(name: str) -> Draft202012Validator:
    """Return the validator of one schema file; it fetches nothing."""
    return Draft202012Validator(SCHEMAS[name], registry=_registry)


def complaints(name: str, instance: Any) -> list[str]:
    """Return what a schema says against an instance, as text."""
    return [f"{error.json_path}: {error.message}" for error in validator(name).iter_errors(instance)]


def load(name: str) -> dict[str, Any]:
    """Return a vector file."""
    vectors: dict[str, Any] = json.loads((PROTOCOL / "vectors" / name).read_text())
    return vectors


def cases(name: str, member: str = "cases") -> list[Any]:
    """Return a vector file's cases as pytest parameters, each under its own name."""
    return [pytest.param(case, id=case["name"]) for case in load(name)[member]]


VECTORS = tuple(sorted(path.name for path in (PROTOCOL / "vectors").iterdir()))
