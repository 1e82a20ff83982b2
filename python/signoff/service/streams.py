"""Streams of applications: load, decide, commit; and reading of any stream.

Every write is decided on a head in memory and committed as a compare-and-swap on it. Writes to one stream are decided
one after another, each on what the one before it will leave, without waiting for the disk, and then committed together:
the `_Chain` of a stream holds that speculative state. When a commit conflicts, because another process wrote, the chain
is dropped and everything on it is decided again. What needs no write (a retry, a refusal) has no compare-and-swap to
prove it, so it is answered only when all it was decided on is durable and the store still says the same.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final, Protocol

from signoff.clock import Clock
from signoff.errors import EngineOwned, Gone, InvalidOffset, SignoffError, StoreError, StreamNotFound
from signoff.service.hub import Hub
from signoff.stores.base import (
    Batch,
    Change,
    Committed,
    Conflict,
    Outcome,
    StreamDelete,
    StreamState,
    StreamWrite,
    WorkflowStore,
)
from signoff.streams import expiry, json_mode, offset
from signoff.streams import path as paths
from signoff.streams.decide import decide
from signoff.streams.stream import (
    Append,
    Close,
    Command,
    Create,
    Delete,
    Head,
    Known,
    Payload,
    ProducerMark,
    Remove,
    Touch,
    Write,
)

log = logging.getLogger(__name__)

CHUNK_BYTES: Final = 1 << 20
CACHED_HEADS: Final = 10_000
CACHED_PRODUCERS: Final = 1_000
"""Producers of one stream that are remembered beyond the commits under way."""

ATTEMPTS: Final = 100
"""How often a write is decided again. Each round somebody else's write succeeded, so this many means a defect."""


class Committer(Protocol):
    """Commit Changes in the order of the calls."""

    async def commit(self, change: Change) -> Outcome:
        """Commit a Change, together with those that wait."""
        ...


@dataclass(frozen=True, slots=True)
class Written:
    """Tell how a write ended.

    Attributes:
        head: of the stream after it.
        new: something was written; False: it was so already, or this was a retry.
        producer: the highest append of the producer that was accepted.
    """

    head: Head
    new: bool
    producer: ProducerMark | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Hold what one read brings: the units `[start, end)`.

    Attributes:
        head: of the stream at the moment of reading.
        data: raw bytes, or messages joined by commas.
    """

    head: Head
    start: int
    end: int
    data: bytes

    @property
    def up_to_date(self) -> bool:
        """Tell whether this reaches the tail."""
        return self.end >= self.head.tail

    @property
    def closed(self) -> bool:
        """Tell whether this reaches the end of a closed stream (§5.6)."""
        return self.head.closed and self.up_to_date

    @property
    def body(self) -> bytes:
        """Return the data as readers get it: messages in an array."""
        return json_mode.array((self.data,)) if self.head.json else self.data


@dataclass(slots=True, eq=False)
class _Chain:
    """Hold a stream as it will be when everything under way is committed."""

    head: Head | None
    producers: dict[str, ProducerMark | None] = field(default_factory=dict)
    under_way: int = 0
    broken: bool = False
    settled: asyncio.Future[None] | None = None

    def apply(self, decision: Write | Remove) -> None:
        """Become what a decision will leave."""
        match decision:
            case Write(head, _, producer):
                self.head = head
                if producer is not None:
                    self.producers[producer.producer_id] = producer
            case Remove():
                self.head = None
                self.producers.clear()

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        while self.under_way:
            if self.settled is None:
                self.settled = asyncio.get_running_loop().create_future()
            await asyncio.shield(self.settled)

    def done(self) -> None:
        """Learn that one commit ended."""
        self.under_way -= 1
        if self.under_way:
            return
        if len(self.producers) > CACHED_PRODUCERS:
            self.producers.clear()
        if self.settled is not None:
            self.settled.set_result(None)
            self.settled = None


class Streams:
    """Create, append to, read, close and delete streams.

    Paths are checked (`streams.path`); streams below `runs/`, `inbox/` and `workflows/` belong to the engine and can
    only be read here.

    Args:
        store: where streams are kept.
        committer: commits in the order of the calls, several at once.
        hub: tells of live readers.
        clock: for times to live.
    """

    def __init__(self, store: WorkflowStore, committer: Committer, hub: Hub, clock: Clock) -> None:
        self.hub = hub
        self.clock = clock
        self._store = store
        self._committer = committer
        self._chains: OrderedDict[str, _Chain] = OrderedDict()
        self._loading: dict[str, asyncio.Task[_Chain]] = {}

    async def create(
        self,
        path: str,
        payload: Payload,
        *,
        closed: bool = False,
        ttl_s: int | None = None,
        expires_at: str | None = None,
    ) -> Written:
        """Create a stream, or find that it exists with this configuration (§5.1).

        Args:
            payload: the content type and the first content, which may be empty.

        Raises:
            EngineOwned: the path is the engine's.
            StreamConflict: it exists with another configuration.
        """
        _check_foreign(path)
        incarnation = secrets.token_hex(8)
        version = 1 + secrets.randbits(40)
        return await self._write(path, Create(path, incarnation, payload, version, closed, ttl_s, expires_at))

    async def append(
        self,
        path: str,
        payload: Payload,
        *,
        close: bool = False,
        seq: str | None = None,
        producer: ProducerMark | None = None,
    ) -> Written:
        """Append units, and end the stream with them if `close` (§5.2).

        Raises:
            EngineOwned, StreamNotFound, StreamClosed, StreamConflict, ProducerFenced, ProducerGap, BadRequest.
        """
        _check_foreign(path)
        return await self._write(path, Append(payload, close, seq, producer))

    async def close(self, path: str, producer: ProducerMark | None = None) -> Written:
        """End a stream as it is (§5.3).

        Raises:
            EngineOwned, StreamNotFound, ProducerFenced, ProducerGap.
        """
        _check_foreign(path)
        return await self._write(path, Close(producer))

    async def delete(self, path: str) -> None:
        """Delete a stream with all its data (§5.4).

        Raises:
            EngineOwned, StreamNotFound.
        """
        _check_foreign(path)
        await self._write(path, Delete())

    async def head(self, path: str) -> Head:
        """Return the head of a stream, without renewing its time to live (§5.5).

        Raises:
            StreamNotFound: there is no stream, or it has expired.
        """
        paths.check(path)
        state = await self._store.load_stream(path)
        if state is None:
            raise _absent()
        if self._expired(state.head):
            await self._expire(state.head)
            raise _absent()
        return state.head

    async def read(self, path: str, token: str = offset.START, *, max_bytes: int = CHUNK_BYTES) -> Chunk:
        """Read from an offset, about `max_bytes` at most (§5.6).

        Args:
            token: an offset, `-1` or `now`.
            max_bytes: when to stop; what was appended at once is not parted.

        Raises:
            InvalidOffset: the offset is malformed, or beyond the tail.
            StreamNotFound: there is no stream.
            Gone: what is there is no longer kept.
        """
        paths.check(path)
        if token == offset.NOW:
            head = await self.head(path)
            await self.touch(head)
            return Chunk(head, head.tail, head.tail, b"")
        start = offset.decode(token)
        loaded = await self._store.read(path, start, max_bytes)
        if loaded is None:
            raise _absent()
        head, batches = loaded
        if self._expired(head):
            await self._expire(head)
            raise _absent()
        if start < head.base and token != offset.START:
            raise Gone("What follows this offset is no longer kept. Start over with `-1`.")
        if start > head.tail:
            raise InvalidOffset("This offset is beyond the end of the stream: it belongs to another stream.")
        await self.touch(head)
        return _chunk(head, max(start, head.base), batches)

    async def touch(self, head: Head) -> None:
        """Renew the time to live of a stream that is being read."""
        if expiry.renew(head, self.clock.now_ms()) is not None and not head.engine:
            try:
                await self._write(head.path, Touch())
            except StreamNotFound:
                log.debug("%s went away while it was read", head.path)

    async def _write(self, path: str, command: Command) -> Written:
        paths.check(path)
        for _ in range(ATTEMPTS):
            chain = await self._chain(path)
            producer = _producer_of(command)
            if producer is not None and producer.producer_id not in chain.producers:
                await self._load_producer(chain, path, producer.producer_id)
            if chain.broken:
                continue
            written = await self._decide_and_commit(path, chain, command)
            if written is not None:
                return written
        raise StoreError(f"The stream {path} changes too fast; nothing was written. Try again.")

    async def _decide_and_commit(self, path: str, chain: _Chain, command: Command) -> Written | None:
        """Do one round; None: what it was decided on turned out to be wrong, so decide again."""
        producer = _producer_of(command)
        last = None if producer is None else chain.producers.get(producer.producer_id)
        before = chain.head
        if before is not None and self._expired(before):
            await self._commit(path, chain, Remove(before))
            return None
        try:
            decision = decide(before, command, last, self.clock.now_ms())
        except SignoffError:
            if not await self._confirm(path, chain, before):
                return None
            self._forget_absent(path, chain)
            raise
        match decision:
            case Known(head, mark):
                if not await self._confirm(path, chain, before):
                    return None
                return Written(head, new=False, producer=mark)
            case Write() | Remove():
                if not await self._commit(path, chain, decision):
                    return None
                return Written(decision.head, new=True, producer=producer)

    async def _confirm(self, path: str, chain: _Chain, before: Head | None) -> bool:
        """Tell whether the stream really was as `before` says, durably, at some time since the request came."""
        await chain.settle()
        if chain.broken:
            return False
        if chain.head is not before:
            return True  # a commit on top of it succeeded
        state = await self._store.load_stream(path)
        if (None if state is None else state.head.version) == (None if before is None else before.version):
            return True
        self._break(path, chain)
        return False

    async def _commit(self, path: str, chain: _Chain, decision: Write | Remove) -> bool:
        """Commit a decision; False: it conflicted, and so the chain is broken."""
        change = _change(chain.head, decision)
        chain.apply(decision)
        chain.under_way += 1
        outcome: Outcome | None = None
        try:
            # Handed over before anything else can run, so that commits arrive in the order they were decided.
            outcome = await self._committer.commit(change)
        finally:
            if not isinstance(outcome, Committed):
                self._break(path, chain)
            chain.done()
        self._forget_absent(path, chain)
        return not isinstance(outcome, Conflict)

    async def _chain(self, path: str) -> _Chain:
        chain = self._chains.get(path)
        if chain is not None:
            self._chains.move_to_end(path)
            return chain
        loading = self._loading.get(path)
        if loading is None:
            loading = asyncio.get_running_loop().create_task(self._load(path))
            self._loading[path] = loading
        return await asyncio.shield(loading)

    async def _load(self, path: str) -> _Chain:
        try:
            state = await self._store.load_stream(path)
            chain = _Chain(None if state is None else state.head)
            self._chains[path] = chain
            self._trim()
            return chain
        finally:
            del self._loading[path]

    async def _load_producer(self, chain: _Chain, path: str, producer_id: str) -> None:
        state: StreamState | None = await self._store.load_stream(path, producer_id)
        # Whoever came first knows better: an append of this producer may be under way by now.
        chain.producers.setdefault(producer_id, None if state is None else state.producer)

    def _break(self, path: str, chain: _Chain) -> None:
        chain.broken = True
        if self._chains.get(path) is chain:
            del self._chains[path]

    def _forget_absent(self, path: str, chain: _Chain) -> None:
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

    def _expired(self, head: Head) -> bool:
        if not expiry.is_expired(head, self.clock.now_ms()):
            return False
        # A stream with live readers does not go idle (§5.1); a fixed end is a fixed end.
        return head.ttl_s is None or not self.hub.has_readers(head.path)

    async def _expire(self, head: Head) -> None:
        """Remove what has expired; if somebody was faster, all the better."""
        await self._committer.commit(Change(streams=(StreamDelete(head.path, head.version),)))
        if (chain := self._chains.get(head.path)) is not None:
            self._break(head.path, chain)


def _check_foreign(path: str) -> None:
    if paths.engine_owned(path):
        raise EngineOwned(
            f"Streams below {path.partition('/')[0]}/ are written by the engine alone. Nothing was changed."
        )


def _absent() -> StreamNotFound:
    return StreamNotFound("There is no stream at this path; create it with PUT.")


def _producer_of(command: Command) -> ProducerMark | None:
    match command:
        case Append(producer=producer) | Close(producer=producer):
            return producer
        case _:
            return None


def _change(before: Head | None, decision: Write | Remove) -> Change:
    expect = 0 if before is None else before.version
    match decision:
        case Write(head, data, producer):
            return Change(streams=(StreamWrite(head, expect, data, producer),))
        case Remove(head):
            return Change(streams=(StreamDelete(head.path, expect),))


def _chunk(head: Head, start: int, batches: list[Batch]) -> Chunk:
    """Join batches, the first of which may begin before `start`."""
    parts: list[bytes] = []
    end = start
    for batch in batches:
        ahead = start - batch.start
        if ahead > 0:
            parts.append(json_mode.skip(batch.data, ahead) if head.json else batch.data[ahead:])
        else:
            parts.append(batch.data)
        end = batch.end
    return Chunk(head, start, end, (b"," if head.json else b"").join(parts))
