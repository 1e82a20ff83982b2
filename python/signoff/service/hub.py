"""The hub: how a committed append reaches every live reader of this process.

A stream that somebody reads live has a `Channel`: its tail, and a ring of the newest appends, each encoded once as the
SSE frame that all readers share. A reader is no more than a position; it takes from the ring what follows its position,
and waits when there is nothing. A reader too slow for the ring finds that its position has left it and reads from the
store, so no reader can make memory grow or hold the others back.

Appends of this process come from the committer. Those of other processes are announced by the store's bus and read once
for all readers; because a wake-up may be lost, the tails of all watched streams are compared once per interval.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from signoff.clock import Clock, SystemClock
from signoff.errors import StoreError
from signoff.stores.base import Batch, Change, Committed, StreamDelete, Subscription, WorkflowStore
from signoff.streams import live
from signoff.streams.stream import Head

log = logging.getLogger(__name__)

RING_BYTES: Final = 1 << 20
RING_FRAMES: Final = 512
POLL_S: Final = 1.0
ECHO_S: Final = 0.02
"""How long a wake-up may wait that is most likely the echo of our own commit."""

REFRESH_BYTES: Final = 1 << 20


def _nothing() -> None:
    """Do nothing."""


@dataclass(slots=True)
class Frame:
    """Hold one append as all readers get it.

    Attributes:
        data: the SSE data event.
        cursor: of the time of the append.
        control: the control event of a reader who is up to date with this append.
        more: data and control event of a reader who is not; made when first needed.
    """

    batch: Batch
    data: bytes
    cursor: int
    control: bytes
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
            told = live.control_event(self.end, cursor=str(cursor), up_to_date=last, closed=False)
            return self.data + told
        if last:
            return self.data + self.control
        if self.more is None:
            told = live.control_event(self.end, cursor=str(self.cursor), up_to_date=False, closed=False)
            self.more = self.data + told
        return self.more


@dataclass(slots=True, eq=False)
class Channel:
    """Hold what live readers of one stream share.

    Attributes:
        head: the newest head known, or one that differs from it in tail and closure only; tells how to encode.
        tail: up to where appends are known.
        ended: every reader shall stop: the stream was deleted, or the hub was closed.
        deleted: the stream is gone, and not just the hub.
        behind: called when the store has more than the channel.
    """

    path: str
    clock: Clock
    head: Head | None = None
    tail: int = -1
    closed: bool = False
    ended: bool = False
    deleted: bool = False
    ring: deque[Frame] = field(default_factory=deque)
    ring_bytes: int = 0
    readers: int = 0
    waiting: set[asyncio.Future[None]] = field(default_factory=set)
    behind: Callable[[], None] = _nothing

    def saw(self, head: Head) -> None:
        """Learn from a head that a reader got from the store."""
        if self.head is None:
            self.adopt(head)
        elif self.head.incarnation != head.incarnation:
            self.end()
        elif (head.tail, head.closed) != (self.tail, self.closed) and head.tail >= self.tail:
            self.behind()

    def adopt(self, head: Head) -> None:
        """Take a head as it is; what lies before its tail and is not in the ring, readers get from the store."""
        self.head = head
        if head.tail > self.tail:
            self._clear()
            self.tail = head.tail
        self.closed = self.closed or (head.closed and head.tail == self.tail)
        self.wake()

    def push(self, batch: Batch) -> bool:
        """Add an append; False if one before it is missing."""
        if batch.end <= self.tail:
            return True
        if self.head is None:
            # The first reader is still reading from the store; it shall know that there is more.
            self.tail = batch.end
            return True
        if batch.start != self.tail:
            return False
        cursor = live.cursor(self.clock.now_ms(), None, 1)
        control = live.control_event(batch.end, cursor=cursor, up_to_date=True, closed=False)
        frame = Frame(batch, live.data_event(self.head, batch.data), int(cursor), control)
        self.ring.append(frame)
        self.ring_bytes += len(frame.data)
        while len(self.ring) > RING_FRAMES or (self.ring_bytes > RING_BYTES and len(self.ring) > 1):
            self.ring_bytes -= len(self.ring.popleft().data)
        self.tail = batch.end
        self.wake()
        return True

    def close(self) -> None:
        """Learn that the stream has ended at its tail."""
        self.closed = True
        self.wake()

    def end(self, *, deleted: bool = True) -> None:
        """Let every reader stop, because the stream is gone or the hub closes."""
        self.ended = True
        self.deleted = deleted
        self._clear()
        self.wake()

    def after(self, position: int) -> list[Frame] | None:
        """Return the frames that follow a position; None if they are not (all) kept here."""
        if position >= self.tail:
            return []
        frames: list[Frame] = []
        for frame in reversed(self.ring):
            if frame.end <= position:
                break
            frames.append(frame)
        frames.reverse()
        return frames if frames and frames[0].start == position else None

    def wake(self) -> None:
        """Let all readers look again."""
        waiting, self.waiting = self.waiting, set()
        for news in waiting:
            _settle(news)

    def _clear(self) -> None:
        self.ring.clear()
        self.ring_bytes = 0


@dataclass(slots=True, eq=False)
class Reader:
    """Be one live reader of a channel.

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


class Hub:
    """Tell live readers of this process what was appended, by whichever process.

    Args:
        store: read from when another process appended.
        clock: for the cursors in shared frames.

    Example:
        >>> hub = Hub(store)
        >>> committer = GroupCommitter(store, hub.committed)
        >>> with hub.watch("chat/1") as reader:
        ...     await reader.wait(position, 15)
    """

    def __init__(self, store: WorkflowStore, clock: Clock | None = None) -> None:
        self._store = store
        self._clock = clock or SystemClock()
        self._channels: dict[str, Channel] = {}
        self._feeds: dict[str, _Feed] = {}
        self._poller: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def watched(self) -> int:
        """Return the number of streams that are read live here."""
        return len(self._channels)

    def has_readers(self, path: str) -> bool:
        """Tell whether somebody reads this stream live here."""
        return path in self._channels

    @contextmanager
    def watch(self, path: str) -> Iterator[Reader]:
        """Be a live reader of a stream; attach before looking at the store, so that nothing falls between."""
        channel = self._channels.get(path)
        if channel is not None and channel.ended:
            self._drop(channel)
            channel = None
        if channel is None:
            channel = self._open(path)
        channel.readers += 1
        try:
            yield Reader(channel)
        finally:
            channel.readers -= 1
            if channel.readers == 0:
                self._drop(channel)

    def committed(self, change: Change, done: Committed) -> None:
        """Take a Change that is durable now; called in the order of commits."""
        if not self._channels:
            return
        for path, batch in done.batches.items():
            self._appended(path, batch)
        for append in change.appends:
            if append.close:
                self._ended(append.path, done.batches[append.path].end)
        for write in change.streams:
            if isinstance(write, StreamDelete):
                self._deleted(write.path)
            elif write.head.closed:
                self._ended(write.head.path, write.head.tail)

    async def close(self) -> None:
        """Let every live reader finish, and stop listening."""
        self._closed = True
        for channel in list(self._channels.values()):
            channel.end(deleted=False)
            self._drop(channel)
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)

    def _open(self, path: str) -> Channel:
        channel = Channel(path, self._clock)
        if self._closed:
            channel.ended = True
            return channel
        self._channels[path] = channel
        feed = self._feeds[path] = _Feed(self._store, channel)
        channel.behind = feed.refresh
        if self._poller is None:
            self._poller = asyncio.get_running_loop().create_task(self._poll(), name="signoff-hub-poll")
        return channel

    def _drop(self, channel: Channel) -> None:
        if self._channels.get(channel.path) is channel:
            del self._channels[channel.path]
            self._feeds.pop(channel.path).stop()

    def _appended(self, path: str, batch: Batch) -> None:
        channel = self._channels.get(path)
        if channel is None:
            return
        feed = self._feeds[path]
        feed.echo = True
        if not channel.push(batch):
            feed.refresh()

    def _ended(self, path: str, tail: int) -> None:
        channel = self._channels.get(path)
        if channel is None:
            return
        if channel.tail == tail:
            channel.close()
        else:
            channel.behind()  # another process appended before the end

    def _deleted(self, path: str) -> None:
        if (channel := self._channels.get(path)) is not None:
            channel.end()
            self._drop(channel)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            if not self._channels:
                continue
            try:
                tails = await self._store.tails(list(self._channels))
            except StoreError as error:
                log.warning("cannot compare the tails of watched streams: %s", error)
                continue
            for path, channel in list(self._channels.items()):
                if channel.head is not None and tails.get(path) != (channel.tail, channel.closed):
                    self._feeds[path].refresh()


class _Feed:
    """Bring one channel what other processes appended: one read at a time, for all readers."""

    def __init__(self, store: WorkflowStore, channel: Channel) -> None:
        self._store = store
        self._channel = channel
        self._task: asyncio.Task[None] | None = None
        self._later: asyncio.TimerHandle | None = None
        self._again = False
        self.echo = False
        self._interest: Subscription = store.bus().subscribe(f"stream:{channel.path}", self._hint)

    def stop(self) -> None:
        """Stop listening."""
        self._interest.close()
        if self._later is not None:
            self._later.cancel()
        if self._task is not None:
            self._task.cancel()

    def refresh(self) -> None:
        """Read what is new from the store; when that is under way already, once more after it."""
        if self._task is not None:
            self._again = True
            return
        self._task = asyncio.get_running_loop().create_task(self._run(), name="signoff-hub-refresh")

    def _hint(self) -> None:
        """Take a wake-up from the bus, which repeats our own commits too."""
        if not self.echo:
            self.refresh()
        elif self._later is None:
            self._later = asyncio.get_running_loop().call_later(ECHO_S, self._check)

    def _check(self) -> None:
        self._later = None
        self.echo = False
        self.refresh()

    async def _run(self) -> None:
        try:
            while True:
                self._again = False
                more = await self._read()
                if not (more or self._again) or self._channel.ended:
                    return
        except StoreError as error:
            log.warning("cannot read %s for its live readers: %s", self._channel.path, error)
        finally:
            self._task = None

    async def _read(self) -> bool:
        """Read once from the channel's tail; tell whether there is more."""
        channel = self._channel
        if channel.head is None:
            return False
        loaded = await self._store.read(channel.path, channel.tail, REFRESH_BYTES)
        if loaded is None or loaded[0].incarnation != channel.head.incarnation:
            channel.end()
            return False
        head, batches = loaded
        before = channel.tail
        for batch in batches:
            channel.push(batch)
        if before < channel.tail < head.tail:
            return True
        channel.adopt(head)
        return False


def _settle(news: asyncio.Future[None]) -> None:
    if not news.done():
        news.set_result(None)
