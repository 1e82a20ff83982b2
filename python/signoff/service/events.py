"""Send events: to one run, or to every run that waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from signoff.clock import Clock
from signoff.errors import RunClosed, RunNotFound, SubmissionReused
from signoff.names import check_name
from signoff.service.change import RunState, Write
from signoff.service.commit import GroupCommitter
from signoff.service.runs import CLOSED
from signoff.stores.base import Conflict, LedgerEntry, LedgerKey, WorkflowStore
from signoff.workflow import codec
from signoff.workflow.journal import EventReceived
from signoff.workflow.projection import RunFold, View


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
                write = Write(
                    RunState(loaded.record, View(run=fold)),
                    [entry],
                    ready=True,
                    wake_at=loaded.record.wake_at,
                )
                remembered = LedgerEntry(run_id, scope, id, digest, b"{}")
                if not isinstance(await self._committer.commit(write.with_ledger(remembered)), Conflict):
                    return Sent(duplicate=False)

    async def emit(self, topic: str, *, id: str, payload: Any, key: str | None = None) -> int:  # noqa: A002
        """Send an event to every run that waits for the topic now; return how many took it.

        Each run remembers the id for itself, so a retry reaches those that were missed and no one twice.
        """
        check_name(topic, "topic")
        delivered = 0
        for run_id in await self._store.waiting_on(topic, key):
            try:
                sent = await self.send(run_id, topic, id=id, payload=payload, key=key)
            except (RunClosed, RunNotFound):
                continue
            delivered += not sent.duplicate
        return delivered
