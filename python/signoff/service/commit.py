"""Group commit: while one transaction is made durable the next gathers, so that many writers share one fsync."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple
from weakref import WeakValueDictionary

from signoff.errors import StoreUnavailable
from signoff.stores.base import Change, Committed, Outcome, Rejected, StreamDelete, WorkflowStore
from signoff.stores.bus import READY, stream_topic

Listener = Callable[[Change, Committed], None]
"""Called with every Change that has become durable, in commit order, before its caller learns of it."""


class _Waiting(NamedTuple):
    change: Change
    reply: asyncio.Future[Outcome]


class GroupCommitter:
    """Commit Changes for many tasks of one event loop, merging those that wait.

    Args:
        store: where to commit.
        listeners: called with each durable Change; they must not block.
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
        self._topics: dict[str, None] = {}
        self._drainer: asyncio.Task[None] | None = None
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
        """Hand a Change in without waiting; for callbacks. The future ends as `commit` would."""
        reply: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        if self._closed:
            reply.set_exception(StoreUnavailable("The engine is closing; nothing was written. Try again later."))
            return reply
        self._waiting.append(_Waiting(change, reply))
        if self._drainer is None:
            self._drainer = asyncio.create_task(self._drain(), name="signoff-commit")
        return reply

    async def close(self) -> None:
        """Commit what was handed in and pass on its wake-ups; refuse what comes later."""
        self._closed = True
        if self._drainer is not None:
            await self._drainer

    async def _drain(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
                await self._commit(batch)
                if len(batch) > 1:
                    await asyncio.sleep(0)  # those just served may hand in more, which then shares the next transaction
        finally:
            self._drainer = None

    async def _commit(self, batch: list[_Waiting]) -> None:
        try:
            outcomes = await self._store.commit([waiting.change for waiting in batch])
        except Exception as error:  # every caller of this batch must learn of it, whatever it is
            for waiting in batch:
                _fail(waiting.reply, error)
            return
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Committed):
                self._announce(waiting.change, outcome)
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Rejected):
                _fail(waiting.reply, outcome.error)
            elif not waiting.reply.done():
                waiting.reply.set_result(outcome)
        await self._emit()

    def _announce(self, change: Change, committed: Committed) -> None:
        for listener in self._listeners:
            try:
                listener(change, committed)
            except Exception as error:  # a listener's fault must not make durable writes look lost
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "a commit listener failed", "exception": error}
                )
        for topic in topics_of(change):
            self._topics[topic] = None

    async def _emit(self) -> None:
        topics, self._topics = self._topics, {}
        try:
            await self._store.bus().emit(topics)
        except Exception as error:  # a wake-up is a hint: those who wait find the news within a poll interval
            asyncio.get_running_loop().call_exception_handler({"message": "wake-ups were lost", "exception": error})


def topics_of(change: Change) -> list[str]:
    """Return the topics a Change is news for: each stream it touches, and `ready` if a run may be claimable."""
    topics = [stream_topic(append.path) for append in change.appends]
    topics += [stream_topic(one.path if isinstance(one, StreamDelete) else one.head.path) for one in change.streams]
    run = change.run
    if run is not None and (run.record.ready or run.record.wake_at is not None):
        topics.append(READY)
    return topics


def _fail(reply: asyncio.Future[Outcome], error: Exception) -> None:
    if not reply.done():
        reply.set_exception(error)
