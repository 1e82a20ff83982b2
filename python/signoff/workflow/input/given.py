"""What the methods of a request are given, and what they give back."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any


class Unset:
    """The mark of an argument that was not given, where None means something."""


UNSET = Unset()


class Done:
    """An awaitable that does not wait: the effect has already taken place."""

    __slots__ = ("_value",)

    def __init__(self, value: bool) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, None, bool]:
        yield from ()
        return self._value
