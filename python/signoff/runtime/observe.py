"""What a worker tells those who observe it: each thing that is worth a metric, a span or a line of a log, once.

Observers are called on the worker's event loop, between two commits, with one frozen object; they must be quick and
must not block. What the code does while it is replayed is told to nobody: there is one `RunReplayed` afterwards.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from signoff.workflow.entry import Entry, Error

log = logging.getLogger("signoff.runtime")


@dataclass(frozen=True, slots=True)
class Observation:
    """Something that a worker tells of a run.

    Attributes:
        run_id: the run.
        workflow: the name of its workflow.
    """

    run_id: str
    workflow: str


@dataclass(frozen=True, slots=True)
class RunClaimed(Observation):
    """A run was leased by this worker, to be begun or to go on.

    Attributes:
        epoch: how often it was leased, by anybody.
        lost: how many workers in a row died or froze with it before.
    """

    epoch: int
    lost: int


@dataclass(frozen=True, slots=True)
class RunReplayed(Observation):
    """Workflow code was brought to where its journal is.

    Attributes:
        entries: how many were read for it; few, if the worker still had the run in memory.
        duration_s: seconds that the code took, without reading.
    """

    entries: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class EntriesCommitted(Observation):
    """Entries of this worker are in the journal, durable.

    Attributes:
        entries: e.g. a `step.completed` and the `step.scheduled` that follows from it.
    """

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class AttemptStarted(Observation):
    """An attempt of a step begins.

    Attributes:
        step: its id, `name:n`.
        name: what the workflow calls it.
        attempt: from 1.
    """

    step: str
    name: str
    attempt: int


@dataclass(frozen=True, slots=True)
class AttemptEnded(Observation):
    """An attempt of a step has ended; its result may yet be refused, if the lease is lost meanwhile.

    Attributes:
        step, name, attempt: as when it started.
        duration_s: real seconds it took, including the wait for a thread.
        outcome: `completed`, `failed`, or `cancelled`: nobody wanted its result any more.
        error: how it failed.
        retry_at: when the next attempt is due, in milliseconds; None: there is none, or none was needed.
    """

    step: str
    name: str
    attempt: int
    duration_s: float
    outcome: Literal["completed", "failed", "cancelled"]
    error: Error | None = None
    retry_at: int | None = None


@dataclass(frozen=True, slots=True)
class AnswerReceived(Observation):
    """Somebody's answer reaches the code. Told again if the run is replayed before the code has done anything about it.

    Attributes:
        input: the request, `key:n`.
        action: what was chosen.
        waited_ms: milliseconds between the answer and now.
    """

    input: str
    action: str
    waited_ms: int


@dataclass(frozen=True, slots=True)
class RunWaiting(Observation):
    """A run has nothing to do now, and was put away until something comes.

    Attributes:
        inputs, events, timers, steps: ids of what it waits for; steps are those whose next attempt is due later.
        wake_at: when the first of them is due, in milliseconds; None: nothing is due by time.
    """

    inputs: tuple[str, ...]
    events: tuple[str, ...]
    timers: tuple[str, ...]
    steps: tuple[str, ...]
    wake_at: int | None


@dataclass(frozen=True, slots=True)
class RunReleased(Observation):
    """A run was given up with something left to do, for another worker: this one stops."""


@dataclass(frozen=True, slots=True)
class RunLost(Observation):
    """The lease is lost: another worker goes on, or the run was ended; nothing of ours is written any more."""

    epoch: int


@dataclass(frozen=True, slots=True)
class RunIsBlocked(Observation):
    """A run cannot go on until other code is deployed. Told once for a reason.

    Attributes:
        error: why.
    """

    error: Error


@dataclass(frozen=True, slots=True)
class RunEnded(Observation):
    """A run has ended.

    Attributes:
        status: `completed`, `failed` or `cancelled`.
        error: what it failed with, or what its cleanup did.
    """

    status: str
    error: Error | None


@dataclass(frozen=True, slots=True)
class StoreTrouble(Observation):
    """The store did not do what a run needed; the worker looks again in a moment.

    Attributes:
        what: what is not known because of that, for people.
    """

    what: str


class Observer(Protocol):
    """Somebody who is told what a worker does.

    Example:
        >>> class Attempts:
        ...     def observe(self, event: Observation) -> None:
        ...         if isinstance(event, AttemptEnded):
        ...             print(event.name, event.outcome, event.duration_s)
        >>> worker = Worker(app, engine, observers=[Attempts()])
    """

    def observe(self, event: Observation) -> None:
        """Take note; what this raises is logged once and harms nothing."""
        ...


class Observers:
    """All who observe a worker, told one after the other.

    Args:
        log: what every worker has; it has no use for the attempts of steps.
        others: those that were given to the worker.

    Attributes:
        watched: somebody but the log is there; if not, what the log has no use for is not even made, which is a
            fiftieth of a step.
    """

    def __init__(self, log: Observer, others: Iterable[Observer]) -> None:
        self._observers = (log, *others)
        self.watched = len(self._observers) > 1
        self._complained: set[int] = set()

    def tell(self, event: Observation) -> None:
        """Tell everybody, whatever one of them does."""
        for observer in self._observers:
            try:
                observer.observe(event)
            except Exception:
                if id(observer) not in self._complained:
                    self._complained.add(id(observer))
                    log.exception(
                        "the observer %r has failed; it is told what comes, and its failures are not logged again",
                        type(observer).__name__,
                    )
