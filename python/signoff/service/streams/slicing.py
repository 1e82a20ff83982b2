"""Sharing the event loop with computations that are too long for one turn of it."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from signoff.streams.slices import Sliced

T = TypeVar("T")


class TimeSlicer:
    """A runner of long computations: one slice of one of them in each turn of the event loop.

    So all else waits for one slice at most. A thread would not be kinder: the interpreter runs one at a time, and takes
    five milliseconds to change its mind.

    Example:
        >>> payload = await TimeSlicer().run(json_mode.payload_in_slices("application/json", body))
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def run(self, computation: Sliced[T]) -> T:
        """Do a computation; what needs no second slice is done at once."""
        try:
            next(computation)
            while True:
                async with self._turn:
                    await asyncio.sleep(0)
                    next(computation)
        except StopIteration as end:
            result: T = end.value
            return result
