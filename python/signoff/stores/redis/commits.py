"""Commits: Changes become calls of one script a shard, in the order in which they are made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from signoff.errors import OutcomeUnknown, SignoffError, StoreUnavailable
from signoff.stores.change import (
    Change,
    Committed,
    FamilyWrite,
    Outcome,
    Rejected,
    SubjectDelete,
    SubjectWrite,
)
from signoff.stores.check import check
from signoff.stores.redis.changes import CommitCall, KnownStreams, outcome
from signoff.stores.redis.durable import Durability
from signoff.stores.redis.keys import ref
from signoff.stores.redis.link import ServerLink
from signoff.stores.redis.nodes import send
from signoff.stores.redis.scripts import COMMIT, STEP
from signoff.stores.redis.shards import Shards
from signoff.stores.redis.steps import committed, steps

_TIMES: Final = 10
"""How often a Change is sent again because others wrote to its subject since its streams were looked up, or moved them
to another shard."""

_ANEW: Final = 3
"""From this on an answer says that a Change must be sent anew."""


@dataclass(slots=True)
class _CommitGroup:
    """The Changes of one call of `commit`: by what each is numbered, and how it ended so far."""

    changes: Sequence[Change]
    stamps: Sequence[int]
    ended: list[Outcome | Rejected | None]

    @property
    def left(self) -> list[int]:
        """Return the places of those that have not ended."""
        return [place for place, one in enumerate(self.ended) if one is None]

    @property
    def written(self) -> bool:
        """Tell whether something is committed."""
        return any(isinstance(one, Committed) for one in self.ended)

    def outcomes(self) -> list[Outcome | Rejected]:
        """Return how all ended; those that never came to their turn are unharmed."""
        why = "Others write to it all the time; nothing of this Change was written. Try again."
        late = Rejected(StoreUnavailable(why, public_detail=why))
        return [late if one is None else one for one in self.ended]


@dataclass(slots=True)
class _ShardGroup:
    """Changes that go in one call of the script, by their places in the batch."""

    batch: _CommitGroup
    call: CommitCall
    places: list[int] = field(default_factory=list)

    def add(self, place: int, known: KnownStreams | None = None) -> None:
        """Add a Change; one that cannot be kept ends here."""
        change = self.batch.changes[place]
        try:
            check(change)
            self.call.add(change, self.batch.stamps[place], known)
        except SignoffError as error:
            self.batch.ended[place] = Rejected(error)
        else:
            self.places.append(place)


@dataclass(slots=True)
class _SentGroup:
    """A call under way, and the reply to come."""

    shard: int
    places: list[int]
    keys: list[bytes]
    args: list[Any]
    reply: asyncio.Future[Any]
    synced: asyncio.Future[Any] | None


@dataclass(slots=True, eq=False)
class _SentSteps:
    """A call of `step.lua` under way, for Changes of one shard.

    Attributes:
        ended: what the caller waits for, who may give up waiting.
        over: ends when these Changes are done with; there if somebody waits for that.
    """

    batch: _CommitGroup
    shard: int
    keys: list[bytes]
    args: list[Any]
    ended: asyncio.Future[list[Outcome | Rejected]]
    over: asyncio.Future[None] | None = None

    def wait(self) -> asyncio.Future[None]:
        """Return what ends when these Changes are done with."""
        if self.over is None:
            self.over = self.ended.get_loop().create_future()
        return self.over


class Commits:
    """What writes Changes.

    Args:
        shards: where to.
        durable: how a commit is made durable.
    """

    def __init__(self, shards: Shards, durable: Durability) -> None:
        self._shards = shards
        self._durable = durable
        self._last: asyncio.Task[Any] | None = None
        self._steps: set[_SentSteps] = set()

    def commit(self, changes: Sequence[Change]) -> Awaitable[list[Outcome | Rejected]]:
        """Write Changes, beginning at the call where nothing must be looked up before."""
        batch = _CommitGroup(changes, self._shards.stamps(changes), [None] * len(changes))
        if self._last is None or self._last.done():
            self._last = None
            if not self._steps or not self._shares(batch):
                steps = self._send_steps(batch)
                if steps is not None:
                    return steps.ended
                sent = self._send_at_once(batch)
                if sent is not None:
                    return self._finish(batch, sent)
        return self._later(batch)

    def _later(self, batch: _CommitGroup) -> asyncio.Task[list[Outcome | Rejected]]:
        before: list[asyncio.Future[Any]] = [one.wait() for one in self._steps]
        task = asyncio.ensure_future(self._in_turn(batch, before if self._last is None else [*before, self._last]))
        self._last = task
        return task

    async def close(self) -> None:
        """Wait for what is under way."""
        while self._steps:
            await asyncio.wait([one.wait() for one in self._steps])
        if self._last is not None:
            await asyncio.wait([self._last])

    # -- the shortest way ------------------------------------------------------------------------------------------

    def _send_steps(self, batch: _CommitGroup) -> _SentSteps | None:
        """Send Changes that are as steps make them; None: they are not, or no connection is there."""
        shards, changes = self._shards, batch.changes
        if self._durable.asked or not changes or type(changes[0].write) is not SubjectWrite:
            return None
        shard = 0 if shards.one else self._only_shard(changes)
        link = None if shard is None else shards.nodes.link(shard)
        if shard is None or link is None or (call := steps(shards.keys[shard], changes)) is None:
            return None
        sent = _SentSteps(batch, shard, *call, asyncio.get_running_loop().create_future())
        self._steps.add(sent)
        send(link, STEP, *call, then=(sent.ended, partial(self._stepped, sent)))
        return sent

    def _only_shard(self, changes: Sequence[Change]) -> int | None:
        try:
            found = {self._shards.of_change(change) for change in changes}
        except (AttributeError, TypeError, UnicodeError):  # of what cannot be kept
            return None
        return found.pop() if len(found) == 1 else None

    def _stepped(self, sent: _SentSteps, reply: Any) -> None:
        """End Changes that were written; the others take the long way."""
        batch, ended = sent.batch, sent.ended
        if type(reply) is list:
            batch.ended = [
                committed(change, starts) if starts != 0 else None
                for change, starts in zip(batch.changes, reply, strict=True)
            ]
            if None not in batch.ended:
                self._over(sent)
                if not ended.done():
                    ended.set_result(batch.outcomes())
                return
        task = asyncio.ensure_future(self._after_steps(sent, reply))
        task.add_done_callback(partial(self._ended, sent))

    async def _after_steps(self, sent: _SentSteps, reply: Any) -> list[Outcome | Rejected]:
        if isinstance(reply, Exception):
            failed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            failed.set_exception(reply)
            try:
                reply = await self._shards.nodes.finish(sent.shard, failed, STEP, sent.keys, sent.args)
            except StoreUnavailable as error:
                self._durable.lost(error)
                raise
            for place, starts in enumerate(reply):
                if starts != 0:
                    sent.batch.ended[place] = committed(sent.batch.changes[place], starts)
        # What is about the same waits for these, so they wait for nothing.
        return await self._in_turn(sent.batch, ())

    def _ended(self, sent: _SentSteps, task: asyncio.Task[list[Outcome | Rejected]]) -> None:
        self._over(sent)
        error = None if task.cancelled() else task.exception()
        if sent.ended.done():
            return
        if task.cancelled():
            sent.ended.cancel()
        elif error is not None:
            sent.ended.set_exception(error)
        else:
            sent.ended.set_result(task.result())

    def _over(self, sent: _SentSteps) -> None:
        self._steps.discard(sent)
        if sent.over is not None:
            sent.over.set_result(None)

    def _shares(self, batch: _CommitGroup) -> bool:
        """Tell whether Changes are about what is under way the shortest way: they must not overtake it."""
        names = {_name(change) for change in batch.changes}
        return any(_name(change) in names for one in self._steps for change in one.batch.changes)

    # -- the short way ---------------------------------------------------------------------------------------------

    def _send_at_once(self, batch: _CommitGroup) -> list[_SentGroup] | None:
        """Send all calls now; None: something must be looked up, or connected, before."""
        shards = self._shards
        groups: dict[int, _ShardGroup] = {}
        links: dict[int, ServerLink] = {}
        for place, change in enumerate(batch.changes):
            if isinstance(change.write, SubjectDelete) or (not shards.one and _relates(change.write)):
                return None
            try:
                shard = shards.of_change(change)
            except (AttributeError, TypeError, UnicodeError):  # of what cannot be kept
                shard = 0
            if shard not in groups:
                link = shards.nodes.link(shard)
                if link is None:
                    return None
                groups[shard], links[shard] = self._group(batch, shard), link
            groups[shard].add(place)
        return [self._send(shard, group, links[shard]) for shard, group in groups.items() if group.places]

    def _group(self, batch: _CommitGroup, shard: int, taken: Collection[str] = ()) -> _ShardGroup:
        shards = self._shards

        def here(path: str) -> bytes:
            return b"x" if path in taken else shards.here(shard, path)

        leave = partial(shards.leave, shard)
        return _ShardGroup(batch, CommitCall(shards.keys[shard], shard, shards.idents[shard], here, leave))

    def _send(self, shard: int, group: _ShardGroup, link: ServerLink) -> _SentGroup:
        keys, args = group.call.arguments()
        reply = send(link, COMMIT, keys, args)
        return _SentGroup(shard, group.places, keys, args, reply, self._durable.sync(link))

    async def _finish(self, batch: _CommitGroup, sent: Sequence[_SentGroup]) -> list[Outcome | Rejected]:
        await self._receive(batch, sent)
        if None in batch.ended:
            return await self._later(batch)
        return batch.outcomes()

    async def _receive(self, batch: _CommitGroup, sent: Sequence[_SentGroup]) -> None:
        """Wait for all replies; tell of calls that failed: of each alone if nothing of it was written.

        Raises:
            OutcomeUnknown: that is not known of all.
            StoreUnavailable: nothing of the batch was written.
        """
        failed: list[tuple[_SentGroup, StoreUnavailable]] = []
        for one in sent:
            try:
                answers = await self._reply(one)
                await self._durable.wait(one.synced)
            except StoreUnavailable as error:
                self._durable.lost(error)
                failed.append((one, error))
                continue
            for place, answer in zip(one.places, answers, strict=False):
                if answer[0] < _ANEW:
                    batch.ended[place] = outcome(batch.changes[place], answer)
        for _, why in failed:
            if isinstance(why, OutcomeUnknown) or not batch.written:
                raise why
        for one, why in failed:
            for place in one.places:
                batch.ended[place] = Rejected(why)

    def _reply(self, one: _SentGroup) -> Awaitable[Any]:
        """Wait for the reply to a call; if it has to be sent again, ask again behind it for word of the disk."""

        def behind(link: ServerLink) -> None:
            one.synced = self._durable.sync(link)

        return self._shards.nodes.finish(one.shard, one.reply, COMMIT, one.keys, one.args, behind=behind)

    # -- the long way ----------------------------------------------------------------------------------------------

    async def _in_turn(self, batch: _CommitGroup, before: Collection[asyncio.Future[Any]]) -> list[Outcome | Rejected]:
        """Write Changes once those before them are written; what deletes begins a call of its own."""
        if before:
            await asyncio.wait(before)
        for _ in range(_TIMES + len(batch.changes)):
            if None not in batch.ended:
                break
            try:
                await self._receive(batch, await self._send_some(batch))
            except StoreUnavailable as error:
                if isinstance(error, OutcomeUnknown) or not batch.written:
                    raise
                raise OutcomeUnknown(f"{error} Some of what came with it is kept.") from error
        return batch.outcomes()

    async def _send_some(self, batch: _CommitGroup) -> list[_SentGroup]:
        """Send what can be sent together: in each shard up to the next that must begin a call."""
        groups: dict[int, _ShardGroup] = {}
        full: set[int] = set()
        shards = self._shards
        for place in batch.left:
            change = batch.changes[place]
            try:
                check(change)
            except SignoffError as error:
                batch.ended[place] = Rejected(error)
                continue
            taken: Collection[str] = () if shards.one else await shards.settle(change)
            shard = shards.of_change(change)
            if shard in groups and (taken or isinstance(change.write, SubjectDelete)):
                full.add(shard)
            if shard in full:
                continue
            if taken:
                full.add(shard)
            group = groups.setdefault(shard, self._group(batch, shard, taken))
            known = await self._known(shard, change.write) if isinstance(change.write, SubjectDelete) else None
            group.add(place, known)
        links = {shard: await shards.nodes.reach(shard) for shard in groups}
        return [self._send(shard, group, links[shard]) for shard, group in groups.items() if group.places]

    async def _known(self, shard: int, write: SubjectDelete) -> KnownStreams:
        """Look up the streams and parts of a subject, whose keys its deletion must name."""
        key = self._shards.keys[shard].subject(ref(write.name))
        streams, kinds = await self._shards.nodes.ask(shard, "HMGET", key, "o", "k")
        return KnownStreams(streams or b"", kinds or b"")


def _relates(write: object) -> bool:
    """Tell whether a write may move a path to another shard: what follows goes there too, and must not be earlier."""
    return isinstance(write, FamilyWrite) and len(write.streams) > 1


def _name(change: Change) -> object:
    """Return what a Change is about, if that is a subject."""
    write = change.write
    if isinstance(write, SubjectWrite):
        return write.subject.name
    return write.name if isinstance(write, SubjectDelete) else None
