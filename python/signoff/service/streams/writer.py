"""Writing to streams: load, decide, commit.

Every write is decided on a head in memory and committed as a compare-and-swap on it. Writes to one stream are decided
one after another, each on what the one before it will leave, without waiting for the disk, and then committed together:
the `StreamChain` of a stream holds that speculative state. When a commit conflicts, because another process wrote, the
chain is dropped and everything on it is decided again: what follows on it conflicts too, since versions are drawn at
random, and nobody else's write makes one that was reckoned with. What needs no write (a retry, a refusal) has no
compare-and-swap to prove it, so it is answered only when all it was decided on is durable and the store still says the
same.

Making and deleting forks concerns several streams: they are decided on the chains of all of them and committed as one
Change, so that a source always counts as many forks as there are.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple, Protocol

from signoff.clock import Clock
from signoff.errors import SignoffError, StoreError, StreamDeleted, StreamNotFound
from signoff.service.streams.chain import StreamChain
from signoff.stores.base import StreamState, WorkflowStore
from signoff.stores.change import Change, Committed, Conflict, FamilyWrite, Outcome, StreamDelete, new_mark
from signoff.streams import json_mode
from signoff.streams.decide import decide, decide_append
from signoff.streams.stream import (
    Append,
    Close,
    Create,
    Delete,
    Head,
    Lookup,
    ProducerMark,
    Remove,
    StreamCommand,
    Touch,
    Unchanged,
    Write,
)

CACHED_HEADS: Final = 10_000
ATTEMPTS: Final = 100
"""How often a write is decided again. Each round somebody else's write succeeded, so this many means a defect."""

_AT_ONCE: Final = 10
_PAUSE_S: Final = 0.002
"""Lost races after which a command pauses before the next, and up to how many seconds for each it has lost."""

_VERSION_BITS: Final = 62


class Committer(Protocol):
    """What commits Changes in the order of the calls."""

    def hand_in(self, change: Change, reply: Callable[[Outcome | Exception], None]) -> None:
        """Commit a Change together with those that wait; then, never at once, call `reply` with how it ended."""
        ...


class WriteResult(NamedTuple):
    """How a write ended.

    Attributes:
        head: of the stream after it.
        new: something was written; False: it was so already, or this was a retry.
        producer: the highest append of the producer that was accepted.
    """

    head: Head
    new: bool
    producer: ProducerMark | None = None


_Chains = dict[str, StreamChain]

AppendEnded = Callable[[Head | Exception | None], None]
"""Called with how an append ended, which is the head after it; None: another process wrote first and nothing was
written, so it is to be asked for again."""


@dataclass(slots=True)
class AppendNow:
    """An append that is not worth a task: it is decided at once, or not at all.

    Attributes:
        path: of the stream; checked, and not the engine's.
        content_type: of the body; checked.
        body: as it came.
        close: the stream ends with it.
        seq: its `Stream-Seq`, if any.
        producer: which of a producer's appends it is, if one's.
        now: milliseconds since the epoch.
    """

    path: str
    content_type: str
    body: bytes
    close: bool
    seq: str | None
    producer: ProducerMark | None
    now: int


class StreamWriter:
    """The writer of application streams.

    Args:
        store: loads heads and producers.
        committer: commits in the order of the calls, several at once.
        clock: for times to live.
        expired: tells whether a stream is over, and so counts as absent.

    Attributes:
        removed: called when a stream is gone.
        expired: how many streams this writer has deleted because their life was over.
    """

    def __init__(
        self, store: WorkflowStore, committer: Committer, clock: Clock, expired: Callable[[Head], bool]
    ) -> None:
        self._store = store
        self._committer = committer
        self._clock = clock
        self._is_over = expired
        self._chains: OrderedDict[str, StreamChain] = OrderedDict()
        self._loading: dict[str, asyncio.Task[StreamChain]] = {}
        self.removed: Callable[[], None] = _nothing
        self.expired = 0
        self._random_bits = Random().getrandbits  # noqa: S311 - versions must differ, not be hard to guess

    async def write(self, path: str, command: StreamCommand) -> WriteResult:
        """Decide a command and commit what was decided; a stream that is over is deleted first.

        Raises:
            StreamNotFound, StreamDeleted, StreamClosed, StreamConflict, ProducerFenced, ProducerGap, BadRequest: the
                command is refused.
            StoreError: the store failed, or the stream changes all the time.
        """
        others: list[str] = []
        rounds = 0
        while rounds < ATTEMPTS:
            chains = {path: await self._chain(path)}
            for other in others:
                chains[other] = await self._chain(other)
            producer = _producer_of(command)
            if producer is not None and producer.producer_id not in chains[path].producers:
                await self._load_producer(chains[path], path, producer.producer_id)
            step = None
            if not any(chain.broken for chain in chains.values()):
                step = await self._decide_and_commit(path, chains, command)
            match step:
                case WriteResult():
                    return step
                case Lookup(other):
                    others.append(other)
                case None:
                    rounds += 1
                    if rounds > _AT_ONCE:  # another process is faster each time: give it time to come to an end
                        await asyncio.sleep(self._random_bits(10) / 1024 * _PAUSE_S * rounds)
        why = f"The stream {path} changes too fast; nothing was written. Try again."
        raise StoreError(why, public_detail=why)

    def append_now(self, append: AppendNow, reply: AppendEnded) -> bool:
        """Append without a task, if nothing but the commit has to be waited for.

        Args:
            append: what `write` would be asked for.
            reply: called when the append is durable, or has failed.

        Returns:
            False: ask `write`, and `reply` is never called. Something has to be loaded first, or the command is not
            simply an append of something new.
        """
        path = append.path
        chain = self._chains.get(path)
        if chain is None:
            return False
        before = chain.head
        if before is None or self._is_over(before):
            return False
        producer = append.producer
        last = None
        if producer is not None:
            if producer.producer_id not in chain.producers:
                return False
            last = chain.producers[producer.producer_id]
        payload = json_mode.payload(append.content_type, append.body)
        command = Append(payload, append.close, append.seq, producer)
        try:
            decision = decide_append(before, command, last, append.now, 1 + self._random_bits(_VERSION_BITS))
        except SignoffError:
            return False
        if isinstance(decision, Unchanged):
            return False
        self._chains.move_to_end(path)
        head = decision.head
        chain.move(head, producer)

        def ended(outcome: Outcome | Exception) -> None:
            if isinstance(outcome, Committed):
                chain.end()
                reply(head)
                return
            self._break(path, chain)
            chain.end()
            reply(None if isinstance(outcome, Conflict) else outcome)

        self._committer.hand_in(Change(FamilyWrite((decision,)), mark=decision.head.version), ended)
        return True

    async def _decide_and_commit(
        self, path: str, chains: _Chains, command: StreamCommand
    ) -> WriteResult | Lookup | None:
        """Do one round; None: what it was decided on turned out to be wrong, so decide again."""
        heads = {each: chain.head for each, chain in chains.items()}
        before = heads[path]
        asked = Delete() if before is not None and self._is_over(before) else command
        if not await self._source_is_there(asked, heads):
            return None
        producer = _producer_of(asked)
        last = None if producer is None else chains[path].producers.get(producer.producer_id)
        try:
            decision = decide(
                before, asked, last, self._clock.now_ms(), heads, new_version=1 + self._random_bits(_VERSION_BITS)
            )
        except SignoffError:
            if not await self._confirm_all(chains, heads):
                return None
            for each, chain in chains.items():
                self._forget_absent(each, chain)
            raise
        if isinstance(decision, Lookup):
            return decision
        if isinstance(decision, Unchanged):
            confirmed = await self._confirm_all(chains, heads)
            return WriteResult(decision.head, new=False, producer=decision.producer) if confirmed else None
        if isinstance(decision, Remove) and not await self._confirm_others(chains, heads, decision):
            return None
        done = await self._commit(chains, decision)
        if done and asked is not command:
            self.expired += 1
        return WriteResult(decision.head, new=True, producer=producer) if done and asked is command else None

    async def _confirm_others(self, chains: _Chains, heads: Mapping[str, Head | None], decision: Remove) -> bool:
        """Tell whether what a deletion leaves alone really is as it was decided on.

        A source that seems to be another by now is not written, so no compare-and-swap would tell that it is not.
        """
        written = {part.head.path for part in (decision, *decision.also)}
        others = {path: chain for path, chain in chains.items() if path not in written}
        if not others:
            return True
        confirmed = await self._confirm_all(others, heads)
        return confirmed and all(chain.head is heads[path] for path, chain in chains.items())

    async def _source_is_there(self, command: StreamCommand, heads: Mapping[str, Head | None]) -> bool:
        """Tell whether what is to be forked has not expired; if it has, delete it."""
        if not isinstance(command, Create) or command.fork is None:
            return True
        source = heads.get(command.fork.source)
        if source is None or not self._is_over(source):
            return True
        with suppress(StreamNotFound, StreamDeleted):
            await self.write(source.path, Touch())
        return False

    async def _confirm_all(self, chains: _Chains, heads: Mapping[str, Head | None]) -> bool:
        """Tell whether every stream really was as its head says."""
        for path, chain in chains.items():
            if not await self._confirm(path, chain, heads[path]):
                return False
        return True

    async def _confirm(self, path: str, chain: StreamChain, before: Head | None) -> bool:
        """Tell whether the stream really was as `before` says, durably, at some time since the request came."""
        if chain.under_way:
            # `before` is what the last of these commits leaves; if it succeeds, that is the proof.
            await chain.settled()
            return not chain.broken
        state = await self._store.load_stream(path)
        if (None if state is None else state.head.version) == (None if before is None else before.version):
            return not chain.broken
        if chain.head is before:
            self._break(path, chain)
        return False

    async def _commit(self, chains: _Chains, decision: Write | Remove) -> bool:
        """Commit a decision; False: it conflicted, and so the chains are broken."""
        ended: asyncio.Future[Outcome | Exception] = asyncio.get_running_loop().create_future()
        # Handed over before anything else can run, so that commits arrive in the order they were decided.
        self._hand_in(chains, decision, lambda outcome: None if ended.done() else ended.set_result(outcome))
        outcome = await ended
        if isinstance(outcome, Exception):
            raise outcome
        return isinstance(outcome, Committed)

    def _hand_in(self, chains: _Chains, decision: Write | Remove, reply: Callable[[Outcome | Exception], None]) -> None:
        """Move the chains on to what was decided, and hand that in."""
        parts = [(each.head.path, chains[each.head.path], each) for each in (decision, *decision.also)]
        # Its version was drawn at random, so it tells this Change from all others.
        mark = decision.head.version if isinstance(decision, Write) else new_mark()
        change = Change(FamilyWrite(tuple(_as_stored(part) for _, _, part in parts)), mark=mark)
        for _, chain, part in parts:
            chain.begin(part)

        def ended(outcome: Outcome | Exception) -> None:
            for path, chain, _ in parts:
                if not isinstance(outcome, Committed):
                    self._break(path, chain)
                chain.end()
                self._forget_absent(path, chain)
            if isinstance(outcome, Committed) and any(isinstance(part, Remove) for _, _, part in parts):
                self.removed()
            reply(outcome)

        self._committer.hand_in(change, ended)

    async def _chain(self, path: str) -> StreamChain:
        chain = self._chains.get(path)
        if chain is not None and (chain.under_way or chain.head is None or not chain.head.engine):
            self._chains.move_to_end(path)
            return chain
        # The engine's appends do not come by here, nor move the version: what is known of its streams is soon old.
        loading = self._loading.get(path)
        if loading is None:
            loading = asyncio.get_running_loop().create_task(self._load(path))
            self._loading[path] = loading
        return await asyncio.shield(loading)

    async def _load(self, path: str) -> StreamChain:
        try:
            state = await self._store.load_stream(path)
            chain = StreamChain(None if state is None else state.head)
            self._chains[path] = chain
            self._trim()
            return chain
        finally:
            del self._loading[path]

    async def _load_producer(self, chain: StreamChain, path: str, producer_id: str) -> None:
        """Learn where a producer is, once for all who wait for it: they go on in the order in which they came."""
        loading = chain.loading.get(producer_id)
        if loading is None:
            loading = asyncio.get_running_loop().create_task(self._look_for_producer(chain, path, producer_id))
            chain.loading[producer_id] = loading
        await asyncio.shield(loading)

    async def _look_for_producer(self, chain: StreamChain, path: str, producer_id: str) -> None:
        try:
            state: StreamState | None = await self._store.load_stream(path, producer_id)
        finally:
            del chain.loading[producer_id]
        same = state is not None and chain.head is not None and state.head.incarnation == chain.head.incarnation
        # Whoever came first knows better: an append of this producer may be under way by now.
        chain.producers.setdefault(producer_id, state.producer if state is not None and same else None)

    def _break(self, path: str, chain: StreamChain) -> None:
        chain.broken = True
        if self._chains.get(path) is chain:
            del self._chains[path]

    def _forget_absent(self, path: str, chain: StreamChain) -> None:
        """Keep no memory of paths where nothing is."""
        if chain.head is None and not chain.under_way and self._chains.get(path) is chain:
            del self._chains[path]

    def _trim(self) -> None:
        """Keep the number of heads in memory bounded; one with commits under way may stay a little longer."""
        while len(self._chains) > CACHED_HEADS:
            path, chain = self._chains.popitem(last=False)
            if chain.under_way:
                self._chains[path] = chain
                return


def _nothing() -> None:
    """Do nothing."""


def _producer_of(command: StreamCommand) -> ProducerMark | None:
    match command:
        case Append(producer=producer) | Close(producer=producer):
            return producer
        case _:
            return None


def _as_stored(decision: Write | Remove) -> Write | StreamDelete:
    if isinstance(decision, Remove):
        return StreamDelete(decision.head.path, decision.head.version)
    return decision
