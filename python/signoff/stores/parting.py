"""What is kept as one batch, and where what is written at once is parted: one rule for all stores and the hub."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from signoff.stores.change import Batch
from signoff.streams.stream import Write

TOGETHER: Final = 64 * 1024
"""Bytes that are always kept, and read, as one batch. More is parted, so that a reader need not hold all of it."""


def batches(write: Write, start: int) -> list[Batch]:
    """Return what a store keeps of the data of a write: one batch, or several if it is much.

    Bytes are parted anywhere, messages between two of them: a message that is larger than all this is a batch of its
    own, or the end of one.

    Args:
        start: the position before the data.
    """
    head, data, cuts = write.head, write.data, write.cuts
    if len(data) <= TOGETHER or (head.json and not cuts):
        return [Batch(start, head.tail, data)]
    if not head.json:
        ends = [*range(TOGETHER, len(data), TOGETHER), len(data)]
        return [Batch(start + a, start + b, data[a:b]) for a, b in pairwise([0, *ends])]
    # A comma lies between two parts, and after the last one there is none.
    places = [(0, 0), *cuts, (head.tail - start, len(data) + 1)]
    return [Batch(start + n, start + m, data[a : b - 1]) for (n, a), (m, b) in pairwise(places)]
