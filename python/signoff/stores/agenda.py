"""When which run is due, in memory: two heaps a workflow, cleaned as they are read."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from heapq import heappop, heappush

_Entry = tuple[int, int, str]
"""(order, gate, run id): runs are taken by `order`, and not before `gate`."""


class Agenda:
    """Order runs by when they become claimable.

    A run that is ready waits since the moment it became so; a run with a timer since the timer is due. The oldest
    comes first, so neither kind starves the other.
    """

    def __init__(self) -> None:
        self._current: dict[str, _Entry] = {}
        self._heaps: dict[str, tuple[list[_Entry], list[_Entry]]] = {}

    def put(self, run_id: str, workflow: str, gate: int | None, since: int) -> None:
        """Note from when on a run is claimable: 0 at once (waiting since `since`), None never."""
        if gate is None:
            self._current.pop(run_id, None)
            return
        old = self._current.get(run_id)
        if old is not None and old[1] == gate:
            return
        entry = self._current[run_id] = (gate or since, gate, run_id)
        heappush(self._heaps.setdefault(workflow, ([], []))[gate > 0], entry)

    def take(self, now: int, limit: int, workflows: Collection[str] | None) -> list[str]:
        """Return up to `limit` run ids that are claimable at `now`, oldest first; `put` them anew afterwards."""
        taken: list[str] = []
        while len(taken) < limit:
            heads = [heap for heap in self._live(workflows) if heap[0][1] <= now]
            if not heads:
                break
            entry = heappop(min(heads, key=lambda heap: heap[0]))
            del self._current[entry[2]]
            taken.append(entry[2])
        return taken

    def earliest(self, workflows: Collection[str] | None) -> int | None:
        """Return the earliest time at which `take` would find a run."""
        return min((heap[0][1] for heap in self._live(workflows)), default=None)

    def others(self, known: Collection[str], before: int) -> Iterator[str]:
        """Yield the ids of runs of workflows that are not `known` and that `take` would have found at `before`."""
        for name in self._heaps.keys() - set(known):
            for heap in self._heaps[name]:
                for entry in heap:
                    if self._current.get(entry[2]) is entry and max(entry[:2]) <= before:
                        yield entry[2]

    def _live(self, workflows: Collection[str] | None) -> Iterator[list[_Entry]]:
        names = self._heaps if workflows is None else workflows
        for name in names:
            for heap in self._heaps.get(name, ()):
                while heap and self._current.get(heap[0][2]) is not heap[0]:
                    heappop(heap)
                if heap:
                    yield heap
