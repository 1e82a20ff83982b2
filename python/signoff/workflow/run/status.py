"""The statuses of a run, and what follows from each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from signoff.workflow.view import RunFold

STATUSES: Final = ("running", "waiting", "sleeping", "paused", "blocked", "completed", "failed", "cancelled")

FINAL: Final = frozenset({"completed", "cancelled"})
"""The run has ended for good; nothing comes after."""

ENDED: Final = FINAL | {"failed"}
"""The run takes no answers and no events, and nobody works on it. A failed run can be rewound, or ended for good."""

NOT_FINAL: Final = frozenset(STATUSES) - FINAL
"""The run goes on, or can be made to."""

HELD: Final = frozenset({"blocked", "paused"})
"""The run goes on when somebody says so; what is open in it does not tell its status."""


def status_of(run: RunFold) -> str:
    """Return the status of a run that has not ended and is not held, by what is open in it."""
    if run.steps:
        return "running"
    if run.inputs or run.waits:
        return "waiting"
    return "sleeping" if run.timers else "running"
