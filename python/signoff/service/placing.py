"""Place posts soon after their commit, where the store does not do so itself.

Whoever commits places: so what people see in inboxes and listings follows within milliseconds. Whatever a process has
left that died in between is placed by any other within a second.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from signoff.clock import Alarm, Clock
from signoff.errors import SignoffError
from signoff.outages import OutageLog
from signoff.service.commit import Durable
from signoff.stores.base import WorkflowStore

log = logging.getLogger(__name__)

_EVERY_S: Final = 1.0
"""Seconds between two looks for what others have left."""

_PAUSE_S: Final = 0.003
"""Seconds between two placings: what is committed meanwhile goes together, and shares a flush."""

_MOST: Final = 1_000
"""Posts that are placed in one transaction."""


class Placer:
    """What places posts over one store.

    Args:
        store: open; one whose `lanes` say that it places at once is left alone.
        clock: what waits between two looks.
    """

    def __init__(self, store: WorkflowStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._needed = not store.lanes.places_at_once
        self._task: asyncio.Task[None] | None = None
        self._again = False
        self._alarm: Alarm | None = None
        self._outage = OutageLog(log, "inboxes and listings lag behind")

    def start(self) -> None:
        """Place what is there, and look every now and then for what others have left."""
        if self._needed:
            self._look()

    def committed(self, durable: Sequence[Durable]) -> None:
        """Place what these Changes have sent."""
        if self._needed and any(change.posts for change, _ in durable):
            self._place()

    async def close(self) -> None:
        """Place what is left, and stop looking."""
        if self._alarm is not None:
            self._alarm.cancel()
        if self._needed:
            self._place()
        self._needed = False
        if self._task is not None:
            await self._task

    def _look(self) -> None:
        self._place()
        self._alarm = self._clock.call_later(_EVERY_S, self._look, idle=True)

    def _place(self) -> None:
        self._again = True
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._place_all())

    async def _place_all(self) -> None:
        let_go = self._clock.hold()
        try:
            while self._again:
                self._again = False
                placed = await self._store.place(limit=_MOST)
                self._again |= placed >= _MOST
                if placed:
                    await asyncio.sleep(_PAUSE_S)
            self._outage.over()
        except SignoffError as error:
            self._outage.failed(error)
        finally:
            self._task = None
            let_go()
