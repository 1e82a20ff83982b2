"""Which shard has what: by the name of a subject, and by the path of a stream.

All keys of a Change must be in one slot. A subject is where its id says, and the streams of a run are where the run's
id says; any other stream is where its path says, unless it was made beside another: a fork, or a stream of a subject's
own at a path that says nothing of it. What is elsewhere is noted (`moved`): where its path says, and where it is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from secrets import token_hex
from typing import Final
from zlib import crc32

from signoff import paths
from signoff.errors import StoreError
from signoff.stores.change import (
    Change,
    FamilyWrite,
    Name,
    Post,
    RowsWrite,
    StreamDelete,
    Subject,
    SubjectDelete,
    SubjectWrite,
)
from signoff.stores.redis import records
from signoff.stores.redis.keys import KeyNames, ordered, sized
from signoff.stores.redis.nodes import Nodes, gone
from signoff.stores.redis.options import Options
from signoff.stores.redis.scripts import MOVE, NOTE
from signoff.stores.server_clock import LOOK_EVERY_S, ServerClock
from signoff.streams.stream import Write

_MOST: Final = (1 << 56) - 1

_EPOCH_NS: Final = 1_735_689_600 * 10**9  # 2025
_TICK_NS: Final = 1_000_000 // 64
"""Nanoseconds by which numbers of what is new follow each other: with 256 shards they stay below 2^53 until 2042."""

_NOTES: Final = 20
"""How many notes are followed of where a path went."""

_REMEMBERED: Final = 10_000
"""Of how many paths it is remembered that they went elsewhere."""


def keys_of(options: Options) -> tuple[KeyNames, ...]:
    """Return the keys of each shard."""
    if options.shards == 1:
        return (KeyNames(f"{{{options.prefix}}}"),)
    return tuple(KeyNames(f"{{{options.prefix}:{number:02}}}") for number in range(options.shards))


class Shards:
    """The shards of a store, as one event loop reaches them.

    Args:
        nodes: the servers.
        keys: of each shard.
        clock: what is known of the servers' clock; nothing if None.
    """

    def __init__(self, nodes: Nodes, keys: Sequence[KeyNames], clock: ServerClock | None = None) -> None:
        self.nodes = nodes
        self.keys = keys
        self.one = len(keys) == 1
        self.idents: list[bytes] = [b""] * len(keys)
        self._stamp = 0
        self.clock = clock or ServerClock()
        self._looked_at = -LOOK_EVERY_S
        self._known: dict[str, int] = {}

    def of_name(self, name: Name) -> int:
        """Return the shard of a subject."""
        return 0 if self.one else self._of(name.id)

    def home(self, path: str) -> int:
        """Return the shard where a stream is, unless it was made beside another."""
        if self.one:
            return 0
        return self._of(path.split("/")[1] if paths.is_of_a_run(path) else path)

    def _of(self, text: str) -> int:
        return crc32(text.encode()) % len(self.keys)

    # -- whether the data is still there ---------------------------------------------------------------------------

    async def identify(self) -> None:
        """Note which data each shard has, and give that which is new a name of its own (`id`).

        Scripts that write, and those that find nothing, compare it: on a server that was emptied, what is there later,
        or is not, is not what we have opened.
        """
        for shard, keys in enumerate(self.keys):
            await self.nodes.ask(shard, "HSETNX", keys.meta, "id", token_hex(8))
        self.idents = await self._found_idents()

    async def confirm(self) -> None:
        """See that what we have opened is still there, for whoever has found nothing in it.

        Raises:
            StoreUnavailable: it is gone.
        """
        if await self._found_idents() != self.idents:
            raise gone()

    async def _found_idents(self) -> list[bytes]:
        asked = [self.nodes.ask(shard, "HGET", keys.meta, "id") for shard, keys in enumerate(self.keys)]
        return [found or b"" for found in await asyncio.gather(*asked)]

    # -- the clock of leases ---------------------------------------------------------------------------------------

    async def look_at_clock(self) -> None:
        """Look from time to time how far our clock is from that of the first server."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = now
        before = time.time_ns()
        seconds, micros = map(int, await self.nodes.ask(0, "TIME"))
        server = seconds * 1_000 + micros // 1_000
        self.clock.note(before // 1_000_000, server, time.time_ns() // 1_000_000)

    def subject_of(self, name: Name, fields: records.Fields) -> Subject:
        """Read a subject, with the end of its lease by our clock."""
        subject = records.subject_of(name, fields)
        if subject.lease_until is None or not self.clock.shift:
            return subject
        return replace(subject, lease_until=self.clock.at_home(subject.lease_until))

    # -- where streams are -----------------------------------------------------------------------------------------

    def known(self, path: str) -> int:
        """Return the shard where a stream is, as far as we know: whoever asks there learns if it is elsewhere."""
        if self.one:
            return 0
        found = self._known.get(path)
        return self.home(path) if found is None else found

    def here(self, shard: int, path: str) -> bytes:
        """Tell a script whether a stream may be made there, unless it knows better (`is_ours` in `common.lua`)."""
        if self.one:
            return b"o"
        return b"1" if self.home(path) == shard else b"0"

    async def locate(self, path: str) -> int:
        """Find the shard where a stream is, or would be made."""
        return 0 if self.one else (await self._follow(path))[0]

    async def _follow(self, path: str) -> tuple[int, int]:
        """Follow the notes of where a path went; return the shard, and the number of the last note."""
        at, number = self.home(path), 0
        for _ in range(_NOTES):
            note = await self.nodes.ask(at, "HGET", self.keys[at].moved, path.encode())
            if note is None:
                break
            newer, to = map(int, note.split())
            if newer < number or to == at:
                break
            at, number = to, newer
        self._remember(path, at)
        return at, number

    def _remember(self, path: str, shard: int) -> None:
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        if shard == self.home(path):
            self._known.pop(path, None)
        else:
            self._known[path] = shard

    async def bring(self, path: str, shard: int) -> bool:
        """Have the streams at a path made in a shard from now on; False: there is one in another."""
        for _ in range(_NOTES):
            at, number = await self._follow(path)
            if at == shard:
                if number:
                    await self._note(shard, path, number, shard)
                return True
            head, _ = self.keys[at].stream(path.encode())
            moved = await self.nodes.read(at, MOVE, [self.keys[at].moved, head], [path.encode(), number, at, shard])
            if moved[0] < 0:
                return False
            if moved[1] == shard:
                await self._note(shard, path, moved[0], shard)
                await self._note(self.home(path), path, moved[0], shard)
                self._remember(path, shard)
                return True
        raise StoreError(f"The stream {path} is made in another shard all the time. Try again.")

    async def _note(self, at: int, path: str, number: int, shard: int) -> None:
        await self.nodes.read(at, NOTE, [self.keys[at].moved], [path.encode(), number, shard])

    # -- where Changes go ------------------------------------------------------------------------------------------

    def of_change(self, change: Change) -> int:
        """Return the shard of what a Change is about, as far as we know."""
        match change.write:
            case SubjectWrite(subject=subject):
                return self.of_name(subject.name)
            case SubjectDelete(name):
                return self.of_name(name)
            case FamilyWrite(streams):
                return self.known(_path(_first(streams)))
            case RowsWrite(path):
                return self.known(path)

    async def settle(self, change: Change) -> frozenset[str]:
        """See to it that all streams of a Change are, or can be made, in the shard where it goes (`of_change`).

        Returns:
            Paths where there is a stream in another shard.
        """
        wanted: list[str] = []
        match change.write:
            case SubjectWrite(appends=appends):
                wanted = [append.path for append in appends]
            case FamilyWrite(streams):
                first = _path(_first(streams))
                await self.locate(first)
                wanted = [_path(one) for one in streams]
            case RowsWrite(path):
                await self.locate(path)
            case SubjectDelete():
                pass
        for post in change.posts:
            await self.locate(post.path)
        shard = self.of_change(change)
        return frozenset([path for path in dict.fromkeys(wanted) if not await self.bring(path, shard)])

    def leave(self, shard: int, post: Post) -> bytes | None:
        """Return the text by which a post is left for another shard; None: it is placed in this one."""
        if self.known(post.path) == shard:
            return None
        return sized(post.path.encode()) + post.count.to_bytes(4) + post.data

    # -- numbers of what is listed ---------------------------------------------------------------------------------

    async def look_at_numbers(self) -> None:
        """Number what is new behind all that is there: a copy may have brought greater numbers than the time is."""
        if not self.one:
            asked = [self.nodes.ask(shard, "HGET", keys.meta, "number") for shard, keys in enumerate(self.keys)]
            self._stamp = max(self._stamp, *(int(found or 0) + 1 for found in await asyncio.gather(*asked)))

    def stamps(self, changes: Sequence[Change]) -> Sequence[int]:
        """Return by what is numbered that is new in each Change: each shard counts alone, so several go by time."""
        if self.one:
            return (0,) * len(changes)
        found, at = [], max(self._stamp, _time())
        for change in changes:
            found.append(at)
            at += 1 + (len(change.write.parts) if isinstance(change.write, SubjectWrite) else 0)
        self._stamp = at
        return found

    def place(self, shard: int, text: bytes) -> tuple[int, int]:
        """Read the place of a member of an index, which is another in each shard."""
        sort, number = int.from_bytes(text[:8]) - (1 << 63), int.from_bytes(text[8:15])
        return sort, number * len(self.keys) + shard

    def lower(self, shard: int, place: tuple[int, int]) -> bytes:
        """Return the first place of a shard that comes after `place`."""
        sort, number = place
        number = (number - shard) // len(self.keys) + 1
        return ordered(sort) + min(max(number, 0), _MOST).to_bytes(7)

    def upper(self, shard: int, place: tuple[int, int]) -> bytes:
        """Return the first place of a shard that does not come before `place`."""
        sort, number = place
        number = -((shard - number) // len(self.keys))
        return ordered(sort) + min(max(number, 0), _MOST).to_bytes(7)


def _time() -> int:
    return (time.time_ns() - _EPOCH_NS) // _TICK_NS


def _first(streams: Sequence[Write | StreamDelete]) -> Write | StreamDelete:
    """Return that of a family's writes which says where the family is: the first to a stream that is there."""
    return next((one for one in streams if one.expect), streams[0])


def _path(write: Write | StreamDelete) -> str:
    return write.path if isinstance(write, StreamDelete) else write.head.path
