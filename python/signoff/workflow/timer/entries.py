"""What the journal says of timers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from signoff.workflow.entry import Command, Notification


@dataclass(frozen=True, slots=True)
class TimerStarted(Command):
    """A timer that is due at `fire_at`."""

    type: ClassVar[str] = "timer.started"
    id: str
    fire_at: int


@dataclass(frozen=True, slots=True)
class TimerCancelled(Command):
    """A timer that is needed no more."""

    type: ClassVar[str] = "timer.cancelled"
    id: str


@dataclass(frozen=True, slots=True)
class TimerFired(Notification):
    """A timer that is due."""

    type: ClassVar[str] = "timer.fired"
    id: str
