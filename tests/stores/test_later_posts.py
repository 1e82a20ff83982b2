"""The laws hold for a store that places posts after their commit, as one on a server does."""

from __future__ import annotations

import asyncio
from collections import deque
from pathlib import Path

from signoff.stores.base import Lanes, WorkflowStore
from signoff.stores.change import Batch, Post
from signoff.stores.memory import MemoryStore
from signoff.testing.store_contract import StoreContract


class LaterStore(MemoryStore):
    """A store in memory that records posts with their Change, and waits for somebody to place them."""

    lanes = Lanes(at_once=8, places_at_once=False)

    def __init__(self) -> None:
        super().__init__()
        self._waiting: deque[Post] = deque()
        self._placing = asyncio.Lock()

    def _post(self, post: Post, batches: dict[str, Batch]) -> None:
        self._waiting.append(post)

    async def place(self, *, limit: int = 1_000) -> int:
        self._check_open()
        placed = 0
        async with self._placing:
            while self._waiting and placed < limit:
                self._streams.append(self._waiting.popleft())
                placed += 1
                await asyncio.sleep(0)
        return placed

    async def unplaced(self) -> int:
        self._check_open()
        return len(self._waiting)


class TestLater(StoreContract):
    shared = False

    def new_store(self, folder: Path) -> WorkflowStore:
        return LaterStore()
