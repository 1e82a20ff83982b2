"""Live reads: long-poll (Durable Streams §5.7) and Server-Sent Events (§5.8).

A live reader attaches to the hub before it looks at the store, so nothing falls between. It is only a position: what it
has not yet been sent comes from the hub's shared frames or, if it is too slow for those, from the store. `send` waits
while the client does not read, so nothing piles up for it here; and while it waits, no more is held than one event.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from signoff.errors import ServerBusy, SignoffError, StreamNotFound
from signoff.server.http.reply import Header, Receive, Reply, Send
from signoff.server.streams import wire
from signoff.server.streams.long_replies import PIECE, KeptReply, LongReplies, LongReply, ReplyLost, departed, in_pieces
from signoff.server.streams.wire import Query
from signoff.service.streams.channel import Reader, SseFrame
from signoff.service.streams.streams import CHUNK_BYTES, Chunk, Streams
from signoff.streams import compaction, live, offset
from signoff.streams.stream import Head

log = logging.getLogger(__name__)

MIB: Final = 1 << 20

LONG: Final = 4 * PIECE
"""Bytes of messages that an event may hold for each reader apart; a longer one is one of the `LongReplies`."""


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


@dataclass(frozen=True, slots=True)
class StreamRead:
    """One GET of a stream.

    Attributes:
        private: the stream belongs to people, so nobody may keep a copy.
        authorized: who calls decided whether this may be read, so a shared cache may not keep a copy.
        until: when (milliseconds since the epoch) whoever calls may no longer read; None: there is no end.
    """

    streams: Streams
    limits: Limits
    long_replies: LongReplies
    path: str
    query: Query
    private: bool
    authorized: bool
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

        return LongReply(headers, KeptReply.make(self.long_replies, _part(chunk), chunk.body, load))

    def again(self, chunk: Chunk, token: str, most: int | None = None) -> Callable[[], Awaitable[Chunk | None]]:
        """Return what reads a chunk once more; it holds nothing of the chunk itself."""
        part, end = _part(chunk), chunk.end
        size = self.limits.chunk if most is None else min(most, self.limits.chunk)

        async def read() -> Chunk | None:
            try:
                found = await self.streams.read(self.path, token, max_bytes=size, end=end)
            except SignoffError:
                return None
            return found if _part(found) == part else None

        return read

    def headers(self, chunk: Chunk) -> tuple[Header, ...]:
        """Return what a response with this chunk says about it."""
        headers: list[Header] = [
            (b"content-type", chunk.head.content_type.encode("latin-1")),
            wire.next_offset(chunk.end),
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


def _part(chunk: Chunk) -> tuple[str, str, int, int, int]:
    """Return what names the units of a chunk, of whatever stream: their bytes are the same for ever."""
    return chunk.head.path, chunk.head.incarnation, chunk.start, chunk.end, chunk.rows_at


# -- long-poll ---------------------------------------------------------------------------------------------------------


async def long_poll(read: StreamRead, receive: Receive) -> Reply | LongReply | None:
    """Return what there is after the offset, or what comes within the time; None if the client left."""
    token = read.query.offset
    with read.streams.hub.watch(read.path) as reader:
        chunk = await read.chunk(token)
        reader.channel.observe(chunk.head)
        if chunk.end == chunk.start and not chunk.closed:
            token = offset.encode(chunk.end)
            departure = asyncio.create_task(_listen(receive, reader))
            try:
                chunk = await _await_news(read, reader, chunk)
            finally:
                departure.cancel()
            if reader.gone:
                return None
    cursor: tuple[Header, ...] = ()
    if not chunk.closed:
        cursor = ((b"stream-cursor", str(read.cursor()).encode()),)
    if chunk.end == chunk.start:
        without_type = read.headers(chunk)[1:]
        return Reply(204, b"", (*without_type, *cursor, wire.NO_STORE))
    described = (*read.headers(chunk), *cursor, (b"etag", read.tag(chunk).encode()), read.cache(chunk))
    return read.reply(chunk, token, described)


async def _await_news(read: StreamRead, reader: Reader, chunk: Chunk) -> Chunk:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + read.within(read.limits.long_poll_s)
    while await reader.wait(chunk.end, deadline - loop.time()):
        if reader.gone:
            break
        if reader.channel.deleted:
            await read.streams.head(read.path)
            raise StreamNotFound("The stream was deleted, and another has taken its place.")
        chunk = await read.chunk(offset.encode(chunk.end))
        reader.channel.observe(chunk.head)
        if chunk.end > chunk.start or chunk.closed or reader.channel.ended:
            break
    return chunk


# -- Server-Sent Events ------------------------------------------------------------------------------------------------


async def sse(read: StreamRead, receive: Receive, send: Send) -> None:
    """Send what there is after the offset, and then what comes, until the stream or the connection ends."""
    limits = read.limits
    with read.streams.hub.watch(read.path) as reader:
        feed = _EventFeed(read, reader, send)
        await feed.begin()
        departure = asyncio.create_task(_listen(receive, reader))
        try:
            async with asyncio.timeout(read.within(limits.max_age_s) + limits.stuck_s):
                await feed.run()
                await send({"type": "http.response.body", "body": b""})
        except ReplyLost:
            log.info("ended a live read of %s: what it was being sent has changed", read.path)
        except TimeoutError:
            log.warning("dropped a reader of %s that did not read for %.0f seconds", read.path, limits.stuck_s)
        finally:
            departure.cancel()


def _sse_headers(read: StreamRead, chunk: Chunk) -> list[Header]:
    headers: list[Header] = [
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"private, no-store, no-cache" if read.private else b"no-cache"),
        (b"x-accel-buffering", b"no"),
    ]
    if chunk.rows_at:
        headers.append(wire.COMPACTED)
    if live.needs_base64(chunk.head):
        headers.append((b"stream-sse-data-encoding", b"base64"))
    return headers


@dataclass(frozen=True, slots=True)
class _LongEvent:
    """A long event, the control event after it, and where that leads."""

    event: KeptReply
    control: bytes
    end: int
    closed: bool


class _EventFeed:
    """What one reader is sent: all that follows its position.

    Of text it may have taken the beginning of a character, which it sends with the rest: the position is before that.
    """

    __slots__ = ("_chunk", "_cursor", "_held", "_position", "_reader", "_send", "_stream_read", "_token")

    def __init__(self, read: StreamRead, reader: Reader, send: Send) -> None:
        self._stream_read = read
        self._reader = reader
        self._send = send
        self._cursor = read.cursor()
        self._position = 0
        self._held = b""
        self._chunk: Chunk | None = None
        self._token = offset.START

    @property
    def _seen(self) -> int:
        return self._position + len(self._held)

    async def begin(self) -> None:
        """Read a first chunk, and begin the response."""
        await self._read(self._stream_read.query.offset)
        assert self._chunk is not None, "it was read"
        headers = _sse_headers(self._stream_read, self._chunk)
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def run(self) -> None:
        """Send the first chunk, and then all that comes until there is a reason to end."""
        loop = asyncio.get_running_loop()
        keep_alive = self._stream_read.limits.keep_alive_s
        end = loop.time() + self._stream_read.within(self._stream_read.limits.max_age_s)
        reader, channel = self._reader, self._reader.channel
        if await self._send_chunk():
            return
        while not (reader.gone or channel.ended) and loop.time() < end:
            frames = channel.after(self._position, self._seen, most=PIECE)
            if frames is None or (frames and len(frames[0].data) > 2 * LONG):
                if await self._from_store():
                    return
            elif frames:
                if await self._frames(frames):
                    return
            elif channel.closed:
                await self._write(self._closing(channel.head))
                return
            elif not await reader.wait(self._seen, min(keep_alive, end - loop.time())):
                await self._write(live.KEEP_ALIVE)

    async def _read(self, token: str) -> None:
        chunk = await self._stream_read.chunk(token, PIECE)
        self._reader.channel.observe(chunk.head)
        self._chunk, self._token = chunk, token

    async def _from_store(self) -> bool:
        try:
            await self._read(offset.encode(self._seen))
        except SignoffError as error:
            # The response has begun; ending it makes the client connect anew and learn the reason.
            log.info("ended a live read of %s: %s", self._stream_read.path, error)
            return True
        return await self._send_chunk()

    async def _send_chunk(self) -> bool:
        """Send the chunk that was read; True if the stream ends with it."""
        chunk, self._chunk = self._chunk, None
        assert chunk is not None, "it was read"
        if chunk.head.json and len(chunk.data) > LONG:
            long = self._enter(chunk, self._token)
            del chunk  # all there is of it from now on is what is kept
            return await self._send_long(long)
        head, start, data = chunk.head, chunk.start - len(self._held), self._held + chunk.data
        cut = len(data) - (0 if chunk.closed else live.unfinished(head, data))
        self._held, whole = data[cut:], chunk.end - len(data[cut:])
        for end, part in live.parts(head, start, whole, data[:cut]):
            last = end == whole
            event = live.data_event(head, part) if part else b""
            control = self._control(end, up_to_date=last and chunk.up_to_date, closed=last and chunk.closed)
            await self._write(event + control)
            self._position = end
        return chunk.closed

    async def _frames(self, frames: list[SseFrame]) -> bool:
        """Send what the hub holds; True if the stream ends with it."""
        channel = self._reader.channel
        last = frames[-1]
        latest = last is channel.ring[-1]
        ending = latest and channel.closed and last.end == channel.tail
        self._held = channel.unfinished if latest else b""
        parts = [frame.event(last=False, cursor=self._cursor) for frame in frames[:-1]]
        self._position = last.end
        parts.append(last.data + self._closing(None) if ending else last.event(last=latest, cursor=self._cursor))
        self._cursor = max(self._cursor, last.cursor)
        await self._write(b"".join(parts))
        return ending

    def _enter(self, chunk: Chunk, token: str) -> _LongEvent:
        """Have one long event kept."""
        again = self._stream_read.again(chunk, token, PIECE)

        async def load() -> bytes | None:
            found = await again()
            return None if found is None else live.data_event(found.head, found.data)

        event, key = live.data_event(chunk.head, chunk.data), (*_part(chunk), "event")
        control = self._control(chunk.end, up_to_date=chunk.up_to_date, closed=chunk.closed)
        return _LongEvent(
            KeptReply.make(self._stream_read.long_replies, key, event, load), control, chunk.end, chunk.closed
        )

    async def _send_long(self, long: _LongEvent) -> bool:
        """Send a long event and what follows it; True if the stream ends with it."""
        await long.event.send(self._send, lambda: self._reader.gone, last=False)
        await self._write(long.control)
        self._position = long.end
        return long.closed

    def _control(self, position: int, *, up_to_date: bool, closed: bool = False) -> bytes:
        return live.control_event(position, cursor=str(self._cursor), up_to_date=up_to_date, closed=closed)

    def _closing(self, head: Head | None) -> bytes:
        """Return the last event, after what is held back as it is: nothing will finish it."""
        data = live.data_event(head, self._held) if head is not None and self._held else b""
        self._position, self._held = self._seen, b""
        return data + self._control(self._position, up_to_date=True, closed=True)

    async def _write(self, data: bytes) -> None:
        if len(data) <= PIECE:  # what nearly all events are, of which each costs for every reader
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
        else:
            await in_pieces(data, self._send)


async def _listen(receive: Receive, reader: Reader) -> None:
    """Notice that the client left."""
    await departed(receive)
    reader.leave()
