"""The models, dataclasses, named tuples and enums that a declared type has, by name."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any


class Classes:
    """The classes that values of a declared type may be of.

    These are the ones in the type, and their subclasses at the top of the same module: whoever can resolve the type has
    that module, so they are there at every replay. Nothing is ever imported, and no other class is taken, whatever a
    journal names.

    Args:
        declared: the classes in the type.
    """

    __slots__ = ("_by_name", "_names")

    def __init__(self, declared: Iterable[type]) -> None:
        declared = set(declared)
        short = Counter(cls.__qualname__ for cls in declared)
        full = Counter(map(_full_name, declared))
        self._names = {
            cls: cls.__qualname__ if short[cls.__qualname__] == 1 else _full_name(cls)
            for cls in declared
            if full[_full_name(cls)] == 1  # else nothing tells them apart
        }
        self._by_name = {name: cls for cls, name in self._names.items()}

    def name_of(self, cls: type) -> str | None:
        """Return the name a class is written with; None: values of it would not come back as what they are."""
        name = self._names.get(cls)
        if name is not None:
            return name
        name = cls.__qualname__
        return name if name not in self._by_name and self._beside(name) is cls else None

    def find(self, name: str) -> type | None:
        """Return the class of that name, or None."""
        return self._by_name.get(name) or self._beside(name)

    def _beside(self, name: str) -> type | None:
        """Return a subclass of a declared class that stands at the top of its module."""
        for declared in self._names:
            module = sys.modules.get(declared.__module__)
            found: Any = None if module is None else vars(module).get(name)  # not getattr: that may run code
            if isinstance(found, type) and found is not declared and issubclass(found, declared):
                return found
        return None


def _full_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
