"""Computations that may be too long to be done in one go: done in slices, between which others may have their turn.

A rule says where it can be interrupted by yielding; whoever has it done decides what happens there.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, TypeVar

T = TypeVar("T")

Sliced = Generator[None, None, T]
"""A computation that returns a `T`, and yields wherever it may be interrupted."""

SLICE_BYTES: Final = 32 * 1024
"""Bytes that are looked at between two places to interrupt at: about a millisecond, or a few."""


def finish(computation: Sliced[T]) -> T:
    """Do all of a computation without a break."""
    while True:
        try:
            next(computation)
        except StopIteration as end:
            result: T = end.value
            return result
