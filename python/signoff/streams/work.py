"""Work that may be too long to be done in one go: done in slices, between which others may have their turn.

A rule says where it can be interrupted by yielding; whoever has it done decides what happens there.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, TypeVar

T = TypeVar("T")

Work = Generator[None, None, T]

SLICE: Final = 32 * 1024
"""Bytes that are looked at between two places to interrupt at: about a millisecond, or a few."""


def finish(work: Work[T]) -> T:
    """Do work without a break."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: T = end.value
            return result
