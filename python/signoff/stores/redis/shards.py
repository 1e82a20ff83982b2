"""Which shard has what: by the name of a subject, and by the path of a stream.

All keys of a Change must be in one slot. A subject is where its id says, and the streams of a run are where the run's
id says; any other stream is where its path says, unless it was made beside another: a fork, or a stream of a subject's
own at a path that says nothing of it. What is elsewhere is noted (`moved`): where its path says, and where it is.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final
from zlib import crc32

from signoff import paths
from signoff.stores.change import Change, FamilyWrite, Name, Post, RowsWrite, StreamDelete, SubjectDelete, SubjectWrite
from signoff.stores.redis.keys import Keys, ordered
from signoff.stores.redis.nodes import Nodes
from signoff.stores.redis.options import MOST_SHARDS, Options

_MOST: Final = (1 << 56) - 1


def keys_of(options: Options) -> tuple[Keys, ...]:
    """Return the keys of each shard."""
    if options.shards == 1:
        return (Keys(f"{{{options.prefix}}}"),)
    return tuple(Keys(f"{{{options.prefix}:{number:02}}}") for number in range(options.shards))


class Shards:
    """The shards of a store, as one event loop reaches them.

    Args:
        nodes: the servers.
        keys: of each shard.
    """

    def __init__(self, nodes: Nodes, keys: Sequence[Keys]) -> None:
        self.nodes = nodes
        self.keys = keys
        self.one = len(keys) == 1
        self._stamp = 0

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

    async def locate(self, path: str) -> int:
        """Return the shard where a stream is, or would be."""
        return self.home(path)

    async def shard_of(self, change: Change) -> int:
        """Return the shard of what a Change is about."""
        match change.write:
            case SubjectWrite(subject=subject):
                return self.of_name(subject.name)
            case SubjectDelete(name):
                return self.of_name(name)
            case FamilyWrite(streams):
                one = streams[0]
                return await self.locate(one.path if isinstance(one, StreamDelete) else one.head.path)
            case RowsWrite(path):
                return await self.locate(path)

    def leave(self, shard: int, post: Post) -> bytes | None:
        """Return the text by which a post is left for another shard; None: it is placed in this one."""
        return None if self.home(post.path) == shard else post.data

    # -- numbers of what is listed ---------------------------------------------------------------------------------

    def stamp(self) -> int:
        """Return by what the next that is new is numbered: each shard counts alone, so several go by the time."""
        if self.one:
            return 0
        self._stamp = max(self._stamp + 1, time.time_ns() // 1_000)
        return self._stamp

    def place(self, shard: int, text: bytes) -> tuple[int, int]:
        """Read the place of a member of an index, which is another in each shard."""
        sort, number = int.from_bytes(text[:8]) - (1 << 63), int.from_bytes(text[8:15])
        return sort, number if self.one else number * MOST_SHARDS + shard

    def lower(self, shard: int, place: tuple[int, int]) -> bytes:
        """Return the first place of a shard that comes after `place`."""
        sort, number = place
        if not self.one:
            number = (number - shard) // MOST_SHARDS
        return ordered(sort) + min(max(number + 1, 0), _MOST).to_bytes(7)

    def upper(self, shard: int, place: tuple[int, int]) -> bytes:
        """Return the first place of a shard that does not come before `place`."""
        sort, number = place
        if not self.one:
            number = -((shard - number) // MOST_SHARDS)
        return ordered(sort) + min(max(number, 0), _MOST).to_bytes(7)
