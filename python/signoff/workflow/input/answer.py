"""What the code gets of an answer, and what stands for none."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from signoff.workflow.entry import DecidedBy

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Answer(Generic[T_co]):
    """An accepted answer.

    Attributes:
        value: what was sent, of the type of the action where each has its own; None if an action that needs no value
            (`reject`, `back`) came without one. With `back` it is plain JSON that nobody has checked: give it as
            `initial` when the page comes up again.
        action: which of the request's actions was chosen.
        by: who answered; its `kind` tells a `person` from the default at the deadline (`timeout`).
        at: when, UTC.
    """

    value: T_co
    action: str
    by: DecidedBy
    at: datetime


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
