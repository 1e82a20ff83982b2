"""Posts from one shard to another: left in the sender's outbox by its commit, and placed by whoever relays."""

from __future__ import annotations

from signoff.stores.redis.shards import Shards


async def place(shards: Shards, limit: int) -> list[str]:
    """Place up to `limit` posts; return the paths of their streams, one for each."""
    if shards.one or limit <= 0:
        return []
    return []


async def unplaced(shards: Shards) -> int:
    """Return how many posts wait."""
    if shards.one:
        return 0
    return sum([int(await shards.nodes.ask(shard, "LLEN", keys.outbox)) for shard, keys in enumerate(shards.keys)])
