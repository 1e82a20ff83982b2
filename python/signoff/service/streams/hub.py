"""The hub: how a committed append reaches every live reader of this process.

A stream that somebody reads live has a `Channel` (`channel.py`); the hub feeds it.
Appends of this process come from the committer. Those of other processes are announced by the store's bus and read once
for all readers; because a wake-up may be lost, the tails of all watched streams are compared once per interval.

A stream that somebody reads live does not go idle (Durable Streams §5.1). So its time to live is renewed for as long as
it is watched, in the store, where every process sees it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

from signoff.clock import Alarm, Clock, SystemClock, sleep
from signoff.errors import StoreError
from signoff.outages import OutageLog
from signoff.service.commit import Durable
from signoff.service.streams.channel import Channel, Reader
from signoff.stores.base import WorkflowStore
from signoff.stores.bus import Interest
from signoff.stores.change import Batch, Change, Committed, FamilyWrite, StreamDelete, SubjectDelete, SubjectWrite
from signoff.stores.parting import batches
from signoff.streams.stream import Head, Write

log = logging.getLogger(__name__)

POLL_S: Final = 1.0
"""Seconds between two comparisons of tails: what a lost wake-up costs a live reader at most."""

ECHO_S: Final = 0.02
"""How long a wake-up may wait that is most likely the echo of our own commit."""

LEAST_S: Final = 0.1
"""Seconds between two renewals of a time to live at least."""

REFRESH_BYTES: Final = 1 << 20
"""Bytes read at once of what another process appended; no more than a channel keeps."""


class Hub:
    """The place where live readers of this process learn what was appended, by whichever process.

    Args:
        store: read from when another process appended.
        clock: for the cursors in shared frames, and what waits between two looks.

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
        self._outage = OutageLog(log, "cannot read for live readers")
        self._renew: Callable[[Head], Awaitable[None]] | None = None

    def renew_with(self, renew: Callable[[Head], Awaitable[None]]) -> None:
        """Call this, well before its time to live is over, with a head of each stream that is watched."""
        self._renew = renew

    @property
    def watched(self) -> int:
        """Return the number of streams that are read live here."""
        return len(self._channels)

    @contextmanager
    def watch(self, path: str) -> Iterator[Reader]:
        """Attach a live reader to a stream; do so before looking at the store, so that nothing falls between."""
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

    def committed(self, durable: Sequence[Durable]) -> None:
        """Pass on Changes that are durable now; called in the order of commits."""
        if self._channels:
            for change, done in durable:
                self._committed(change, done)

    def _committed(self, change: Change, done: Committed) -> None:
        for path, batch in done.batches.items():
            self._appended(path, batch)
        match change.write:
            case SubjectWrite(appends=appends):
                for append in appends:
                    if append.close:
                        last = done.batches.get(append.path)
                        self._ended(append.path, None if last is None else last.end)
            case FamilyWrite(writes):
                for write in writes:
                    if isinstance(write, StreamDelete):
                        self._deleted(write.path)
                    else:
                        self._written(write)
            case SubjectDelete(streams=paths):
                for path in paths:
                    self._deleted(path)

    def _written(self, write: Write) -> None:
        head = write.head
        if head.path not in self._channels:
            return
        if write.start < head.tail:
            self._appended(head.path, *batches(write, write.start))
        if head.deleted:
            self._deleted(head.path)
        elif head.closed:
            self._ended(head.path, head.tail)

    @property
    def closed(self) -> bool:
        """Tell whether every live reader was stopped."""
        return self._closed

    async def close(self) -> None:
        """Stop every live reader, and stop listening."""
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
        feed = self._feeds[path] = _Feed(self._store, channel, self._clock, self._outage)
        channel.on_behind = feed.refresh
        if self._renew is not None:
            channel.on_first_head = partial(feed.keep, self._renew)
        if self._poller is None:
            self._poller = asyncio.get_running_loop().create_task(self._poll(), name="signoff-hub-poll")
        return channel

    def _drop(self, channel: Channel) -> None:
        if self._channels.get(channel.path) is channel:
            del self._channels[channel.path]
            self._feeds.pop(channel.path).stop()

    def _appended(self, path: str, *appended: Batch) -> None:
        channel = self._channels.get(path)
        if channel is None:
            return
        feed = self._feeds[path]
        feed.echo = True
        if not channel.push(*appended):
            feed.refresh()

    def _ended(self, path: str, tail: int | None) -> None:
        channel = self._channels.get(path)
        if channel is None:
            return
        if channel.tail == tail:
            channel.close()
        else:
            channel.on_behind()  # another process appended before the end

    def _deleted(self, path: str) -> None:
        if (channel := self._channels.get(path)) is not None:
            channel.end()
            self._drop(channel)

    async def _poll(self) -> None:
        outage = OutageLog(log, "cannot compare the tails of watched streams")
        while True:
            await sleep(self._clock, POLL_S, idle=True)
            if not self._channels:
                continue
            try:
                found = await self._store.find_streams(list(self._channels))
            except StoreError as error:
                outage.failed(error)
                continue
            outage.over()
            for path, channel in list(self._channels.items()):
                if channel.head is None:
                    continue
                now = found.get(path)
                known = (channel.head.incarnation, channel.tail, channel.closed)
                if now is None or (now.incarnation, now.tail, now.closed) != known:
                    self._feeds[path].refresh()


class _Feed:
    """The reader that brings one channel what other processes appended: one read at a time, for all its readers."""

    def __init__(self, store: WorkflowStore, channel: Channel, clock: Clock, outage: OutageLog) -> None:
        self._store = store
        self._channel = channel
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._later: Alarm | None = None
        self._again = False
        self._keeping: asyncio.Task[None] | None = None
        self.echo = False
        self._outage = outage
        self._interest: Interest = store.bus().subscribe(f"stream:{channel.path}", self._hint)

    def stop(self) -> None:
        """Stop listening."""
        self._interest.close()
        if self._later is not None:
            self._later.cancel()
        for task in (self._task, self._keeping):
            if task is not None:
                task.cancel()

    def keep(self, renew: Callable[[Head], Awaitable[None]], head: Head) -> None:
        """Renew the stream's time to live, if it has one, until it is no longer watched."""
        if head.ttl_s is not None:
            keeping = self._keep(renew, head, max(head.ttl_s / 2, LEAST_S))
            self._keeping = asyncio.get_running_loop().create_task(keeping, name="signoff-hub-renewal")

    async def _keep(self, renew: Callable[[Head], Awaitable[None]], head: Head, every_s: float) -> None:
        while True:
            await sleep(self._clock, every_s, idle=True)
            try:
                await renew(head)
            except StoreError as error:
                self._outage.failed(f"the time to live of {head.path} cannot be renewed: {error}")

    def refresh(self) -> None:
        """Read what is new from the store; when that is under way already, once more after it."""
        if self._task is not None:
            self._again = True
            return
        self._task = asyncio.get_running_loop().create_task(self._run(), name="signoff-hub-refresh")

    def _hint(self) -> None:
        """Handle a wake-up from the bus, which repeats our own commits too: the first one after a commit of ours.

        If what another process wrote was told by the very same wake-up, it is found a moment later.
        """
        if not self.echo:
            self.refresh()
            return
        self.echo = False
        if self._later is None:
            self._later = self._clock.call_later(ECHO_S, self._check)

    def _check(self) -> None:
        self._later = None
        self.refresh()

    async def _run(self) -> None:
        try:
            while True:
                self._again = False
                more = await self._read()
                self._outage.over()
                if not (more or self._again) or self._channel.ended:
                    return
        except StoreError as error:
            self._outage.failed(f"{self._channel.path}: {error}")
        finally:
            self._task = None

    async def _read(self) -> bool:
        """Read once from the channel's tail; tell whether there is more."""
        channel = self._channel
        if channel.head is None:
            return False
        loaded = await self._store.read(channel.path, channel.tail, REFRESH_BYTES)
        if loaded is None or loaded[0].deleted or loaded[0].incarnation != channel.head.incarnation:
            channel.end()
            return False
        head, found = loaded
        before = channel.tail
        for batch in found:
            channel.push(batch)
        if before < channel.tail < head.tail:
            return True
        channel.adopt(head)
        return False
