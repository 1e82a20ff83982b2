"""Classes with members: pydantic models, dataclasses, named tuples and enums."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum
from functools import cached_property, lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from signoff.errors import UnsupportedValue
from signoff.workflow.codec.kinds import class_name


@lru_cache(maxsize=1024)
def is_record_class(cls: Any) -> bool:
    """Tell whether objects of a class come back only for a reader that knows the class."""
    return (has_members(cls) and cls is not BaseModel) or issubclass(cls, Enum) or is_named_tuple(cls)


@lru_cache(maxsize=1024)
def has_members(cls: Any) -> bool:
    """Tell whether a class is a model or dataclass."""
    return issubclass(cls, BaseModel) or dataclasses.is_dataclass(cls)


def is_named_tuple(cls: type) -> bool:
    """Tell whether a class is a NamedTuple."""
    return issubclass(cls, tuple) and hasattr(cls, "_fields") and hasattr(cls, "_make")


def members_of(value: Any) -> dict[str, Any]:
    """Return the members of a model or dataclass by name, as far as they are set."""
    if isinstance(value, BaseModel):
        held = value.__dict__
        return {name: held[name] for name in type(value).__pydantic_fields__ if name in held}
    found = {}
    kind: Any = type(value)
    for name in _field_names(kind):
        try:
            found[name] = getattr(value, name)
        except AttributeError:  # one that the constructor does not set
            continue
    return found


@lru_cache(maxsize=1024)
def _field_names(cls: Any) -> tuple[str, ...]:
    return tuple(member.name for member in dataclasses.fields(cls))


@lru_cache(maxsize=1024)
def not_in_constructor(cls: Any) -> tuple[str, ...]:
    """Return the members of a class that its constructor does not take."""
    if issubclass(cls, BaseModel):
        return ()
    return tuple(member.name for member in dataclasses.fields(cls) if not member.init)


def extra_of(value: Any) -> dict[str, Any]:
    """Return what a model holds beyond its fields because it allows that."""
    return value.__pydantic_extra__ or {} if isinstance(value, BaseModel) else {}


def private_of(value: Any) -> dict[str, Any]:
    """Return what an object holds beside its fields: private attributes, and what a dataclass has set on itself."""
    if isinstance(value, BaseModel):
        return value.__pydantic_private__ or {}
    kind: Any = type(value)
    held = getattr(value, "__dict__", {})
    fields = _field_names(kind)
    if len(held) <= len(fields) and all(name in fields for name in held):
        return {}
    return {
        name: part
        for name, part in held.items()
        if name not in fields and not isinstance(getattr(kind, name, None), cached_property)
    }


def restore(cls: Any, members: Mapping[str, Any], extra: Mapping[str, Any], private: Mapping[str, Any]) -> Any:
    """Return an object with these members, without running its constructor or validators.

    A field that was added to the class since has its default.

    Raises:
        UnsupportedValue: a field was added that has no default.
    """
    made = cls.__new__(cls) if issubclass(cls, BaseModel) else object.__new__(cls)
    if not isinstance(made, BaseModel):
        for member in dataclasses.fields(cls):
            if member.name in members:
                object.__setattr__(made, member.name, members[member.name])
            elif member.default is not dataclasses.MISSING:
                object.__setattr__(made, member.name, member.default)
            elif member.default_factory is not dataclasses.MISSING:
                object.__setattr__(made, member.name, member.default_factory())
            elif member.init:
                raise _lacks(cls, member.name)
        for name, held in private.items():
            object.__setattr__(made, name, held)
        return made
    values: dict[str, Any] = {}
    for name, field in cls.__pydantic_fields__.items():
        if name not in members and field.is_required():
            raise _lacks(cls, name)
        values[name] = members[name] if name in members else field.get_default(call_default_factory=True)
    object.__setattr__(made, "__dict__", values)
    object.__setattr__(made, "__pydantic_fields_set__", set(members))
    object.__setattr__(made, "__pydantic_extra__", dict(extra) if cls.model_config.get("extra") == "allow" else None)
    object.__setattr__(made, "__pydantic_private__", _private(cls, private))
    return made


def _private(cls: type[BaseModel], private: Mapping[str, Any]) -> dict[str, Any] | None:
    if not cls.__private_attributes__:
        return None
    new = {name: held.get_default() for name, held in cls.__private_attributes__.items() if name not in private}
    return {**private, **{name: held for name, held in new.items() if held is not PydanticUndefined}}


def _lacks(cls: type, name: str) -> UnsupportedValue:
    return UnsupportedValue(
        f"A recorded {class_name(cls)} lacks {name!r}, which has no default. Was the class changed?"
    )
