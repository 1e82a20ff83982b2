"""Subjects and parts, read: loaded by name, and listed by their terms."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from heapq import merge
from typing import Any, Final, Generic, TypeVar

from signoff.errors import StoreError
from signoff.stores import paging
from signoff.stores.base import Listing, LoadedSubject, OwnedPart, Page, PartsWanted
from signoff.stores.change import Name, Part, Subject
from signoff.stores.redis import records
from signoff.stores.redis.changes import part_kind, subject_kind
from signoff.stores.redis.keys import name_of, ordered, ref
from signoff.stores.redis.scripts import LOAD, RANGES
from signoff.stores.redis.shards import Shards

T = TypeVar("T", Subject, OwnedPart)

_LOOKS: Final = 20
"""How often a page is looked at anew because others wrote to what it lists between two looks."""

_PLACE: Final = 15


async def load(shards: Shards, name: Name, wanted: Sequence[PartsWanted]) -> LoadedSubject | None:
    """Load a subject with some of its parts."""
    shard, told = shards.of_name(name), ref(name)
    keys = shards.keys[shard]
    names = [keys.subject(told)]
    args: list[bytes] = []
    for one in wanted:
        names.append(keys.parts(told, one.kind.encode()))
        args += (records.flag(one.key is None), (one.key or "").encode(), records.flag(one.open))
    found = await shards.nodes.read(shard, LOAD, [*names, keys.meta], [*args, shards.idents[shard]])
    if found is None:
        return None
    parts: dict[tuple[str, bytes], bytes] = {}
    for one, some in zip(wanted, found[1:], strict=True):
        parts.update({(one.kind, some[at]): some[at + 1] for at in range(0, len(some), 2)})
    # In the order of first putting, which their numbers are.
    order = sorted(parts.items(), key=lambda item: item[1][8:_PLACE])
    return LoadedSubject(
        shards.subject_of(name, found[0]), tuple(records.part_of(kind, key, text) for (kind, key), text in order)
    )


async def list_subjects(shards: Shards, where: Listing, limit: int, cursor: str | None) -> Page[Subject]:
    """List subjects."""
    return await _Lister(shards, where, limit, _SUBJECTS).page(cursor)


async def list_parts(shards: Shards, where: Listing, limit: int, cursor: str | None) -> Page[OwnedPart]:
    """List parts, of whatever subject."""
    return await _Lister(shards, where, limit, _PARTS).page(cursor)


@dataclass(frozen=True, slots=True)
class _Sort(Generic[T]):
    """What is listed: how members begin, where the record is, and how it is read."""

    what: str
    kind: Callable[[str], bytes]
    key: Callable[[Shards, int, str, bytes], tuple[bytes, bytes]]
    item: Callable[[Shards, str, bytes, Any], T | None]


class _Lister(Generic[T]):
    """One page of a listing."""

    def __init__(self, shards: Shards, where: Listing, limit: int, sort: _Sort[T]) -> None:
        self._shards = shards
        self._where = where
        self._limit = limit
        self._sort: _Sort[T] = sort
        self._every = frozenset(where.all_of)

    async def page(self, cursor: str | None) -> Page[T]:
        """Return the page."""
        where = self._where
        start = paging.place(cursor, oldest_first=where.oldest_first)
        found: list[tuple[tuple[int, int], T]] = []
        if where.any_of is not None and not where.any_of:
            return Page((), None)
        most = max(self._limit, 0) + 1
        while len(found) < most:
            some, more = await self._look(start, most - len(found))
            found += [(place, item) for place, item in some if item is not None]
            if not more:
                break
            start = some[-1][0]
        items = tuple(item for _, item in found[: most - 1])
        if not items:
            await self._shards.confirm()
        if len(found) < most or not items:
            return Page(items, None)
        return Page(items, paging.cursor(*found[most - 2][0]))

    async def _look(self, start: tuple[int, int], most: int) -> tuple[list[tuple[tuple[int, int], T | None]], bool]:
        """Read what follows a place, in all shards; tell whether there may be more behind it."""
        most = max(most, 32) if self._every else most
        found = await asyncio.gather(*(self._look_at(shard, start, most) for shard in range(len(self._shards.keys))))
        ordered_rows = list(
            merge(*(rows for rows, _ in found), key=lambda row: row[0], reverse=not self._where.oldest_first)
        )
        return ordered_rows[:most], len(ordered_rows) > most or any(more for _, more in found)

    async def _look_at(
        self, shard: int, start: tuple[int, int], most: int
    ) -> tuple[list[tuple[tuple[int, int], T | None]], bool]:
        """Read what follows a place in one shard, all of it as of one moment."""
        ranges: list[bytes] = list(self._ranges(shard, start, most))
        keys: list[bytes] = [self._shards.keys[shard].index]
        digest: bytes = b""
        names: list[bytes] = []
        members: list[tuple[tuple[int, int], bytes]] = []
        for _ in range(_LOOKS):
            args = [digest, self._sort.what.encode(), b"%d" % (len(ranges) // 4), *ranges, *names]
            answer = await self._shards.nodes.read(shard, RANGES, keys, args)
            if len(answer) > 2:
                rows = [
                    (place, self._item(rest, record)) for (place, rest), record in zip(members, answer[2], strict=True)
                ]
                return rows, any(len(some) >= most for some in answer[0])
            members = self._members(shard, answer[0], most)
            digest = answer[1]
            found: list[tuple[bytes, bytes]] = [
                self._sort.key(self._shards, shard, self._where.kind, rest) for _, rest in members
            ]
            keys = [self._shards.keys[shard].index, *(key for key, _ in found)]
            names = [field for _, field in found]
        raise StoreError("The listing changes faster than it can be read. Try again.")

    def _members(self, shard: int, found: Iterable[list[bytes]], most: int) -> list[tuple[tuple[int, int], bytes]]:
        """Merge ranges into what to read, each once."""
        places: dict[bytes, tuple[int, int]] = {}
        for some, head in zip(found, self._heads(), strict=True):
            for text in some:
                rest = text[len(head) :]
                places[rest] = self._shards.place(shard, rest)
        ordered_places = sorted(((place, rest) for rest, place in places.items()), reverse=not self._where.oldest_first)
        return ordered_places[:most]

    def _heads(self) -> list[bytes]:
        kind, where = self._sort.kind(self._where.kind), self._where
        if where.any_of is not None:
            return [kind + b"=" + term.encode() + b"\0" for term in dict.fromkeys(where.any_of)]
        return [kind + b"=" + where.all_of[0].encode() + b"\0" if where.all_of else kind + b"*"]

    def _ranges(self, shard: int, start: tuple[int, int], most: int) -> Iterable[bytes]:
        where, shards = self._where, self._shards
        low = b"" if where.after is None else ordered(where.after) + b"\xff" * 8
        high = b"\xff" * 16 if where.before is None else ordered(where.before)
        if where.oldest_first:
            low = max(low, shards.lower(shard, start))
        else:
            high = min(high, shards.upper(shard, start))
        for head in self._heads():
            yield from (b"[" + head + low, b"(" + head + high, records.flag(not where.oldest_first), b"%d" % most)

    def _item(self, rest: bytes, record: Any) -> T | None:
        item: T | None = self._sort.item(self._shards, self._where.kind, rest, record)
        if item is None:
            return None
        terms = set(item.part.terms if isinstance(item, OwnedPart) else item.terms)
        where = self._where
        if not self._every <= terms or (where.any_of is not None and terms.isdisjoint(where.any_of)):
            return None
        return item


def _subject_key(shards: Shards, shard: int, kind: str, rest: bytes) -> tuple[bytes, bytes]:
    return shards.keys[shard].subject(ref(Name(kind, rest[_PLACE:].decode()))), b""


def _subject(shards: Shards, kind: str, rest: bytes, fields: Any) -> Subject | None:
    if not fields[0] or records.place_of_subject(fields) != rest[:_PLACE]:
        return None
    return shards.subject_of(Name(kind, rest[_PLACE:].decode()), fields)


def _owner(rest: bytes) -> tuple[bytes, bytes]:
    size = int.from_bytes(rest[_PLACE : _PLACE + 4])
    start = _PLACE + 4
    return rest[start : start + size], rest[start + size :]


def _part_key(shards: Shards, shard: int, kind: str, rest: bytes) -> tuple[bytes, bytes]:
    owner, field = _owner(rest)
    return shards.keys[shard].parts(owner, kind.encode()), field


def _part(_: Shards, kind: str, rest: bytes, text: Any) -> OwnedPart | None:
    if text is None or text[:_PLACE] != rest[:_PLACE]:
        return None
    owner, field = _owner(rest)
    part: Part = records.part_of(kind, field, text)
    return OwnedPart(name_of(owner), part)


_SUBJECTS: Final[_Sort[Subject]] = _Sort("subject", subject_kind, _subject_key, _subject)
_PARTS: Final[_Sort[OwnedPart]] = _Sort("part", part_kind, _part_key, _part)
