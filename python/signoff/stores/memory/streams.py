"""Streams, in memory: heads, what was appended, producers and live rows."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import nsmallest
from itertools import islice
from typing import Any, Final
from uuid import uuid4

from signoff.stores.base import StreamStart, StreamState, StreamTail
from signoff.stores.change import Batch, Name, OwnAppend, OwnStream, Post, RowsWrite, StreamDelete, new_mark
from signoff.stores.copies import BatchCopy, ProducerCopy, RowCopy, StreamCopy
from signoff.stores.parting import batches
from signoff.streams import expiry
from signoff.streams.compaction import LiveRow
from signoff.streams.stream import JSON, Head, ProducerMark, Write

_PIECE: Final = 2_000
"""Entries that are freed in one go: less than a millisecond."""


@dataclass(slots=True)
class _Stream:
    """A stream: its head, what was appended, its producers and its live rows."""

    head: Head
    batches: list[Batch] = field(default_factory=list)
    producers: dict[str, ProducerMark] = field(default_factory=dict)
    rows: dict[tuple[str, str], LiveRow] = field(default_factory=dict)


class KeptStreams:
    """All streams of a store, by their paths."""

    def __init__(self) -> None:
        self._streams: dict[str, _Stream] = {}
        self._doomed: deque[_Stream] = deque()
        self._mortal: set[str] = set()

    def head(self, path: str) -> Head | None:
        """Return a stream's head; None if there is no such stream."""
        kept = self._streams.get(path)
        return kept.head if kept else None

    # -- writing ---------------------------------------------------------------------------------------------------

    def append(self, append: OwnAppend | Post, *, close: bool = False) -> Batch:
        """Append messages of the engine to a stream, which is created when absent; the head's version stays."""
        kept = self._streams.get(append.path)
        if kept is None:
            head = Head.of(append.path, uuid4().hex, version=new_mark(), tail=0, content_type=JSON, engine=True)
            kept = self._streams[append.path] = _Stream(head)
        start = kept.head.tail
        batch = Batch(start, start + append.count, append.data)
        if append.count:
            kept.batches.append(batch)
            kept.head = kept.head.moved(append.count, kept.head.touched_at, kept.head.version)
        if close:
            kept.head = kept.head.changed(closed=True)
        return batch

    def write(self, write: Write | StreamDelete) -> None:
        """Write to a stream as an application does, or delete it."""
        if isinstance(write, StreamDelete):
            self._drop(write.path)
            return
        head = write.head
        kept = self._streams.get(head.path)
        if kept is None:
            kept = self._streams[head.path] = _Stream(head.changed(tail=max(head.base, head.own)))
            if expiry.end(head) is not None:
                self._mortal.add(head.path)
        if kept.head.engine:
            head = head.changed(tail=kept.head.tail, closed=kept.head.closed)
        if head.tail > kept.head.tail:
            kept.batches += batches(write, kept.head.tail)
        kept.head = head if head.rows_at == kept.head.rows_at else head.changed(rows_at=kept.head.rows_at)
        if write.producer is not None:
            kept.producers[write.producer.producer_id] = write.producer

    def write_rows(self, write: RowsWrite) -> None:
        """Move the live rows of a stream on, and drop history."""
        kept, changes = self._streams[write.path], write.changes
        if changes.clear:
            kept.rows.clear()
        for name in changes.gone:
            kept.rows.pop(name, None)
        for row in changes.rows:
            name = row.type, row.key
            old = kept.rows.get(name)
            kept.rows[name] = row if old is None else replace(row, position=old.position)
        kept.head = kept.head.changed(rows_at=changes.at)
        if write.base is not None:
            kept.head = kept.head.changed(base=write.base, version=kept.head.version + 1)
            # A new list: a reader may be at work on the old one.
            kept.batches = [batch for batch in kept.batches if batch.end > write.base]

    def disown(self, streams: Sequence[OwnStream]) -> None:
        """Delete streams of a subject that goes; one that has forks is kept for them."""
        for own in streams:
            kept = self._streams[own.path]
            if kept.head.refs:
                kept.head = kept.head.changed(deleted=True, version=kept.head.version + 1)
            else:
                self._drop(own.path)

    def _drop(self, path: str) -> None:
        self._doomed.append(self._streams.pop(path))
        self._mortal.discard(path)

    def purge(self) -> bool:
        """Drop a piece of what deleted streams held; False: there is nothing left."""
        left = _PIECE
        while left > 0 and self._doomed:
            doomed = self._doomed[0]
            before = len(doomed.batches)
            del doomed.batches[-left:]
            left -= before - len(doomed.batches)
            left -= _thin(doomed.rows, left) if left else 0
            left -= _thin(doomed.producers, left) if left else 0
            if left:
                self._doomed.popleft()
                left -= 1
        return bool(self._doomed)

    # -- reading ---------------------------------------------------------------------------------------------------

    def state(self, path: str, producer_id: str | None) -> StreamState | None:
        """Return a stream's head, and one producer's state when asked for."""
        kept = self._streams.get(path)
        if kept is None:
            return None
        return StreamState(kept.head, kept.producers.get(producer_id) if producer_id is not None else None)

    def read(self, path: str, start: int, max_bytes: int) -> tuple[Head, list[Batch]] | None:
        """Return batches that overlap positions from `start` on, with the head."""
        kept = self._streams.get(path)
        return None if kept is None else (kept.head, _batches(kept, start, max_bytes))

    def read_start(self, path: str, max_bytes: int) -> StreamStart | None:
        """Return the live rows, and the batches from their position on."""
        kept = self._streams.get(path)
        if kept is None:
            return None
        # Rows are kept in the order in which they appeared.
        rows = tuple(row.message for row in kept.rows.values())
        return StreamStart(kept.head, rows, tuple(_batches(kept, kept.head.rows_at, max_bytes)))

    def rows_bytes(self, path: str) -> int:
        """Return how many bytes the live rows have together."""
        kept = self._streams.get(path)
        return sum(len(row.message) for row in kept.rows.values()) if kept else 0

    def find(self, paths: Sequence[str]) -> dict[str, StreamTail]:
        """Return how far those of `paths` that exist have grown."""
        heads = [kept.head for path in paths if (kept := self._streams.get(path))]
        return {head.path: _tail(head) for head in heads if not head.deleted}

    def under(self, prefix: str, limit: int, after: str) -> list[StreamTail]:
        """Return streams whose path begins with `prefix` and comes after `after`, in the order of paths as UTF-8."""
        heads = [
            kept.head
            for path, kept in self._streams.items()
            if path.startswith(prefix) and path > after and not kept.head.deleted
        ]
        return [_tail(head) for head in nsmallest(limit, heads, key=lambda head: head.path)]

    def ended(self, now: int, limit: int) -> list[str]:
        """Return paths of streams whose life is over at `now`, the earliest first."""
        ends = [(end, path) for path in self._mortal if (end := expiry.end(self._streams[path].head)) is not None]
        return [path for end, path in nsmallest(limit, ends) if end <= now]

    # -- copies ----------------------------------------------------------------------------------------------------

    def copies(self, owners: Mapping[str, Name]) -> Iterator[StreamCopy | ProducerCopy | BatchCopy | RowCopy]:
        """Yield all there is, stream by stream.

        Args:
            owners: of streams of a subject's own, by their paths, in the order of the subjects' records.
        """
        paths = [*owners, *(path for path in self._streams if path not in owners)]
        for path in paths:
            kept = self._streams[path]
            yield StreamCopy(kept.head, owners.get(path))
            yield from (ProducerCopy(path, mark) for mark in kept.producers.values())
            yield from (BatchCopy(path, batch) for batch in kept.batches)
            yield from (RowCopy(path, row) for row in kept.rows.values())

    def restore(self, copy: StreamCopy | ProducerCopy | BatchCopy | RowCopy) -> None:
        """Take over a head, or what belongs to it, of another store, unless it is there."""
        match copy:
            case StreamCopy(head):
                if head.path not in self._streams:
                    self._streams[head.path] = _Stream(head)
                    if expiry.end(head) is not None:
                        self._mortal.add(head.path)
            case ProducerCopy(path, mark):
                self._streams[path].producers.setdefault(mark.producer_id, mark)
            case BatchCopy(path, batch):
                batches = self._streams[path].batches
                if not batches or batches[-1].end < batch.end:
                    batches.append(batch)
            case RowCopy(path, row):
                self._streams[path].rows.setdefault((row.type, row.key), row)


def _thin(entries: dict[Any, Any], most: int) -> int:
    """Drop so many entries at most; return how many."""
    names = list(islice(entries, most))
    for name in names:
        del entries[name]
    return len(names)


def _tail(head: Head) -> StreamTail:
    return StreamTail(head.path, head.incarnation, head.tail, head.closed)


def _batches(kept: _Stream, start: int, max_bytes: int) -> list[Batch]:
    first = bisect_left(kept.batches, start + 1, key=lambda batch: batch.end)
    found: list[Batch] = []
    size = 0
    for batch in kept.batches[first:]:
        found.append(batch)
        size += len(batch.data)
        if size >= max_bytes:
            break
    return found
