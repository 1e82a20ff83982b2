"""What happens to a pending request by itself, and when: reminders, escalations, and its end at the deadline.

Pure, and one rule for all: the code's machine asks what is due, the fold shows what is to come, the door learns how a
request ends whose deadline has passed. Times are milliseconds.

After a long standstill not everything that was missed is made up for. Of reminders that are overdue together only the
latest happens, and those before it are passed over. Once the deadline has passed, nothing else happens any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

from signoff.frozen import frozen
from signoff.timestamps import rfc3339
from signoff.workflow.codec import canonical, digest_of
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.entries import InputAnswered, InputEscalated, InputExpired, InputReminded

TIMEOUT = DecidedBy("timeout")
"""Who does what happens by itself."""

TimedEntry = InputReminded | InputEscalated | InputExpired | InputAnswered
"""What the journal has of what happens by itself."""


@frozen
class Scheduled:
    """A reminder or an escalation.

    Attributes:
        what: which of the two.
        at: when.
        to: whom an escalation asks.
        keep: those who were asked before an escalation are still asked.
        before: how long before the deadline; it moves with it. None: it has a time of its own.
        done_at: when it has happened.
        skipped: it was passed over, for a later one.
    """

    what: Literal["remind", "escalate"]
    at: int
    to: tuple[str, ...] = ()
    keep: bool = True
    before: int | None = None
    done_at: int | None = None
    skipped: bool = False

    @property
    def open(self) -> bool:
        """Tell whether it is to come."""
        return self.done_at is None and not self.skipped

    def to_json(self) -> dict[str, Any]:
        """Write as the journal and the store have it; what is as usual is left out."""
        written: dict[str, Any] = {"what": self.what, "at": self.at}
        if self.what == "escalate":
            written |= {"to": list(self.to), "keep": self.keep}
        more = {"before": self.before, "done_at": self.done_at, "skipped": self.skipped or None}
        return written | {name: value for name, value in more.items() if value is not None}

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Scheduled:
        """Read what `to_json` wrote."""
        return cls(**{**written, "to": tuple(written.get("to", ()))})


@frozen
class Schedule:
    """What is to happen to a request by itself, and what has.

    Attributes:
        plan: reminders and escalations, in the order of their times; entries name one by its position here.
        deadline: None: none.
        default: the answer it gets at the deadline, `{action, value}`; None: it expires.
    """

    plan: tuple[Scheduled, ...] = ()
    deadline: int | None = None
    default: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, policy: Mapping[str, Any] | None, deadline: int | None) -> Schedule:
        """Return the schedule of a request with this policy, as the journal or the store has it."""
        policy = policy or {}
        return cls(tuple(map(Scheduled.from_json, policy.get("schedule", ()))), deadline, policy.get("default"))

    def to_policy(self) -> dict[str, Any]:
        """Return its members of a policy."""
        written: dict[str, Any] = {"schedule": [one.to_json() for one in self.plan]} if self.plan else {}
        return written if self.default is None else written | {"default": dict(self.default)}

    def into(self, policy: Mapping[str, Any]) -> dict[str, Any]:
        """Return a policy with this schedule instead of the one it had."""
        return {name: value for name, value in policy.items() if name != "schedule"} | self.to_policy()

    # -- what is due -----------------------------------------------------------------------------------------------

    def next_at(self, now_ms: int | None = None) -> int | None:
        """Return when the next thing happens; None: nothing will.

        Args:
            now_ms: what is overdue by now and passed over does not count; None: all that is to come does.
        """
        n = self._next(now_ms)
        return self.deadline if n is None else self.plan[n].at

    def due(self, id_: str, now_ms: int) -> TimedEntry:
        """Return the entry for what is due next of the request `id_`."""
        n = self._next(now_ms)
        if n is None:
            return self.ended(id_, now_ms)
        planned = self.plan[n]
        if planned.what == "remind":
            return InputReminded(now_ms, id_, n)
        return InputEscalated(now_ms, id_, n, planned.to, planned.keep)

    def _next(self, now_ms: int | None) -> int | None:
        if not self.plan or (self.deadline is not None and now_ms is not None and self.deadline <= now_ms):
            return None
        coming = [n for n, one in enumerate(self.plan) if one.open and not self._too_late(one)]
        now_ms = -1 if now_ms is None else now_ms
        missed = [n for n in coming if self.plan[n].what == "remind" and self.plan[n].at <= now_ms]
        return next((n for n in coming if n not in missed[:-1]), None)

    def _too_late(self, one: Scheduled) -> bool:
        return self.deadline is not None and one.at >= self.deadline

    def ended(self, id_: str, now_ms: int) -> InputExpired | InputAnswered:
        """Return the entry for the end of the request `id_` at its deadline."""
        if self.default is None:
            return InputExpired(now_ms, id_)
        action, value = self.default["action"], self.default["value"]
        digest = digest_of(canonical([id_, action, value, TIMEOUT.kind, TIMEOUT.id]))
        return InputAnswered(now_ms, id_, TIMEOUT.kind, digest, action, value, TIMEOUT)

    # -- what has happened -----------------------------------------------------------------------------------------

    def awaits(self, entry: InputReminded | InputEscalated) -> bool:
        """Tell whether a reminder or an escalation is still to come; else its entry is without effect."""
        what = "remind" if isinstance(entry, InputReminded) else "escalate"
        return entry.n < len(self.plan) and self.plan[entry.n].open and self.plan[entry.n].what == what

    def happened(self, entry: InputReminded | InputEscalated) -> Schedule:
        """Return it after a reminder or an escalation. A reminder passes over those that were to come before it."""
        plan = list(self.plan)
        for n, one in enumerate(plan[: entry.n + 1]):
            at = min(one.at, entry.at)  # what has happened stays in the past where a retry has put the rest off
            if n == entry.n:
                plan[n] = replace(one, at=at, done_at=entry.at)
            elif isinstance(entry, InputReminded) and one.what == "remind" and one.open:
                plan[n] = replace(one, at=at, skipped=True)
        return replace(self, plan=tuple(plan))

    def revised(self, changes: Mapping[str, Any], at: int) -> Schedule:
        """Return it after a revision: another deadline, or other things to come; what has happened stays.

        What counts back from the deadline moves with it. A reminder that would be in the past is dropped.

        Args:
            changes: as in `input.revised`.
            at: when that was.
        """
        deadline = changes.get("deadline", self.deadline)
        coming: Iterable[Scheduled] = (one for one in self.plan if one.open)
        if "schedule" in changes:
            coming = map(Scheduled.from_json, changes["schedule"])
        elif deadline != self.deadline:
            coming = [moved for one in coming if (moved := _moved(one, deadline, at)) is not None]
        past = (one for one in self.plan if not one.open)
        return replace(self, plan=(*past, *in_order(coming)), deadline=deadline)

    def shown(self, ended_at: int | None = None) -> list[dict[str, Any]]:
        """Return it as the row shows it, in the order of the times; what comes too late is not shown.

        Args:
            ended_at: when the request ended by its deadline; None: it did not.
        """
        lines = [(one.at, _line(one)) for one in self.plan if not (one.open and self._too_late(one))]
        if self.deadline is not None:
            end: dict[str, Any] = {"what": "expire", "at": rfc3339(self.deadline)}
            if self.default is not None:
                end |= {"what": "default", "action": self.default["action"]}
            done_at = None if ended_at is None else rfc3339(ended_at)
            lines.append((self.deadline, end | {"done_at": done_at, "skipped": False}))
        return [line for _, line in sorted(lines, key=lambda pair: pair[0])]


def in_order(plan: Iterable[Scheduled]) -> tuple[Scheduled, ...]:
    """Return reminders and escalations in the order of their times."""
    return tuple(sorted(plan, key=lambda one: one.at))


def put_off(members: Mapping[str, Any], later: int) -> dict[str, Any]:
    """Return the policy of a request, or the changes of a revision, with all times so many milliseconds later."""
    put = dict(members)
    if isinstance(put.get("deadline"), int):
        put["deadline"] += later
    if "schedule" in put:
        put["schedule"] = [{**one, "at": one["at"] + later} for one in put["schedule"]]
    return put


def _moved(one: Scheduled, deadline: int | None, at: int) -> Scheduled | None:
    if one.before is None:
        return one
    if deadline is None or (one.what == "remind" and deadline - one.before <= at):
        return None
    return replace(one, at=max(deadline - one.before, at))


def _line(one: Scheduled) -> dict[str, Any]:
    line: dict[str, Any] = {"what": one.what, "at": rfc3339(one.at)}
    if one.what == "escalate":
        line |= {"to": list(one.to), "keep": one.keep}
    return line | {"done_at": None if one.done_at is None else rfc3339(one.done_at), "skipped": one.skipped}
