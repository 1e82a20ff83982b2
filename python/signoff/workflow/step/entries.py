"""What the journal says of steps: what the code asks the world to do, and what came of it."""

from __future__ import annotations

from typing import Any, ClassVar

from signoff.frozen import frozen
from signoff.workflow.entry import SAME, Command, Encoded, Error, Notification


@frozen
class StepScheduled(Command):
    """A step that the code asks for. `expose`: its result may be seen by browsers."""

    type: ClassVar[str] = "step.scheduled"
    id: str
    label: str | None = None
    expose: bool = False


@frozen
class StepCancelled(Command):
    """A step that the code waits for no more; a late result is ignored."""

    type: ClassVar[str] = "step.cancelled"
    id: str


@frozen
class StepCompleted(Notification):
    """A step's result. `shown`: how people see it, if it is exposed and that is another form."""

    type: ClassVar[str] = "step.completed"
    id: str
    attempt: int
    result: Encoded
    shown: Any = SAME


@frozen
class StepFailed(Notification):
    """A failed attempt; `retry_at` None: it was the last one and the code gets the error."""

    type: ClassVar[str] = "step.failed"
    id: str
    attempt: int
    error: Error
    retry_at: int | None = None
