"""All that the shards hold, piece by piece, and how it comes into them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import orjson

from signoff.errors import BadRequest
from signoff.stores.change import Name
from signoff.stores.copies import (
    NO_CURSOR,
    BatchCopy,
    Dump,
    PartCopy,
    ProducerCopy,
    Record,
    RowCopy,
    StreamCopy,
    SubjectCopy,
    size_of,
)
from signoff.stores.redis import records
from signoff.stores.redis.keys import name_of
from signoff.stores.redis.restoring import restore
from signoff.stores.redis.scripts import HEADS, RANGES, READ
from signoff.stores.redis.shards import Shards
from signoff.streams.stream import Head

__all__ = ["dump", "restore"]

_PAGE: Final = 100
_CHUNK: Final = 1 << 20
_PLACE: Final = 15

_CopyCursor = list[Any]
"""Where a dump is: phase, shard, and the last of what that phase goes through, as its texts in hexadecimal."""

_Unit = tuple[_CopyCursor, list[Record]]
"""Records that go together, and where the dump is behind them."""


async def dump(shards: Shards, after: str, max_bytes: int) -> Dump:
    """Return the records that follow a cursor.

    Raises:
        BadRequest: it is not one of ours.
    """
    found: list[Record] = []
    size = 0
    cursor = ""
    async for at, some in _all(shards, _read_cursor(after)):
        if size >= max_bytes and found:
            return Dump(tuple(found), cursor)
        cursor = orjson.dumps(at).decode()
        found += some
        size += sum(map(size_of, some))
    await shards.confirm()
    return Dump(tuple(found), None)


def _read_cursor(after: str) -> _CopyCursor:
    if not after:
        return [0, 0, ""]
    try:
        phase, shard, *rest = orjson.loads(after)
        assert 0 <= phase < len(_PHASES)
        assert isinstance(shard, int)
        [bytes.fromhex(one) for one in rest[:1]]
        assert all(isinstance(one, int) for one in rest[1:])
    except (ValueError, TypeError, AssertionError) as error:
        raise BadRequest(NO_CURSOR) from error
    return [phase, shard, *rest]


async def _all(shards: Shards, cursor: _CopyCursor) -> AsyncIterator[_Unit]:
    first_phase, first_shard, *place = cursor
    for phase in range(first_phase, len(_PHASES)):
        for shard in range(len(shards.keys)):
            if phase == first_phase and shard < first_shard:
                continue
            begin = place if (phase, shard) == (first_phase, first_shard) else [""]
            async for at, some in _PHASES[phase](shards, shard, bytes.fromhex(begin[0]), *begin[1:]):
                yield [phase, shard, *at], some


# -- subjects and parts ------------------------------------------------------------------------------------------------


async def _members(shards: Shards, shard: int, what: bytes, after: bytes) -> AsyncIterator[tuple[bytes, bytes]]:
    """Go through what is listed: the member, and the kind."""
    index = shards.keys[shard].index
    first = b"(" + after if after else b"[" + what
    end = b"(" + bytes([what[0] + 1])
    while some := await shards.nodes.ask(shard, "ZRANGEBYLEX", index, first, end, "LIMIT", 0, 1):
        size = 5 + int.from_bytes(some[0][1:5])
        head = some[0][:size]
        first = max(first, b"[" + head + b"*", key=lambda one: one[1:])
        while page := await shards.nodes.ask(shard, "ZRANGEBYLEX", index, first, b"(" + head + b"+", "LIMIT", 0, _PAGE):
            for member in page:
                yield member, head[5:]
            first = b"(" + page[-1]
        first = b"[" + head + b"\xff"


async def _subjects(shards: Shards, shard: int, after: bytes) -> AsyncIterator[_Unit]:
    async for member, kind in _members(shards, shard, b"s", after):
        rest = member[len(kind) + 6 :]
        name = Name(kind.decode(), rest[_PLACE:].decode())
        told = b"%d:%b:%b" % (len(kind), kind, rest[_PLACE:])
        keys = shards.keys[shard]
        fields = (await shards.nodes.read(shard, RANGES, [keys.index, keys.subject(told)], [_NOTHING, b"subject", 0]))[
            2
        ][0]
        if not fields[0]:
            continue
        subject = shards.subject_of(name, fields)
        rank = shards.place(shard, rest)[1]
        lease_ms = int.from_bytes(fields[1][8:16]) if subject.lease_until is not None else 0
        found: list[Record] = [SubjectCopy(subject, rank, lease_ms)]
        heads = await _heads(shards, shard, [one.path.encode() for one in subject.streams])
        found += [StreamCopy(head, name) for head, _ in heads]
        yield [member.hex()], found


_NOTHING: Final = b"da39a3ee5e6b4b0d3255bfef95601890afd80709"
"""The digest of no ranges."""


async def _parts(shards: Shards, shard: int, after: bytes) -> AsyncIterator[_Unit]:
    async for member, kind in _members(shards, shard, b"p", after):
        rest = member[len(kind) + 6 :]
        size = int.from_bytes(rest[_PLACE : _PLACE + 4])
        owner, field = rest[_PLACE + 4 : _PLACE + 4 + size], rest[_PLACE + 4 + size :]
        text = await shards.nodes.ask(shard, "HGET", shards.keys[shard].parts(owner, kind), field)
        if text is not None:
            part = records.part_of(kind.decode(), field, text)
            yield [member.hex()], [PartCopy(name_of(owner), part, shards.place(shard, rest)[1])]


# -- streams -----------------------------------------------------------------------------------------------------------


async def _heads(shards: Shards, shard: int, paths: Sequence[bytes]) -> list[tuple[Head, bytes | None]]:
    keys = [key for path in paths for key in shards.keys[shard].stream(path)]
    found = await shards.nodes.read(shard, HEADS, keys) if keys else []
    return [(records.head_of(path.decode(), *one[:4]), one[4]) for path, one in zip(paths, found, strict=True) if one]


async def _paths(shards: Shards, shard: int, after: bytes, *, again: bool = False) -> AsyncIterator[bytes]:
    first = (b"[" if again else b"(") + after if after or not again else b"-"
    if not after:
        first = b"-"
    while page := await shards.nodes.ask(shard, "ZRANGEBYLEX", shards.keys[shard].paths, first, "+", "LIMIT", 0, _PAGE):
        for path in page:
            yield path
        first = b"(" + page[-1]


async def _streams(shards: Shards, shard: int, after: bytes, depth: int = 0) -> AsyncIterator[_Unit]:
    """Go through the streams that are nobody's own: a fork comes after what it was forked from."""
    deepest = depth + 1 if after else depth  # what is before `after` is not looked at again, and may be deeper
    while depth <= deepest:
        async for path in _paths(shards, shard, after):
            for head, owner in await _heads(shards, shard, [path]):
                of_this = head.fork.depth if head.fork else 0
                deepest = max(deepest, of_this)
                if owner is None and of_this == depth:
                    yield [path.hex(), depth], [StreamCopy(head)]
        depth, after = depth + 1, b""


async def _producers(shards: Shards, shard: int, after: bytes) -> AsyncIterator[_Unit]:
    async for path in _paths(shards, shard, after):
        found = await shards.nodes.ask(shard, "HGETALL", shards.keys[shard].all_of_stream(path)[3])
        marks = [records.producer_of(found[at].decode(), found[at + 1]) for at in range(0, len(found), 2)]
        if marks:
            yield [path.hex()], [ProducerCopy(path.decode(), mark) for mark in marks if mark is not None]


async def _rows(shards: Shards, shard: int, after: bytes) -> AsyncIterator[_Unit]:
    async for path in _paths(shards, shard, after):
        found = await shards.nodes.ask(shard, "HGETALL", shards.keys[shard].all_of_stream(path)[2])
        rows = sorted(
            (records.row_of(found[at], found[at + 1]) for at in range(0, len(found), 2)), key=lambda row: row.position
        )
        if rows:
            yield [path.hex()], [RowCopy(path.decode(), row) for row in rows]


async def _batches(shards: Shards, shard: int, after: bytes, position: int = 0) -> AsyncIterator[_Unit]:
    keys = shards.keys[shard]
    async for path in _paths(shards, shard, after, again=True):
        while True:
            found = await shards.nodes.read(
                shard,
                READ,
                [*keys.all_of_stream(path), keys.moved, keys.meta],
                [position, _CHUNK, b"", path, shards.idents[shard]],
            )
            some = [records.batch_of(text) for text in found[4]] if isinstance(found, list) else []
            if not some:
                break
            for batch in some:
                yield [path.hex(), batch.end], [BatchCopy(path.decode(), batch)]
            position = some[-1].end
        position = 0


_PHASES: Final = (_subjects, _parts, _streams, _producers, _rows, _batches)
