"""Keep a worker's leases alive from a thread of its own, so that no step that blocks the worker's loop can lose them.

The thread has its own small event loop: leases are renewed for whoever asks (`RunPort.renew`). Code that cannot be
interrupted is another matter: it keeps the worker from doing anything for its runs. Then all but the one that is the
trouble are given up properly, and that one's lease is left to end, which counts against it (`ClaimedRun.lost`).

This waits in real time, whatever the clock: it is about a process that may stand still.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Collection
from contextlib import closing

from signoff.outages import OutageLog
from signoff.runtime.port import RunLease, RunPort

log = logging.getLogger("signoff.runtime")

_LOOK_S = 1.0
"""Seconds between two looks at the clock: leases must be renewed when it was set back."""

_END_S = 10.0
"""Seconds that a store may take over a renewal before whoever stops the worker no longer waits."""


class Heartbeat:
    """A thread that renews leases.

    Args:
        port: renews the leases.
        owner: who holds them.
        lease_ms: how long they last; they are renewed three times in that.
        held: returns which are held.
        frozen: returns the run whose code cannot be interrupted and lets nothing else happen; None: there is none.
        lost: called on the loop that started this, with leases that are lost.
    """

    def __init__(
        self,
        port: RunPort,
        owner: str,
        lease_ms: int,
        *,
        held: Callable[[], Collection[RunLease]],
        frozen: Callable[[], str | None],
        lost: Callable[[Collection[RunLease]], None],
    ) -> None:
        self._port = port
        self._clock = port.clock
        self._owner = owner
        self._lease_ms = lease_ms
        self._held = held
        self._frozen = frozen
        self._lost = lost
        self._stop = threading.Event()
        self._stopped = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop
        self._latest = 0
        self._outage = OutageLog(log, "leases cannot be renewed")

    def start(self) -> None:
        """Begin to renew."""
        self._loop = asyncio.get_running_loop()
        self._latest = self._clock.now_ms()
        threading.Thread(target=self._main, name="signoff-heartbeat", daemon=True).start()

    async def stop(self) -> None:
        """Stop renewing; return when nothing is asked of the store any more."""
        self._stop.set()
        try:
            async with asyncio.timeout(_END_S):
                await self._stopped.wait()
        except TimeoutError:
            log.warning("the store does not answer a renewal of leases; the worker ends without it")

    def _main(self) -> None:
        try:
            with closing(asyncio.Runner()) as runner:  # its loop is made for the first beat, not at the start
                while not self._pause():
                    runner.run(self._beat())
        finally:
            try:
                self._loop.call_soon_threadsafe(self._stopped.set)
            except RuntimeError:  # the worker's loop is closed: nobody waits
                log.debug("the worker's loop has ended before its heartbeat")

    def _pause(self) -> bool:
        """Wait until leases shall be renewed; return True if no more."""
        left = self._lease_ms / 3000
        while left > 0:
            if self._stop.wait(min(left, _LOOK_S)):
                return True
            left -= _LOOK_S
            now, latest = self._clock.now_ms(), self._latest
            self._latest = now
            if latest - now > self._lease_ms:  # others take leases that are too far ahead
                return False
        return False

    async def _beat(self) -> None:
        held = list(self._held())
        if not held:
            return
        try:
            frozen = self._frozen()
            if frozen is not None:
                held = [lease for lease in held if lease.run_id != frozen]
                await self._port.release(self._owner, held)
                self._tell(held)
                return
            lost = await self._port.renew(self._owner, held, self._lease_ms)
            self._outage.over()
        except Exception as error:  # whatever it is: without a heartbeat every lease would be lost
            self._outage.failed(error)
            return
        if lost:
            self._tell(lost)

    def _tell(self, leases: Collection[RunLease]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._lost, leases)
        except RuntimeError:  # the loop is closed: nobody drives these any more
            log.debug("%d leases were lost when the worker had ended", len(leases))
