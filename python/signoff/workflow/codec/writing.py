"""Write a Python value as tagged JSON.

JSON stands for itself: None, booleans, finite floats, text, lists, dictionaries with text keys, integers up to 2^53.
All else has a kind (`kinds.py`). What becomes of models, dataclasses, named tuples and enums is for the `ValueWriter`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import orjson
from pydantic import RootModel, Secret, SecretBytes, SecretStr

from signoff.errors import UnsupportedValue
from signoff.workflow.codec import records
from signoff.workflow.codec.classes import Classes
from signoff.workflow.codec.kinds import TAG, WRITERS, NotEncodable, class_name, is_url, url_writer
from signoff.workflow.entry import Encoded

_SAFE = 2**53
_LEAVES = frozenset({type(None), bool})
DEEPEST = 100
MOST_PARTS = 1_000_000
"""How many members and items a value may have, counted at every depth."""


def encode(value: Any) -> Encoded:
    """Return `value` as tagged JSON; models and dataclasses as their members, enums as their value.

    Raises:
        UnsupportedValue: it has something the journal cannot keep (NaN, an open file, …); the detail names the place.

    Example:
        >>> encode({"price": Decimal("1.10")})
        {'price': {'$signoff': 'decimal', 'v': '1.10'}}
    """
    return written(value, ValueWriter())


class ValueWriter:
    """What is known while one value is written: how many parts it may still have, and how records are written.

    This one writes records as their members, for those who only look at them.
    """

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MOST_PARTS

    def record(self, value: Any, depth: int) -> Encoded:
        """Write a model, dataclass, named tuple or enum."""
        if isinstance(value, Enum):
            return write(value.value, depth, self)
        if isinstance(value, tuple):
            return {TAG: "tuple", "v": items(tuple.__iter__(value), depth, self)}
        if isinstance(value, RootModel):
            return write(value.root, depth + 1, self)
        return mapping({**records.extra_of(value), **self.members(value)}, depth, self)

    def members(self, value: Any) -> dict[str, Any]:
        """Return the members of a model or dataclass that are written."""
        return records.members_of(value)

    def names(self, _cls: type) -> bool:
        """Tell whether values of the class are written with its name."""
        return False

    def other(self, value: Any) -> Encoded:
        """Write a value of a class that has no kind of its own."""
        if is_url(value):
            return str(value)
        raise NotEncodable(f"{class_name(type(value))} has no JSON form")


class TypedWriter(ValueWriter):
    """A writer of records as what pydantic reads back under their type."""

    __slots__ = ()

    def members(self, value: Any) -> dict[str, Any]:
        """Return the members a constructor takes."""
        members = records.members_of(value)
        kind: Any = type(value)
        for name in records.not_in_constructor(kind):
            members.pop(name, None)
        return members


class NamingWriter(ValueWriter):
    """A writer of records with the name of their class, so that exactly they come back.

    Args:
        classes: those the reader will know.
        type_name: what people call the type they are part of.
    """

    __slots__ = ("_classes", "_type_name")

    def __init__(self, classes: Classes, type_name: str) -> None:
        super().__init__()
        self._classes = classes
        self._type_name = type_name

    def names(self, _cls: type) -> bool:
        """Tell whether the reader will know the class."""
        return self._classes.name_of(_cls) is not None

    def record(self, value: Any, depth: int) -> Encoded:
        """Write a model, dataclass, named tuple or enum."""
        kind = type(value)
        name = self._classes.name_of(kind)
        if name is None:
            base = base_of(value)
            if base is not None:
                return write(as_base(base, value), depth, self)
            raise NotEncodable(
                f"{class_name(kind)} is no part of the declared type {self._type_name}, so it would not come back as "
                "what it is (declare that class, or a union that has it)"
            )
        if isinstance(value, Enum):
            named = value.name if value.name in kind.__members__ else None
            return {TAG: "enum", "class": name, "name": named, "v": write(value.value, depth, self)}
        if isinstance(value, tuple):
            return {TAG: "namedtuple", "class": name, "v": items(tuple.__iter__(value), depth, self)}
        wrote = {TAG: "object", "class": name, "v": members(records.members_of(value), depth, self)}
        for part, held in (("extra", records.extra_of(value)), ("private", records.private_of(value))):
            if held:
                wrote[part] = members(held, depth, self)
        return wrote

    def other(self, value: Any) -> Encoded:
        """Refuse what has no kind of its own."""
        raise NotEncodable(f"{class_name(type(value))} has no JSON form")


class BareWriter(ValueWriter):
    """A writer of what comes back without any type; it refuses records.

    Args:
        hint: what to do about a record.
    """

    __slots__ = ("_hint",)

    def __init__(self, hint: str) -> None:
        super().__init__()
        self._hint = hint

    def record(self, value: Any, depth: int) -> Encoded:
        """Refuse; but an enum that is a text or number as well is written as that."""
        base = base_of(value)
        if base is not None:
            return write(as_base(base, value), depth, self)
        raise NotEncodable(f"{class_name(type(value))} would come back as its mere members ({self._hint})")

    def other(self, value: Any) -> Encoded:
        """Refuse what has no kind of its own."""
        raise NotEncodable(f"{class_name(type(value))} has no JSON form")


def written(value: Any, writer: ValueWriter) -> Encoded:
    """Return `value` as tagged JSON.

    Raises:
        UnsupportedValue: the writer refuses a part of it; the detail names the place.
    """
    try:
        return write(value, 0, writer)
    except NotEncodable as refused:
        raise UnsupportedValue(f"The value cannot be kept: {refused.why} at {refused.where}.") from None


def write(value: Any, depth: int, writer: ValueWriter) -> Encoded:  # noqa: PLR0911 - one return per kind, frequent first
    """Return `value` as tagged JSON, or raise NotEncodable."""
    kind = type(value)
    if kind is str:
        return value if value.isascii() else _text(value)
    if kind in _LEAVES:
        return value
    if kind is int:
        return value if -_SAFE <= value <= _SAFE else _large(value)
    if kind is float:
        if math.isfinite(value):
            return value
        raise NotEncodable(f"{value} is no JSON number")
    if depth > DEEPEST:
        raise NotEncodable(f"it is nested more than {DEEPEST} deep (or contains itself)")
    if kind is dict:
        return mapping(value, depth, writer)
    if kind is list:
        return items(value, depth, writer)
    leaf = WRITERS.get(kind) or url_writer(kind)
    if leaf is not None:
        return leaf(value)
    container = _CONTAINERS.get(kind)
    if container is not None:
        return container(value, depth, writer)
    return _other(value, depth, writer)


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise NotEncodable("the text has a lone surrogate") from None
    return value


def _large(value: int) -> Encoded:
    try:
        return {TAG: "int", "v": str(value)}
    except ValueError:
        raise NotEncodable("the integer has too many digits") from None


def items(values: Iterable[Any], depth: int, writer: ValueWriter) -> list[Encoded]:
    """Write the items of a list, tuple or set."""
    wrote = []
    for item in values:
        try:
            wrote.append(write(item, depth + 1, writer))
        except NotEncodable as refused:
            refused.place.append(f"[{len(wrote)}]")
            raise
    spend(len(wrote), writer)
    return wrote


def spend(parts: int, writer: ValueWriter) -> None:
    """Count parts of a value.

    Raises:
        NotEncodable: there are too many.
    """
    writer.left -= parts
    if writer.left < 0:
        raise NotEncodable(f"it has more than {MOST_PARTS:,} parts")


def mapping(value: dict[Any, Any], depth: int, writer: ValueWriter) -> Encoded:
    """Write a dictionary."""
    wrote = {}
    for key, item in value.items():
        if type(key) is not str:
            return _keyed(value, depth, writer)
        try:
            wrote[key if key.isascii() else _text(key)] = write(item, depth + 1, writer)
        except NotEncodable as refused:
            refused.place.append(f".{key}")
            raise
    spend(len(wrote), writer)
    return {TAG: "escape", "v": wrote} if TAG in wrote else wrote


def members(value: Mapping[str, Any], depth: int, writer: ValueWriter) -> dict[str, Encoded]:
    """Write members by name, where nothing else can stand."""
    wrote: dict[str, Encoded] = mapping(dict(value), depth, writer)
    return wrote.get("v", {}) if TAG in wrote else wrote


def _keyed(value: dict[Any, Any], depth: int, writer: ValueWriter) -> Encoded:
    if all(isinstance(key, str) and not writer.names(type(key)) for key in value):
        return mapping({_plain_text(key): item for key, item in value.items()}, depth, writer)
    return {TAG: "map", "v": [items(pair, depth, writer) for pair in value.items()]}


def _plain_text(value: str) -> str:
    return value.value if isinstance(value, Enum) else str.__str__(value)


def _canonical(values: Any, depth: int, writer: ValueWriter) -> list[Encoded]:
    return sorted(items(values, depth, writer), key=lambda item: orjson.dumps(item, option=orjson.OPT_SORT_KEYS))


def _deque(value: deque[Any], depth: int, writer: ValueWriter) -> Encoded:
    wrote = {TAG: "deque", "v": items(value, depth, writer)}
    return wrote if value.maxlen is None else {**wrote, "maxlen": value.maxlen}


def _secret(value: Any, depth: int, writer: ValueWriter) -> Encoded:
    cls = next(base for base in (SecretStr, SecretBytes, Secret) if isinstance(value, base))
    return {TAG: "secret", "class": cls.__name__, "v": write(value.get_secret_value(), depth + 1, writer)}


_CONTAINERS: dict[type, Callable[[Any, int, ValueWriter], Encoded]] = {
    tuple: lambda value, depth, writer: {TAG: "tuple", "v": items(value, depth, writer)},
    set: lambda value, depth, writer: {TAG: "set", "v": _canonical(value, depth, writer)},
    frozenset: lambda value, depth, writer: {TAG: "frozenset", "v": _canonical(value, depth, writer)},
    deque: _deque,
    SecretStr: _secret,
    SecretBytes: _secret,
}


def _other(value: Any, depth: int, writer: ValueWriter) -> Encoded:
    """Write a value of a class that is in no table. Whatever its own code raises is a refusal."""
    kind: Any = type(value)
    try:
        if records.is_record_class(kind):
            return writer.record(value, depth)
        if isinstance(value, Secret):
            return _secret(value, depth, writer)
        base = base_of(value)
        if base is not None:
            return write(as_base(base, value), depth, writer)
        return _once(value) if isinstance(value, Iterator | AsyncIterator) else writer.other(value)
    except NotEncodable:
        raise
    except Exception as error:
        raise NotEncodable(f"{class_name(kind)} raised {class_name(type(error))} when it was read") from error


def _once(value: Any) -> Encoded:
    raise NotEncodable(f"{class_name(type(value))} can be read only once (return a list)")


# -- subclasses of what is built in ------------------------------------------------------------------------------------

_BASES: dict[type, Callable[[Any], Any]] = {
    str: str.__str__,
    bool: bool,
    int: int.__int__,
    float: float.__float__,
    dict: lambda value: dict(dict.items(value)),
    list: lambda value: [*list.__iter__(value)],
    tuple: lambda value: (*tuple.__iter__(value),),
    set: lambda value: {*set.__iter__(value)},
    frozenset: lambda value: frozenset(frozenset.__iter__(value)),
    bytes: lambda value: bytes.__getitem__(value, slice(None)),
    datetime: lambda value: datetime.combine(datetime.date(value), datetime.timetz(value)),
    date: lambda value: date(value.year, value.month, value.day),
    time: lambda value: time(value.hour, value.minute, value.second, value.microsecond, value.tzinfo, fold=value.fold),
    timedelta: lambda value: timedelta(value.days, value.seconds, value.microseconds),
    Decimal: Decimal,
    UUID: lambda value: UUID(int=value.int),
}
"""How a value of a subclass becomes one of the class itself, without the subclass's own iteration or text."""

_WHOLE = frozenset({dict, list, tuple, set, frozenset})


def base_of(value: Any) -> type | None:
    """Return the built-in class that a value's class derives from, if any; a named tuple's is none."""
    for base in _BASES:
        if isinstance(value, base):
            return None if records.is_named_tuple(type(value)) else base
    return None


def as_base(base: type, value: Any) -> Any:
    """Return a value of a subclass of a built-in class as one of the class itself, its equal."""
    plain = _BASES[base](value)
    if base not in _WHOLE and not plain == value:  # it holds more, as nanoseconds
        raise NotEncodable(f"{class_name(type(value))} is more than its {base.__name__}")
    return plain
