"""What the code gets of an answer, the votes it was decided by, and what stands for none."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from signoff.workflow.entry import DecidedBy

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Vote(Generic[T_co]):
    """A vote that had a part in a decision.

    Attributes:
        value, action, by, at: as of an `Answer`.
    """

    value: T_co
    action: str
    by: DecidedBy
    at: datetime


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
        votes: of a request with a quorum, all that were there when it was decided, in the order in which they came;
            the last is the one that decided. Empty if an operator decided alone.
        sent_by: whose answer it was that a policy decided about; None: nobody's.
        reason: why a policy has decided so; None: no policy did, or it has not said.
    """

    value: T_co
    action: str
    by: DecidedBy
    at: datetime
    votes: tuple[Vote[T_co], ...] = ()
    sent_by: DecidedBy | None = None
    reason: str | None = None


def who_answered(answer: Answer[Any]) -> list[str]:
    """Return the people who had a part in an answer."""
    by = (answer.by, *(vote.by for vote in answer.votes), answer.sent_by)
    return list(dict.fromkeys(str(one.id) for one in by if one is not None and one.kind == "person"))


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
