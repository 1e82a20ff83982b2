"""The threads that sync steps run in: as many at a time as there are slots, and none that anybody has to wait for.

Not `concurrent.futures`: its threads are joined when the interpreter ends, so one that hangs keeps the process; and a
timeout around its queue counts the time in which nothing has run yet. All of this is used from the worker's event loop.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from typing import Any

log = logging.getLogger("signoff.runtime")

HANGING_A_SLOT = 8
"""How many abandoned threads there may be for each slot, before slots wait for theirs to come back."""


@dataclass(frozen=True, slots=True)
class Returned:
    """What a function called in a thread has returned."""

    value: Any


@dataclass(frozen=True, slots=True)
class Raised:
    """What a function called in a thread has raised. Kept as a value: some exceptions cannot pass through a future."""

    error: BaseException


@dataclass(slots=True, eq=False)
class _ThreadJob:
    work: Callable[[], Any]
    thread: _Thread
    reply: asyncio.Future[Returned | Raised]
    abandoned: bool = False
    keeps_slot: bool = True


@dataclass(slots=True, eq=False)
class _Thread:
    """A thread, and where it gets its jobs from; None ends it."""

    loop: asyncio.AbstractEventLoop
    inbox: SimpleQueue[_ThreadJob | None] = field(default_factory=SimpleQueue)
    ident: int | None = None

    def start(self, done: Callable[[_ThreadJob, Returned | Raised], None]) -> None:
        thread = Thread(target=self._main, args=(done,), name="signoff-step", daemon=True)
        thread.start()
        self.ident = thread.ident

    def _main(self, done: Callable[[_ThreadJob, Returned | Raised], None]) -> None:
        while (job := self.inbox.get()) is not None:
            outcome: Returned | Raised
            try:
                outcome = Returned(job.work())
            except BaseException as error:
                outcome = Raised(error)
            try:
                self.loop.call_soon_threadsafe(done, job, outcome)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return
            del job, outcome  # what they hold can be freed while this thread waits for the next


class StepThreads:
    """Threads for sync steps.

    Args:
        most: how many steps run at a time; those that were given up while running do not count.

    Example:
        >>> await threads.slot()
        >>> await threads.run(lambda: 7)
        Returned(value=7)
    """

    def __init__(self, most: int) -> None:
        self._free = most
        self._most_hanging = most * HANGING_A_SLOT
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._idle: list[_Thread] = []
        self._hanging = 0
        self._warned_of = 0
        self._closed = False

    @property
    def hanging(self) -> int:
        """Return how many threads still run a step that was given up."""
        return self._hanging

    async def slot(self) -> None:
        """Wait for a slot, in the order of asking; `run` gives it back."""
        if self._free > 0:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back()
            raise

    async def run(self, work: Callable[[], Any]) -> Returned | Raised:
        """Call `work` in a thread at once, on a slot; whoever is cancelled meanwhile leaves the thread to itself."""
        loop = asyncio.get_running_loop()
        try:
            thread = self._idle.pop() if self._idle else self._new(loop)
        except BaseException:
            self._give_back()
            raise
        job = _ThreadJob(work, thread, loop.create_future())
        thread.inbox.put(job)
        try:
            return await job.reply
        finally:
            if not job.reply.done() or job.reply.cancelled():
                self._abandon(job)

    def close(self) -> None:
        """End the threads that are idle now, and each other one when it comes back."""
        self._closed = True
        while self._idle:
            self._idle.pop().inbox.put(None)

    def _new(self, loop: asyncio.AbstractEventLoop) -> _Thread:
        thread = _Thread(loop)
        thread.start(self._done)
        return thread

    def _done(self, job: _ThreadJob, outcome: Returned | Raised) -> None:
        if job.abandoned or self._closed:
            job.thread.inbox.put(None)  # another has taken its place
        else:
            self._idle.append(job.thread)
        if job.abandoned:
            self._hanging -= 1
        if not job.reply.done():
            job.reply.set_result(outcome)
        if job.keeps_slot:
            self._give_back()

    def _abandon(self, job: _ThreadJob) -> None:
        job.abandoned = True
        self._hanging += 1
        if self._hanging <= self._most_hanging:
            job.keeps_slot = False
            self._give_back()
        if self._hanging > 2 * self._warned_of:  # the first, and then each time they have doubled
            self._warned_of = self._hanging
            log.warning(
                "%d threads still run a step that was given up (its time was over, or its run went on without it); "
                "they cannot be stopped and end with the process. One of them is at\n%s",
                self._hanging,
                _place(job.thread.ident),
            )

    def _give_back(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


def _place(ident: int | None) -> str:
    frame = None if ident is None else sys._current_frames().get(ident)
    return "(it has ended meanwhile)" if frame is None else "".join(traceback.format_stack(frame)[-3:]).rstrip()
