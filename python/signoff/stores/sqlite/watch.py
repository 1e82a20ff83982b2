"""Find out which topics another process's commit is news for, and wake only those."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from typing import Final, cast

from signoff.errors import StoreError
from signoff.stores.bus import ELSEWHERE, READY, LocalBus, stream_topic
from signoff.stores.sqlite.leases import due_by_queue
from signoff.stores.sqlite.read_streams import watched
from signoff.stores.sqlite.readers import Readers

_PREFIX: Final = stream_topic("")

_State = tuple[str, int, bool] | tuple[tuple[str, int], ...] | None
"""How a topic stands: what there is of a stream, or when something is due."""


class Watch:
    """The watched topics, as they stood at the last look; there is another when somebody else has committed.

    Args:
        readers: where to look.
        watching: called with whether there is anything to watch, whenever that may have changed.
    """

    def __init__(self, readers: Callable[[], Readers | None], watching: Callable[[bool], None]) -> None:
        self._readers = readers
        self._watching = watching
        self._known: dict[str, _State] = {}
        self._lock = threading.Lock()
        self._looking = False
        self._again = False
        self.bus = LocalBus(self._begin, self._end)

    def foreign(self) -> None:
        """Take note that another process has committed; from any thread. Looks that pile up become one."""
        with self._lock:
            self._again = True
            if self._looking or (readers := self._readers()) is None:
                return
            self._looking = True
        readers.later(self._look)

    def _look(self) -> None:
        while True:
            with self._lock:
                if not self._again or (readers := self._readers()) is None:
                    self._looking = False
                    return
                self._again = False
            try:
                self.bus.wake(self._news(readers))
            except StoreError:
                continue  # a wake-up is a hint; whoever reads will learn what is wrong

    def _news(self, readers: Readers) -> list[str]:
        topics = self.bus.topics
        now = readers.answer(_states, topics)
        with self._lock:
            news = [topic for topic in topics if _is_news(topic, self._known.get(topic), now[topic])]
            self._known.update({topic: now[topic] for topic in topics if topic in self._known})
        return news

    def _begin(self, topic: str) -> None:
        state = None
        if (readers := self._readers()) is not None:
            try:
                state = readers.now(_states, (topic,))[topic]
            except (sqlite3.Error, StoreError):
                state = None  # then the first look wakes once too often
        with self._lock:
            self._known[topic] = state
            self._watching(True)

    def _end(self, topic: str) -> None:
        with self._lock:
            self._known.pop(topic, None)
            self._watching(bool(self._known))


def _states(connection: sqlite3.Connection, topics: tuple[str, ...]) -> dict[str, _State]:
    streams = [topic.removeprefix(_PREFIX) for topic in topics if topic.startswith(_PREFIX)]
    found = watched(connection, streams)
    states: dict[str, _State] = {stream_topic(path): found.get(path) for path in streams}
    if READY in topics:
        states[READY] = due_by_queue(connection)
    return {topic: states.get(topic) for topic in topics}


def _is_news(topic: str, known: _State, now: _State) -> bool:
    if topic == READY:  # what is ready is news until somebody has taken it
        return bool(now) and (now != known or any(due == 0 for _, due in cast("tuple[tuple[str, int], ...]", now)))
    if topic == ELSEWHERE:  # that we are looking is the news
        return True
    return now != known
