"""Read tagged JSON back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson
from pydantic import Secret, SecretBytes, SecretStr, TypeAdapter, ValidationError
from pydantic_core import SchemaValidator

from signoff.errors import SignoffError, UnsupportedValue
from signoff.workflow.codec import records
from signoff.workflow.codec.classes import Classes
from signoff.workflow.codec.kinds import READERS, TAG, class_name
from signoff.workflow.codec.types import declared, pointers, summary, type_name
from signoff.workflow.entry import Encoded

PLAIN = frozenset({str, int, float, bool, type(None)})


def decode(encoded: Encoded, type_: Any = None) -> Any:
    """Return the value that `encode_as` wrote, or `encode`.

    Members are found by their names and aliases alike, and a strict model is read leniently: what is read was such a
    value when it was written.

    Args:
        encoded: tagged JSON.
        type_: what it shall be (anything pydantic understands); None: plain Python values.

    Raises:
        UnsupportedValue: a tag is unknown, or the value does not fit the type; the detail says where.
        TypeError: pydantic cannot handle the type.
    """
    if type(encoded) in PLAIN and type_ is type(encoded):
        return encoded
    if type_ is None or type_ is Any:
        return read(encoded)
    found = declared(type_)
    if found is None:
        return read(encoded)
    if type(encoded) is dict and encoded.get(TAG) == "exact":
        return read(encoded["v"], found.classes)
    value = read(encoded)
    try:
        return _lasting(found.again.validate_python(value, strict=False, by_alias=True, by_name=True))
    except ValidationError as error:
        # Not from it: pydantic's own text quotes the input, which may hold a secret, and tracebacks are logged.
        raise _misfit("recorded value", type_, error, " Was the type changed?") from None
    except Exception as error:
        raise _raised(type_, error) from error


def receive(encoded: Encoded, type_: Any = None, *, again: bool = False) -> Any:
    """Return a value that came from outside, as plain JSON as a rule, as what it shall be.

    The type's own rules count: its aliases, and what it is strict about, as for JSON (where a date is a text).

    Args:
        encoded: as it was recorded.
        type_: what it shall be; None: plain Python values.
        again: it was accepted before, so what the clock says by now does not count.

    Raises:
        UnsupportedValue: the value does not fit the type; the detail says where.
        TypeError: pydantic cannot handle the type.
    """
    value = read(encoded)
    if type_ is None or type_ is Any or (type(value) in PLAIN and type_ is type(value)):
        return value
    found = declared(type_)
    if found is None:
        return value
    try:
        return _lasting((found.again if again else found.adapter).validate_python(value))
    except ValidationError:
        return _from_json(encoded, type_, found.again if again else found.adapter)
    except Exception as error:
        raise _raised(type_, error) from error


def _from_json(encoded: Encoded, type_: Any, reader: TypeAdapter[Any] | SchemaValidator) -> Any:
    try:
        text = orjson.dumps(value_of(encoded))
        return _lasting(reader.validate_json(text))
    except ValidationError as error:
        raise _misfit("value", type_, error) from None
    except Exception as error:
        raise _raised(type_, error) from error


def _lasting(value: Any) -> Any:
    """Return a list for the iterator that pydantic makes of an Iterable: that one could be read only once."""
    return list(value) if isinstance(value, Iterator) else value


def value_of(encoded: Encoded) -> Any:
    """Return tagged JSON without its tags."""
    if type(encoded) is list:
        return [value_of(item) for item in encoded]
    if type(encoded) is not dict:
        return encoded
    if TAG not in encoded:
        return {key: value_of(item) for key, item in encoded.items()}
    inner = encoded.get("v")
    if encoded[TAG] == "escape" and isinstance(inner, dict):
        return {key: value_of(item) for key, item in inner.items()}
    return value_of(inner)


def _misfit(what: str, type_: Any, error: ValidationError, hint: str = "") -> UnsupportedValue:
    return UnsupportedValue(
        f"A {what} does not fit {type_name(type_)}: {summary(error)}.{hint}", errors=pointers(error)
    )


def _raised(type_: Any, error: Exception) -> UnsupportedValue:
    return UnsupportedValue(
        f"A value could not be read as {type_name(type_)}: its code raised {class_name(type(error))}."
    )


# -- tags --------------------------------------------------------------------------------------------------------------


def read(encoded: Encoded, classes: Classes | None = None) -> Any:
    """Return the Python value of tagged JSON.

    Args:
        encoded: tagged JSON.
        classes: those that objects may be of; None: objects become their members.

    Raises:
        UnsupportedValue: a tag is unknown or malformed, or names a class that is not among those.
    """
    if type(encoded) in PLAIN:
        return encoded
    try:
        return _read(encoded, classes)
    except SignoffError:
        raise
    except Exception as error:
        raise UnsupportedValue(
            f"The journal has a malformed value; reading it raised {class_name(type(error))}."
        ) from error


def _read(encoded: Encoded, classes: Classes | None) -> Any:
    if type(encoded) is dict:
        if TAG not in encoded:
            return {key: item if type(item) in PLAIN else _read(item, classes) for key, item in encoded.items()}
        tag = encoded[TAG]
        if isinstance(tag, str):
            leaf = READERS.get(tag)
            if leaf is not None:
                return leaf(encoded)
            container = _CONTAINERS.get(tag)
            if container is not None:
                return container(encoded, classes)
        raise UnsupportedValue(f"The journal has a value of the unknown kind {tag!r:.100}.")
    if type(encoded) is list:
        return [item if type(item) in PLAIN else _read(item, classes) for item in encoded]
    return encoded


def _items(encoded: Encoded, classes: Classes | None) -> list[Any]:
    return [_read(item, classes) for item in encoded["v"]]


def _members(encoded: Mapping[str, Encoded], classes: Classes | None) -> dict[str, Any]:
    return {name: _read(item, classes) for name, item in encoded.items()}


def _class(encoded: Encoded, classes: Classes) -> Any:
    found = classes.find(encoded["class"])
    if found is None:
        raise UnsupportedValue(
            f"The journal has a {encoded['class']}, and the declared type knows no such class any more. Was it "
            "renamed, or the annotation changed?"
        )
    return found


def _object(encoded: Encoded, classes: Classes | None) -> Any:
    members = _members(encoded["v"], classes)
    extra = _members(encoded.get("extra", {}), classes)
    if classes is None:
        return {**extra, **members}
    return records.restore(_class(encoded, classes), members, extra, _members(encoded.get("private", {}), classes))


def _named_tuple(encoded: Encoded, classes: Classes | None) -> Any:
    items = _items(encoded, classes)
    return tuple(items) if classes is None else tuple.__new__(_class(encoded, classes), items)


def _enum(encoded: Encoded, classes: Classes | None) -> Any:
    value = _read(encoded["v"], classes)
    if classes is None:
        return value
    cls = _class(encoded, classes)
    return cls(value) if encoded["name"] is None else cls[encoded["name"]]


_SECRETS: dict[str, Any] = {cls.__name__: cls for cls in (SecretStr, SecretBytes, Secret)}

_CONTAINERS: dict[str, Callable[[Encoded, Classes | None], Any]] = {
    "tuple": lambda encoded, classes: tuple(_items(encoded, classes)),
    "set": lambda encoded, classes: set(_items(encoded, classes)),
    "frozenset": lambda encoded, classes: frozenset(_items(encoded, classes)),
    "deque": lambda encoded, classes: deque(_items(encoded, classes), encoded.get("maxlen")),
    "map": lambda encoded, classes: {_read(key, classes): _read(item, classes) for key, item in encoded["v"]},
    "escape": lambda encoded, classes: _members(encoded["v"], classes),
    "secret": lambda encoded, classes: _SECRETS[encoded["class"]](_read(encoded["v"], classes)),
    "object": _object,
    "namedtuple": _named_tuple,
    "enum": _enum,
    "exact": lambda encoded, classes: _read(encoded["v"], classes),
}
