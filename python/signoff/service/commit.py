"""Group commit: while one transaction is made durable the next gathers, so that many writers share one fsync."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final
from weakref import WeakValueDictionary

from signoff.errors import StoreUnavailable
from signoff.stores.base import Change, Committed, Outcome, Rejected, StreamDelete, WorkflowStore
from signoff.stores.bus import READY, stream_topic

Durable = tuple[Change, Committed]
Listener = Callable[[Sequence[Durable]], None]
"""Called with the Changes that one transaction has made durable, in commit order, before their callers learn of it."""

Reply = Callable[[Outcome | Exception], None]
"""Called with how a Change ended; an exception is what `GroupCommitter.commit` raises."""

AHEAD: Final = 2
"""Transactions a store is given at once: while one becomes durable, the next is there already."""

Written = Awaitable[Sequence[Outcome | Rejected]]


_Waiting = tuple[Change, Reply]


class GroupCommitter:
    """Commit Changes for many tasks of one event loop, merging those that wait.

    Args:
        store: where to commit.
        listeners: called with durable Changes; they must not block.
        most: Changes in one transaction at most.

    Example:
        >>> committer = GroupCommitter(store, hub.committed)
        >>> outcome = await committer.commit(change)
    """

    def __init__(self, store: WorkflowStore, *listeners: Listener, most: int = 256) -> None:
        self._store = store
        self._listeners = list(listeners)
        self._most = most
        self._waiting: deque[_Waiting] = deque()
        self._under_way: deque[asyncio.Task[None]] = deque()
        self._gathering = False
        self._sizes = (1, 1)
        self._closed = False
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def turn(self, run_id: str) -> asyncio.Lock:
        """Return what to hold while deciding on a run and committing that, so that those at one run take turns.

        It spares work and proves nothing: of many that decide on one state only the first is right, and all others
        would decide again, and again. Other processes, and the worker, take no turn.
        """
        lock = self._turns.get(run_id)
        if lock is None:
            lock = self._turns[run_id] = asyncio.Lock()
        return lock

    def listen(self, listener: Listener) -> None:
        """Call one more listener from now on."""
        self._listeners.append(listener)

    async def commit(self, change: Change) -> Outcome:
        """Commit a Change together with others that wait; return when it is durable, or refused.

        A cancelled caller gives up waiting, not the Change: it may be committed all the same.

        Raises:
            StoreUnavailable: the store failed; unless its detail says otherwise the Change was not written.
            BadRequest: the Change holds something that cannot be stored.
        """
        return await self.submit(change)

    def submit(self, change: Change) -> asyncio.Future[Outcome]:
        """Hand a Change in without waiting. The future ends as `commit` would."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def reply(outcome: Outcome | Exception) -> None:
            if future.done():
                return
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        self.hand_in(change, reply)
        return future

    def hand_in(self, change: Change, reply: Reply) -> None:
        """Hand a Change in, and have `reply` called, never before this returns, with how it ended."""
        if self._closed:
            error = StoreUnavailable("The engine is closing; nothing was written. Try again later.")
            asyncio.get_running_loop().call_soon(reply, error)
            return
        self._waiting.append((change, reply))
        if not self._under_way and 2 * len(self._waiting) >= max(self._sizes):
            self._start()
        elif not self._gathering:
            self._gather()

    async def close(self) -> None:
        """Commit what was handed in and pass on its wake-ups; refuse what comes later."""
        self._closed = True
        while self._waiting or self._under_way:
            self._start()
            await asyncio.wait([self._under_way[-1]])

    def _gather(self) -> None:
        """Begin a transaction once everybody who is about to hand something in has done so."""
        if len(self._under_way) < AHEAD:
            self._gathering = True
            asyncio.get_running_loop().call_soon(self._gathered)

    def _gathered(self) -> None:
        self._gathering = False
        self._start()

    def _start(self) -> None:
        while self._waiting and len(self._under_way) < AHEAD:
            batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            self._sizes = (self._sizes[1], len(batch))
            before = self._under_way[-1] if self._under_way else None
            written = self._write([change for change, _ in batch])
            self._under_way.append(asyncio.create_task(self._commit(batch, written, before), name="signoff-commit"))

    def _write(self, changes: list[Change]) -> Written:
        """Call the store here and now: one with a thread of its own begins while the loop goes on."""
        try:
            return self._store.commit(changes)
        except Exception as error:
            failed: asyncio.Future[Sequence[Outcome | Rejected]] = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            return failed

    async def _commit(self, batch: list[_Waiting], written: Written, before: asyncio.Task[None] | None) -> None:
        try:
            outcomes: Sequence[Outcome | Rejected | Exception]
            try:
                outcomes = await written
            except Exception as error:  # every caller of this batch must learn of it, whatever it is
                outcomes = [error] * len(batch)
            if before is not None and not before.done():
                await asyncio.wait([before])
            await self._settle(batch, outcomes)
        finally:
            self._under_way.popleft()
            if self._waiting and not self._gathering:
                self._gather()

    async def _settle(self, batch: list[_Waiting], outcomes: Sequence[Outcome | Rejected | Exception]) -> None:
        topics: dict[str, None] = {}
        durable: list[Durable] = []
        for (change, _), outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Committed):
                durable.append((change, outcome))
                _add_topics(change, topics)
        if durable:
            self._announce(durable)
        for (_, reply), outcome in zip(batch, outcomes, strict=True):
            try:
                reply(outcome.error if isinstance(outcome, Rejected) else outcome)
            except Exception as error:
                _report("a caller failed to take an outcome", error)
        await self._emit(topics)

    def _announce(self, durable: Sequence[Durable]) -> None:
        for listener in self._listeners:
            try:
                listener(durable)
            except Exception as error:  # a listener's fault must not make durable writes look lost
                _report("a commit listener failed", error)

    async def _emit(self, topics: Collection[str]) -> None:
        try:
            await self._store.bus().emit(topics)
        except Exception as error:  # a wake-up is a hint: those who wait find the news within a poll interval
            _report("wake-ups were lost", error)


def _report(what: str, error: Exception) -> None:
    asyncio.get_running_loop().call_exception_handler({"message": what, "exception": error})


def topics_of(change: Change) -> list[str]:
    """Return the topics a Change is news for: each stream it touches, and `ready` if a run may be claimable."""
    topics: dict[str, None] = {}
    _add_topics(change, topics)
    return list(topics)


def _add_topics(change: Change, topics: dict[str, None]) -> None:
    for append in change.appends:
        topics[stream_topic(append.path)] = None
    for write in change.streams:
        topics[stream_topic(write.path if isinstance(write, StreamDelete) else write.head.path)] = None
    run = change.run
    if run is not None and (run.record.ready or run.record.wake_at is not None):
        topics[READY] = None
