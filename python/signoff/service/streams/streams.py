"""Streams: those of applications can be created, appended to, closed and deleted; any stream can be read.

How a write is decided and committed is in `writer.py`, how the parts of a stream are put together in
`reader.py`.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from signoff.clock import Clock
from signoff.errors import EngineOwned, Gone, InvalidOffset, StreamDeleted, StreamNotFound
from signoff.service.streams import reader
from signoff.service.streams.compaction import Compactor
from signoff.service.streams.hub import Hub
from signoff.service.streams.writer import AppendEnded, AppendNow, Committer, StreamWriter, WriteResult
from signoff.stores.base import WorkflowStore
from signoff.streams import compaction, expiry, json_mode, offset
from signoff.streams import path as paths
from signoff.streams.stream import (
    Append,
    Branch,
    Close,
    Create,
    Delete,
    Head,
    Payload,
    ProducerMark,
    StreamCommand,
    Touch,
)

log = logging.getLogger(__name__)

CHUNK_BYTES: Final = 1 << 20
"""Bytes that one read brings, more or less."""

EXAMINED_AT_ONCE: Final = 16 * 1024
"""Bytes of messages that a decision may look at itself (`streams.compaction.examine`)."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one read brings: the units `[start, end)`.

    Attributes:
        head: of the stream at the moment of reading.
        data: raw bytes, or messages joined by commas.
        rows_at: position of the live rows with which `data` begins, in place of the units before it; 0: there are none.
    """

    head: Head
    start: int
    end: int
    data: bytes
    rows_at: int = 0

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


class StreamService:
    """The streams of a store: created, appended to, read, closed and deleted.

    Paths are checked (`streams.path`); streams below `runs/`, `inbox/` and `workflows/` belong to the engine and can
    only be read here.

    Args:
        store: where streams are kept.
        committer: commits in the order of the calls, several at once.
        hub: tells live readers of appends, and keeps what they read alive.
        clock: for times to live.
        compactor: folds what readers from the start find too long.
    """

    def __init__(
        self, store: WorkflowStore, committer: Committer, hub: Hub, clock: Clock, compactor: Compactor | None = None
    ) -> None:
        self.hub = hub
        self.clock = clock
        self._store = store
        self._compactor = compactor or Compactor(store)
        self._writer = StreamWriter(store, committer, clock, self._expired)
        hub.renew_with(self.touch)

    def on_removed(self, removed: Callable[[], None]) -> None:
        """Call this after a stream was deleted, when there is something to purge (`WorkflowStore.purge`)."""
        self._writer.removed = removed

    async def create(
        self,
        path: str,
        payload: Payload,
        *,
        closed: bool = False,
        ttl_s: int | None = None,
        expires_at: str | None = None,
        fork: Branch | None = None,
        compacted: bool = False,
    ) -> WriteResult:
        """Create a stream, or find that it exists with this configuration (§5.1).

        Args:
            payload: the content type and the first content, which may be empty.
            fork: begin with the units of another stream (§4.2), which may be the engine's. Whoever asks has made sure
                that the caller may read it.
            compacted: the messages are those of the State Protocol, and a reader from the start shall get the rows they
                lead to, not all of them (`streams.compaction`).

        Raises:
            EngineOwned: the path is the engine's.
            StreamConflict: it exists with another configuration; or see `streams.fork.begin`.
            StreamNotFound: there is no stream to fork.
            InvalidOffset: the stream to fork is not that long.
            BadRequest: the stream cannot be compacted, or a message is none of the State Protocol.
        """
        _check_writable(path)
        incarnation = secrets.token_hex(8)
        version = 1 + secrets.randbits(40)
        command = Create(path, incarnation, payload, version, closed, ttl_s, expires_at, fork, compacted)
        if compacted:
            command = replace(command, payload=await self._compactor.slicer.run(compaction.examine(payload)))
        return await self._writer.write(path, command)

    async def payload(self, declared: str | None, body: bytes) -> Payload:
        """Turn a body into units, as `json_mode.payload_in_slices` does, while all else goes on."""
        return await self._compactor.slicer.run(json_mode.payload_in_slices(declared, body))

    async def content_type(self, path: str) -> str:
        """Return the content type that a fork of this stream has, also of one that is kept for its forks alone.

        Raises:
            StreamNotFound: there is no stream.
        """
        paths.check(path)
        state = await self._store.load_stream(path)
        if state is None:
            raise StreamNotFound("There is no stream to fork at the path in Stream-Forked-From. Nothing was created.")
        return state.head.content_type

    async def append(
        self,
        path: str,
        payload: Payload,
        *,
        close: bool = False,
        seq: str | None = None,
        producer: ProducerMark | None = None,
    ) -> WriteResult:
        """Append units, and end the stream with them if `close` (§5.2).

        Raises:
            EngineOwned, StreamNotFound, StreamClosed, StreamConflict, ProducerFenced, ProducerGap, BadRequest.
        """
        _check_writable(path)
        if len(payload.data) > EXAMINED_AT_ONCE:
            payload = await self._examined(path, payload)
        return await self._writer.write(path, Append(payload, close, seq, producer))

    def append_now(self, append: AppendNow, reply: AppendEnded) -> bool:
        """Append as `append` does, without a task, if nothing but the commit has to be waited for.

        Args:
            append: what to append, and where.
            reply: called when the append is durable, or has failed; with None if `append` has to be asked again.

        Returns:
            False: ask `append`; nothing was done.
        """
        if len(append.body) > EXAMINED_AT_ONCE:
            return False
        return self._writer.append_now(append, reply)

    async def _examined(self, path: str, payload: Payload) -> Payload:
        """Look at messages ahead of the decision, which would take long over them."""
        state = await self._store.load_stream(path)
        if state is None or not state.head.compacted:
            return payload
        return await self._compactor.slicer.run(compaction.examine(payload))

    async def close(self, path: str, producer: ProducerMark | None = None) -> WriteResult:
        """End a stream as it is (§5.3).

        Raises:
            EngineOwned, StreamNotFound, ProducerFenced, ProducerGap.
        """
        _check_writable(path)
        return await self._writer.write(path, Close(producer))

    async def delete(self, path: str) -> None:
        """Delete a stream (§5.4): with all its data and what was kept for it alone, or for all but its forks.

        Raises:
            EngineOwned, StreamNotFound, StreamDeleted.
        """
        _check_writable(path)
        await self._writer.write(path, Delete())

    async def write_output(self, path: str, command: StreamCommand) -> WriteResult:
        """Write to an output or a file of a run, which nobody but the engine may; refused is what `append` refuses."""
        return await self._writer.write(path, command)

    async def head(self, path: str) -> Head:
        """Return the head of a stream, without renewing its time to live (§5.5).

        Raises:
            StreamNotFound: there is no stream, or it has expired.
            StreamDeleted: it is kept for its forks alone.
        """
        paths.check(path)
        state = await self._store.load_stream(path)
        if state is None:
            raise _absent()
        if await self._is_over(state.head):
            return await self.head(path)
        return state.head

    async def read(
        self, path: str, token: str = offset.START, *, max_bytes: int = CHUNK_BYTES, end: int | None = None
    ) -> Chunk:
        """Read from an offset, about `max_bytes` at most (§5.6).

        Args:
            token: an offset, `-1` or `now`.
            max_bytes: when to stop, after the batch that reaches it (`stores.parting.batches`).
            end: a position where an earlier read from the same offset, with the same measure, has stopped: stop there
                again, whatever was appended meanwhile.

        Raises:
            InvalidOffset: the offset is malformed, or beyond the tail.
            StreamNotFound: there is no stream.
            Gone: what is there is no longer kept, or the offset names a stream whose place another has taken.
            StreamDeleted: the stream is kept for its forks alone.
        """
        paths.check(path)
        if token == offset.NOW:
            head = await self.head(path)
            await self.touch(head)
            return Chunk(head, head.tail, head.tail, b"")
        start = offset.decode(token)
        if token == offset.START:
            units = await self._compactor.read_start(path, max_bytes, end)
        else:
            units = await reader.read(self._store, self._compactor.slicer, path, start, max_bytes, end=end)
        if units is None:
            raise _absent()
        head = units.head
        if await self._is_over(head):
            return await self.read(path, token, max_bytes=max_bytes, end=end)
        mark = offset.mark(token)
        if mark is not None and mark != head.incarnation and (head.fork is None or mark != head.fork.incarnation):
            raise Gone("The stream of this offset was deleted; another has taken its place. Start over with `-1`.")
        if start < head.base and token != offset.START:
            raise Gone("What follows this offset is no longer kept. Start over with `-1`.")
        if start > head.tail:
            raise InvalidOffset("This offset is beyond the end of the stream: it belongs to another stream.")
        await self.touch(head)
        return Chunk(head, units.start, units.end, units.data, head.rows_at if token == offset.START else 0)

    async def touch(self, head: Head) -> None:
        """Renew the time to live of a stream that is being read."""
        if expiry.renew(head, self.clock.now_ms()) is not None and not head.engine:
            try:
                await self._writer.write(head.path, Touch())
            except (StreamNotFound, StreamDeleted):
                log.debug("%s went away while it was read", head.path)

    @property
    def expired(self) -> int:
        """Return how many streams were deleted here, and by no other process, because their life was over."""
        return self._writer.expired

    async def expire(self, path: str) -> bool:
        """Delete a stream if its life is over; tell whether it is gone, whoever has deleted it."""
        try:
            await self._writer.write(path, Touch())
        except (StreamNotFound, StreamDeleted):
            return True
        return False

    async def _is_over(self, head: Head) -> bool:
        """Delete a stream whose time is over; True: somebody has renewed it meanwhile, so look again.

        Raises:
            StreamNotFound: it was over, or somebody else has deleted it.
            StreamDeleted: it is kept for its forks alone.
        """
        if not head.deleted and not self._expired(head):
            return False
        await self._writer.write(head.path, Touch())
        return True

    def _expired(self, head: Head) -> bool:
        properties = head.properties
        mortal = properties.ttl_s is not None or properties.expires_at is not None
        return mortal and expiry.is_expired(head, self.clock.now_ms())


def _check_writable(path: str) -> None:
    paths.check(path)
    if paths.engine_owned(path):
        raise EngineOwned(
            f"Streams below {path.partition('/')[0]}/ are written by the engine alone. Nothing was changed."
        )


def _absent() -> StreamNotFound:
    return StreamNotFound("There is no stream at this path; create it with PUT.")
