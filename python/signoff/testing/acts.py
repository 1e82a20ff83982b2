"""What scripted people do about a request: said beforehand, or done at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from signoff.testing.board import SeenRequest

Asked = str | SeenRequest
"""A request: its name or its key, as it is then; or as it was seen before, in a tab that may be stale by now."""


@dataclass(frozen=True, slots=True)
class AnswerAct:
    """An answer, once or several times at once.

    Attributes:
        submissions: the ids of the submissions; None stands for a new one.
        stale: it comes from a tab that was opened when the request was new.
    """

    request: Asked
    value: Any = None
    action: str | None = None
    submissions: tuple[str | None, ...] = (None,)
    stale: bool = False


@dataclass(frozen=True, slots=True)
class VerbAct:
    """Another verb on a request, e.g. `claim`."""

    request: Asked
    verb: str
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NeverAct:
    """Nothing, ever."""

    request: Asked


PersonAct = AnswerAct | VerbAct | NeverAct


def answer(
    request: Asked, value: Any = None, *, action: str | None = None, submission_id: str | None = None
) -> PersonAct:
    """Say that somebody answers; under a quorum, that is their vote.

    Args:
        request: its name (`"approve"`), its key (`"approve:0"`), or what `Person.sees` has returned.
        value: plain JSON, or an object of the type that is asked for.
        action: one that is offered; the first one if None.
        submission_id: a new one if None.

    Example:
        >>> alice.will(answer("approve", {"approved": True}), after="1h")
    """
    return AnswerAct(request, value, action, (submission_id,))


def twice(act: PersonAct, *, anew: bool = False) -> PersonAct:
    """Say that somebody answers twice, at once: a double click, whose second answer repeats the first outcome.

    Args:
        act: the answer.
        anew: the second answer is a submission of its own, as from another tab.

    Raises:
        TypeError: it is no answer.

    Example:
        >>> first, second = await alice.does(twice(answer("approve", True)))
        >>> first.replayed, second.replayed
        (False, True)
    """
    one, *_ = _answer_of(act).submissions
    other = None if anew else one or "double-click"
    return replace(_answer_of(act), submissions=(None if anew else other, other))


def stale(act: PersonAct) -> PersonAct:
    """Say that somebody answers from a tab that shows the request as it was when it was new.

    Raises:
        TypeError: it is no answer.

    Example:
        >>> await alice.does(stale(answer("approve", True)))
    """
    return replace(_answer_of(act), stale=True)


def do(verb: str, request: Asked, **body: Any) -> PersonAct:
    """Say that somebody does something else about a request, e.g. `do("claim", "approve")`."""
    return VerbAct(request, verb, body)


def never(request: Asked) -> PersonAct:
    """Say that somebody does nothing about a request, whatever else they would do about the next one.

    Example:
        >>> alice.will(never("approve"))  # the first time
        >>> alice.will(answer("approve", True))  # the second time
    """
    return NeverAct(request)


def _answer_of(act: PersonAct) -> AnswerAct:
    if not isinstance(act, AnswerAct):
        raise TypeError(f"Only an answer can be given twice, or come too late; not {act}.")
    return act
