"""Send events: to one run, or to every run that waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from signoff.clock import Clock
from signoff.errors import RunClosed, RunNotFound, TooManyEvents
from signoff.names import check_name
from signoff.service.act import Actor
from signoff.service.commit import GroupCommitter
from signoff.service.kinds import wait_takes, waits_listing
from signoff.stores.base import WorkflowStore
from signoff.workflow.event import decide
from signoff.workflow.event.decide import Event, Sent

_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Emitted:
    """What became of an event for every run that waits.

    Attributes:
        delivered: runs that have got it.
        refused: runs that hold too many events already.
    """

    delivered: int
    refused: int = 0


class Events:
    """The sending of events to runs: each is kept until awaited, in order, once per id."""

    def __init__(self, store: WorkflowStore, committer: GroupCommitter, clock: Clock) -> None:
        self._store = store
        self._actor = Actor(store, committer, clock)

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
        event = Event(check_name(topic, "topic"), id, payload, key)
        return await self._actor.act(run_id, lambda run, now: decide.emit(run, event, now), ledger=(event.scope, id))

    async def emit(self, topic: str, *, id: str, payload: Any, key: str | None = None) -> Emitted:  # noqa: A002
        """Send an event to every run that waits for the topic now; return how many took it.

        Each run remembers the id for itself, so a retry reaches those that were missed and no one twice.
        """
        check_name(topic, "topic")
        delivered = refused = 0
        for run_id in await self._waiting(topic, key):
            try:
                sent = await self.send(run_id, topic, id=id, payload=payload, key=key)
            except (RunClosed, RunNotFound):
                continue
            except TooManyEvents:
                refused += 1
                continue
            delivered += not sent.duplicate
        return Emitted(delivered, refused)

    async def _waiting(self, topic: str, key: str | None) -> list[str]:
        """Return the ids of runs that wait for an event, in the order in which they began to wait."""
        run_ids: dict[str, None] = {}
        cursor = None
        while True:
            page = await self._store.list_parts(waits_listing(topic, key), limit=_PAGE, cursor=cursor)
            run_ids |= dict.fromkeys(found.owner.id for found in page.items if wait_takes(found.part, topic, key))
            cursor = page.cursor
            if cursor is None:
                return list(run_ids)
