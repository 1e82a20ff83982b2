"""When which subject is due, in memory: two heaps a queue, cleaned as they are read."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from heapq import heappop, heappush, nsmallest

from signoff.stores.change import Name

_DueSubject = tuple[int, int, Name, str]
"""(order, gate, name, queue): subjects are taken by `order`, and not before `gate`."""


class Agenda:
    """Subjects in the order in which they become due.

    One that is ready waits since the moment it became so; one with a time to wake since that time. The oldest comes
    first, so neither kind starves the other.
    """

    def __init__(self) -> None:
        self._current: dict[Name, _DueSubject] = {}
        self._heaps: dict[str, tuple[list[_DueSubject], list[_DueSubject]]] = {}

    def put(self, name: Name, queue: str | None, gate: int | None, since: int) -> None:
        """Note from when on a subject is due in a queue: 0 at once (waiting since `since`), None never."""
        if gate is None or queue is None:
            self._current.pop(name, None)
            return
        old = self._current.get(name)
        if old is not None and old[1] == gate and old[3] == queue:
            return
        entry = self._current[name] = (gate or since, gate, name, queue)
        heappush(self._heaps.setdefault(queue, ([], []))[gate > 0], entry)

    def drop(self, name: Name) -> None:
        """Forget a subject."""
        self._current.pop(name, None)

    def take(self, now: int, limit: int, queues: Collection[str]) -> list[Name]:
        """Return up to `limit` subjects that are due at `now`, oldest first; `put` them anew afterwards."""
        taken: list[Name] = []
        while len(taken) < limit:
            heads = [heap for heap in self._live(queues) if heap[0][1] <= now]
            if not heads:
                break
            entry = heappop(min(heads, key=lambda heap: heap[0]))
            del self._current[entry[2]]
            taken.append(entry[2])
        return taken

    def due(self, now: int, limit: int, queue: str) -> list[Name]:
        """Return up to `limit` subjects that `take` would find, and leave them there."""
        entries = (entry for entry in self._entries(queue) if entry[1] <= now)
        return [entry[2] for entry in nsmallest(limit, entries)]

    def earliest(self, queues: Collection[str]) -> int | None:
        """Return the earliest time at which `take` would find a subject."""
        return min((heap[0][1] for heap in self._live(queues)), default=None)

    def others(self, queues: Collection[str], before: int) -> Iterator[Name]:
        """Yield the subjects of other queues than these that `take` would have found at `before`."""
        for queue in self._heaps.keys() - set(queues):
            for entry in self._entries(queue):
                if max(entry[:2]) <= before:
                    yield entry[2]

    def _entries(self, queue: str) -> Iterator[_DueSubject]:
        for heap in self._heaps.get(queue, ()):
            for entry in heap:
                if self._current.get(entry[2]) is entry:
                    yield entry

    def _live(self, queues: Collection[str]) -> Iterator[list[_DueSubject]]:
        for queue in dict.fromkeys(queues):
            for heap in self._heaps.get(queue, ()):
                while heap and self._current.get(heap[0][2]) is not heap[0]:
                    heappop(heap)
                if heap:
                    yield heap
