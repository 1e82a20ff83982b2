"""Deleting streams whose life is over, also those of which nobody asks; and dropping what deleted streams held.

A stream that is asked for is deleted then, by whoever asks (`writer.py`). The others are looked for once in a
while. Several processes do so, each in its own time; that one comes second, or that a stream is renewed at the last
moment, does no harm, because deleting is decided on the head like everything else.

Deleting takes away a stream's name and costs the same for all. What it held is dropped afterwards, in pieces, with
pauses in which all who write have their turn: by who deleted it, and if that process has died, by another one's next
look.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Final

from signoff.clock import sleep
from signoff.counts import counted
from signoff.errors import SignoffError
from signoff.outages import OutageLog
from signoff.service.streams.streams import StreamService
from signoff.stores.base import WorkflowStore

log = logging.getLogger(__name__)

EVERY_S: Final = 10.0
"""Seconds between two looks, a third more or less."""

MOST: Final = 200
"""Streams deleted at once, so that others' writes come between."""

PAUSE: Final = 3.0
LEAST_PAUSE_S: Final = 0.02
"""How long a pause is between two pieces: so many times as long as the piece took, but no shorter than this."""


class Sweeper:
    """The task that looks for streams whose life is over, and deletes them.

    Args:
        store: where to look.
        streams: deletes them.

    Example:
        >>> sweeper = Sweeper(store, streams)
        >>> sweeper.start()
    """

    def __init__(self, store: WorkflowStore, streams: StreamService) -> None:
        self._store = store
        self._streams = streams
        self._tasks: list[asyncio.Task[None]] = []
        self._removed = asyncio.Event()

    def start(self) -> None:
        """Look from now on, until `close`."""
        loop = asyncio.get_running_loop()
        self._streams.on_removed(self._removed.set)
        self._removed.set()  # a process that has died may have left something
        self._tasks = [loop.create_task(work, name="signoff-sweeper") for work in (self._run(), self._purge())]

    async def close(self) -> None:
        """Stop looking."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def sweep(self) -> int:
        """Delete what is over now; return how many streams this process has deleted, and no other."""
        before = self._streams.expired
        while True:
            paths = await self._store.ended_streams(now=self._streams.clock.now_ms(), limit=MOST)
            gone = await asyncio.gather(*map(self._streams.expire, paths))
            if len(paths) < MOST or not any(gone):
                return self._streams.expired - before

    async def _run(self) -> None:
        outage = OutageLog(log, "cannot look for streams whose life is over")
        while True:
            pause = EVERY_S * random.uniform(2 / 3, 4 / 3)  # noqa: S311 - apart, not hard to guess
            await sleep(self._streams.clock, pause, idle=True)
            try:
                if count := await self.sweep():
                    log.info("deleted %s whose life was over", counted(count, "stream"))
                outage.over()
            except SignoffError as error:
                outage.failed(error)
            self._removed.set()

    async def _purge(self) -> None:
        loop = asyncio.get_running_loop()
        outage = OutageLog(log, "cannot drop what deleted streams held")
        while True:
            await self._removed.wait()
            self._removed.clear()
            try:
                began = loop.time()
                while await self._store.purge():
                    # In real time: it is about what this costs the disk.
                    await asyncio.sleep(max(PAUSE * (loop.time() - began), LEAST_PAUSE_S))
                    began = loop.time()
                outage.over()
            except SignoffError as error:
                outage.failed(error)
