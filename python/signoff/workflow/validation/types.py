"""Which types have rules that only their own code knows, so that no JSON Schema holds an answer to them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from signoff.workflow.codec.types import declared

_FUNCTIONS: Final = frozenset({"function-before", "function-after", "function-wrap", "function-plain", "call"})


def code_judges(type_: Any) -> bool:
    """Tell whether reading a value as this type runs code of its author's, or asks the clock.

    What pydantic itself does by functions (an IP address, a path) the schema says as well; not so e-mail addresses.

    Example:
        >>> code_judges(Annotated[str, AfterValidator(known_account)])
        True
    """
    if type_ is None or type_ is Any:
        return False
    try:
        hash(type_)
    except TypeError:  # an annotation with something unhashable in it
        return _code_judges(type_)
    return _remembered(type_)


def _code_judges(type_: Any) -> bool:
    found = declared(type_)
    return found is not None and _has_rules(found.adapter.core_schema)


_remembered = lru_cache(maxsize=1024)(_code_judges)


def _has_rules(node: Any) -> bool:
    if isinstance(node, list | tuple):
        return any(map(_has_rules, node))
    if not isinstance(node, dict):
        return False
    kind = node.get("type")
    if kind in _FUNCTIONS and _is_foreign(node.get("function")):
        return True
    if kind == "json" or "now_op" in node or node.get("post_init") or node.get("custom_init"):
        return True
    if kind == "int" and node.get("strict"):  # JSON Schema takes 1.0 for an integer
        return True
    return any(_has_rules(part) for name, part in node.items() if name not in _NO_RULES)


_NO_RULES: Final = frozenset({"metadata", "serialization", "function", "default_factory", "cls", "config"})
"""Members of a core schema in which nothing is read by."""


def _is_foreign(function: Any) -> bool:
    """Tell whether a function is not pydantic's own."""
    if isinstance(function, dict):  # with what it is told of the field
        function = function.get("function")
    called = getattr(function, "func", function)  # a partial of it
    if "Email" in getattr(called, "__qualname__", ""):
        return True
    module = getattr(called, "__module__", None) or getattr(type(called), "__module__", "")
    return str(module).partition(".")[0] not in {"pydantic", "pydantic_core", "ipaddress"}
