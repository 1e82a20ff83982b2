"""Sharing the event loop with work that is too long for one turn of it."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from signoff.streams.work import Work

T = TypeVar("T")


class Pace:
    """Do work in slices, one in each turn of the event loop, whoever asks for how much of it.

    So all else waits for one slice at most. A thread would not be kinder: the interpreter runs one at a time, and takes
    five milliseconds to change its mind.

    Example:
        >>> payload = await Pace().run(json_mode.reading("application/json", body))
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def run(self, work: Work[T]) -> T:
        """Do work; what needs no second slice is done at once."""
        try:
            next(work)
            while True:
                async with self._turn:
                    await asyncio.sleep(0)
                    next(work)
        except StopIteration as end:
            result: T = end.value
            return result
