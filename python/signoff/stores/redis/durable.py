"""How a commit is made durable, and how it is found out whether one was kept whose reply was lost."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from enum import Enum, auto
from typing import Any, Final

from signoff.errors import OutcomeUnknown, StoreUnavailable
from signoff.stores.change import Change, FamilyWrite, RowsWrite, StreamDelete, SubjectDelete, SubjectWrite
from signoff.stores.redis.changes import MARKS
from signoff.stores.redis.keys import NONE, ordered, ref
from signoff.stores.redis.link import DroppedReply, RefusedReply, ServerLink
from signoff.stores.redis.options import NodeAddress, Options
from signoff.stores.redis.scripts import FIND
from signoff.stores.redis.shards import Shards

_UNSYNCED: Final = "The write is on its way, but not known to be on a disk yet. Look before you repeat it."


class Durability:
    """What waits for the append-only file, if that is asked for, and shuts out what was lost on its way.

    Args:
        shards: the servers.
        options: what the URL says.
    """

    def __init__(self, shards: Shards, options: Options) -> None:
        self._shards = shards
        self._options = options
        self._lost: dict[tuple[NodeAddress, int], str] = {}

    @property
    def asked(self) -> bool:
        """Tell whether commits wait for word that they are on a disk."""
        return self._options.durability == "wait"

    def sync(self, link: ServerLink) -> asyncio.Future[Any] | None:
        """Ask, behind a write on the same connection, for word when it is on a disk; None: that is not asked for."""
        if not self.asked:
            return None
        most_ms = int(self._options.reply_s * 500)
        return link.call("WAITAOF", 1, self._options.replicas, most_ms)

    async def wait(self, synced: asyncio.Future[Any] | None) -> None:
        """Wait until a write is on the disks.

        Raises:
            OutcomeUnknown: it is not known to be.
        """
        if synced is None:
            return
        try:
            local, replicas = await synced
        except (RefusedReply, DroppedReply) as error:
            raise OutcomeUnknown(_UNSYNCED, public_detail=_UNSYNCED) from error
        if local < 1 or replicas < self._options.replicas:
            raise OutcomeUnknown(_UNSYNCED, public_detail=_UNSYNCED)

    def lost(self, error: StoreUnavailable) -> None:
        """Note the connection on which a command was lost, if one was: it may be on its way still."""
        if isinstance(cause := error.__cause__, DroppedReply):
            self._lost[cause.link.address, cause.link.client_id] = cause.link.name

    async def _shut_out(self) -> None:
        """Break connections at the server, so that nothing that was lost on its way arrives after we have looked."""
        for (address, client_id), name in tuple(self._lost.items()):
            link = await self._shards.nodes.at(address)
            try:
                about = await link.call("CLIENT", "LIST", "ID", client_id)
                if f"name={name} ".encode() in about:
                    await link.call("CLIENT", "KILL", "ID", client_id)
            except RefusedReply as error:
                why = f"Redis does not let us break a lost connection ({error}), so what it carried is not known."
                raise OutcomeUnknown(why) from error
            self._lost.pop((address, client_id), None)

    async def find(self, changes: Sequence[Change]) -> list[bool | None]:
        """Tell which Changes were committed."""
        if not changes:
            return []
        await self._shut_out()
        found: list[set[_Trace]] = [set() for _ in changes]
        for shard in range(len(self._shards.keys)):
            places = [place for place, change in enumerate(changes) if change.mark and self._may_be(shard, change)]
            if not places:
                continue
            traces = await self._find_in(shard, [changes[place] for place in places])
            for place, trace in zip(places, traces, strict=True):
                found[place].add(trace)
        return [_told(traces) for traces in found]

    def _may_be(self, shard: int, change: Change) -> bool:
        """Tell whether a Change may have been committed in a shard: streams may be made anew in others."""
        if isinstance(change.write, SubjectWrite | SubjectDelete):
            return self._shards.of_change(change) == shard
        return True

    async def _find_in(self, shard: int, changes: Sequence[Change]) -> list[_Trace]:
        keys = [self._shards.keys[shard].marks]
        args: list[bytes] = []
        for change in changes:
            key, name = self._about(shard, change)
            keys.append(key)
            args += (ordered(change.mark), name)
        kept, *answers = await self._shards.nodes.read(shard, FIND, keys, args)
        if self.asked:
            await self._sync_all(shard)
        return [
            _found(change, kept, bool(there), holds) for change, (there, holds) in zip(changes, answers, strict=True)
        ]

    def _about(self, shard: int, change: Change) -> tuple[bytes, bytes]:
        """Return the key, and its field, that tell whether what a Change expects still holds."""
        keys = self._shards.keys[shard]
        match change.write:
            case SubjectWrite(subject=subject):
                return keys.subject(ref(subject.name)), b"h"
            case SubjectDelete(name):
                return keys.subject(ref(name)), b"h"
            case FamilyWrite(streams):
                one = streams[0]
                path = one.path if isinstance(one, StreamDelete) else one.head.path
                return keys.stream(path.encode())[0], b"c"
            case RowsWrite(path):
                return keys.stream(path.encode())[0], b"c"

    async def _sync_all(self, shard: int) -> None:
        """Wait for all that was written, by whomever: a mark that is found may not be on a disk yet."""
        link = await self._shards.nodes.reach(shard)
        written = link.call("HINCRBY", self._shards.keys[shard].meta, "waits", 1)
        synced = self.sync(link)
        try:
            await written
        except (RefusedReply, DroppedReply) as error:
            raise StoreUnavailable(str(error)) from error
        await self.wait(synced)


class _Trace(Enum):
    """What a shard knows of a Change: it has its mark, what it expects still holds, it never was here, or nothing."""

    THERE = auto()
    UNMOVED = auto()
    ABSENT = auto()
    UNKNOWN = auto()


def _told(traces: Collection[_Trace]) -> bool | None:
    """Tell of a Change by its traces in all shards where it may be."""
    if _Trace.THERE in traces:
        return True
    if _Trace.UNMOVED in traces:
        return False
    return None if _Trace.UNKNOWN in traces or not traces else False


def _found(change: Change, kept: int, there: bool, holds: bytes | None) -> _Trace:
    """Tell of one Change in one shard."""
    if there:
        return _Trace.THERE
    version, mark = (holds[:8], holds[8:16]) if holds else (ordered(0), NONE)
    write = change.write
    match write:
        case SubjectWrite():
            if mark == ordered(change.mark):
                return _Trace.THERE
            unmoved = write.expect != 0 and version == ordered(write.expect)
        case SubjectDelete():
            unmoved = write.expect != 0 and version == ordered(write.expect)
        case FamilyWrite(streams):
            expect = streams[0].expect
            unmoved = expect != 0 and version == ordered(expect)
        case RowsWrite():
            # Where its live rows stand: only a move of them moves that.
            unmoved = holds is not None and holds[8:16] == ordered(write.expect) and write.changes.at != write.expect
    if unmoved:
        return _Trace.UNMOVED
    return _Trace.ABSENT if kept < MARKS else _Trace.UNKNOWN
