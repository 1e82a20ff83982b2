"""Wake-ups: what carries them, and the carrier within one process, which a backend wakes by what it hears of others."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable
from typing import Protocol

log = logging.getLogger(__name__)

READY = "ready"
"""The topic that tells that some subject may be due."""


ELSEWHERE = "elsewhere"
"""The topic that tells that another process has committed something; our own commits are no news here."""


def stream_topic(path: str) -> str:
    """Return the topic that tells of news in a stream."""
    return f"stream:{path}"


class Interest(Protocol):
    """An interest in a topic, until it is closed."""

    def close(self) -> None:
        """Stop the wake-ups."""
        ...


class EventBus(Protocol):
    """A carrier of wake-ups between processes. A wake-up is a hint: it may be lost or doubled.

    Topics: `stream:{path}` (something was appended, closed or deleted), `ready` (some subject may be claimable) and
    `elsewhere` (another process has committed something, whatever it is).
    """

    def emit(self, topics: Iterable[str]) -> None:
        """Wake the subscribers of these topics, and no others. Called after a commit, on the event loop.

        A backend that must talk to a server for it does so in the background.
        """
        ...

    def subscribe(self, topic: str, wake: Callable[[], None]) -> Interest:
        """Call `wake` on the subscriber's event loop whenever the topic may have news."""
        ...


class LocalInterest:
    """One subscriber's interest in one topic, until closed."""

    __slots__ = ("_bus", "_loop", "_open", "_pending", "_wake", "topic")

    def __init__(self, bus: LocalBus, topic: str, wake: Callable[[], None]) -> None:
        self.topic = topic
        self._bus = bus
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._open = True
        self._pending = False

    def close(self) -> None:
        """Stop the wake-ups."""
        if self._open:
            self._open = False
            self._bus.forget(self)

    def notify(self, running: asyncio.AbstractEventLoop | None) -> None:
        """Have `wake` called on the subscriber's loop; notices that pile up before it runs become one."""
        if self._pending:
            return
        self._pending = True
        try:
            if running is self._loop:
                self._loop.call_soon(self._deliver)
            else:
                self._loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:  # the subscriber's loop is closed: nobody is there to hear it
            self.close()

    def _deliver(self) -> None:
        self._pending = False
        if self._open:
            self._wake()


class LocalBus:
    """The bus of one process. May be used from any thread.

    Args:
        on_first: called with a topic when it gets its first subscriber, so that a backend starts watching it.
        on_last: called with a topic when its last subscriber has gone.
    """

    def __init__(
        self, on_first: Callable[[str], None] | None = None, on_last: Callable[[str], None] | None = None
    ) -> None:
        self._interests: dict[str, list[LocalInterest]] = {}
        self._lock = threading.Lock()
        self._on_first = on_first
        self._on_last = on_last

    def emit(self, topics: Iterable[str]) -> None:
        """Wake the subscribers of these topics, and no others."""
        self.wake(topics)

    def wake(self, topics: Iterable[str]) -> None:
        """Wake the subscribers of these topics, from any thread."""
        if not self._interests:
            return
        try:
            running: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        interests = self._interests
        for topic in topics:
            if topic in interests:
                for interest in tuple(interests.get(topic, ())):
                    interest.notify(running)

    def subscribe(self, topic: str, wake: Callable[[], None]) -> LocalInterest:
        """Call `wake` on the running event loop whenever the topic may have news."""
        interest = LocalInterest(self, topic, wake)
        with self._lock:
            known = self._interests.get(topic)
            self._interests[topic] = [*known, interest] if known else [interest]
        if not known and self._on_first:
            self._on_first(topic)
        return interest

    def forget(self, interest: LocalInterest) -> None:
        """Drop an interest that was closed."""
        with self._lock:
            left = [one for one in self._interests.get(interest.topic, ()) if one is not interest]
            if left:
                self._interests[interest.topic] = left
            else:
                self._interests.pop(interest.topic, None)
        if not left and self._on_last:
            self._on_last(interest.topic)

    @property
    def topics(self) -> tuple[str, ...]:
        """Return the topics somebody listens to."""
        with self._lock:
            return tuple(self._interests)
