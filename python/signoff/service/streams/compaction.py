"""Compaction at work: live rows follow the tail in the background, and readers from the start get them.

What may be folded and dropped, and when, are rules of `streams/compaction.py`. A fold is committed as a
compare-and-swap on the position the rows were of: of several processes one wins, and the others drop what they did.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from signoff.errors import SignoffError
from signoff.outages import OutageLog
from signoff.service.commit import Durable
from signoff.service.streams import reader
from signoff.service.streams.reader import Units
from signoff.service.streams.slicing import TimeSlicer
from signoff.stores.base import StreamStart, WorkflowStore
from signoff.stores.change import Batch, Change, Committed, FamilyWrite, RowsWrite, new_mark
from signoff.streams import compaction, json_mode
from signoff.streams.compaction import RowChanges
from signoff.streams.slices import Sliced, finish
from signoff.streams.stream import Head, Write

log = logging.getLogger(__name__)

_SIZES_KEPT: Final = 1_000


class Compactor:
    """The task that folds streams that have grown, one at a time.

    Args:
        store: what to read from and to commit to; nobody waits for these commits.
        slicer: for what takes long.

    Example:
        >>> compactor = Compactor(store)
        >>> committer = GroupCommitter(store, hub.committed, compactor.committed)
    """

    def __init__(self, store: WorkflowStore, slicer: TimeSlicer | None = None) -> None:
        self.slicer = slicer or TimeSlicer()
        self._store = store
        self._waiting: dict[str, None] = {}
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._outage = OutageLog(log, "cannot compact")
        self._sizes: dict[tuple[str, str, int], int] = {}

    def committed(self, durable: Sequence[Durable]) -> None:
        """Fold what has grown far enough by Changes that are durable now."""
        for change, done in durable:
            for path, batch in done.batches.items():
                if compaction.due(path, batch.start, batch.end) and compaction.managed(path):
                    self.want(path)
            for write in change.write.streams if isinstance(change.write, FamilyWrite) else ():
                if isinstance(write, Write):
                    properties = write.head.properties
                    if properties.compacted and compaction.due(properties.path, write.start, write.head.tail):
                        self.want(properties.path)

    async def read_start(self, path: str, max_bytes: int, end: int | None = None) -> Units | None:
        """Read a stream from the start: the live rows, and then the units from their position on; None: there is none.

        If that is much that is not folded yet, it will be for the next reader.

        Args:
            max_bytes: about how much to read of what follows the rows. The rows are never parted.
            end: read nothing from this position on.
        """
        found = await self._store.read_start(path, max_bytes)
        if found is None:
            return None
        head = found.head
        if head.fork is not None:
            return await reader.read(self._store, self.slicer, path, 0, max_bytes, end=end)
        if compaction.lagging(head) and compaction.compacted(head) and not head.deleted:
            self.want(path)
        return await self.slicer.run(_joined(found, max_bytes, end))

    def want(self, path: str) -> None:
        """Fold a stream in the background."""
        if self._closed:
            return
        self._waiting[path] = None
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="signoff-compaction")

    async def idle(self) -> None:
        """Wait until everything that was wanted is done."""
        while self._task is not None:
            await asyncio.shield(self._task)

    async def close(self) -> None:
        """Stop: what is not folded yet will be by whoever reads or writes next."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            while self._waiting:
                path = next(iter(self._waiting))
                del self._waiting[path]
                try:
                    while await self._piece(path):
                        pass
                    self._outage.over()
                except SignoffError as error:
                    self._outage.failed(f"{path}: {error}")
        finally:
            self._task = None

    async def _piece(self, path: str) -> bool:
        """Fold a piece, and drop a piece of history; False: there is nothing more to do."""
        state = await self._store.load_stream(path)
        if state is None or state.head.deleted or not compaction.compacted(state.head):
            return False
        rows_at = state.head.rows_at
        loaded = await self._store.read(path, rows_at, compaction.PIECE_BYTES)
        if loaded is None or loaded[0].rows_at != rows_at:
            return loaded is not None
        head, batches = loaded
        changes = await asyncio.to_thread(_fold, batches, rows_at)
        if not await self._fits(head, changes):
            changes = RowChanges(clear=False, gone=(), rows=(), at=rows_at)
        base = compaction.next_base(head, changes.at)
        if changes.at == rows_at and base is None:
            return False
        write = RowsWrite(path, head.incarnation, rows_at, changes, base, head.refs)
        [outcome] = await self._store.commit([Change(write, mark=new_mark())])
        return isinstance(outcome, Committed)

    async def _fits(self, head: Head, changes: RowChanges) -> bool:
        """Tell whether the live rows stay within their limit, by a bound that is measured anew when it is reached."""
        added = sum(len(row.message) for row in changes.rows)
        size = self._sizes.pop((head.path, head.incarnation, head.rows_at), None)
        if size is None or size + added > compaction.MOST_BYTES:
            size = await self._store.rows_bytes(head.path)
        if size + added > compaction.MOST_BYTES:
            log.info("%s has too many live rows to be compacted further", head.path)
            return False
        if len(self._sizes) >= _SIZES_KEPT:
            self._sizes.clear()
        self._sizes[head.path, head.incarnation, changes.at] = size + added
        return True


def _fold(batches: Sequence[Batch], position: int) -> RowChanges:
    return compaction.fold(islice(_messages(batches, position), compaction.PIECE_MESSAGES), position)


def _messages(batches: Sequence[Batch], position: int) -> Iterator[bytes]:
    """Part batches into messages, from a position on; no further than a piece needs."""
    for batch in batches:
        ahead = max(0, position - batch.start)
        data = finish(json_mode.skip(batch.data, ahead))
        count = batch.end - batch.start - ahead
        if count > compaction.PIECE_MESSAGES:
            data = finish(json_mode.first(data, compaction.PIECE_MESSAGES))
        yield from [data] if count == 1 else json_mode.split(data)


def _joined(found: StreamStart, max_bytes: int, end: int | None) -> Sliced[Units]:
    batches = reader.upto(list(found.batches), end)
    if not found.head.json:
        return (yield from reader.join(found.head, 0, batches, max_bytes))
    parts = list(found.rows)
    position = last = found.head.rows_at
    for batch in batches:
        ahead = position - batch.start
        parts.append(batch.data if ahead <= 0 else (yield from json_mode.skip(batch.data, ahead)))
        last = batch.end
    return Units(found.head, 0, last, b",".join(parts))
