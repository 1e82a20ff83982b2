"""What a writer reckons with: how a stream will be once all that is under way is committed."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from signoff.streams.stream import Head, ProducerMark, Remove, Write

CACHED_PRODUCERS: Final = 1_000
"""Producers of one stream that are remembered beyond the commits under way."""


@dataclass(slots=True, eq=False)
class StreamChain:
    """A stream as it will be when everything under way is committed.

    Attributes:
        loading: what asks the store for producers that are not known yet.
        begun, ended: how many commits were handed over, and how many of them ended; they end in the order they began.
        broken: one of them failed, so that all this is not what the stream is.
        waiting: who waits until so many have ended.
    """

    head: Head | None
    producers: dict[str, ProducerMark | None] = field(default_factory=dict)
    loading: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    begun: int = 0
    ended: int = 0
    broken: bool = False
    waiting: deque[tuple[int, asyncio.Future[None]]] = field(default_factory=deque)

    @property
    def under_way(self) -> bool:
        """Tell whether commits have not ended."""
        return self.begun > self.ended

    def begin(self, decision: Write | Remove) -> None:
        """Set this to what a decision will leave once its commit, which is now under way, has ended."""
        if isinstance(decision, Remove):
            self.begun += 1
            self.head = None
            self.producers.clear()
        else:
            self.move(decision.head, decision.producer)

    def move(self, head: Head, producer: ProducerMark | None) -> None:
        """Set this to what a write will leave."""
        self.begun += 1
        self.head = head
        if producer is not None:
            self.producers[producer.producer_id] = producer

    def end(self) -> None:
        """Count one more commit as ended."""
        self.ended += 1
        if self.waiting:
            self._wake_waiting()
        if len(self.producers) > CACHED_PRODUCERS and not self.under_way:
            self.producers.clear()

    def _wake_waiting(self) -> None:
        while self.waiting and self.waiting[0][0] <= self.ended:
            _, news = self.waiting.popleft()
            if not news.done():
                news.set_result(None)

    async def settled(self) -> None:
        """Wait until all commits that are under way now have ended."""
        news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append((self.begun, news))
        await news
