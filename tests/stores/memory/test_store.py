"""What is the memory store's own, beyond the laws."""

from __future__ import annotations

import asyncio

import pytest

from signoff.stores.change import Committed
from signoff.stores.memory import MemoryStore
from signoff.stores.memory import store as module
from signoff.testing.store_contract.laws import advance, delete, start


def test_every_change_of_late_is_found_or_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what was overwritten since; of what is longer ago nothing is claimed."""
    monkeypatch.setattr(module, "_MARKS", 4)

    async def main() -> None:
        store = MemoryStore()
        await store.open()
        made = [start("r1"), advance("r1", 1), delete("r1", 2), start("r2")]
        assert [type(one) for one in await store.commit(made)] == [Committed] * 4
        never = [start("r3"), start("r2")]
        assert await store.find([*made, *never]) == [True] * 4 + [False] * 2
        await store.commit([start("r4"), start("r4")])
        assert await store.find([*made, *never]) == [None, True, True, True, None, None]

    asyncio.run(main())
