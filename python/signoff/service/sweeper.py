"""Deleting streams whose life is over, also those of which nobody asks.

A stream that is asked for is deleted then, by whoever asks (`stream_writer.py`). The others are looked for once in a
while. Several processes do so, each in its own time; that one comes second, or that a stream is renewed at the last
moment, does no harm, because deleting is decided on the head like everything else.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Final

from signoff.errors import SignoffError
from signoff.service.streams import Streams
from signoff.stores.base import WorkflowStore

log = logging.getLogger(__name__)

EVERY_S: Final = 10.0
"""Seconds between two looks, a third more or less."""

MOST: Final = 200
"""Streams deleted at once, so that others' writes come between."""


class Sweeper:
    """Look for streams whose life is over, and delete them.

    Args:
        store: where to look.
        streams: deletes them.

    Example:
        >>> sweeper = Sweeper(store, streams)
        >>> sweeper.start()
    """

    def __init__(self, store: WorkflowStore, streams: Streams) -> None:
        self._store = store
        self._streams = streams
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look from now on, until `close`."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="signoff-sweeper")

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def sweep(self) -> int:
        """Delete what is over now; return how many streams that were."""
        count = 0
        while True:
            paths = await self._store.ended_streams(now=self._streams.clock.now_ms(), limit=MOST)
            gone = sum(await asyncio.gather(*map(self._streams.expire, paths)))
            count += gone
            if len(paths) < MOST or not gone:
                return count

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S * random.uniform(2 / 3, 4 / 3))  # noqa: S311 - apart, not hard to guess
            try:
                if count := await self.sweep():
                    log.info("deleted %d streams whose life was over", count)
            except SignoffError as error:
                log.warning("cannot look for streams whose life is over: %s", error)
