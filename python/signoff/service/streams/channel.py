"""What the live readers of one stream share: its tail, and the newest appends, each encoded once.

A `Reader` is no more than a position. It takes from the channel's ring what follows its position, and waits when there
is nothing. Of text a frame ends with a whole character; the beginning of one waits for its rest. A reader too slow for
the ring finds that its position has left it and reads from the store, so no reader can make memory grow or hold the
others back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from signoff.clock import Clock
from signoff.stores.change import Batch
from signoff.streams import live
from signoff.streams.stream import Head

RING_BYTES: Final = 1 << 20
RING_FRAMES: Final = 512
"""How much a channel keeps for readers who are behind; who is further behind reads from the store."""


def _nothing() -> None:
    """Do nothing."""


def _ignore(_head: Head) -> None:
    """Do nothing."""


@dataclass(slots=True)
class SseFrame:
    """One append, encoded as all readers get it.

    Attributes:
        data: the SSE data event.
        cursor: of the time of the append.
        control: the control event of a reader who is up to date with this append.
        more: data and control event of a reader who is not; made when first needed.
        head: of the stream.
    """

    batch: Batch
    data: bytes
    cursor: int
    control: bytes
    head: Head
    more: bytes | None = None

    @property
    def start(self) -> int:
        """Return the position before the append."""
        return self.batch.start

    @property
    def end(self) -> int:
        """Return the position after the append."""
        return self.batch.end

    def event(self, *, last: bool, cursor: int) -> bytes:
        """Return data and control event for a reader.

        Args:
            last: the reader is up to date after this append.
            cursor: the least that this reader may be told.
        """
        if cursor > self.cursor:
            control = live.control_event(self.head, self.end, cursor=str(cursor), up_to_date=last, closed=False)
            return self.data + control
        if last:
            return self.data + self.control
        if self.more is None:
            control = live.control_event(self.head, self.end, cursor=str(self.cursor), up_to_date=False, closed=False)
            self.more = self.data + control
        return self.more


@dataclass(slots=True, eq=False)
class Channel:
    """What the live readers of one stream share.

    Attributes:
        head: the newest head known, or one that differs from it in tail and closure only; tells how to encode.
        tail: up to where appends are known.
        ended: every reader shall stop: the stream was deleted, or the hub was closed.
        deleted: the stream is gone, and not just the hub.
        unfinished: the beginning of a character, before the tail; it is in no frame yet.
        on_behind: called when the store has more than the channel.
        on_first_head: called with the first head.
    """

    path: str
    clock: Clock
    head: Head | None = None
    tail: int = -1
    closed: bool = False
    ended: bool = False
    deleted: bool = False
    ring: deque[SseFrame] = field(default_factory=deque)
    ring_bytes: int = 0
    unfinished: bytes = b""
    readers: int = 0
    waiting: set[asyncio.Future[None]] = field(default_factory=set)
    on_behind: Callable[[], None] = _nothing
    on_first_head: Callable[[Head], None] = _ignore

    def observe(self, head: Head) -> None:
        """Compare a head that a reader got from the store with what is known."""
        if self.head is None:
            self.adopt(head)
        elif self.head.incarnation != head.incarnation:
            self.end()
        elif (head.tail, head.closed) != (self.tail, self.closed) and head.tail >= self.tail:
            self.on_behind()

    def adopt(self, head: Head) -> None:
        """Set the head; what lies before its tail and is not in the ring, readers get from the store."""
        known = (self.tail, self.closed)
        if self.head is None:
            self.on_first_head(head)
        self.head = head
        if head.tail > self.tail:
            self._clear()
            self.tail = head.tail
        self.closed = self.closed or (head.closed and head.tail == self.tail)
        if known != (self.tail, self.closed):
            self.wake()

    def push(self, *batches: Batch) -> bool:
        """Add what was appended at once; False if something before it is missing.

        All of it is kept until the next time, however much it is: every reader wants it now.
        """
        before = self.tail
        for batch in batches:
            if batch.end <= self.tail:
                continue
            if self.head is None:
                # The first reader is still reading from the store; it shall know that there is more.
                self.tail = batch.end
                continue
            if batch.start != self.tail:
                return False
            whole = self._whole(self.head, batch)
            if whole.data:
                self._add(self.head, whole)
            self.tail = batch.end
        if self.head is not None and self.tail > before:
            self._trim(before)
            self.wake()
        return True

    def _whole(self, head: Head, batch: Batch) -> Batch:
        """Return an append from the character that it finishes to the one that it leaves unfinished."""
        data = self.unfinished + batch.data if self.unfinished else batch.data
        left = live.unfinished(head, data)
        if not (self.unfinished or left):
            return batch
        start, cut = batch.start - len(self.unfinished), len(data) - left
        self.unfinished = data[cut:]
        return Batch(start, batch.end - left, data[:cut])

    def _add(self, head: Head, batch: Batch) -> None:
        cursor = live.cursor(self.clock.now_ms(), None, 1)
        control = live.control_event(head, batch.end, cursor=cursor, up_to_date=True, closed=False)
        frame = SseFrame(batch, live.data_event(head, batch.data), int(cursor), control, head)
        self.ring.append(frame)
        self.ring_bytes += len(frame.data)

    def _trim(self, before: int) -> None:
        """Drop the oldest of what is too much, but nothing after a position."""
        ring = self.ring
        while (len(ring) > RING_FRAMES or self.ring_bytes > RING_BYTES) and ring[0].end <= before:
            self.ring_bytes -= len(ring.popleft().data)

    def close(self) -> None:
        """Mark the stream as ended at its tail."""
        self.closed = True
        self.wake()

    def end(self, *, deleted: bool = True) -> None:
        """Stop every reader, because the stream is gone or the hub closes."""
        self.ended = True
        self.deleted = deleted
        self._clear()
        self.wake()

    def after(self, position: int, seen: int = 0, most: int | None = None) -> list[SseFrame] | None:
        """Return the frames that follow a position; None if they are not (all) kept here.

        Args:
            seen: up to where the reader has taken what is beyond its position; there is nothing for it before.
            most: about how many bytes of them to return at most, one at least; None: all.
        """
        if max(position, seen) >= self.tail:
            return []
        frames: list[SseFrame] = []
        for frame in reversed(self.ring):
            if frame.end <= position:
                break
            frames.append(frame)
        frames.reverse()
        if not frames or frames[0].start != position:
            return None
        return frames if most is None or len(frames) == 1 else _first(frames, most)

    def wake(self) -> None:
        """Wake all readers, so that they look again."""
        waiting, self.waiting = self.waiting, set()
        for news in waiting:
            _settle(news)

    def _clear(self) -> None:
        self.ring.clear()
        self.ring_bytes = 0
        self.unfinished = b""


@dataclass(slots=True, eq=False)
class Reader:
    """One live reader of a channel.

    Attributes:
        gone: the client has left; set by `leave`.
    """

    channel: Channel
    gone: bool = False
    _news: asyncio.Future[None] | None = None

    async def wait(self, position: int, timeout_s: float) -> bool:
        """Wait until there may be news for a reader at `position`; False if nothing came in `timeout_s` seconds."""
        channel = self.channel
        if self.gone or channel.ended or channel.closed or position < channel.tail:
            return True
        loop = asyncio.get_running_loop()
        news = self._news = loop.create_future()
        channel.waiting.add(news)
        timer = loop.call_later(timeout_s, _settle, news)
        try:
            await news
        finally:
            timer.cancel()
            self._news = None
            timed_out = news in channel.waiting and not self.gone
            channel.waiting.discard(news)
        return not timed_out

    def leave(self) -> None:
        """Stop waiting: the client has left."""
        self.gone = True
        if self._news is not None:
            _settle(self._news)


def _first(frames: list[SseFrame], most: int) -> list[SseFrame]:
    """Return the first frames up to the one that brings their total to so many bytes."""
    size = 0
    for number, frame in enumerate(frames, 1):
        size += len(frame.data)
        if size >= most:
            return frames[:number]
    return frames


def _settle(news: asyncio.Future[None]) -> None:
    if not news.done():
        news.set_result(None)
