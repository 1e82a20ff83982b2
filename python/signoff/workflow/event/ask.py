"""How the code waits for events, and what it means to it that one came, or none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, overload

from signoff.errors import EventTimedOut as EventTimedOutError
from signoff.names import check_text
from signoff.workflow.durations import Duration, duration_ms
from signoff.workflow.event.entries import EventAbandoned, EventAwaited, EventReceived, EventTimedOut
from signoff.workflow.event.matching import takes
from signoff.workflow.futures import CommandFuture, JournalFuture, caller
from signoff.workflow.offer import Feeds, Offer

if TYPE_CHECKING:
    from signoff.workflow.commands import Commands

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Wait:
    """An open wait for an event."""

    topic: str
    key: str | None
    timeout_at: int | None
    type: Any
    future: CommandFuture[Any]


class EventWaits(Offer):
    """Events from elsewhere, to be awaited."""

    __slots__ = ()

    @overload
    def await_event(
        self, topic: str, *, type: type[T], key: str | None = None, timeout: Duration | None = None
    ) -> JournalFuture[T]: ...
    @overload
    def await_event(
        self, topic: str, *, type: Any = None, key: str | None = None, timeout: Duration | None = None
    ) -> JournalFuture[Any]: ...
    def await_event(
        self,
        topic: str,
        *,
        type: Any = None,  # noqa: A002 - it reads as what it is at the call
        key: str | None = None,
        timeout: Duration | None = None,
    ) -> JournalFuture[Any]:
        """Wait for an event; one that came before is not lost.

        Args:
            topic: what to wait for.
            type: what the payload is read as.
            key: take only events with this key; None: any.
            timeout: how long to wait.

        Raises:
            EventTimedOut: when awaited, if none came in time.
        """
        check_text(key, "key of an event")
        timeout_ms = None if timeout is None else duration_ms(timeout)
        commands = self._commands
        if commands.swallows_its_end():
            return commands.never_done()
        id_, _ = commands.next_id(topic, "topic")
        timeout_at = None if timeout_ms is None else commands.now_ms + timeout_ms
        awaited = commands.issue(EventAwaited, id_, id_, topic, key, timeout_at)
        wait = Wait(topic, key, awaited.timeout_at, type, commands.loop.asked(id_, self._wait_given_up, caller()))
        kept = commands.events.get(topic, [])
        for event in kept:
            if takes(topic, key, event.topic, event.key):
                kept.remove(event)
                commands.receive(wait.future, event.payload, type)
                return wait.future
        commands.waits[id_] = wait
        return wait.future

    def _wait_given_up(self, future: JournalFuture[Any]) -> None:
        commands = self._commands
        if commands.waits.pop(future.id, None) is not None and not commands.stopped():
            commands.issue(EventAbandoned, future.id, future.id)


def _received(commands: Commands, event: EventReceived) -> None:
    """Give an event to the oldest wait that takes it, or keep it. A second one with the same id is ignored."""
    known = (event.topic, event.event_id)
    if known in commands.seen_events:
        return
    commands.seen_events.add(known)
    for id_, wait in commands.waits.items():
        if takes(wait.topic, wait.key, event.topic, event.key):
            del commands.waits[id_]
            commands.receive(wait.future, event.payload, wait.type)
            return
    commands.events.setdefault(event.topic, []).append(event)


def _timed_out(commands: Commands, entry: EventTimedOut) -> None:
    wait = commands.waits.pop(entry.id, None)
    if wait is not None and not wait.future.done():
        wait.future.set_exception(EventTimedOutError(f"No event came on {wait.topic} in time.", wait=entry.id))


FEEDS: Feeds = {EventReceived: _received, EventTimedOut: _timed_out}
