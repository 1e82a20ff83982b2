"""What a tool takes, as people edit it and the code reads it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NotRequired, get_origin, get_type_hints

from pydantic import Secret, SecretBytes, SecretStr
from typing_extensions import TypedDict

from signoff.errors import UnsupportedValue
from signoff.workflow import codec
from signoff.workflow.input.schema import given_schema, schema_of


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of a tool: what they are read as, and their JSON Schema."""

    type: Any
    schema: dict[str, Any]

    def read(self, args: Any) -> Any:
        """Return proposed arguments as the code gets them.

        Raises:
            UnsupportedValue: they are neither a mapping nor of the type, or do not fit; nobody is asked.
        """
        if isinstance(args, Mapping):
            plain = _plain(args, secrets=self.type is not _ANY)
            read = codec.receive(codec.encode(codec.public_json(plain)), self.type)
            return self._fitting(read) if self.type is _ANY else read
        if self.type is _ANY:
            raise UnsupportedValue(f"The arguments of a tool are an object, by name, not {type(args).__name__}.")
        codec.check_fit(args, self.type)
        return args

    def _fitting(self, args: Any) -> Any:
        from signoff.workflow.input.complaints import complaints  # noqa: PLC0415 - its library is loaded by the first tool

        errors = complaints(self.schema, args)
        if errors:
            said = "; ".join(
                f"{one['pointer']}: {one['message']}" if one["pointer"] else one["message"] for one in errors
            )
            raise UnsupportedValue(f"The arguments do not fit the tool: {said}", errors=errors)
        return args

    def shown(self, args: Any) -> Any:
        """Return arguments as people see them, without what is secret by its type or by the schema."""
        return codec.conceal(codec.public_json(args), self.schema)


_ANY: Final = dict[str, Any]


def _plain(value: Any, *, secrets: bool) -> Any:
    """Return proposed arguments with the values of secrets, which their type keeps; without one nothing would."""
    match value:
        case Secret() | SecretStr() | SecretBytes():
            if not secrets:
                raise UnsupportedValue("A secret among a tool's arguments needs an `args_type` that says where it is.")
            return value.get_secret_value()
        case Mapping():
            return {name: _plain(part, secrets=secrets) for name, part in value.items()}
        case list() | tuple():
            return [_plain(part, secrets=secrets) for part in value]
        case _:
            return value


def arguments(args_type: Any, args_schema: Mapping[str, Any] | None) -> Arguments:
    """Return what a tool takes.

    Args:
        args_type: a type; a function, whose parameters it is; None: any object.
        args_schema: JSON Schema, where there is no type.

    Raises:
        TypeError, ValueError: both are given, or one cannot be a form.
    """
    if args_type is not None and args_schema is not None:
        raise TypeError("The arguments of a tool have an `args_type` or an `args_schema`, not both.")
    if args_schema is not None:
        return Arguments(_ANY, given_schema(dict(args_schema)))
    if args_type is None:
        return Arguments(_ANY, given_schema({"type": "object"}))
    type_ = parameters_of(args_type) if _is_function(args_type) else args_type
    return Arguments(type_, schema_of(type_))


def _is_function(given: Any) -> bool:
    return callable(given) and not isinstance(given, type) and get_origin(given) is None


@functools.lru_cache(maxsize=512)
def parameters_of(function: Callable[..., Any]) -> Any:
    """Return the parameters of a function as a TypedDict; those with a default may be left out.

    Raises:
        TypeError: it has some that go without a name.
    """
    hints = get_type_hints(inspect.unwrap(function), include_extras=True)
    fields: dict[str, Any] = {}
    for name, one in inspect.signature(function).parameters.items():
        if one.kind in {one.POSITIONAL_ONLY, one.VAR_POSITIONAL}:
            raise TypeError(f"A tool takes its arguments by name, and {function!r:.100} takes {name!r} without.")
        if one.kind is not one.VAR_KEYWORD:
            hint = hints.get(name, Any)
            fields[name] = hint if one.default is one.empty else NotRequired[hint]
    return TypedDict(getattr(function, "__name__", "Arguments"), fields)  # type: ignore[operator]
