"""Commits: Changes become calls of one script a shard, in the order in which they are made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
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
"""How often a deletion is sent again because others wrote to its subject since its streams were looked up."""


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
        task = asyncio.ensure_future(self._in_turn(changes, self._last))
        self._last = task
        return task

    async def close(self) -> None:
        """Wait for what is under way."""
        if self._last is not None:
            await asyncio.wait([self._last])

    # -- the short way ---------------------------------------------------------------------------------------------

    def _send_at_once(self, changes: Sequence[Change], ended: list[_Ended]) -> list[_Sent] | None:
        """Send all calls now; None: something must be looked up, or connected, before."""
        if not self._shards.one or any(isinstance(change.write, SubjectDelete) for change in changes):
            return None
        link = self._shards.nodes.link(0)
        if link is None:
            return None
        group = self._group(0)
        for place, change in enumerate(changes):
            ended[place] = group.add(place, change)
        return [self._send(0, group, link)] if group.places else []

    def _group(self, shard: int) -> _Group:
        shards = self._shards
        return _Group(Call(shards.keys[shard], shards.stamp(), lambda post: shards.leave(shard, post)), [])

    def _send(self, shard: int, group: _Group, link: Link) -> _Sent:
        keys, args = group.call.arguments()
        reply = send(link, COMMIT, keys, args)
        return _Sent(shard, group.places, keys, args, link, reply, self._durable.sync(link))

    async def _finish(
        self, changes: Sequence[Change], ended: list[_Ended], sent: Sequence[_Sent]
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
                if answer[0] != _ANEW:
                    ended[place] = outcome(changes[place], answer)
        self._fail(failed, sent, ended)
        return ended  # type: ignore[return-value]  # who calls sees to those that are None

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

    async def _in_turn(self, changes: Sequence[Change], before: asyncio.Task[Any] | None) -> list[Outcome | Rejected]:
        """Write Changes once those before them are written; what deletes begins a call of its own."""
        if before is not None:
            await asyncio.wait([before])
        ended: list[_Ended] = [None] * len(changes)
        for _ in range(_TIMES + sum(isinstance(change.write, SubjectDelete) for change in changes)):
            left = [place for place, one in enumerate(ended) if one is None]
            if not left:
                break
            try:
                sent = await self._send_some(changes, left, ended)
                await self._finish(changes, ended, sent)
            except StoreUnavailable as error:
                if isinstance(error, OutcomeUnknown) or len(left) == len(changes):
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
            shard = await self._shards.shard_of(change)
            if shard in full:
                continue
            deletes = isinstance(change.write, SubjectDelete)
            if deletes and shard in groups:
                full.add(shard)
                continue
            group = groups.setdefault(shard, self._group(shard))
            known = await self._known(shard, change.write) if isinstance(change.write, SubjectDelete) else None
            ended[place] = group.add(place, change, known)
        links = {shard: await self._shards.nodes.reach(shard) for shard in groups}
        return [self._send(shard, group, links[shard]) for shard, group in groups.items() if group.places]

    async def _known(self, shard: int, write: SubjectDelete) -> KnownStreams:
        """Look up the streams and parts of a subject, whose keys its deletion must name."""
        key = self._shards.keys[shard].subject(ref(write.name))
        streams, kinds = await self._shards.nodes.ask(shard, "HMGET", key, "o", "k")
        return KnownStreams(streams or b"", kinds or b"")


_ANEW: Final = 3
