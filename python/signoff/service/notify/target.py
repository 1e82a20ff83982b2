"""A target of notifications: what it is, how far it has been told, and what waits; its changes are pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson

from signoff.timestamps import rfc3339
from signoff.workflow.notice import RequestEvent, RunDeleted

TargetKind = Literal["webhook", "apprise", "function"]

MOST_WAITING: Final = 1_000
"""Events that wait for one target beside the streams; with so many no more are taken from there."""

MOST_FAILED: Final = 1_000
"""Events given up that are kept for `retry`, the last ones."""

GIVEN_UP_MS: Final = 3 * 24 * 3_600_000
"""Milliseconds after its first failure from which an event that fails is given up."""

FIRST_PAUSE_MS: Final = 2_000
LONGEST_PAUSE_MS: Final = 3_600_000

SHOWN: Final = 20
"""Failing events, and such as were given up, that a list of targets shows of each."""

SKIPPED: Final = "skipped by an operator"


@dataclass(slots=True)
class WaitingEvents:
    """Events of one request, for one person where people are told, that are still to be told, the first one first.

    Attributes:
        attempts: how often the first one has failed.
        since: milliseconds of its first failure; None: it has not failed.
        next_at: milliseconds before which it is not tried.
        error: why it failed the last time.
    """

    events: list[RequestEvent]
    attempts: int = 0
    since: int | None = None
    next_at: int = 0
    error: str = ""


@dataclass(slots=True)
class NotifyTarget:
    """Somebody who is told of requests.

    Attributes:
        id: chosen by the operator, or `app.{name}` of a function.
        kind: how it is told.
        url: where a webhook is; empty for what the configuration of a process knows.
        secrets: what webhooks are signed with, `whsec_…`; several while they are changed.
        workflows, events: the only ones it is told of; None: all.
        cursors: how far each stream of notifications was read.
        waiting: what was read and is not told yet, by queue (`queue_of`).
        failed: events given up, with why.
        paused: it is told nothing until an operator says so; what happens meanwhile waits.
        holder, until: who sends at present, and until when (milliseconds) at most.
    """

    id: str
    kind: TargetKind
    url: str = ""
    secrets: tuple[str, ...] = ()
    workflows: tuple[str, ...] | None = None
    events: tuple[str, ...] | None = None
    cursors: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, WaitingEvents] = field(default_factory=dict)
    failed: list[tuple[RequestEvent, str]] = field(default_factory=list)
    paused: bool = False
    holder: str = ""
    until: int = 0

    def __repr__(self) -> str:
        """Return it without its URL and secrets, which are nobody's business in a log."""
        return f"NotifyTarget({self.id!r}, {self.kind!r})"

    def dumps(self) -> bytes:
        """Write as JSON, for a store."""
        members = {name: getattr(self, name) for name in self.__slots__}
        members["waiting"] = [
            [[one.to_json() for one in it.events], it.attempts, it.since, it.next_at, it.error]
            for it in self.waiting.values()
        ]
        members["failed"] = [[event.to_json(), why] for event, why in self.failed]
        return orjson.dumps(members)

    @classmethod
    def loads(cls, data: bytes) -> NotifyTarget:
        """Read what `dumps` wrote."""
        members = orjson.loads(data)
        target = cls(members["id"], members["kind"], members["url"], tuple(members["secrets"]))
        for name in ("workflows", "events"):
            setattr(target, name, None if members[name] is None else tuple(members[name]))
        target.cursors, target.holder, target.until = members["cursors"], members["holder"], members["until"]
        target.paused = members.get("paused", False)
        for events, *more in members["waiting"]:
            one = WaitingEvents([RequestEvent.from_json(event) for event in events], *more)
            target.waiting[target.queue_of(one.events[0])] = one
        target.failed = [(RequestEvent.from_json(event), why) for event, why in members["failed"]]
        return target

    @property
    def backlog(self) -> int:
        """Return how many events were read and wait."""
        return sum(len(one.events) for one in self.waiting.values())

    def queue_of(self, event: RequestEvent) -> str:
        """Return in what an event waits its turn: its request, and whom it is for where each person is told apart."""
        return event.request if self.kind != "apprise" else f"{event.request} {event.to[0]}"

    def wants(self, event: RequestEvent) -> bool:
        """Tell whether it is to be told of an event."""
        return (self.workflows is None or event.workflow in self.workflows) and (
            self.events is None or event.event in self.events
        )

    def take(self, events: Iterable[RequestEvent | RunDeleted]) -> None:
        """Have events wait that it is to be told of; of a run that was deleted nothing is told or kept any more."""
        for event in events:
            if isinstance(event, RunDeleted):
                self._forget(event.run_id)
            elif self.wants(event):
                self.waiting.setdefault(self.queue_of(event), WaitingEvents([])).events.append(event)

    def _forget(self, run_id: str) -> None:
        self.waiting = {name: one for name, one in self.waiting.items() if one.events[0].run_id != run_id}
        self.failed = [one for one in self.failed if one[0].run_id != run_id]

    def told(self, event: RequestEvent) -> None:
        """Note that an event has arrived, or is not to be told any more."""
        name = self.queue_of(event)
        waiting = self.waiting.get(name)
        if waiting is None:
            return  # its run was deleted while it was under way
        left = [one for one in waiting.events if one.id != event.id]
        if not left:
            del self.waiting[name]
        elif waiting.events[0].id == event.id:
            self.waiting[name] = WaitingEvents(left)
        else:
            waiting.events = left

    def not_told(self, event: RequestEvent, why: str, now: int, chance: float) -> bool:
        """Note that an event has not arrived; True: it is given up, and what follows it is told.

        Args:
            why: without secrets; operators see it.
            chance: a random number in [0, 1), so that those that failed together are not tried together.
        """
        waiting = self.waiting.get(self.queue_of(event))
        if waiting is None or waiting.events[0].id != event.id:
            return False  # dropped, or behind another by now
        waiting.attempts += 1
        waiting.since = now if waiting.since is None else waiting.since
        waiting.error = why
        if now - waiting.since >= GIVEN_UP_MS:
            self._give_up(event, why)
            return True
        pause = min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS << min(waiting.attempts - 1, 20))
        waiting.next_at = now + int(pause * (0.5 + chance / 2))
        return False

    def _give_up(self, event: RequestEvent, why: str) -> None:
        self.told(event)
        self.failed = [*self.failed, (event, why)][-MOST_FAILED:]

    def retry(self) -> int:
        """Have everything that failed tried again at once; return how many events were given up and wait anew."""
        again, self.failed = self.failed, []
        for event, _ in reversed(again):  # they come before later ones of their request that wait
            self.waiting.setdefault(self.queue_of(event), WaitingEvents([])).events.insert(0, event)
        for one in self.waiting.values():
            one.attempts, one.since, one.next_at = 0, None, 0
        return len(again)

    def skip(self, id_: str | None = None) -> int:
        """Give up what has failed at least once, or what waits under an id; return how many events that are.

        They are kept for `retry`, and what waits behind them is told.
        """
        found = [
            (event, one.error or SKIPPED)
            for one in self.waiting.values()
            for event in (one.events if id_ is not None else one.events[:1] if one.since is not None else ())
            if id_ in {None, event.id}
        ]
        for event, why in found:
            self._give_up(event, why)
        return len(found)

    def failing(self) -> tuple[int, str] | None:
        """Return since when something fails (milliseconds), and why; None: nothing does."""
        first = next(iter(self._failing()), None)
        return None if first is None else (first.since or 0, first.error)

    def _failing(self) -> list[WaitingEvents]:
        return sorted((one for one in self.waiting.values() if one.since is not None), key=lambda one: one.since or 0)

    def next_at(self) -> int | None:
        """Return when something waits to be tried, in milliseconds; None: nothing waits."""
        return min((one.next_at for one in self.waiting.values()), default=None)

    def shown(self, unread: int) -> dict[str, Any]:
        """Return what operators see: neither the URL, which may hold a password, nor the secrets.

        Args:
            unread: events in the streams that it has not come to yet, of whatever workflow.
        """
        failing = self._failing()
        since, why = self.failing() or (None, self.failed[-1][1] if self.failed else None)
        due = None if self.paused else min((one.next_at for one in failing), default=None)
        return {
            "id": self.id,
            "kind": self.kind,
            "workflows": self.workflows,
            "events": self.events,
            "paused": self.paused,
            "backlog": self.backlog + unread,
            "failing_since": None if since is None else rfc3339(since),
            "last_error": why,
            "next_attempt": None if due is None else rfc3339(due),
            "failing": [_shown(one.events[0], one.error, one.attempts) for one in failing[:SHOWN]],
            "failed": len(self.failed),
            "given_up": [_shown(event, why) for event, why in self.failed[: -SHOWN - 1 : -1]],
        }


def _shown(event: RequestEvent, why: str, attempts: int | None = None) -> dict[str, Any]:
    shown = {"id": event.id, "event": event.event, "run_id": event.run_id, "key": event.key, "error": why}
    return shown if attempts is None else {**shown, "attempts": attempts}
