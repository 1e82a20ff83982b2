"""Write a value whose declared type is known, and make sure that it will come back as it is."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from signoff.errors import UnsupportedValue
from signoff.workflow.codec.comparing import Tolerance, difference
from signoff.workflow.codec.kinds import TAG, class_name
from signoff.workflow.codec.reading import PLAIN, decode
from signoff.workflow.codec.types import DeclaredType, declared, type_name
from signoff.workflow.codec.writing import BareWriter, NamingWriter, TypedWriter, written
from signoff.workflow.entry import Encoded


def encode_as(value: Any, type_: Any = None) -> Encoded:
    """Return `value` as tagged JSON from which `decode` makes the same value again, of the same classes.

    What pydantic brings back from the mere members is written as those. Where it would not (a union whose members look
    alike, fields no constructor takes, an integer under `float`), the classes are named and read without pydantic.

    Args:
        value: any.
        type_: its declared type; None or Any: it has none.

    Raises:
        UnsupportedValue: it would come back changed, does not fit its type, or has something the journal cannot keep;
            the detail names the place, never the value.

    Example:
        >>> encode_as(Rejected("bob"), Approved | Rejected)
        {'$signoff': 'exact', 'v': {'$signoff': 'object', 'class': 'Rejected', 'v': {'by': 'bob'}}}
    """
    if type_ is None or type_ is Any:
        return written(value, BareWriter("declare its type: annotate what the function returns"))
    if type(value) in PLAIN and type_ is type(value):
        return written(value, TypedWriter())
    try:
        found = declared(type_)
    except TypeError as error:
        raise UnsupportedValue(f"The value cannot be kept: {error}") from error
    if found is None:
        return written(value, BareWriter(f"pydantic does not know its declared type {type_name(type_)}"))
    return _first_that_keeps(value, type_, found)


def encode_read(value: Any, type_: Any = None) -> Encoded:
    """Return a value that was read as its type as tagged JSON from which `decode` makes it without judging it again.

    Where that cannot be said (a class that pydantic does not know), it is read as `encode_as` has it.

    Raises:
        UnsupportedValue: as `encode_as`.
    """
    found = (
        None if type_ is None or type_ is Any or (type(value) is type_ and type(value) in PLAIN) else declared(type_)
    )
    if found is not None:
        exact, refused = _exactly(value, type_, found, Tolerance.NONE)
        if refused is None:
            return exact
    return encode_as(value, type_)


def check_fit(value: Any, type_: Any) -> None:
    """Refuse a value that is not of a declared type.

    Raises:
        UnsupportedValue: naming the place.
    """
    found = None if type_ is None or type_ is Any else declared(type_)
    if found is not None:
        _check_fit(value, type_, found)


def _first_that_keeps(value: Any, type_: Any, found: DeclaredType) -> Encoded:
    if not found.names_first or type(value) in PLAIN:
        plain, lost = _plainly(value, type_, Tolerance.NONE)
        if lost is None:
            return plain
    _check_fit(value, type_, found)
    exact, named = _exactly(value, type_, found, Tolerance.NONE)
    if named is None:
        return exact
    # What is left may be a subclass of a built-in class (a float of NumPy's): its equal of that class will do.
    plain, lost = _plainly(value, type_, Tolerance.SUBCLASSES)
    if lost is None:
        return plain
    exact, named = _exactly(value, type_, found, Tolerance.SUBCLASSES)
    if named is None:
        return exact
    raise named


def _plainly(value: Any, type_: Any, tolerance: Tolerance) -> tuple[Encoded, UnsupportedValue | None]:
    """Write the mere members; tell why that would not do."""
    encoded = written(value, TypedWriter())
    try:
        lost = difference(value, decode(encoded, type_), tolerance)
    except UnsupportedValue as error:
        return None, error
    return encoded, _refusal(lost)


def _exactly(
    value: Any, type_: Any, found: DeclaredType, tolerance: Tolerance
) -> tuple[Encoded, UnsupportedValue | None]:
    """Write with the names of classes; tell why that would not do."""
    try:
        inner = written(value, NamingWriter(found.classes, type_name(type_)))
        encoded = {TAG: "exact", "v": inner}
        return encoded, _refusal(difference(value, decode(encoded, type_), tolerance))
    except UnsupportedValue as error:
        return None, error


def _refusal(lost: str | None) -> UnsupportedValue | None:
    return None if lost is None else UnsupportedValue(f"The value cannot be kept: {lost}.")


def _check_fit(value: Any, type_: Any, found: DeclaredType) -> None:
    """Refuse what is not of its declared type: the code would get something else than it was promised.

    Raises:
        UnsupportedValue: naming the place.
    """
    if type(value) is type_:
        return
    try:
        made = found.fit.validate_python(value, strict=True)
    except ValidationError as error:
        if _only_narrower(error):
            return
        raise UnsupportedValue(
            f"The value cannot be kept: it is not of its declared type {type_name(type_)}: {_misfit(error)}."
        ) from None
    except Exception as error:
        raise UnsupportedValue(
            f"The value cannot be kept: {type_name(type_)} raised {class_name(type(error))} when it was checked."
        ) from error
    changed = difference(value, made, Tolerance.FIT)
    if changed is not None:
        raise UnsupportedValue(
            f"The value cannot be kept: it is not of its declared type {type_name(type_)}: {changed}."
        )


def _misfit(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    parts = [part for part in first["loc"] if not str(part).startswith("is-instance[")]  # which of a union's members
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return f"{first['msg']} at ${place}"


def _only_narrower(error: ValidationError) -> bool:
    """Tell whether pydantic minds nothing but what is of the type: a boolean number, a datetime as date, a NaN."""
    return all(
        (problem["type"] in {"int_type", "float_type"} and type(problem["input"]) is bool)
        or (problem["type"] == "finite_number" and isinstance(problem["input"], Decimal))
        or (problem["type"] == "date_type" and isinstance(problem["input"], datetime))
        for problem in error.errors(include_url=False, include_context=False)
    )
