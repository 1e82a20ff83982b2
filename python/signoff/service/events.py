"""Send events: to one run, or to every run that waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from signoff.clock import Clock
from signoff.errors import RunClosed, RunNotFound, SubmissionReused, TooManyEvents
from signoff.names import check_name
from signoff.service.change import RunState, Write
from signoff.service.commit import GroupCommitter
from signoff.service.runs import CLOSED
from signoff.stores.base import Conflict, LedgerEntry, LedgerKey, WorkflowStore
from signoff.workflow import codec
from signoff.workflow.journal import EventReceived
from signoff.workflow.projection import RunFold, View, payload_size

MOST_EVENTS: Final = 1_000
MOST_BYTES: Final = 8 << 20
"""How many events that nobody awaits a run holds, and how many bytes of payload they may have together."""


@dataclass(frozen=True, slots=True)
class Emitted:
    """What became of an event for every run that waits.

    Attributes:
        delivered: runs that have got it.
        refused: runs that hold too many events already.
    """

    delivered: int
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """Tell about a sent event; `duplicate`: this id had been accepted before and nothing was added."""

    duplicate: bool


class Events:
    """Send events to runs: kept until awaited, in order, once per id."""

    def __init__(self, store: WorkflowStore, committer: GroupCommitter, clock: Clock) -> None:
        self._store = store
        self._committer = committer
        self._clock = clock

    async def send(self, run_id: str, topic: str, *, id: str, payload: Any, key: str | None = None) -> Sent:  # noqa: A002
        """Send an event to one run; it is kept until the run awaits its topic.

        Args:
            id: chosen by the sender; the same id and payload again is accepted without effect.
            payload: plain JSON.
            key: narrows who takes it: a wait with another key leaves it alone.

        Raises:
            RunNotFound: there is no such run.
            RunClosed: the run has ended.
            SubmissionReused: the id was used for another payload.
            TooManyEvents: nobody awaits it, and the run holds as many such events as it may.
        """
        check_name(topic, "topic")
        scope, digest = f"event:{topic}", codec.digest([payload, key])
        async with self._committer.turn(run_id):
            while True:
                loaded = await self._store.load_run(run_id, ledger=LedgerKey(scope, id))
                if loaded is None:
                    raise RunNotFound(f"There is no run {run_id[:140]!r}.")
                if loaded.ledger is not None:
                    if loaded.ledger.digest != digest:
                        raise SubmissionReused(
                            f"The event id {id!r} was already used for another payload on {topic!r}; nothing was sent."
                        )
                    return Sent(duplicate=True)
                if loaded.record.status in CLOSED:
                    raise RunClosed(f"The run {run_id!r} is {loaded.record.status} and takes no events any more.")
                fold = RunFold.loads(loaded.record.state)
                entry = EventReceived(
                    at=max(self._clock.now_ms(), fold.last_at),
                    topic=topic,
                    event_id=id,
                    payload=codec.encode(payload),
                    key=key,
                )
                _check_room(fold, entry)
                write = Write(
                    RunState(loaded.record, View(run=fold)),
                    [entry],
                    ready=True,
                    wake_at=loaded.record.wake_at,
                )
                remembered = LedgerEntry(run_id, scope, id, digest, b"{}")
                if not isinstance(await self._committer.commit(write.with_ledger(remembered)), Conflict):
                    return Sent(duplicate=False)

    async def emit(self, topic: str, *, id: str, payload: Any, key: str | None = None) -> Emitted:  # noqa: A002
        """Send an event to every run that waits for the topic now; return how many took it.

        Each run remembers the id for itself, so a retry reaches those that were missed and no one twice.
        """
        check_name(topic, "topic")
        delivered = refused = 0
        for run_id in await self._store.waiting_on(topic, key):
            try:
                sent = await self.send(run_id, topic, id=id, payload=payload, key=key)
            except (RunClosed, RunNotFound):
                continue
            except TooManyEvents:
                refused += 1
                continue
            delivered += not sent.duplicate
        return Emitted(delivered, refused)


def _check_room(fold: RunFold, event: EventReceived) -> None:
    """Refuse an event that would be kept beside too many others. One that is awaited takes no room.

    Raises:
        TooManyEvents: the run holds as many events nobody awaits as it may.
    """
    if any(wait[1] == event.topic and wait[2] in (None, event.key) for wait in fold.waits):
        return
    held = sum(kept[3] for kept in fold.events if len(kept) > 3)
    if len(fold.events) < MOST_EVENTS and held + payload_size(event) <= MOST_BYTES:
        return
    raise TooManyEvents(
        f"The run {fold.row['id']!r} holds {len(fold.events)} events ({held} bytes) that it has not awaited yet, and "
        f"takes {MOST_EVENTS} ({MOST_BYTES} bytes) at most; this one was not stored. Send it again, with the same id, "
        "when the run has taken some."
    )
