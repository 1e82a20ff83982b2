"""What pydantic makes of a declared type: how values of it are read, and which classes are in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, lru_cache
from typing import Any, NotRequired, Required, get_origin, get_type_hints

from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError
from pydantic._internal import _generate_schema
from pydantic_core import SchemaValidator, core_schema
from typing_extensions import TypedDict

from signoff.workflow.codec.classes import Classes
from signoff.workflow.codec.records import is_record_class


@dataclass(frozen=True, eq=False)
class DeclaredType:
    """What is known of a declared type.

    Attributes:
        adapter: pydantic's.
        again: the same without what is judged by the clock (a `FutureDate`): for values that were accepted before.
        classes: the models, dataclasses, named tuples and enums in it.
        names_first: several of them could be meant by the same members, or the clock would judge them again.
    """

    adapter: TypeAdapter[Any]
    again: TypeAdapter[Any] | SchemaValidator
    classes: Classes
    names_first: bool

    @cached_property
    def fit(self) -> SchemaValidator:
        """Return what tells whether a value is of the type, where objects need be of their class only."""
        return SchemaValidator(_by_class(self.adapter.core_schema))


def declared(type_: Any) -> DeclaredType | None:
    """Return what is known of a type; made once per type. None: pydantic does not know it.

    Raises:
        TypeError: pydantic knows it and cannot handle it; the message names it.
    """
    try:
        hash(type_)
    except TypeError:  # an annotation with something unhashable in it
        return _new(type_)
    return _hashed(type_)


def check(type_: Any) -> None:
    """Make sure that values of a type could be read.

    Raises:
        TypeError: pydantic knows the type and cannot handle it; the message names it.
    """
    if type_ is not None and type_ is not Any:
        declared(type_)


@lru_cache(maxsize=1024)
def _hashed(type_: Any) -> DeclaredType | None:
    return _new(type_)


def _new(type_: Any) -> DeclaredType | None:
    try:
        with _typed_dicts():
            made: TypeAdapter[Any] = TypeAdapter(type_)
    except PydanticSchemaGenerationError:
        return None
    except PydanticUserError as error:
        raise TypeError(f"{type_name(type_)} cannot be read: {error.message}") from error
    except Exception as error:  # an annotation whose own code raises, a missing extra
        raise TypeError(f"{type_name(type_)} cannot be read: {error}") from error
    if not made.pydantic_complete:
        raise TypeError(f"{type_name(type_)} cannot be read: it names a class that is not at the top of its module.")
    found: set[type] = set()
    several = _look(made.core_schema, found)
    again = _timeless(made)
    return DeclaredType(made, again or made, Classes(found), several or again is None)


@contextmanager
def _typed_dicts() -> Iterator[None]:
    """Let pydantic accept `typing.TypedDict` on Python 3.11, wherever in a type it stands.

    It insists on the one of typing_extensions there, and says so only when the type is used: for a step's result that
    would be after its effect. So whenever it comes upon the one, it is given the other with the same members.
    """
    ours: Any = _generate_schema.GenerateSchema
    before = getattr(ours, "_typed_dict_schema", None)
    if sys.version_info >= (3, 12) or before is None:
        yield
        return

    def generate(self: Any, cls: Any, origin: Any) -> Any:
        return before(self, _twin(cls) if type(cls).__module__ == "typing" else cls, origin)

    ours._typed_dict_schema = generate
    try:
        yield
    finally:
        ours._typed_dict_schema = before


@lru_cache(maxsize=1024)
def _twin(cls: Any) -> Any:
    """Return the TypedDict of typing_extensions with the members of one of typing."""
    hints = get_type_hints(cls, include_extras=True)
    said = (Required, NotRequired)
    members = {
        name: NotRequired[hint] if name in cls.__optional_keys__ and get_origin(hint) not in said else hint
        for name, hint in hints.items()
    }
    return TypedDict(cls.__name__, members)  # type: ignore[operator]


def _look(node: Any, found: set[type]) -> bool:
    """Collect the classes in a core schema; tell whether their names are to be written at once."""
    if isinstance(node, type | Enum):  # a literal names members of an enum
        cls = node if isinstance(node, type) else type(node)
        if is_record_class(cls):
            found.add(cls)
        return False
    if isinstance(node, dict):
        choices = node.get("choices") if node.get("type") == "union" else None
        several = choices is not None and sum(map(_has_class, choices)) > 1
        inner = [_look(part, found) for name, part in node.items() if name != "metadata"]
        return several or any(inner)
    inner = [_look(part, found) for part in node] if isinstance(node, list | tuple) else []
    return any(inner)


def _by_class(node: Any) -> Any:
    """Return a core schema that asks of models and dataclasses their class, whatever may become of their members."""
    if isinstance(node, list | tuple):
        return type(node)(map(_by_class, node))
    if not isinstance(node, dict):
        return node
    inner = node
    while inner.get("type") in {"function-before", "function-after", "function-wrap"}:
        inner = inner["schema"]
    if inner.get("type") in {"model", "dataclass"}:
        ref = node.get("ref", inner.get("ref"))
        return core_schema.is_instance_schema(inner.get("generic_origin") or inner["cls"], ref=ref)
    return {name: part if name == "metadata" else _by_class(part) for name, part in node.items()}


def _timeless(made: TypeAdapter[Any]) -> TypeAdapter[Any] | SchemaValidator | None:
    """Return what reads as the adapter does, whatever the clock says; None: pydantic is too old for it."""
    if not _has_clock(made.core_schema):
        return made
    try:
        return SchemaValidator(_without_clock(made.core_schema), _use_prebuilt=False)
    except TypeError:  # older than the option, without which models are read by validators made before
        return None


def _has_clock(node: Any) -> bool:
    if isinstance(node, dict):
        return "now_op" in node or any(_has_clock(part) for name, part in node.items() if name != "metadata")
    return isinstance(node, list | tuple) and any(map(_has_clock, node))


def _without_clock(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            name: part if name == "metadata" else _without_clock(part)
            for name, part in node.items()
            if name != "now_op"
        }
    if isinstance(node, list | tuple):
        return type(node)(map(_without_clock, node))
    return node


def _has_class(node: Any) -> bool:
    if isinstance(node, type):
        return is_record_class(node)
    if isinstance(node, dict):
        return node.get("type") == "definition-ref" or any(
            _has_class(part) for name, part in node.items() if name != "metadata"
        )
    return isinstance(node, list | tuple) and any(map(_has_class, node))


def adapter(type_: Any) -> TypeAdapter[Any]:
    """Return pydantic's adapter for a type; made once per type.

    Raises:
        TypeError: pydantic cannot handle the type; the message names it.
    """
    found = declared(type_)
    if found is None:
        raise TypeError(
            f"{type_name(type_)} cannot be described to people: use a pydantic model, dataclass or TypedDict."
        )
    return found.adapter


def pointers(error: ValidationError) -> list[dict[str, str]]:
    """Return pydantic's complaints as `[{"pointer", "message"}]` (RFC 6901)."""
    return [
        {
            "pointer": "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in problem["loc"]),
            "message": problem["msg"],
        }
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def summary(error: ValidationError) -> str:
    """Return pydantic's first complaint in one line."""
    first = pointers(error)[0]
    return f"{first['pointer'] or 'the value'}: {first['message']}"


def type_name(type_: Any) -> str:
    """Return what people call a type."""
    return getattr(type_, "__qualname__", None) or repr(type_) if isinstance(type_, type) else repr(type_)
