"""Streams, read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from heapq import merge
from itertools import islice
from typing import Any, Final

from signoff.stores.base import StreamStart, StreamState, StreamTail
from signoff.stores.change import Batch
from signoff.stores.redis import records
from signoff.stores.redis.scripts import PURGE, READ, TAILS
from signoff.stores.redis.shards import Shards
from signoff.streams.stream import Head

_PIECE: Final = 4_000
"""Batches that are dropped in one go: less than a millisecond."""

_PIECE_OF_PARTS: Final = 500
"""Parts that are dropped in one go, with what lists them."""

_AT_ONCE: Final = 200
"""Streams that are looked at in one script."""


async def load_stream(shards: Shards, path: str, producer_id: str | None) -> StreamState | None:
    """Load a stream's head, and one producer's state when asked for."""
    asked = b"" if producer_id is None else b"=" + producer_id.encode()
    found = await _read(shards, path, b"", 0, asked)
    if found is None:
        return None
    return StreamState(_head(path, found), None if producer_id is None else records.producer_of(producer_id, found[6]))


async def read(shards: Shards, path: str, start: int, max_bytes: int) -> tuple[Head, list[Batch]] | None:
    """Read batches that overlap positions from `start` on, with the head of that moment."""
    found = await _read(shards, path, b"%d" % start, max_bytes)
    return None if found is None else (_head(path, found), [records.batch_of(text) for text in found[4]])


async def read_start(shards: Shards, path: str, max_bytes: int) -> StreamStart | None:
    """Read the live rows, and the batches from their position on."""
    found = await _read(shards, path, b"rows", max_bytes)
    if found is None:
        return None
    rows = tuple(text[8:] for text in sorted(found[5], key=lambda text: text[:8]))
    return StreamStart(_head(path, found), rows, tuple(records.batch_of(text) for text in found[4]))


async def rows_bytes(shards: Shards, path: str) -> int:
    """Return how many bytes the live rows have together."""
    shard = await shards.locate(path)
    head, _ = shards.keys[shard].stream(path.encode())
    return int(await shards.nodes.ask(shard, "HGET", head, "b") or 0)


async def find_streams(shards: Shards, paths: Sequence[str]) -> dict[str, StreamTail]:
    """Return how far those of `paths` that exist have grown."""
    asked = list(dict.fromkeys(paths))
    found = await _find(shards, {path: shards.known(path) for path in asked})
    if len(found) < len(asked) and not shards.one:
        # Few are ever elsewhere than their name says; those that are nowhere are looked for twice.
        there = {path: await shards.locate(path) for path in asked if path not in found}
        found |= await _find(shards, there)
    if len(found) < len(asked):
        await shards.confirm()
    return {path: found[path] for path in asked if path in found}


async def _find(shards: Shards, places: Mapping[str, int]) -> dict[str, StreamTail]:
    by_shard: dict[int, list[str]] = {}
    for path, shard in places.items():
        by_shard.setdefault(shard, []).append(path)
    looks = [_tails(shards, shard, some[at : at + _AT_ONCE]) for shard, some in by_shard.items()
             for at in range(0, len(some), _AT_ONCE)]  # fmt: skip
    return {tail.path: tail for some in await asyncio.gather(*looks) for tail in some}


async def list_streams(shards: Shards, prefix: str, limit: int, after: str) -> list[StreamTail]:
    """List streams whose path begins with `prefix` and comes after `after`."""
    looks = [_list(shards, shard, prefix.encode(), limit, after.encode()) for shard in range(len(shards.keys))]
    merged = merge(*await asyncio.gather(*looks), key=lambda one: one.path.encode())
    found = list(islice(merged, max(limit, 0)))
    if not found:
        await shards.confirm()
    return found


async def _list(shards: Shards, shard: int, prefix: bytes, limit: int, after: bytes) -> list[StreamTail]:
    found: list[StreamTail] = []
    # A path is UTF-8, in which no byte is 255. The empty path comes after nothing.
    first = b"(" + after if after >= prefix and after else b"[" + prefix
    last = b"(" + prefix + b"\xff"
    while len(found) < limit:
        most = min(limit - len(found), _AT_ONCE)
        some = await shards.nodes.ask(shard, "ZRANGEBYLEX", shards.keys[shard].paths, first, last, "LIMIT", 0, most)
        if not some:
            break
        found += await _tails(shards, shard, [path.decode() for path in some])
        first = b"(" + some[-1]
    return found


async def _tails(shards: Shards, shard: int, paths: Sequence[str]) -> list[StreamTail]:
    keys = [key for path in paths for key in shards.keys[shard].stream(path.encode())]
    found = await shards.nodes.read(shard, TAILS, keys)
    tails = (records.tail_of(path, one) for path, one in zip(paths, found, strict=True) if one)
    return [one for one in tails if one is not None]


async def ended_streams(shards: Shards, now: int, limit: int) -> list[str]:
    """Return paths of streams whose life is over at `now`, the earliest first."""
    if limit <= 0:
        return []
    looks = [
        shards.nodes.ask(shard, "ZRANGEBYSCORE", keys.ends, "-inf", now, "WITHSCORES", "LIMIT", 0, limit)
        for shard, keys in enumerate(shards.keys)
    ]
    found = [sorted(_scored(some)) for some in await asyncio.gather(*looks)]
    return [path.decode() for _, path in islice(merge(*found), limit)]


def _scored(found: Sequence[bytes]) -> Iterable[tuple[float, bytes]]:
    return ((float(found[at + 1]), found[at]) for at in range(0, len(found), 2))


async def purge(shards: Shards) -> bool:
    """Drop a piece of what deleted streams held; False: there is nothing left."""
    for shard, keys in enumerate(shards.keys):
        doomed = await shards.nodes.ask(shard, "LINDEX", keys.doomed, 0)
        if doomed is not None:
            ident = doomed[:16]
            names = [keys.doomed, keys.index, *keys.doomed_stream(ident), keys.doomed_parts(ident)]
            most = _PIECE if len(doomed) == len(ident) else _PIECE_OF_PARTS
            left = await shards.nodes.read(shard, PURGE, names, [doomed, most])
            if left or shard + 1 < len(shards.keys):
                return True
    return False


async def _read(shards: Shards, path: str, start: bytes, max_bytes: int, producer: bytes = b"") -> Any:
    shard, name = shards.known(path), path.encode()
    args: list[bytes | int] = [start, max_bytes, producer, name]
    found = await _read_in(shards, shard, name, args)
    if isinstance(found, list) or shards.one:
        return found
    elsewhere = await shards.locate(path)
    if elsewhere == shard:
        return None
    found = await _read_in(shards, elsewhere, name, args)
    return found if isinstance(found, list) else None


async def _read_in(shards: Shards, shard: int, name: bytes, args: Sequence[bytes | int]) -> Any:
    keys = shards.keys[shard]
    names = [*keys.all_of_stream(name), keys.moved, keys.meta]
    return await shards.nodes.read(shard, READ, names, [*args, shards.idents[shard]])


def _head(path: str, found: Sequence[Any]) -> Head:
    return records.head_of(path, found[0], found[1], found[2], found[3])
