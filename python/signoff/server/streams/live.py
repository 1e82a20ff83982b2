"""Live reads: long-poll (Durable Streams §5.7) and Server-Sent Events (§5.8).

A live reader attaches to the hub before it looks at the store, so nothing falls between. It is only a position: what it
has not yet been sent comes from the hub's shared frames or, if it is too slow for those, from the store. `send` waits
while the client does not read, so nothing piles up for it here; and while it waits, no more is held than one event.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from signoff.errors import SignoffError, StreamNotFound, Unauthorized
from signoff.server.http.reply import Header, Receive, Reply, Send
from signoff.server.streams import wire
from signoff.server.streams.long_replies import PIECE, KeptReply, LongReply, ReplyLost, departed, in_pieces
from signoff.server.streams.read import StreamRead, part_of
from signoff.service.streams.channel import Reader, SseFrame
from signoff.service.streams.streams import Chunk
from signoff.streams import live, offset
from signoff.streams.stream import Head

log = logging.getLogger(__name__)

LONG: Final = 4 * PIECE
"""Bytes of messages that an event may hold for each reader apart; a longer one is one of the `LongReplies`."""


# -- long-poll ---------------------------------------------------------------------------------------------------------


async def long_poll(read: StreamRead, receive: Receive) -> Reply | LongReply | None:
    """Return what there is after the offset, or what comes within the time; None if the client left."""
    token = read.query.offset
    with read.streams.hub.watch(read.path) as reader:
        read.permission.attach(reader)
        chunk = await read.chunk(token)
        reader.channel.observe(chunk.head)
        if chunk.end == chunk.start and not chunk.closed:
            token = offset.marked(chunk.end, chunk.head.incarnation)
            departure = asyncio.create_task(_listen(receive, reader))
            try:
                chunk = await _await_news(read, reader, chunk)
            finally:
                departure.cancel()
            if read.permission.withdrawn:
                raise Unauthorized("What let you read this was revoked. Get a new token.")
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
        chunk = await read.chunk(offset.marked(chunk.end, chunk.head.incarnation))
        reader.channel.observe(chunk.head)
        if chunk.end > chunk.start or chunk.closed or reader.channel.ended:
            break
    return chunk


# -- Server-Sent Events ------------------------------------------------------------------------------------------------


async def sse(read: StreamRead, receive: Receive, send: Send) -> None:
    """Send what there is after the offset, and then what comes, until the stream or the connection ends."""
    limits = read.limits
    with read.streams.hub.watch(read.path) as reader:
        read.permission.attach(reader)
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

    __slots__ = ("_chunk", "_cursor", "_head", "_held", "_position", "_reader", "_send", "_stream_read", "_token")

    def __init__(self, read: StreamRead, reader: Reader, send: Send) -> None:
        self._stream_read = read
        self._reader = reader
        self._send = send
        self._cursor = read.cursor()
        self._position = 0
        self._held = b""
        self._chunk: Chunk | None = None
        self._head: Head
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
        self._chunk, self._head, self._token = chunk, chunk.head, token

    async def _from_store(self) -> bool:
        try:
            await self._read(offset.marked(self._seen, self._head.incarnation))
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

        event, key = live.data_event(chunk.head, chunk.data), (*part_of(chunk), "event")
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
        return live.control_event(self._head, position, cursor=str(self._cursor), up_to_date=up_to_date, closed=closed)

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
