"""What outsiders may do with events: send one to a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from signoff.errors import RunClosed, SubmissionReused, TooManyEvents
from signoff.workflow import codec
from signoff.workflow.decision import AlreadyDone, AppendEntries, Loaded, Remember
from signoff.workflow.event.entries import EventReceived
from signoff.workflow.event.fold import payload_size
from signoff.workflow.event.matching import takes
from signoff.workflow.run.status import ENDED
from signoff.workflow.view import RunFold, View

MOST_EVENTS: Final = 1_000
MOST_BYTES: Final = 8 << 20
"""How many events that nobody awaits a run holds, and how many bytes of payload they may have together."""


@dataclass(frozen=True, slots=True)
class Sent:
    """An event that was sent; `duplicate`: this id had been accepted before and nothing was added."""

    duplicate: bool


@dataclass(frozen=True, slots=True)
class Event:
    """An event as somebody sends it.

    Attributes:
        topic: what it is about.
        id: chosen by the sender; the same id and payload again has no effect.
        payload: plain JSON.
        key: narrows who takes it; None: only waits without a key do.
    """

    topic: str
    id: str
    payload: Any
    key: str | None = None

    @property
    def scope(self) -> str:
        """Return the scope in which the ids of the topic's events are unique."""
        return f"event:{self.topic}"


def emit(loaded: Loaded, event: Event, now_ms: int) -> AppendEntries[Sent] | AlreadyDone[Sent]:
    """Send an event to a run; it is kept until the run awaits its topic.

    Args:
        loaded: the run, with what it remembers under the event's id in its scope.
        event: what is sent.
        now_ms: now, in milliseconds.

    Raises:
        SubmissionReused: the id was used for another payload.
        RunClosed: the run has ended.
        TooManyEvents: nobody awaits it, and the run holds as many such events as it may.
    """
    digest = codec.digest([event.payload, event.key])
    if loaded.remembered is not None:
        if loaded.remembered.digest != digest:
            raise SubmissionReused(
                f"The event id {event.id!r} was already used for another payload on {event.topic!r}; nothing was sent."
            )
        return AlreadyDone(Sent(duplicate=True))
    if loaded.status in ENDED:
        raise RunClosed(f"The run {loaded.run.row['id']!r} is {loaded.status} and takes no events any more.")
    entry = EventReceived(loaded.time(now_ms), event.topic, event.id, codec.encode(event.payload), event.key)
    _check_room(loaded.run, entry)
    return AppendEntries((entry,), _sent, wake_at=loaded.wake_at, remember=Remember(event.scope, event.id, digest))


def known(entry: EventReceived) -> Remember[Sent]:
    """Return what a run remembers of an event that it has."""
    event = Event(entry.topic, entry.event_id, codec.decode(entry.payload), entry.key)
    return Remember(event.scope, event.id, codec.digest([event.payload, event.key]))


def _sent(_view: View, _tail: int) -> Sent:
    return Sent(duplicate=False)


def _check_room(run: RunFold, event: EventReceived) -> None:
    """Refuse an event that would be kept beside too many others. One that is awaited takes no room."""
    if any(takes(wait[1], wait[2], event.topic, event.key) for wait in run.waits):
        return
    held = sum(kept[3] for kept in run.events if len(kept) > 3)
    if len(run.events) < MOST_EVENTS and held + payload_size(event) <= MOST_BYTES:
        return
    raise TooManyEvents(
        f"The run {run.row['id']!r} holds {len(run.events)} events ({held} bytes) that it has not awaited yet, and "
        f"takes {MOST_EVENTS} ({MOST_BYTES} bytes) at most; this one was not stored. Send it again, with the same id, "
        "when the run has taken some."
    )
