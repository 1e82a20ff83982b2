"""Time comes in here and nowhere else.

Everything that must know the time, and everything that waits for it, takes a `Clock`; tests hand in one they can move,
or one that jumps. Times are whole milliseconds since the Unix epoch (UTC), because that is what journals, rows and
indexes keep; delays are seconds.

What stays on real time: sockets, clients that wait for a reply and other people's servers; the timeouts of steps'
attempts (a step is the real world); what paces work by its cost; and the two threads that watch this very process, the
heartbeat and the watchdog.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

Callback = Callable[[], object]

_TURNS = 20
"""So many turns of an event loop follow one from the other, at most, without a look at the clock."""


class Alarm(Protocol):
    """Something that is due, unless it is cancelled."""

    def cancel(self) -> None:
        """Forget it."""
        ...


class Clock(Protocol):
    """The time, and what waits for it."""

    def now_ms(self) -> int:
        """Return milliseconds since the Unix epoch, UTC."""
        ...

    def call_later(self, delay_s: float, callback: Callback, *, idle: bool = False) -> Alarm:
        """Call something on the running event loop after a while.

        Args:
            delay_s: seconds.
            idle: nobody's progress depends on it: a poll, a sweep, a renewal. A clock that jumps does not stop for it.
        """
        ...

    def hold(self) -> Callback:
        """Say that something goes on which is no wait, until what is returned is called: a clock does not jump then."""
        ...


class SystemClock:
    """The machine's wall clock; waits go by its monotonic one, so that nobody who sets the time disturbs them."""

    def now_ms(self) -> int:
        """Return milliseconds since the Unix epoch, UTC."""
        return time.time_ns() // 1_000_000

    def call_later(self, delay_s: float, callback: Callback, *, idle: bool = False) -> Alarm:  # noqa: ARG002
        """Call something on the running event loop after `delay_s` seconds."""
        return asyncio.get_running_loop().call_later(delay_s, callback)

    def hold(self) -> Callback:
        """Do nothing: real time does not jump."""
        return _nothing


class ManualClock:
    """A clock that stands still until it is moved; for tests and simulations.

    What waits for it is called on its event loop when it is moved there.

    Example:
        >>> clock = ManualClock(1_000)
        >>> clock.advance(500)
        >>> clock.now_ms()
        1500
    """

    def __init__(self, now_ms: int = 0) -> None:
        self._now = now_ms
        self._waiting: list[_Waiting] = []
        self._numbers = itertools.count()

    def now_ms(self) -> int:
        """Return the time this clock was last moved to, in milliseconds."""
        return self._now

    @property
    def waiting(self) -> int:
        """Return how many wait for this clock: a test moves it once they do."""
        return sum(not one.cancelled for one in self._waiting)

    def advance(self, by_ms: int) -> None:
        """Move the clock forward by `by_ms` milliseconds."""
        self._now += by_ms
        while self._waiting and self._waiting[0].at_ms <= self._now:
            heapq.heappop(self._waiting).ring()

    def call_later(self, delay_s: float, callback: Callback, *, idle: bool = False) -> Alarm:
        """Call something on the running event loop when the clock was moved by `delay_s` seconds from now."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(self._now + max(delay_s, 0) * 1000, next(self._numbers), loop, callback, idle)
        if delay_s <= 0:
            waiting.ring()
            return waiting
        heapq.heappush(self._waiting, waiting)
        return waiting

    def hold(self) -> Callback:
        """Do nothing: this clock moves when it is told to."""
        return _nothing


class SettlingClock(ManualClock):
    """A clock that stands still until it is moved, and that tells when nothing goes on any more; for tests.

    Nothing goes on when no step runs, nothing is read or written, and nobody has looked at this clock for `quiet_s`.

    Args:
        now_ms: when it begins.
        quiet_s: real seconds without a look at the clock.

    Example:
        >>> await clock.settled()
        >>> clock.advance(clock.next_at - clock.now_ms())
    """

    def __init__(self, now_ms: int = 0, *, quiet_s: float = 0.01) -> None:
        super().__init__(now_ms)
        self._quiet = quiet_s
        self._looked = 0.0
        self._holds = 0

    @property
    def held(self) -> bool:
        """Tell whether something goes on that is no wait."""
        return self._holds > 0

    @property
    def next_at(self) -> int | None:
        """Return the earliest time (ms) that somebody's progress waits for; None: nobody's does."""
        at = min((one.at_ms for one in self._waiting if not (one.idle or one.cancelled)), default=None)
        return None if at is None else max(math.ceil(at), self._now)

    def now_ms(self) -> int:
        """Return the time this clock was last moved to, in milliseconds."""
        self._looked = time.monotonic()
        return self._now

    def call_later(self, delay_s: float, callback: Callback, *, idle: bool = False) -> Alarm:
        """Call something on the running event loop when the clock has come there."""
        alarm = super().call_later(delay_s, callback, idle=idle)
        self._looked = time.monotonic()
        return alarm

    def hold(self) -> Callback:
        """Say that something goes on; return a function that says that it has ended."""
        self._holds += 1
        held = True

        def let_go() -> None:
            nonlocal held
            self._holds -= held
            held = False
            self._looked = time.monotonic()

        return let_go

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Say that something goes on while the block runs."""
        with held(self):
            yield

    async def settled(self, *, patience_s: float = math.inf) -> None:
        """Wait in real time until nothing goes on.

        Args:
            patience_s: what still goes on when nobody has looked at the clock for so long, e.g. a step that waits for
                the outside, is waited for no longer.
        """
        while True:
            await asyncio.sleep(self._quiet)
            looked = self._looked
            for _ in range(_TURNS):  # what is ready to run by now may begin something, in a chain of such turns
                await asyncio.sleep(0)
            quiet = time.monotonic() - self._looked
            if looked == self._looked and quiet >= self._quiet and (not self._holds or quiet >= patience_s):
                return


class JumpingClock(SettlingClock):
    """A clock that jumps to the next time somebody waits for, as soon as nothing else is going on; for tests.

    A workflow that sleeps for thirty days is tested in milliseconds. It does not jump to polls, sweeps and renewals;
    those whose time has come by then are called too. For one event loop.

    Args:
        now_ms: when it begins; now, if None.
        quiet_s: real seconds without a look at the clock, before it jumps. A test that does something for people or
            other systems meanwhile holds the clock, with `stopped`.

    Example:
        >>> engine = await Engine.open(open_store("memory:"), JumpingClock())
    """

    def __init__(self, now_ms: int | None = None, *, quiet_s: float = 0.01) -> None:
        super().__init__(SystemClock().now_ms() if now_ms is None else now_ms, quiet_s=quiet_s)
        self._watching: asyncio.AbstractEventLoop | None = None

    def call_later(self, delay_s: float, callback: Callback, *, idle: bool = False) -> Alarm:
        """Call something on the running event loop when the clock has come there."""
        alarm = super().call_later(delay_s, callback, idle=idle)
        loop = asyncio.get_running_loop()
        if not idle and self._watching is not loop:
            self._watching = loop
            loop.call_later(self._quiet, self._watch)
        return alarm

    def _watch(self) -> None:
        """Jump if it is time to; look again, as long as there is anything to jump to."""
        while self._waiting and self._waiting[0].cancelled:
            heapq.heappop(self._waiting)
        wanted = self.next_at
        if wanted is None:
            self._watching = None
            return
        quiet = time.monotonic() - self._looked
        if not self._holds and quiet >= self._quiet:
            self.advance(wanted - self._now)
            self._looked = time.monotonic()
            quiet = 0.0
        asyncio.get_running_loop().call_later(max(self._quiet - quiet, self._quiet / 2), self._watch)


class _Waiting:
    """What somebody waits for on a clock that does not go by itself; in the order of time and of asking."""

    __slots__ = ("at_ms", "callback", "cancelled", "idle", "loop", "number")

    def __init__(
        self, at_ms: float, number: int, loop: asyncio.AbstractEventLoop, callback: Callback, idle: bool
    ) -> None:
        self.at_ms = at_ms
        self.number = number
        self.loop = loop
        self.callback = callback
        self.idle = idle
        self.cancelled = False

    def __lt__(self, other: _Waiting) -> bool:
        return (self.at_ms, self.number) < (other.at_ms, other.number)

    def cancel(self) -> None:
        self.cancelled = True

    def ring(self) -> None:
        """Have the callback called on its loop, if that still runs."""
        try:
            self.loop.call_soon_threadsafe(self._call)
        except RuntimeError:  # the loop is closed: nobody waits
            self.cancelled = True

    def _call(self) -> None:
        if not self.cancelled:
            self.cancelled = True
            self.callback()


async def sleep(clock: Clock, delay_s: float, *, idle: bool = False) -> None:
    """Wait for `delay_s` seconds of a clock.

    Args:
        idle: nobody's progress depends on it (`Clock.call_later`).
    """
    over = asyncio.Event()
    alarm = clock.call_later(delay_s, over.set, idle=idle)
    try:
        await over.wait()
    finally:
        alarm.cancel()


@contextmanager
def held(clock: Clock) -> Iterator[None]:
    """Hold a clock while the block runs: something goes on which is no wait, such as work in a thread."""
    let_go = clock.hold()
    try:
        yield
    finally:
        let_go()


def _nothing() -> None:
    """Let go of a clock that nobody can hold."""
