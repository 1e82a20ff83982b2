"""Subjects that are due, and leases on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from signoff.stores.change import Name, Subject
from signoff.stores.redis.changes import epoch_text
from signoff.stores.redis.keys import name_of, number_of, ordered, position, ref, sized
from signoff.stores.redis.scripts import CLAIM, RANGES, RELEASE, RENEW
from signoff.stores.redis.shards import Shards

_TRIES: Final = 100
"""How often a claim looks for more because others were faster with what it had found."""

_FAR: Final = 200
_AT_ONCE: Final = 500
_random: Final = Random()  # noqa: S311 - which of many is taken must differ, not be hard to guess
_NO_KEY: Final = "none"


@dataclass(frozen=True, slots=True, order=True)
class _DueWork:
    """A subject in the agenda: since when it is due, and where it is."""

    since: bytes
    shard: int
    ref: bytes


def _ranges(shards: Shards, queues: Collection[str], now: int, limit: int) -> list[bytes]:
    """Return for each queue the ranges of those whose lease has ended, who are ready, and whose time has come."""
    args: list[bytes] = []
    for queue in dict.fromkeys(queues):
        for first, last in _parts(shards, sized(queue.encode()), now):
            args += (first, last, b"0", b"%d" % limit)
    return args


def _parts(shards: Shards, head: bytes, now: int) -> tuple[tuple[bytes, bytes], ...]:
    """Return the ranges of a queue that are due at `now`."""
    leases = ordered(shards.clock.at_server(now)) + b"\xff"
    return (
        (b"[" + head + b"l", b"(" + head + b"l" + leases),
        (b"[" + head + b"r", b"(" + head + b"s"),
        (b"[" + head + b"t", b"(" + head + b"t" + ordered(now) + b"\xff"),
    )


def _due_of(shard: int, member: bytes) -> _DueWork:
    at = 5 + int.from_bytes(member[:4])
    return _DueWork(member[at : at + 8], shard, member[at + 8 :])


async def _find(shards: Shards, queues: Collection[str], now: int, limit: int) -> list[_DueWork]:
    """Find up to `limit` subjects that are due, the oldest first."""
    ranges = _ranges(shards, queues, now, limit)
    if not ranges or limit <= 0:
        return []
    looks = [_members(shards, shard, ranges) for shard in range(len(shards.keys))]
    found = [_due_of(shard, member) for shard, some in enumerate(await asyncio.gather(*looks)) for member in some]
    return sorted(found)[:limit]


async def _members(shards: Shards, shard: int, ranges: Sequence[bytes]) -> list[bytes]:
    args = [b"-", b"", b"%d" % (len(ranges) // 4), *ranges]
    answer = await shards.nodes.read(shard, RANGES, [shards.keys[shard].agenda], args)
    return [member for some in answer[0] for member in some]


async def _find_far(shards: Shards, now: int) -> list[_DueWork]:
    """Find subjects whose lease is further ahead than twice its length, in whatever queue."""
    looks = [
        shards.nodes.ask(shard, "ZRANGEBYSCORE", keys.far, f"({shards.clock.at_server(now)}", "+inf", "LIMIT", 0, _FAR)
        for shard, keys in enumerate(shards.keys)
    ]
    found = await asyncio.gather(*looks)
    return [_DueWork(b"", shard, one) for shard, some in enumerate(found) for one in some]


@dataclass(frozen=True, slots=True)
class Claim:
    """Leases to take."""

    owner: str
    queues: Collection[str]
    now: int
    lease_ms: int


async def claim(shards: Shards, asked: Claim, limit: int) -> list[Subject]:
    """Take up to `limit` leases on what is due, the oldest first."""
    await shards.look_at_clock()
    now = asked.now
    taken: list[Subject] = []
    for tries in range(_TRIES):
        left = limit - len(taken)
        if left <= 0:
            break
        due, far = await asyncio.gather(_find(shards, asked.queues, now, left * (1 + tries)), _find_far(shards, now))
        wanted = due + (far if tries == 0 else [])
        if not wanted:
            break
        # Whoever was too late with the oldest tries others, for others are after the oldest too.
        first = _random.randrange(max(1, len(wanted) - left + 1)) if tries else 0
        taken += await _take(shards, wanted[first : first + left], asked)
        if len(due) < left and not tries:
            break
    return taken


async def _take(shards: Shards, found: Sequence[_DueWork], asked: Claim) -> list[Subject]:
    """Take leases on those that were found and are still there."""
    found = list({one.ref: one for one in reversed(found)}.values())[::-1]
    by_shard: dict[int, list[bytes]] = {}
    for one in found:
        by_shard.setdefault(one.shard, []).append(one.ref)
    lease_ms, now = asked.lease_ms, shards.clock.at_server(asked.now)
    common = (
        asked.owner.encode(), ordered(now + lease_ms), position(lease_ms), now - lease_ms, ordered(now),
        ordered(asked.now),
        b"".join(sized(queue.encode()) for queue in asked.queues),
    )  # fmt: skip
    calls = []
    for shard, refs in by_shard.items():
        keys = shards.keys[shard]
        names = [keys.agenda, keys.far, *(keys.subject(one) for one in refs)]
        calls.append(shards.nodes.run(shard, CLAIM, names, [*common, *refs]))
    subjects: dict[bytes, Subject] = {}
    for (_, refs), answer in zip(by_shard.items(), await asyncio.gather(*calls), strict=True):
        for nth, *fields in answer:
            subjects[refs[nth]] = shards.subject_of(name_of(refs[nth]), fields)
    return [subjects[one.ref] for one in found if one.ref in subjects]


async def renew(shards: Shards, owner: str, leases: Mapping[Name, int], until: int, along: Name | None) -> set[Name]:
    """Extend leases; return what is lost or given up."""
    by_shard = _by_shard(shards, leases)
    if along is not None:
        by_shard.setdefault(shards.of_name(along), [])
    lost: set[Name] = set()
    ends = shards.clock.at_server(until)
    for shard, names in by_shard.items():
        keys = shards.keys[shard]
        beside = ref(along) if along is not None and shards.of_name(along) == shard else b""
        for some in _pieces(names) or [[]]:
            told = [ref(name) for name in some]
            args: list[bytes | int] = [owner.encode(), ordered(ends), ends, beside, ordered(until)]
            for name, one in zip(some, told, strict=True):
                args += (one, epoch_text(leases[name]))
            named = [keys.agenda, keys.far, keys.subject(beside) if beside else keys.named(_NO_KEY)]
            answer = await shards.nodes.run(shard, RENEW, [*named, *map(keys.subject, told)], args)
            lost |= {some[nth] for nth in answer}
            beside = b""
    return lost


async def release(shards: Shards, owner: str, leases: Mapping[Name, int]) -> None:
    """Give leases up; each subject is ready at once."""
    for shard, names in _by_shard(shards, leases).items():
        keys = shards.keys[shard]
        for some in _pieces(names):
            told = [ref(name) for name in some]
            args: list[bytes] = [owner.encode()]
            for name, one in zip(some, told, strict=True):
                args += (one, epoch_text(leases[name]))
            await shards.nodes.run(shard, RELEASE, [keys.agenda, keys.far, *map(keys.subject, told)], args)


def _by_shard(shards: Shards, leases: Mapping[Name, int]) -> dict[int, list[Name]]:
    found: dict[int, list[Name]] = {}
    for name in leases:
        found.setdefault(shards.of_name(name), []).append(name)
    return found


def _pieces(names: Sequence[Name]) -> list[Sequence[Name]]:
    return [names[at : at + _AT_ONCE] for at in range(0, len(names), _AT_ONCE)]


async def due(shards: Shards, queue: str, now: int, limit: int) -> list[Subject]:
    """Return what is due in a queue, the earliest first."""
    found = await _find(shards, [queue], now, limit)
    subjects = await _load_all(shards, found)
    return [one for one in subjects if one is not None]


async def _load_all(shards: Shards, found: Sequence[_DueWork]) -> list[Subject | None]:
    by_shard: dict[int, list[bytes]] = {}
    for one in found:
        by_shard.setdefault(one.shard, []).append(one.ref)
    loaded: dict[bytes, Subject | None] = {}
    for at, refs in by_shard.items():
        keys = shards.keys[at]
        # No range, and the digest of none: only the records.
        answer = await shards.nodes.read(at, RANGES, [keys.agenda, *map(keys.subject, refs)], [_NOTHING, b"subject", 0])
        for told, fields in zip(refs, answer[2], strict=True):
            loaded[told] = shards.subject_of(name_of(told), fields) if fields[0] else None
    return [loaded[one.ref] for one in found]


_NOTHING: Final = b"da39a3ee5e6b4b0d3255bfef95601890afd80709"
"""The digest of no ranges."""


async def next_due(shards: Shards, queues: Collection[str]) -> int | None:
    """Return the earliest time at which a claim could find something."""
    ranges: list[bytes] = []
    for queue in dict.fromkeys(queues):
        head = sized(queue.encode())
        for class_, after in (b"lm", b"rs", b"tu"):
            ranges += (b"[" + head + bytes([class_]), b"(" + head + bytes([after]), b"0", b"1")
    if not ranges:
        return None
    looks = [_members(shards, shard, ranges) for shard in range(len(shards.keys))]
    times = [_time_of(shards, member) for some in await asyncio.gather(*looks) for member in some]
    if not times:
        await shards.confirm()
    return min(times, default=None)


def _time_of(shards: Shards, member: bytes) -> int:
    at = 4 + int.from_bytes(member[:4])
    class_, time = member[at : at + 1], number_of(member[at + 1 : at + 9])
    return 0 if class_ == b"r" else shards.clock.at_home(time) if class_ == b"l" else time


async def unclaimed(shards: Shards, kind: str, queues: Collection[str], before: int, limit: int) -> list[Name]:
    """Return what nobody of these queues could have claimed since `before`."""
    found: list[Name] = []
    known = {sized(queue.encode()) for queue in queues}
    for shard in range(len(shards.keys)):
        if len(found) < limit:
            async for subject in _waiting(shards, shard, known, before):
                if subject.name.kind == kind and (subject.ready or not subject.quiet):
                    found.append(subject.name)
                    if len(found) >= limit:
                        break
    return found


async def _waiting(shards: Shards, shard: int, known: Collection[bytes], before: int) -> AsyncIterator[Subject]:
    """Go through the subjects of a shard that are due since `before` in queues other than those that are known."""
    async for head in _queues(shards, shard):
        if head in known:
            continue
        leased, _, timed = _parts(shards, head, before)
        # Those that are ready stand in the order of since when they are.
        ready = (b"[" + head + b"r", b"(" + head + b"r" + ordered(before) + b"\xff")
        for first, last in (leased, ready, timed):
            async for some in _pages(shards, shard, first, last):
                for subject in await _load_all(shards, [_due_of(shard, member) for member in some]):
                    if subject is not None:
                        yield subject


async def _pages(shards: Shards, shard: int, first: bytes, last: bytes) -> AsyncIterator[list[bytes]]:
    """Go through a range of the agenda."""
    agenda = shards.keys[shard].agenda
    while some := await shards.nodes.ask(shard, "ZRANGEBYLEX", agenda, first, last, "LIMIT", 0, _AT_ONCE):
        yield some
        first = b"(" + some[-1]


async def _queues(shards: Shards, shard: int) -> AsyncIterator[bytes]:
    """Go through the queues of a shard by leaps."""
    first = b"-"
    while some := await shards.nodes.ask(shard, "ZRANGEBYLEX", shards.keys[shard].agenda, first, "+", "LIMIT", 0, 1):
        head = some[0][: 4 + int.from_bytes(some[0][:4])]
        yield head
        first = b"[" + head + b"u"
