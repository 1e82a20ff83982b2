"""When things happen to a request, as the code says it: durations, times, calendars, and times before the deadline."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from signoff.errors import UnsupportedValue
from signoff.workflow import codec
from signoff.workflow.durations import Duration, deadline_ms, duration_ms, moment
from signoff.workflow.input.actions import Offered
from signoff.workflow.input.choices import FORM_ACTIONS
from signoff.workflow.input.schedule import Schedule, Scheduled, in_order
from signoff.workflow.input.spec import MOST_PRINCIPALS, check_list, check_spec
from signoff.workflow.input.submission import BACK

Calendar = Callable[[datetime], datetime]
"""What computes a time from the one at which the code asks, both aware; pure, or from data the code has."""

MOST_REMINDERS: Final = 20
MOST_ESCALATIONS: Final = 10
MOST_DEFAULT: Final = 64 << 10
"""Bytes that the value of a default may have as JSON."""


@dataclass(frozen=True, slots=True)
class Before:
    """A time so long before the deadline; it moves when the deadline is revised.

    Example:
        >>> ctx.await_input("approve", Decision, title="Approve?", deadline="3d", remind=["1d", Before("4h")])
    """

    duration: Duration


When = Duration | datetime | Calendar | Before
"""A time, as the code says it: a duration counts from asking."""


@dataclass(frozen=True, slots=True)
class Escalation:
    """Others are asked, if nobody has answered by then.

    Attributes:
        after: when; a duration counts from asking.
        to: principals.
        keep: those who were asked before are still asked; False: they are not.

    Example:
        >>> Escalation(after="2d", to=["group:directors"])
    """

    after: When
    to: Sequence[str]
    keep: bool = True


@dataclass(frozen=True, slots=True)
class Default:
    """The answer that a request gets at its deadline, if nobody has answered.

    Attributes:
        action: one of the request's.
        value: of the type that is asked for; it may be left out where an answer may leave it out.

    Example:
        >>> Default("reject")
    """

    action: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Reminder:
    """A reminder that has become due, for the function `on_remind`.

    Attributes:
        run_id, input: the request, `input` as `name:n`.
        title: what it is about.
        to: who is asked now.
        deadline: UTC; None: there is none.
        at: when the reminder became due, UTC.
    """

    run_id: str
    input: str
    title: str
    to: tuple[str, ...]
    deadline: datetime | None
    at: datetime


def check_plan(options: Mapping[str, Any], asked: int) -> None:
    """Refuse reminders and escalations that are too many or malformed.

    Args:
        options: of the request; `remind` and `escalate`, as given.
        asked: how many principals the request names beside.

    Raises:
        TypeError, ValueError: saying what is wrong.
    """
    remind, escalate = options.get("remind", ()), options.get("escalate", ())
    lists = all(isinstance(given, Collection) and not isinstance(given, str) for given in (remind, escalate))
    if not lists or not all(isinstance(one, Escalation) for one in escalate):
        raise TypeError('`remind` is a list of times, e.g. ["1d"], and `escalate` a list of Escalation(after, to).')
    for what, given, most in (("remind", remind, MOST_REMINDERS), ("escalate", escalate, MOST_ESCALATIONS)):
        if len(given) > most:
            raise ValueError(f"`{what}` of a request has {most} times at most, not {len(given)}.")
    for one in escalate:
        check_list("to", one.to)
        check_spec({"to": list(one.to)})
        if not one.to:
            raise ValueError("An escalation names at least one principal to ask.")
        asked += len(one.to)
    if asked > MOST_PRINCIPALS:
        raise ValueError(
            f"A request and its escalations name {asked} principals, and take {MOST_PRINCIPALS} at most: ask a group."
        )


def asked_times(options: Mapping[str, Any], offer: Offered, now_ms: int) -> tuple[int | None, dict[str, Any]]:
    """Compute when things happen to a request that is asked now: its deadline, and what its policy says of the rest.

    Args:
        options: of the request.
        offer: what may be chosen.
        now_ms: milliseconds.

    Raises:
        TypeError, ValueError, BadRequest: what was given, or what a calendar returned, is no time; a default without a
            deadline.
        UnsupportedValue: the default does not fit the type.
    """
    given = options.get("deadline")
    deadline = None if given is None else _time(given, now_ms)
    default = _checked(options.get("default"), offer)
    if default is not None and deadline is None:
        raise ValueError("A default is the answer at the deadline, and the request has none: give `deadline` too.")
    return deadline, Schedule(_plan(options, deadline, now_ms), deadline, default).to_policy()


def revised_times(options: Mapping[str, Any], before: Schedule, now_ms: int) -> dict[str, Any]:
    """Compute what a revision changes of when things happen to a request.

    Args:
        options: those that are given, of `deadline`, `remind` and `escalate`.
        before: what was to happen.
        now_ms: milliseconds.

    Raises:
        TypeError, ValueError, BadRequest: what was given, or what a calendar returned, is no time.
    """
    changes: dict[str, Any] = {}
    check_plan(options, 0)
    if "deadline" in options:
        given = options["deadline"]
        changes["deadline"] = None if given is None else _time(given, now_ms)
    if "remind" in options or "escalate" in options:
        moved = before.revised(changes, now_ms)
        stays = [one for one in moved.plan if one.open and one.what not in options]
        plan = in_order([*stays, *_plan(options, moved.deadline, now_ms)])
        changes["schedule"] = [one.to_json() for one in plan]
    return changes


def _plan(options: Mapping[str, Any], deadline: int | None, now_ms: int) -> tuple[Scheduled, ...]:
    """Compute when reminders and escalations happen. A reminder for a time that has passed is left out."""
    plan = []
    for when in options.get("remind", ()):
        at, before = _at(when, deadline, now_ms)
        if at > now_ms:
            plan.append(Scheduled("remind", at, before=before))
    for one in options.get("escalate", ()):
        at, before = _at(one.after, deadline, now_ms)
        plan.append(Scheduled("escalate", max(at, now_ms), tuple(one.to), one.keep, before))
    return in_order(plan)


def _time(when: Duration | datetime | Calendar, now_ms: int) -> int:
    if not callable(when):
        return deadline_ms(when, now_ms)
    found: object = when(moment(now_ms))
    if not isinstance(found, datetime):
        name = getattr(when, "__qualname__", repr(when))
        raise TypeError(
            f"The calendar {name:.100} returned {found!r:.100}, and has to return an aware datetime; it is a plain "
            "function of the time at which the code asks."
        )
    return deadline_ms(found, now_ms)


def _at(when: When, deadline: int | None, now_ms: int) -> tuple[int, int | None]:
    if not isinstance(when, Before):
        return _time(when, now_ms), None
    if deadline is None:
        raise ValueError(f"{when} counts back from a deadline, and the request has none.")
    before = duration_ms(when.duration)
    return deadline - before, before


def _checked(default: Default | None, offer: Offered) -> dict[str, Any] | None:
    """Return the default of a request as the journal has it, once it is sure that it can be read as an answer."""
    if default is None:
        return None
    if not isinstance(default, Default):
        raise TypeError('`default` of a request is a Default(action, value), e.g. Default("reject").')
    if default.action not in offer.names or default.action == BACK:
        raise ValueError(f"The default action {default.action!r:.100} is none of {', '.join(offer.names)}.")
    value = codec.encode(codec.public_json(default.value))
    try:
        if offer.types is None and default.action in FORM_ACTIONS:
            codec.receive(value, offer.type)
        else:
            offer.read(default.action, value)
    except UnsupportedValue as error:
        raise UnsupportedValue(f"The default is no answer: {error.detail}", **error.extra) from error
    if len(orjson.dumps(value)) > MOST_DEFAULT:
        raise ValueError(f"The value of a default has {MOST_DEFAULT} bytes as JSON at most.")
    return {"action": default.action, "value": value}
