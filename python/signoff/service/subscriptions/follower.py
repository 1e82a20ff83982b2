"""What makes subscriptions wake: appends of this process at once, those of others by a sweep, and time.

Appends write nothing for subscriptions. The committer tells of what this process wrote; for what other processes wrote,
and for what was written while nobody was there, tails are compared with cursors: at the start, when the bus tells that
somebody else has committed, and every few seconds in any case. A sweep takes as long as there are streams to look at,
so the next one keeps a distance that follows.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final

from signoff.clock import Alarm, Clock, sleep
from signoff.errors import SchemaTooNew, StoreError, SubscriptionNotFound
from signoff.outages import OutageLog
from signoff.service.commit import Durable
from signoff.service.kinds import Kind
from signoff.service.subscriptions.records import PAGE, SubscriptionRecords
from signoff.stores.base import StreamTail, WorkflowStore
from signoff.stores.bus import ELSEWHERE, Interest
from signoff.stores.change import Change, Committed, FamilyWrite, StreamDelete, SubjectDelete
from signoff.streams.subscriptions import rules
from signoff.streams.subscriptions.limits import SubscriptionLimits
from signoff.streams.subscriptions.state import Subscription

log = logging.getLogger(__name__)

SWEEP_S: Final = 2.0
"""Seconds between two sweeps when nobody hints at news."""

NEWS_S: Final = 0.05
"""Seconds between two sweeps at least."""

SHARE: Final = 10
"""A sweep may take one part in so many of this process's time."""

PATHS: Final = 50_000
"""Paths whose subscriptions are remembered."""

DUE: Final = 100


class Follower:
    """The task that finds subscriptions with something to do, and hands them to `advance`.

    Args:
        advance: advances one subscription, given paths to look up; if there are none, it looks at all it follows.
    """

    def __init__(
        self,
        store: WorkflowStore,
        records: SubscriptionRecords,
        clock: Clock,
        limits: SubscriptionLimits,
        advance: Callable[[str, Collection[str]], None],
    ) -> None:
        self._store = store
        self._records = records
        self._clock = clock
        self._limits = limits
        self._advance = advance
        self._followers: dict[str, tuple[str, ...]] = {}
        self._revision = -1
        self._news = asyncio.Event()
        self._hinted = False
        self._rested = self._overdue = True
        self._alarms: list[Alarm] = []
        self._watching = False
        self._interest: Interest | None = None

    # -- appends of this process -----------------------------------------------------------------------------------

    def committed(self, durable: Sequence[Durable]) -> None:
        """Advance those who follow what durable Changes have written."""
        if self._records.known:
            for change, done in durable:
                self._committed(change, done)

    def _committed(self, change: Change, done: Committed) -> None:
        for path in done.batches:
            self._grown(path)
        match change.write:
            case FamilyWrite(writes):
                for write in writes:
                    if isinstance(write, StreamDelete):
                        self._gone(write.path)
                    else:
                        self._grown(write.head.path)
            case SubjectDelete(streams=paths):
                for path in paths:
                    self._gone(path)

    def changed(self) -> None:
        """Look again: something may be due earlier than before, or there is somebody to wake now."""
        self._news.set()
        if self._watching:
            self._listen(wanted=bool(self._records.known))

    def _grown(self, path: str) -> None:
        for subscription_id in self._following(path):
            sub = self._records.known[subscription_id]
            if not self._records.changing(subscription_id):
                if path in sub.links and self._busy(sub):
                    continue  # whoever ends the wake compares tails and cursors
                if path not in sub.links and rules.is_full(sub, self._limits):
                    continue
            self._advance(subscription_id, (path,))

    def _gone(self, path: str) -> None:
        for subscription_id in self._following(path):
            self._advance(subscription_id, ())

    def _following(self, path: str) -> tuple[str, ...]:
        if self._revision != self._records.revision:
            self._followers.clear()
            self._revision = self._records.revision
        found = self._followers.get(path)
        if found is None:
            known = self._records.known.items()
            found = tuple(name for name, sub in known if path in sub.links or sub.follows(path))
            if len(self._followers) >= PATHS:
                self._followers.clear()
            self._followers[path] = found
        return found

    def _busy(self, sub: Subscription) -> bool:
        """Tell whether it waits for something that comes by itself, or for a worker."""
        return (sub.due_at is None and sub.wake is not None) or sub.waits(self._clock.now_ms())

    # -- the rest --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Sweep and watch the time until cancelled."""
        self._watching = True
        outage = OutageLog(log, "cannot look after subscriptions")
        try:
            while True:
                try:
                    if self._overdue or (self._hinted and self._rested):
                        await self._sweep_and_rest()
                    await self.due()
                    outage.over()
                    await self._pause()
                except StoreError as error:
                    outage.failed(error)
                    self._overdue = True
                    await sleep(self._clock, SWEEP_S, idle=True)
        finally:
            self._watching = False
            self._forget_alarms()
            self._listen(wanted=False)

    async def _sweep_and_rest(self) -> None:
        """Sweep, and set when that may be, and must be, done again."""
        self._hinted = self._rested = self._overdue = False
        began = time.monotonic()  # what it costs is real time
        await self.sweep()
        rest_s = max(NEWS_S, SHARE * (time.monotonic() - began))
        self._forget_alarms()
        self._alarms = [
            self._clock.call_later(rest_s, self._rest_over),
            self._clock.call_later(max(rest_s, SWEEP_S), self._sweep_again, idle=True),
        ]

    def _rest_over(self) -> None:
        self._rested = True
        if self._hinted:
            self._news.set()

    def _sweep_again(self) -> None:
        self._overdue = True
        self._news.set()

    def _forget_alarms(self) -> None:
        while self._alarms:
            self._alarms.pop().cancel()

    async def due(self) -> None:
        """Hand over what time has made due."""
        for record in await self._store.due(Kind.SUBSCRIPTION.agenda, now=self._clock.now_ms(), limit=DUE):
            if record.name.id in self._records.known:  # else it is for the newer server beside us
                self._advance(record.name.id, ())

    async def sweep(self) -> None:
        """Compare the tails of all streams that are followed with the cursors."""
        await self._records.refresh()
        self._listen(wanted=bool(self._records.known))
        listings: dict[str, list[StreamTail]] = {}
        for subscription_id, sub in list(self._records.known.items()):
            glob = sub.glob
            if glob is not None and glob.prefix not in listings:
                listings[glob.prefix] = [one async for page in self.pages(glob.prefix) for one in page]
            news = await self._compare(sub, [] if glob is None else listings[glob.prefix])
            if news is not None:
                self._advance(subscription_id, news)

    async def pages(self, prefix: str) -> AsyncIterator[list[StreamTail]]:
        """Go through all streams of a prefix."""
        last = ""
        while True:
            page = await self._store.list_streams(prefix, limit=PAGE, after=last)
            yield page
            if len(page) < PAGE:
                return
            last = page[-1].path
            await asyncio.sleep(0)  # a store in memory answers at once; others want their turn

    async def _compare(self, sub: Subscription, listed: list[StreamTail]) -> list[str] | None:
        """Return paths to look at; None: there is nothing to do."""
        new = await self._unlinked(sub, listed)
        here = {one.path: one for one in listed if one.path in sub.links}
        if missing := [path for path in sub.links if path not in here]:
            here |= await self._store.find_streams(missing)
        if any((one := here.get(path)) is None and not link.explicit for path, link in sub.links.items()):
            return []
        if new:
            return new
        if self._busy(sub):
            return None
        moved = sub.due_at is not None or any(
            (one := here.get(path)) is not None and (one.tail > link.acked or one.incarnation != link.incarnation)
            for path, link in sub.links.items()
        )
        return [] if moved else None

    async def _unlinked(self, sub: Subscription, listed: list[StreamTail]) -> list[str]:
        """Return streams to link: as many as there is room for, and one more if it is not known that some are left out.

        The pattern is asked about streams that are not linked, and about no more of them than it takes.
        """
        unlinked = (one.path for one in listed if one.path not in sub.links and sub.follows(one.path))
        room = max(0, self._limits.followed - len(sub.links))
        found = list(islice(unlinked, room + 1))
        if sub.left_out and not found:
            with suppress(SubscriptionNotFound, SchemaTooNew):
                await self._records.change(sub.id, lambda sub, _: rules.none_left_out(sub), others=0)
        return [] if rules.is_full(sub, self._limits) else found

    async def _pause(self) -> None:
        """Wait for news, for the next sweep, or for what is due next."""
        self._news.clear()
        due = await self._store.next_due((Kind.SUBSCRIPTION.agenda,))
        if self._overdue or (self._hinted and self._rested):
            return
        alarm: Alarm | None = None
        if due is not None:
            alarm = self._clock.call_later(max(NEWS_S, (due - self._clock.now_ms()) / 1000), self._news.set)
        try:
            await self._news.wait()
        finally:
            if alarm is not None:
                alarm.cancel()

    def _listen(self, *, wanted: bool) -> None:
        """Hear of other processes' commits while there is somebody to wake: listening is not for free."""
        if wanted and self._interest is None:
            self._interest = self._store.bus().subscribe(ELSEWHERE, self._hint)
        elif not wanted and self._interest is not None:
            self._interest.close()
            self._interest = None

    def _hint(self) -> None:
        self._hinted = True
        self._news.set()
