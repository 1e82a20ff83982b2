"""What the journal says of events: who waits for one, and what came."""

from __future__ import annotations

from typing import ClassVar

from signoff.frozen import frozen
from signoff.workflow.entry import Command, Encoded, Notification


@frozen
class EventAwaited(Command):
    """A wait for an event on `topic` (with this key, or any), until `timeout_at`."""

    type: ClassVar[str] = "event.awaited"
    id: str
    topic: str
    key: str | None = None
    timeout_at: int | None = None


@frozen
class EventAbandoned(Command):
    """The end of a wait that was given up; it swallows no later event."""

    type: ClassVar[str] = "event.abandoned"
    id: str


@frozen
class EventReceived(Notification):
    """An event; kept until somebody awaits its topic."""

    type: ClassVar[str] = "event.received"
    topic: str
    event_id: str
    payload: Encoded
    key: str | None = None


@frozen
class EventTimedOut(Notification):
    """The end of a wait whose event did not come in time."""

    type: ClassVar[str] = "event.timed_out"
    id: str
