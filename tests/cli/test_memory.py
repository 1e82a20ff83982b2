"""Memory that was freed goes back to the system."""

from __future__ import annotations

import asyncio
from pathlib import Path

from signoff.cli.memory import giving_back


def resident() -> int:
    """Return how much memory this process has, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def test_what_is_freed_between_what_is_kept_is_given_back() -> None:
    blocks = [bytes(2_000) for _ in range(40_000)]
    kept = blocks[::100]
    full = resident()
    del blocks
    giving = asyncio.create_task(giving_back(0.01))
    async with asyncio.timeout(20):
        while resident() > full - 50_000_000:
            await asyncio.sleep(0.01)
    assert not giving.done()
    giving.cancel()
    assert len(kept) == 400
