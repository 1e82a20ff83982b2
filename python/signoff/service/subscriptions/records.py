"""Subscriptions as the store keeps them: load, decide, commit on the version, and remember what was seen last."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Final
from weakref import WeakValueDictionary

from signoff.clock import Clock
from signoff.errors import SchemaTooNew, StoreError, SubscriptionNotFound
from signoff.service.commit import GroupCommitter
from signoff.service.kinds import Kind, free_record, put_record
from signoff.stores.base import Listing, StreamTail, WorkflowStore
from signoff.stores.change import Change, Committed, Name, Subject, SubjectDelete, new_mark
from signoff.streams.subscriptions import codec
from signoff.streams.subscriptions.limits import SubscriptionLimits
from signoff.streams.subscriptions.state import Moment, Subscription, Tail, Tails

PAGE: Final = 1_000

ATTEMPTS: Final = 50
"""How often a change is decided again. Each round somebody else's succeeded, so this many means a defect."""

Transition = Callable[[Subscription, Moment], Subscription]


@dataclass(frozen=True, slots=True)
class SubscriptionChange:
    """A subscription before and after a change, and the world it was decided in."""

    before: Subscription
    after: Subscription
    moment: Moment


class SubscriptionRecords:
    """The subscriptions of a store; changes of one are made one after another.

    Attributes:
        known: as last seen by this process, by id; other processes may have gone on.
        revision: grows when it changes who follows which stream.
    """

    def __init__(
        self, store: WorkflowStore, committer: GroupCommitter, clock: Clock, limits: SubscriptionLimits
    ) -> None:
        self._store = store
        self._committer = committer
        self._clock = clock
        self._limits = limits
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._versions: dict[str, int] = {}
        self.known: dict[str, Subscription] = {}
        self.revision = 0

    def changing(self, subscription_id: str) -> bool:
        """Tell whether a change is under way, so that `known` may be about to move."""
        lock = self._locks.get(subscription_id)
        return lock is not None and lock.locked()

    async def load(self, subscription_id: str) -> tuple[Subscription, int]:
        """Return a subscription and its version.

        Raises:
            SubscriptionNotFound: there is none.
        """
        loaded = await self._store.load(Name(Kind.SUBSCRIPTION, subscription_id))
        if loaded is None:
            self._forget(subscription_id)
            raise SubscriptionNotFound(f"There is no subscription {subscription_id!r}.")
        return self._remember(loaded.subject), loaded.subject.version

    async def add(self, sub: Subscription) -> bool:
        """Keep a new subscription; False: the id is taken."""
        return await self._put(sub, expect=0)

    async def remove(self, subscription_id: str) -> None:
        """Delete a subscription.

        Raises:
            SubscriptionNotFound: there is none.
        """
        async with self._lock(subscription_id):
            for _ in range(ATTEMPTS):
                _, version = await self.load(subscription_id)
                gone = SubjectDelete(Name(Kind.SUBSCRIPTION, subscription_id), version)
                change = Change(gone, mark=new_mark())
                if isinstance(await self._committer.commit(change), Committed):
                    self._forget(subscription_id)
                    return
        raise _changes_too_fast(subscription_id)

    async def change(
        self, subscription_id: str, transition: Transition, also: Iterable[str] = (), *, others: int | None = None
    ) -> SubscriptionChange:
        """Decide a transition on what the store has, and commit it if it changes anything.

        Args:
            also: paths to look up; a transition may have to link them.
            others: how many of the linked streams to look up besides; None: all of them.

        Raises:
            SubscriptionNotFound: there is none.
            Whatever the transition raises.
        """
        async with self._lock(subscription_id):
            for _ in range(ATTEMPTS):
                before, version = await self.load(subscription_id)
                after = transition(before, moment := await self._moment(before, also, others))
                if after == before or await self._put(after, version):
                    return SubscriptionChange(before, after, moment)
        raise _changes_too_fast(subscription_id)

    async def _moment(self, sub: Subscription, also: Iterable[str], others: int | None) -> Moment:
        tails = await self.tails(dict.fromkeys([*also, *islice(sub.links, others)]))
        whole = len(tails) >= len(sub.links) and all(path in tails for path in sub.links)
        chance = secrets.randbelow(1 << 20) / (1 << 20)
        return Moment(self._clock.now_ms(), tails, f"w_{secrets.token_hex(12)}", chance, self._limits, whole)

    async def refresh(self) -> None:
        """Make `known` what the store has now."""
        seen: set[str] = set()
        cursor = None
        while True:
            page = await self._store.list_subjects(Listing(Kind.SUBSCRIPTION), limit=PAGE, cursor=cursor)
            for record in page.items:
                seen.add(record.name.id)
                if not self.changing(record.name.id):
                    with suppress(SchemaTooNew):  # that one is for the newer server beside us
                        self._remember(record)
            cursor = page.cursor
            if cursor is None:
                break
        for gone in [one for one in self.known if one not in seen and not self.changing(one)]:
            self._forget(gone)

    async def tails(self, paths: Iterable[str]) -> Tails:
        """Look up how far streams have grown."""
        asked, tails = list(paths), dict[str, Tail | None]()
        for start in range(0, len(asked), PAGE):
            page = asked[start : start + PAGE]
            found = await self._store.find_streams(page)
            tails |= {path: tail_of(found[path]) if path in found else None for path in page}
            await asyncio.sleep(0)  # a store in memory answers at once; others want their turn
        return tails

    async def _put(self, sub: Subscription, expect: int) -> bool:
        record = free_record(Kind.SUBSCRIPTION, sub.id, codec.dumps(sub), expect=expect, due_at=sub.due_at)
        if not isinstance(await self._committer.commit(put_record(record, expect)), Committed):
            return False
        self._know(sub, record.version)
        return True

    def _remember(self, record: Subject) -> Subscription:
        if self._versions.get(record.name.id) == record.version:
            return self.known[record.name.id]
        sub = codec.loads(record.name.id, record.state)
        self._know(sub, record.version)
        return sub

    def _know(self, sub: Subscription, version: int) -> None:
        before = self.known.get(sub.id)
        if before is None or before.config != sub.config or _explicit_paths(before) != _explicit_paths(sub):
            self.revision += 1
        self.known[sub.id] = sub
        self._versions[sub.id] = version

    def _forget(self, subscription_id: str) -> None:
        if self.known.pop(subscription_id, None) is not None:
            self.revision += 1
        self._versions.pop(subscription_id, None)

    def _lock(self, subscription_id: str) -> asyncio.Lock:
        return self._locks.setdefault(subscription_id, asyncio.Lock())


def tail_of(found: StreamTail) -> Tail:
    """Return a stream's tail as the rules take it."""
    return Tail(found.incarnation, found.tail)


def _explicit_paths(sub: Subscription) -> set[str]:
    """Return the paths it follows by name; the others it follows by its pattern, linked or not."""
    return {path for path, link in sub.links.items() if link.explicit}


def _changes_too_fast(subscription_id: str) -> StoreError:
    why = f"The subscription {subscription_id} changes too fast; nothing was written. Try again."
    return StoreError(why, public_detail=why)
