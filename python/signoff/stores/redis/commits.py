"""Commits: Changes become calls of one script a shard, in the order in which they are made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from signoff.errors import OutcomeUnknown, SignoffError, StoreUnavailable
from signoff.stores.change import (
    Change,
    Outcome,
    Rejected,
    SubjectDelete,
)
from signoff.stores.check import check
from signoff.stores.redis.changes import Call, KnownStreams, outcome
from signoff.stores.redis.durable import Durable
from signoff.stores.redis.keys import ref
from signoff.stores.redis.link import Link
from signoff.stores.redis.nodes import send
from signoff.stores.redis.scripts import COMMIT
from signoff.stores.redis.shards import Shards

_Ended = Outcome | Rejected | None

_TIMES: Final = 10
"""How often a Change is sent again because others wrote to its subject since its streams were looked up, or moved them
to another shard."""

_ANEW: Final = 3
"""From this on an answer says that a Change must be sent anew."""

"""From this on an answer says that a Change must be sent anew."""


@dataclass(slots=True)
class _Group:
    """Changes that go in one call, by their places among all."""

    call: Call
    places: list[int]

    def add(self, place: int, change: Change, known: KnownStreams | None = None) -> Rejected | None:
        """Add a Change; return why it cannot be kept, if so."""
        try:
            check(change)
            self.call.add(change, known)
        except SignoffError as error:
            return Rejected(error)
        self.places.append(place)
        return None


@dataclass(slots=True)
class _Sent:
    """A call under way: of which Changes, and the reply to come."""

    shard: int
    places: list[int]
    keys: list[bytes]
    args: list[Any]
    link: Link
    reply: asyncio.Future[Any]
    synced: asyncio.Future[Any] | None


class Commits:
    """What writes Changes.

    Args:
        shards: where to.
        durable: how a commit is made durable.
    """

    def __init__(self, shards: Shards, durable: Durable) -> None:
        self._shards = shards
        self._durable = durable
        self._last: asyncio.Task[Any] | None = None

    def commit(self, changes: Sequence[Change]) -> Awaitable[list[Outcome | Rejected]]:
        """Write Changes, beginning at the call where nothing must be looked up before."""
        ended: list[_Ended] = [None] * len(changes)
        sent = None
        if self._last is None or self._last.done():
            self._last = None
            sent = self._send_at_once(changes, ended)
        if sent is not None:
            return self._finish(changes, ended, sent)
        return self._later(changes, [None] * len(changes))

    def _later(self, changes: Sequence[Change], ended: list[_Ended]) -> asyncio.Task[list[Outcome | Rejected]]:
        task = asyncio.ensure_future(self._in_turn(changes, ended, self._last))
        self._last = task
        return task

    async def close(self) -> None:
        """Wait for what is under way."""
        if self._last is not None:
            await asyncio.wait([self._last])

    # -- the short way ---------------------------------------------------------------------------------------------

    def _send_at_once(self, changes: Sequence[Change], ended: list[_Ended]) -> list[_Sent] | None:
        """Send all calls now; None: something must be looked up, or connected, before."""
        shards = self._shards
        groups: dict[int, _Group] = {}
        links: dict[int, Link] = {}
        for place, change in enumerate(changes):
            if isinstance(change.write, SubjectDelete):
                return None
            try:
                shard = shards.of_change(change)
            except (AttributeError, UnicodeError):  # of what cannot be kept
                shard = 0
            if shard not in groups:
                link = shards.nodes.link(shard)
                if link is None:
                    return None
                groups[shard], links[shard] = self._group(shard), link
            ended[place] = groups[shard].add(place, change)
        return [self._send(shard, group, links[shard]) for shard, group in groups.items() if group.places]

    def _group(self, shard: int, taken: Collection[str] = ()) -> _Group:
        shards = self._shards

        def here(path: str) -> bytes:
            return b"x" if path in taken else shards.here(shard, path)

        call = Call(shards.keys[shard], shard, shards.stamp, here, lambda post: shards.leave(shard, post))
        return _Group(call, [])

    def _send(self, shard: int, group: _Group, link: Link) -> _Sent:
        keys, args = group.call.arguments()
        reply = send(link, COMMIT, keys, args)
        return _Sent(shard, group.places, keys, args, link, reply, self._durable.sync(link))

    async def _finish(
        self, changes: Sequence[Change], ended: list[_Ended], sent: Sequence[_Sent], *, in_turn: bool = False
    ) -> list[Outcome | Rejected]:
        failed: list[tuple[_Sent, StoreUnavailable]] = []
        for one in sent:
            try:
                answers = await self._shards.nodes.finish(one.shard, one.reply, COMMIT, one.keys, one.args)
                await self._durable.wait(one.synced)
            except StoreUnavailable as error:
                failed.append((one, error))
                continue
            for place, answer in zip(one.places, answers, strict=False):
                if answer[0] < _ANEW:
                    ended[place] = outcome(changes[place], answer)
        self._fail(failed, sent, ended)
        if None in ended and not in_turn:
            return await self._later(changes, ended)
        return ended  # type: ignore[return-value]  # who calls in turn sees to those that are None

    def _fail(
        self, failed: Sequence[tuple[_Sent, StoreUnavailable]], sent: Sequence[_Sent], ended: list[_Ended]
    ) -> None:
        """Tell of calls that failed: of each alone if nothing of it was written, of all if that is not known."""
        for one, error in failed:
            if isinstance(error, OutcomeUnknown):
                self._durable.lost(one.link)
        unknown = next((error for _, error in failed if isinstance(error, OutcomeUnknown)), None)
        if unknown is not None:
            raise unknown
        if failed and len(failed) == len(sent) and all(one is None or isinstance(one, Rejected) for one in ended):
            raise failed[0][1]
        for one, error in failed:
            for place in one.places:
                ended[place] = Rejected(error)

    # -- the long way ----------------------------------------------------------------------------------------------

    async def _in_turn(
        self, changes: Sequence[Change], ended: list[_Ended], before: asyncio.Task[Any] | None
    ) -> list[Outcome | Rejected]:
        """Write Changes once those before them are written; what deletes begins a call of its own."""
        if before is not None:
            await asyncio.wait([before])
        first = all(one is None for one in ended)
        for _ in range(_TIMES + len(changes)):
            left = [place for place, one in enumerate(ended) if one is None]
            if not left:
                break
            try:
                sent = await self._send_some(changes, left, ended)
                await self._finish(changes, ended, sent, in_turn=True)
            except StoreUnavailable as error:
                if isinstance(error, OutcomeUnknown) or (first and len(left) == len(changes)):
                    raise
                raise self._half(error) from error
        for place, one in enumerate(ended):
            if one is None:
                why = "Others write to it all the time; nothing of this Change was written. Try again."
                ended[place] = Rejected(StoreUnavailable(why, public_detail=why))
        return ended  # type: ignore[return-value]

    def _half(self, error: StoreUnavailable) -> OutcomeUnknown:
        return OutcomeUnknown(f"{error} Some of what was written together with it is kept.")

    async def _send_some(self, changes: Sequence[Change], left: Sequence[int], ended: list[_Ended]) -> list[_Sent]:
        """Send what can be sent together: in each shard up to the next deletion."""
        groups: dict[int, _Group] = {}
        full: set[int] = set()
        for place in left:
            change = changes[place]
            try:
                check(change)
            except SignoffError as error:
                ended[place] = Rejected(error)
                continue
            shards = self._shards
            taken = frozenset() if shards.one else await shards.settle(change)
            shard = shards.of_change(change)
            if shard in full:
                continue
            if shard in groups and (taken or isinstance(change.write, SubjectDelete)):
                full.add(shard)
                continue
            if taken:
                full.add(shard)
            group = groups.setdefault(shard, self._group(shard, taken))
            known = await self._known(shard, change.write) if isinstance(change.write, SubjectDelete) else None
            ended[place] = group.add(place, change, known)
        links = {shard: await self._shards.nodes.reach(shard) for shard in groups}
        return [self._send(shard, group, links[shard]) for shard, group in groups.items() if group.places]

    async def _known(self, shard: int, write: SubjectDelete) -> KnownStreams:
        """Look up the streams and parts of a subject, whose keys its deletion must name."""
        key = self._shards.keys[shard].subject(ref(write.name))
        streams, kinds = await self._shards.nodes.ask(shard, "HMGET", key, "o", "k")
        return KnownStreams(streams or b"", kinds or b"")
