"""What the projection keeps of a step that is open."""

from __future__ import annotations

from dataclasses import dataclass

from signoff.workflow.step.entries import StepFailed, StepScheduled


@dataclass(slots=True)
class OpenStep:
    """A step that is asked for and not done: the entries that its row is made of, once somebody is to see it.

    Attributes:
        asked: how it was asked for.
        failed: the last attempt that failed and is followed by another; None: there is none.
    """

    asked: StepScheduled
    failed: StepFailed | None = None

    @property
    def attempts(self) -> int:
        """Return how many attempts have failed."""
        return 0 if self.failed is None else self.failed.attempt
