"""Posts from one shard to another: left in the sender's outbox by its commit, and placed by whoever relays.

A post has a number, which its sender's shard counts, and each stream notes the number of the last one that it has of
each shard. So a post is placed once, whoever relays and wherever they die: it is forgotten after it was placed, and one
that was placed is passed over.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from signoff.stores.redis.changes import new_seed
from signoff.stores.redis.scripts import PLACE, PLACED
from signoff.stores.redis.shards import Shards

_TRIES = 20


@dataclass(frozen=True, slots=True)
class _Left:
    """A post in an outbox."""

    number: bytes
    path: str
    units: int
    data: bytes


async def place(shards: Shards, limit: int) -> tuple[int, list[str]]:
    """Place up to `limit` posts; return how many, and the paths of their streams."""
    placed, paths = 0, dict[str, None]()
    if shards.one:
        return 0, []
    for shard, keys in enumerate(shards.keys):
        if placed >= limit:
            break
        texts = await shards.nodes.ask(shard, "LRANGE", keys.outbox, 0, limit - placed - 1)
        if texts:
            left = [_read(text) for text in texts]
            await _place_all(shards, shard, left)
            placed += await shards.nodes.read(shard, PLACED, [keys.outbox], [left[-1].number])
            paths |= {one.path: None for one in left}
    return placed, list(paths)


async def _place_all(shards: Shards, sender: int, left: list[_Left]) -> None:
    for _ in range(_TRIES):
        by_shard: dict[int, list[_Left]] = {}
        for one in left:
            by_shard.setdefault(shards.known(one.path), []).append(one)
        calls = [_place_in(shards, sender, shard, some) for shard, some in by_shard.items()]
        left = [one for some in await asyncio.gather(*calls) for one in some]
        if not left:
            return
        for path in {one.path for one in left}:
            # Where it went nobody may have taken it yet: whoever makes a stream must say so first.
            await shards.bring(path, await shards.locate(path))


async def _place_in(shards: Shards, sender: int, shard: int, some: list[_Left]) -> list[_Left]:
    """Place posts in one shard; return those whose streams are in another."""
    keys = shards.keys[shard]
    names = [keys.paths, keys.moved]
    args: list[bytes | int] = [sender, shard]
    for one in some:
        path = one.path.encode()
        names += keys.stream(path)
        args += (one.number, path, one.units, one.data, new_seed(), shards.here(shard, one.path))
    # It can be run again: what was placed is passed over.
    return [some[nth] for nth in await shards.nodes.read(shard, PLACE, names, args)]


def _read(text: bytes) -> _Left:
    end = 12 + int.from_bytes(text[8:12])
    return _Left(text[:8], text[12:end].decode(), int.from_bytes(text[end : end + 4]), text[end + 4 :])


async def unplaced(shards: Shards) -> int:
    """Return how many posts wait."""
    if shards.one:
        return 0
    asked = [shards.nodes.ask(shard, "LLEN", keys.outbox) for shard, keys in enumerate(shards.keys)]
    return sum(await asyncio.gather(*asked))
