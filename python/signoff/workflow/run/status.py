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

OPEN: Final = tuple(status for status in STATUSES if status not in ENDED)
"""The run goes on, or can."""
NOT_FINAL: Final = frozenset(STATUSES) - FINAL
"""The run goes on, or can be made to."""

HELD: Final = frozenset({"blocked", "paused"})
"""The run goes on when somebody says so; what is open in it does not tell its status."""


def status_of(run: RunFold) -> str:
    """Return the status of a run that has not ended: held, or told by what is open in it."""
    if run.paused:
        return "paused"
    if run.blocked:
        return "blocked"
    if run.steps:
        return "running"
    if run.inputs or run.waits:
        return "waiting"
    return "sleeping" if run.timers else "running"
