"""The time of a test: it stands still while the test itself does something, and jumps while that waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Final, TypeVar

from signoff.clock import SettlingClock
from signoff.stores.base import WorkflowStore

T = TypeVar("T")

_QUIET_S: Final = 0.001
"""Real seconds in which nobody looks at the clock, before it may jump: in memory everything is on one event loop."""

_HELD_S: Final = 0.05
"""Real seconds after which a test may look, although something goes on: a step may wait for the test."""

_AGAIN_S: Final = 0.01
"""Real seconds between two looks at what goes on in real time."""

_PATIENCE_S: Final = 10.0
"""Real seconds for a worker to take up what it can, before a test is told that nothing happens."""

_READS: Final = (
    "load", "list_subjects", "list_parts", "load_stream", "read", "read_start", "claim", "due", "next_due",
)  # fmt: skip
"""What the store is asked while somebody waits for the reply."""


class Stuck(AssertionError):
    """A test that waits for what will never happen, and what there is instead."""


class Timeline:
    """The time of a test.

    Args:
        start: when it begins.
        most_jumps: how often time jumps while a test waits for one thing, before it counts as one that never comes.
        ready: tells whether a worker is about to take something up, in real time.

    Attributes:
        clock: what engine and workers go by.
    """

    def __init__(self, start: datetime, most_jumps: int, ready: Callable[[], Awaitable[bool]]) -> None:
        self.clock = SettlingClock(_ms(start), quiet_s=_QUIET_S)
        self._most_jumps = most_jumps
        self._ready = ready
        self._jumps = 0

    @property
    def now(self) -> datetime:
        """Return the time."""
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=self.clock.now_ms())

    async def settled(self) -> None:
        """Wait until all has happened that can happen now; no time passes."""
        await self.clock.settled(patience_s=_HELD_S)

    async def until(self, look: Callable[[], Awaitable[T | None]], why: Callable[[], Awaitable[str]]) -> T:
        """Wait for something, and let time jump meanwhile.

        Args:
            look: returns it, once it is there.
            why: says what there is instead.

        Raises:
            Stuck: nothing more happens, and it is not there.
            Whatever `look` raises.
        """
        jumps_left, give_up = self._most_jumps, monotonic() + _PATIENCE_S
        while True:
            jumps = self._jumps
            await self.settled()
            found = await look()
            if found is not None:
                return found
            if jumps != self._jumps:  # somebody else who waits has let time jump
                continue
            if self.clock.held:
                give_up = monotonic() + _PATIENCE_S
                await asyncio.sleep(_AGAIN_S)
            elif (at := self.clock.next_at) is not None:
                if not jumps_left:
                    raise Stuck(f"Time has jumped {self._most_jumps} times, and nothing came of it. {await why()}")
                jumps_left -= 1
                self._jump(at)
            elif await self._ready() and monotonic() < give_up:
                await asyncio.sleep(_AGAIN_S)
            else:
                raise Stuck(f"Nothing more happens. {await why()}")

    async def during(self, doing: Coroutine[Any, Any, T], why: Callable[[], Awaitable[str]]) -> T:
        """Do something, let time jump if it takes any, and return what it returns.

        Args:
            why: says what there is instead, if it does not come to its end.

        Raises:
            Stuck: nothing more happens, and it has not come to its end.
            Whatever it raises.
        """
        task = asyncio.get_running_loop().create_task(doing)

        async def look() -> bool | None:
            return task.done() or None

        try:
            await self.until(look, why)
        finally:
            task.cancel()
        return task.result()

    async def advance(self, to_ms: int) -> None:
        """Let time pass until a point of time, with all that is due by then."""
        while True:
            jumps = self._jumps
            await self.settled()
            if self.clock.held:
                await asyncio.sleep(_AGAIN_S)
            elif jumps == self._jumps:
                if self.clock.now_ms() >= to_ms:
                    return
                at = self.clock.next_at
                self._jump(to_ms if at is None else min(at, to_ms))

    def _jump(self, at_ms: int) -> None:
        self._jumps += 1
        self.clock.advance(max(at_ms - self.clock.now_ms(), 0))


def hold_while_asked(store: WorkflowStore, clock: SettlingClock) -> None:
    """Have a clock that jumps stand still while the store is asked: over a wire that takes longer than it is quiet."""
    for name in _READS:
        asked = getattr(store, name)

        async def ask(*values: Any, asked: Any = asked, **options: Any) -> Any:
            with clock.stopped():
                return await asked(*values, **options)

        setattr(store, name, ask)


def _ms(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise ValueError(f"The start {moment} has no time zone; write for example datetime(2026, 1, 1, tzinfo=UTC).")
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
