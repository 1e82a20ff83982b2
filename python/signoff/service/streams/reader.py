"""Reading a stream as one, also where its first units are those of the streams it was forked from.

A store keeps with each stream what was appended to that stream. What a fork has before the position where it left its
source is read from the source, or from the source's source: whoever appended the unit that the read begins with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from signoff.errors import Gone, StoreError
from signoff.service.streams.slicing import TimeSlicer
from signoff.stores.base import WorkflowStore
from signoff.stores.change import Batch
from signoff.stores.parting import TOGETHER
from signoff.streams import json_mode
from signoff.streams.slices import Sliced
from signoff.streams.stream import Head

ATTEMPTS: Final = 20
"""How often a read begins anew because the fork it read was deleted, and its sources with it, between two looks."""


@dataclass(frozen=True, slots=True)
class Units:
    """The units `[start, end)` of a stream: raw bytes, or messages joined by commas."""

    head: Head
    start: int
    end: int
    data: bytes


async def read(
    store: WorkflowStore, slicer: TimeSlicer, path: str, start: int, max_bytes: int, *, end: int | None = None
) -> Units | None:
    """Read from a position on, about `max_bytes` at most, and nothing from `end` on; None: there is no such stream.

    The batch that reaches `max_bytes` is the last.

    To part what was appended at once takes time if that was much; `slicer` does it in slices.

    The first batch may hold less than it does in the store, as it was parted at `start`; the others are whole, save
    where a fork leaves its source.
    """
    for _ in range(ATTEMPTS):
        loaded = await store.read(path, start, max_bytes)
        if loaded is None:
            return None
        head, batches = loaded
        if max(start, head.base) >= head.own:
            return await slicer.run(join(head, max(start, head.base), upto(batches, end), max_bytes))
        inherited = await _inherited(store, slicer, head, start, max_bytes)
        if inherited is not None:
            size = sum(len(batch.data) for batch in inherited)
            if size < max_bytes:
                inherited += _filling(batches, max_bytes - size)
            return await slicer.run(join(head, start, upto(inherited, end), max_bytes))
    why = f"The stream {path} is deleted and made anew all the time. Try again."
    raise StoreError(why, public_detail=why)


async def _inherited(
    store: WorkflowStore, slicer: TimeSlicer, head: Head, start: int, max_bytes: int
) -> list[Batch] | None:
    """Read what a fork has of others, from `start` on; None: one of them is gone, and so is the fork."""
    found: list[Batch] = []
    size = 0
    while start < head.own and size < max_bytes:
        owner, end = head, head.own
        while owner.fork is not None and start < owner.fork.at:
            end = min(end, owner.fork.at)
            state = await store.load_stream(owner.fork.path)
            if state is None or state.head.incarnation != owner.fork.incarnation:
                return None
            owner = state.head
        loaded = await store.read(owner.path, start, max_bytes - size)
        if loaded is None or loaded[0].incarnation != owner.incarnation or not loaded[1]:
            return None
        if start < loaded[0].base:
            raise Gone("What this stream has of another is no longer kept.")
        for batch in loaded[1]:
            if batch.start >= end:
                break
            found.append(await slicer.run(_cut(batch, start, end, json=head.json)))
            size += len(found[-1].data)
            start = found[-1].end
    return found


def _cut(batch: Batch, start: int, end: int, *, json: bool) -> Sliced[Batch]:
    """Return of a batch what lies in `[start, end)`."""
    first, last = max(batch.start, start), min(batch.end, end)
    data = batch.data
    if last < batch.end:
        data = (yield from json_mode.first(data, last - batch.start)) if json else data[: last - batch.start]
    if first > batch.start:
        data = (yield from json_mode.skip(data, first - batch.start)) if json else data[first - batch.start :]
    return Batch(first, last, data)


def upto(batches: list[Batch], end: int | None) -> list[Batch]:
    """Return the batches that begin before a position."""
    return batches if end is None else [batch for batch in batches if batch.start < end]


def _filling(batches: list[Batch], max_bytes: int) -> list[Batch]:
    """Return the batches up to the one that brings the total to `max_bytes`."""
    found: list[Batch] = []
    for batch in batches:
        if max_bytes <= 0:
            break
        found.append(batch)
        max_bytes -= len(batch.data)
    return found


def join(head: Head, start: int, batches: list[Batch], max_bytes: int) -> Sliced[Units]:
    """Join batches, the first of which may begin before `start`."""
    if not batches:
        return Units(head, start, start, b"")
    end = batches[-1].end
    begin = yield from _cut(batches[0], start, end, json=head.json)
    parts = [begin.data, *(batch.data for batch in batches[1:])]
    if head.json:
        return Units(head, start, end, b",".join(parts))
    data = parts[0] if len(parts) == 1 else b"".join(parts)
    if len(data) > max_bytes + TOGETHER:
        data = data[: max(max_bytes, 1)]  # an earlier version has stored much as one batch
    return Units(head, start, start + len(data), data)
