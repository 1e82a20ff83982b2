"""The observer that writes to the log: failures once, when they are recorded, with the place where they happened."""

from __future__ import annotations

import logging
from typing import Final

from signoff.outages import OutageLog
from signoff.runtime.observe import EntriesCommitted, Observation, RunIsBlocked, RunLost, StoreTrouble
from signoff.timestamps import rfc3339
from signoff.workflow.entry import Entry
from signoff.workflow.frames import traceback_of
from signoff.workflow.run.entries import RunCancelled, RunFailed
from signoff.workflow.step.entries import StepFailed

log = logging.getLogger("signoff.runtime")

FAILURES: Final = frozenset((StepFailed, RunFailed, RunCancelled))
"""The entries that the log has something to say about."""


class LogObserver:
    """A worker's log, `signoff.runtime`.

    What is told is what the journal keeps: the exception itself may be anybody's, and is not asked again.

    Attributes:
        outage: told of the trouble that runs have with the store, all together; who goes on says that it is over.
    """

    def __init__(self) -> None:
        self.outage = OutageLog(log, "runs wait for the store, and look again")

    def observe(self, event: Observation) -> None:
        """Log what went wrong."""
        match event:
            case EntriesCommitted():
                for entry in event.entries:
                    _log_failure(event.run_id, entry)
            case RunIsBlocked():
                log.error("run %s is blocked\n%s", event.run_id, traceback_of(event.error))
            case RunLost():
                log.info("run %s: the lease is lost; another worker goes on, or the run was ended", event.run_id)
            case StoreTrouble():
                self.outage.failed(f"run {event.run_id}: {event.what}")
            case _:
                pass


def _log_failure(run_id: str, entry: Entry) -> None:
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
