"""What the journal says of timers."""

from __future__ import annotations

from typing import ClassVar

from signoff.frozen import frozen
from signoff.workflow.entry import Command, Notification


@frozen
class TimerStarted(Command):
    """A timer that is due at `fire_at`."""

    type: ClassVar[str] = "timer.started"
    id: str
    fire_at: int


@frozen
class TimerCancelled(Command):
    """A timer that is needed no more."""

    type: ClassVar[str] = "timer.cancelled"
    id: str


@frozen
class TimerFired(Notification):
    """A timer that is due."""

    type: ClassVar[str] = "timer.fired"
    id: str
