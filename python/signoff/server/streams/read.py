"""Reads of streams over HTTP: what one GET asks for and finds, and the headers that say so (Durable Streams §5.6)."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from signoff.errors import ServerBusy, SignoffError
from signoff.server.http.reply import Header, Reply, Scope
from signoff.server.streams import wire
from signoff.server.streams.long_replies import PIECE, KeptReply, LongReplies, LongReply
from signoff.server.streams.wire import Query
from signoff.service.streams.channel import Reader
from signoff.service.streams.streams import CHUNK_BYTES, Chunk, StreamService
from signoff.streams import compaction, live, offset

MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """The sizes and times of the stream endpoints.

    Attributes:
        max_body: bytes of one append.
        chunk: about how many bytes one read returns; a message is not parted.
        long_poll_s: seconds a long-poll waits.
        keep_alive_s: seconds after which a silent SSE connection gets a comment.
        max_age_s: seconds after which an SSE connection is ended, for the client to connect anew (§10.2).
        stuck_s: seconds beyond `max_age_s` after which a client that does not read is dropped.
        max_readers: live readers at a time; one more is refused.
    """

    max_body: int = 10 * MIB
    chunk: int = CHUNK_BYTES
    long_poll_s: float = 20.0
    keep_alive_s: float = 15.0
    max_age_s: float = 60.0
    stuck_s: float = 15.0
    max_readers: int = 8_000


class Permission:
    """Whether a live read that was allowed still is.

    Args:
        scope: of the request.
        path: of the stream.
    """

    def __init__(self, scope: Scope, path: str) -> None:
        self.scope = scope
        self.path = path
        self.withdrawn = False
        self._reader: Reader | None = None

    def attach(self, reader: Reader) -> None:
        """Have this reader let go when the permission is withdrawn."""
        self._reader = reader
        if self.withdrawn:
            reader.leave()

    def withdraw(self) -> None:
        """Let the reader go."""
        self.withdrawn = True
        if self._reader is not None:
            self._reader.leave()


@dataclass(frozen=True, slots=True)
class StreamRead:
    """One GET of a stream.

    Attributes:
        private: the stream belongs to people, so nobody may keep a copy.
        authorized: who calls decided whether this may be read, so a shared cache may not keep a copy.
        permission: of whoever calls, which may be withdrawn while they read live.
        until: when (milliseconds since the epoch) whoever calls may no longer read; None: there is no end.
    """

    streams: StreamService
    limits: Limits
    long_replies: LongReplies
    path: str
    query: Query
    private: bool
    authorized: bool
    permission: Permission
    until: float | None = None

    def within(self, seconds: float) -> float:
        """Return so many seconds, or fewer if whoever calls may not read for so long."""
        if self.until is None:
            return seconds
        return max(0.0, min(seconds, (self.until - self.streams.clock.now_ms()) / 1000))

    async def chunk(self, token: str, most: int | None = None) -> Chunk:
        """Read one chunk, or less if it is to be `most` bytes at most."""
        size = self.limits.chunk if most is None else min(most, self.limits.chunk)
        async with self.long_replies.loading():
            return await self.streams.read(self.path, token, max_bytes=size)

    def reply(self, chunk: Chunk, token: str, headers: tuple[Header, ...]) -> Reply | LongReply:
        """Return the response that carries a chunk, which was read at `token`.

        Raises:
            ServerBusy: it is long, and as many long ones as may be are being sent.
        """
        if len(chunk.data) <= PIECE:
            return Reply(200, chunk.body, headers)
        if self.long_replies.under_way >= self.limits.max_readers:
            raise ServerBusy("As many long answers as this server sends at a time are under way. Try again later.")
        again = self.again(chunk, token)

        async def load() -> bytes | None:
            found = await again()
            return None if found is None else found.body

        return LongReply(headers, KeptReply.make(self.long_replies, part_of(chunk), chunk.body, load))

    def again(self, chunk: Chunk, token: str, most: int | None = None) -> Callable[[], Awaitable[Chunk | None]]:
        """Return what reads a chunk once more; it holds nothing of the chunk itself."""
        part, end = part_of(chunk), chunk.end
        size = self.limits.chunk if most is None else min(most, self.limits.chunk)

        async def read() -> Chunk | None:
            try:
                found = await self.streams.read(self.path, token, max_bytes=size, end=end)
            except SignoffError:
                return None
            return found if part_of(found) == part else None

        return read

    def headers(self, chunk: Chunk) -> tuple[Header, ...]:
        """Return what a response with this chunk says about it."""
        headers: list[Header] = [
            (b"content-type", chunk.head.content_type.encode("latin-1")),
            wire.next_offset(chunk.head, chunk.end),
        ]
        if chunk.up_to_date:
            headers.append(wire.UP_TO_DATE)
        if chunk.rows_at:
            headers.append(wire.COMPACTED)
        if chunk.closed:
            headers.append(wire.CLOSED)
        return tuple(headers)

    def tag(self, chunk: Chunk) -> str:
        """Return the entity tag of what was read."""
        return live.etag(chunk.head, chunk.start, chunk.end, chunk.rows_at)

    def cache(self, chunk: Chunk) -> Header:
        """Return who may keep a copy of what was read (§10.1)."""
        if self.private:
            return b"cache-control", wire.SENSITIVE
        if self.query.offset == offset.NOW:
            return wire.NO_STORE  # it would be somebody else's now
        if self.query.offset == offset.START and compaction.compacted(chunk.head):
            return b"cache-control", wire.PRIVATE_ROWS if self.authorized else wire.SHARED_ROWS
        return b"cache-control", wire.PRIVATE_CACHE if self.authorized else wire.SHARED_CACHE

    def cursor(self) -> int:
        """Return the least cursor this reader may be told (§10.1)."""
        jitter = 1 + secrets.randbelow(live.MAX_JITTER_S)
        return int(live.cursor(self.streams.clock.now_ms(), self.query.cursor, jitter))


def part_of(chunk: Chunk) -> tuple[str, str, int, int, int]:
    """Return what names the units of a chunk, of whatever stream: their bytes are the same for ever."""
    return chunk.head.path, chunk.head.incarnation, chunk.start, chunk.end, chunk.rows_at
