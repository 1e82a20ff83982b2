"""Tell whether two values are the same: equal, of the same classes, all the way down."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable
from datetime import datetime, time, timezone
from decimal import Decimal
from enum import IntEnum
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Secret, SecretBytes, SecretStr
from pydantic_core import TzInfo

from signoff.workflow.codec import records
from signoff.workflow.codec.kinds import NotEncodable, class_name, offset_of
from signoff.workflow.codec.writing import as_base, base_of


class Tolerance(IntEnum):
    """What still counts as the same.

    NONE: only what is. SUBCLASSES: a value of a subclass of a built-in class, and its equal of that class. FIT: what
    pydantic gives back when it validates a value strictly (an integer as a float, a list as an iterator).
    """

    NONE = 0
    SUBCLASSES = 1
    FIT = 2


def difference(before: Any, after: Any, tolerance: Tolerance = Tolerance.NONE) -> str | None:
    """Return what two values differ in, as a clause for people that ends with the place; None: they are the same.

    No part of the values stands in it.
    """
    try:
        _compare(before, after, tolerance)
    except NotEncodable as differs:
        return f"{differs.why} at {differs.where}"
    except Exception as error:  # the values' own code
        return f"comparing it raised {class_name(type(error))} at $"
    return None


def _compare(before: Any, after: Any, tolerance: Tolerance) -> None:
    kind: Any = type(before)
    if before is after:
        return
    if kind is not type(after):
        _compare_kinds(before, after, tolerance)
        return
    if kind in _LEAVES:
        if before != after:
            raise _changed(before)
        return
    compare = _COMPARE.get(kind)
    if compare is not None:
        compare(before, after, tolerance)
    elif isinstance(before, BaseModel) or hasattr(kind, "__dataclass_fields__"):
        _compare_dicts(records.members_of(before), records.members_of(after), tolerance)
        _compare_dicts(records.extra_of(before), records.extra_of(after), tolerance)
        _compare_dicts(records.private_of(before), records.private_of(after), tolerance)
    elif isinstance(before, tuple):
        _compare_lists(before, after, tolerance)
    elif isinstance(before, dict):
        _compare_dicts(before, after, tolerance)
    elif isinstance(before, Secret):
        _compare(before.get_secret_value(), after.get_secret_value(), tolerance)
    elif before != after:
        raise _changed(before)


def _changed(before: Any) -> NotEncodable:
    return NotEncodable(f"a {type(before).__qualname__} would come back as another one")


def _compare_kinds(before: Any, after: Any, tolerance: Tolerance) -> None:
    """Compare values of different classes."""
    if tolerance >= Tolerance.FIT and _fits(before, after):
        return
    if tolerance >= Tolerance.SUBCLASSES and base_of(before) is type(after):
        _compare(as_base(type(after), before), after, tolerance)
        return
    raise NotEncodable(f"a {type(before).__qualname__} would come back as a {type(after).__qualname__}")


def _fits(before: Any, after: Any) -> bool:
    if type(after).__name__ == "ValidatorIterator":  # pydantic's for Iterable
        return isinstance(before, list | tuple | set | frozenset | dict | deque)
    return type(before) is int and type(after) is float and bool(before == after)


# -- by class ----------------------------------------------------------------------------------------------------------


def _compare_floats(before: float, after: float, _: Tolerance) -> None:
    if before != after or math.copysign(1, before) != math.copysign(1, after):
        raise _changed(before)


def _compare_decimals(before: Decimal, after: Decimal, _: Tolerance) -> None:
    if before.as_tuple() != after.as_tuple():
        raise _changed(before)


def _compare_clocks(before: Any, after: Any, _: Tolerance) -> None:
    if before.replace(tzinfo=None) != after.replace(tzinfo=None) or before.fold != after.fold:
        raise _changed(before)
    if _zone(before.tzinfo) != _zone(after.tzinfo):
        raise NotEncodable(f"a {type(before).__qualname__} would come back in another time zone")


def _zone(zone: Any) -> Any:
    """Return what identifies a zone; those that have one offset at all times are told by that."""
    if isinstance(zone, ZoneInfo):
        return zone.key
    return offset_of(zone) if isinstance(zone, timezone | TzInfo) or offset_of(zone) is not None else zone


def _compare_patterns(before: re.Pattern[Any], after: re.Pattern[Any], _: Tolerance) -> None:
    if (before.pattern, before.flags) != (after.pattern, after.flags):
        raise _changed(before)


def _compare_lists(before: Any, after: Any, tolerance: Tolerance) -> None:
    if len(before) != len(after):
        raise NotEncodable(f"a {type(before).__qualname__} of {len(before)} would come back with {len(after)}")
    for place, (one, other) in enumerate(zip(before, after, strict=True)):
        try:
            _compare(one, other, tolerance)
        except NotEncodable as refused:
            refused.place.append(f"[{place}]")
            raise


def _compare_deques(before: deque[Any], after: deque[Any], tolerance: Tolerance) -> None:
    if before.maxlen != after.maxlen:
        raise _changed(before)
    _compare_lists(before, after, tolerance)


def _compare_dicts(before: dict[Any, Any], after: dict[Any, Any], tolerance: Tolerance) -> None:
    if len(before) != len(after):
        odd = next((key for key in (*before, *after) if key not in before or key not in after), None)
        raise NotEncodable(f"the member {odd!r:.100} would {'not come back' if odd in before else 'be added'}")
    if tolerance >= Tolerance.FIT and before.keys() == after.keys():
        after = {key: after[key] for key in before}  # a TypedDict is read in the order of its declaration
    for (key, item), (other_key, other) in zip(before.items(), after.items(), strict=True):
        try:
            _compare(key, other_key, tolerance)
            _compare(item, other, tolerance)
        except NotEncodable as refused:
            refused.place.append(f".{key}" if isinstance(key, str) else f"[{key!r:.100}]")
            raise


def _compare_sets(before: Any, after: Any, tolerance: Tolerance) -> None:
    found = {item: item for item in after}
    if len(before) != len(after) or not all(item in found for item in before):
        raise _changed(before)
    for item in before:
        _compare(item, found[item], tolerance)


def _compare_secrets(before: Any, after: Any, tolerance: Tolerance) -> None:
    _compare(before.get_secret_value(), after.get_secret_value(), tolerance)


_LEAVES = frozenset({str, int, bool, type(None), bytes})
_COMPARE: dict[type, Callable[[Any, Any, Tolerance], None]] = {
    float: _compare_floats,
    Decimal: _compare_decimals,
    datetime: _compare_clocks,
    time: _compare_clocks,
    dict: _compare_dicts,
    list: _compare_lists,
    tuple: _compare_lists,
    deque: _compare_deques,
    set: _compare_sets,
    frozenset: _compare_sets,
    re.Pattern: _compare_patterns,
    SecretStr: _compare_secrets,
    SecretBytes: _compare_secrets,
    complex: lambda before, after, _: _compare_texts(before, after),
}


def _compare_texts(before: Any, after: Any) -> None:
    if repr(before) != repr(after):
        raise _changed(before)
