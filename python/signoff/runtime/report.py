"""What a worker tells its log about failures: once, when they are recorded, with the place where they happened."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from signoff.clock import rfc3339
from signoff.workflow.entry import Entry
from signoff.workflow.frames import traceback_of
from signoff.workflow.run.entries import RunCancelled, RunFailed
from signoff.workflow.step.entries import StepFailed

log = logging.getLogger("signoff.runtime")


def report(run_id: str, entries: Iterable[Entry]) -> None:
    """Log the failures among entries that are in the journal now.

    What is told is what the journal keeps: the exception itself may be anybody's, and is not asked again.
    """
    for entry in entries:
        match entry:
            case StepFailed(retry_at=None):
                what = "run %s: attempt %d of the step %s failed; it was the last\n%s"
                log.warning(what, run_id, entry.attempt, entry.id, traceback_of(entry.error))
            case StepFailed(retry_at=int(at)):
                what = "run %s: attempt %d of the step %s failed; the next one is at %s\n%s"
                log.warning(what, run_id, entry.attempt, entry.id, rfc3339(at), traceback_of(entry.error))
            case RunFailed():
                log.error("run %s has failed\n%s", run_id, traceback_of(entry.error))
            case RunCancelled(error=error) if error is not None:
                log.error("run %s is cancelled, and its cleanup failed\n%s", run_id, traceback_of(error))
            case _:
                pass
