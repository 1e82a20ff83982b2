"""Which wakes are sent when: receivers get a bounded number each, and what is over by its turn is not sent.

A receiver that does not answer keeps those of its own waiting and nobody else: it has so many deliveries under way, and
those that wait for it take no slot. An event in a wake stream is an append, and waits for nobody.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from signoff.clock import Clock
from signoff.errors import SignoffError, SubscriptionNotFound
from signoff.service.subscriptions.delivery import Delivery, DeliveryResult
from signoff.service.subscriptions.records import SubscriptionChange, SubscriptionRecords
from signoff.streams.subscriptions.state import Wake, WakePhase

log = logging.getLogger(__name__)

GRACE_S: Final = 3.0
"""Seconds that deliveries under way get when the process ends; the others are sent again by whoever comes next."""

PER_RECEIVER: Final = 16
"""Webhooks under way at a time to one host and port."""

AT_ONCE: Final = 256
"""Webhooks under way at a time."""

Report = Callable[[str, Wake, DeliveryResult], Awaitable[None]]
"""Called with a subscription's id, its wake, and how the delivery of that ended."""


class Sender:
    """The queue of wakes that changes began, and what sends them.

    Args:
        records: tell whether a wake is still on.
        delivery: sends one.
        clock: tells whether its time is over.
        report: is told how it went.
    """

    def __init__(self, records: SubscriptionRecords, delivery: Delivery, clock: Clock, report: Report) -> None:
        self._records = records
        self._delivery = delivery
        self._clock = clock
        self._report = report
        self._under_way: set[asyncio.Task[None]] = set()
        self._waiting: dict[str, asyncio.Task[None]] = {}
        self._receivers: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._closed = False

    @property
    def under_way(self) -> Iterable[asyncio.Task[None]]:
        """Return what is under way, and what waits for its turn."""
        return tuple(self._under_way)

    def send(self, done: SubscriptionChange) -> None:
        """Send the wake that a change began; an older one of the subscription's that waits for its turn is over."""
        if self._closed:
            return
        self._drop(done.after.id)
        task = asyncio.get_running_loop().create_task(self._send(done), name="signoff-subscription-wake")
        self._waiting[done.after.id] = task
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def close(self) -> None:
        """Begin nothing new, and give what is under way a little time."""
        self._closed = True
        for subscription_id in list(self._waiting):
            self._drop(subscription_id)
        if tasks := list(self._under_way):
            await asyncio.wait(tasks, timeout=GRACE_S)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _drop(self, subscription_id: str) -> None:
        waiting = self._waiting.pop(subscription_id, None)
        if waiting is not None:
            waiting.cancel()

    async def _send(self, done: SubscriptionChange) -> None:
        sub, wake = done.after, done.after.wake
        assert wake is not None, "it was just made"
        async with self._turn(sub.config.webhook):
            if self._waiting.get(sub.id) is asyncio.current_task():
                del self._waiting[sub.id]
            if not await self._is_still_sending(sub.id, wake):
                return
            result = await self._delivery.send(sub, wake, done.moment)
        await self._report(sub.id, wake, result)

    @asynccontextmanager
    async def _turn(self, webhook: str | None) -> AsyncIterator[None]:
        """Wait for a slot of the receiver, and only then for one of all: who waits for a receiver takes none."""
        if webhook is None:
            yield
            return
        receiver = urlsplit(webhook).netloc.lower()
        own = self._receivers.setdefault(receiver, asyncio.Semaphore(PER_RECEIVER))
        async with own, self._slots:
            yield

    async def _is_still_sending(self, subscription_id: str, wake: Wake) -> bool:
        """Tell whether a wake is still to be sent: time may have passed, and others may have gone on."""
        try:
            sub, _ = await self._records.load(subscription_id)
        except SubscriptionNotFound:
            return False
        except SignoffError as error:
            log.warning("subscription %s: %s", subscription_id, error.detail)
            return False
        now = sub.wake
        if now is None or now.id != wake.id or now.phase is not WakePhase.SENDING:
            return False
        return now.until is None or self._clock.now_ms() < now.until
