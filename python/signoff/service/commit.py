"""Group commit: while one transaction is made durable the next gathers, so that many writers share one fsync."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final
from weakref import WeakValueDictionary

from signoff.clock import Callback, Clock, SystemClock, sleep
from signoff.errors import OutcomeUnknown, StoreUnavailable
from signoff.stores.base import SqlTransaction, WorkflowStore
from signoff.stores.bus import READY, stream_topic
from signoff.stores.change import (
    Change,
    Committed,
    FamilyWrite,
    Outcome,
    Rejected,
    RowsWrite,
    StreamDelete,
    SubjectDelete,
    SubjectWrite,
)

Durable = tuple[Change, Committed]
CommitListener = Callable[[Sequence[Durable]], None]
"""Called with the Changes that one transaction has made durable, in commit order, before their callers learn of it."""

ChangeEnded = Callable[[Outcome | Exception], None]
"""Called with how a Change ended; an exception is what `GroupCommitter.commit` raises."""

_PAUSES_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 1.0, 1.0)
"""How long to wait, in seconds, between questions after what became of a commit whose connection was lost."""

_LOST: Final = "The store was lost for a moment; nothing was written. Try again."
_UNKNOWN: Final = "Whether the last write was kept could not be found out. Look before you repeat it."

_Written = asyncio.Future[Sequence[Outcome | Rejected]]

_HandedIn = tuple[Change, ChangeEnded]


class GroupCommitter:
    """The committer of the Changes of one event loop's tasks; those that wait go in one transaction.

    Args:
        store: where to commit.
        listeners: called with durable Changes; they must not block.
        clock: what waits between two questions after a lost commit; the system's if None.

    Example:
        >>> committer = GroupCommitter(store, hub.committed)
        >>> outcome = await committer.commit(change)
    """

    def __init__(self, store: WorkflowStore, *listeners: CommitListener, clock: Clock | None = None) -> None:
        self._store = store
        self._clock = clock or SystemClock()
        self._listeners = list(listeners)
        self._lanes = store.lanes
        self._waiting: list[_HandedIn] = []
        self._under_way: deque[tuple[list[_HandedIn], _Written, Callback]] = deque()
        self._gathering = False
        self._sizes = (1, 1)
        self._closed = False
        self._through: set[asyncio.Task[Outcome]] = set()
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

    def listen(self, listener: CommitListener) -> None:
        """Call one more listener from now on."""
        self._listeners.append(listener)

    def forget(self, listener: CommitListener) -> None:
        """Call a listener no more, if it was called at all."""
        if listener in self._listeners:
            self._listeners.remove(listener)

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

    def hand_in_through(self, transaction: SqlTransaction, change: Change, reply: ChangeEnded) -> None:
        """Have a Change committed together with what a transaction of the store's database has executed."""
        task = asyncio.get_running_loop().create_task(self._commit_through(transaction, change))
        self._through.add(task)
        task.add_done_callback(self._through.discard)
        task.add_done_callback(lambda ended: reply(_outcome(ended)))

    def hand_in(self, change: Change, reply: ChangeEnded) -> None:
        """Hand a Change in, and have `reply` called, never before this returns, with how it ended."""
        if self._closed:
            why = "The engine is closing; nothing was written. Try again later."
            error = StoreUnavailable(why, public_detail=why)
            asyncio.get_running_loop().call_soon(reply, error)
            return
        self._waiting.append((change, reply))
        # Whoever waits for the last transaction hands in again when it ends, so about as many come as it had. Waiting
        # for all of them, which is the simple way, lets the disk rest while requests are read and the loop while the
        # disk writes: a fifth of the appends. So the first half goes ahead, and the halves take turns from then on; of
        # the last two sizes the greater counts, as the second of two halves may be small. Less than half makes three
        # groups that take turns, with more transactions: 7 % (docs/performance.md).
        if not self._under_way and 2 * len(self._waiting) >= max(self._sizes):
            self._start()
        elif not self._gathering and len(self._under_way) < self._lanes.at_once:
            self._gather()

    async def close(self) -> None:
        """Commit what was handed in and pass on its wake-ups; refuse what comes later."""
        self._closed = True
        while self._waiting or self._under_way:
            self._start()
            await asyncio.wait([self._under_way[0][1]])
        if self._through:
            await asyncio.wait(self._through)

    async def _commit_through(self, transaction: SqlTransaction, change: Change) -> Outcome:
        try:
            outcome: Outcome | Rejected = await transaction.commit(change)
        except OutcomeUnknown:
            [outcome] = await self._ask([change])
        if isinstance(outcome, Rejected):
            raise outcome.error
        if isinstance(outcome, Committed):
            self._announce([(change, outcome)])
            self._emit(topics_of(change))
        return outcome

    def _gather(self) -> None:
        """Begin a transaction once everybody who is about to hand something in has done so."""
        self._gathering = True
        asyncio.get_running_loop().call_soon(self._gathered)

    def _gathered(self) -> None:
        self._gathering = False
        self._start()

    def _start(self) -> None:
        while self._waiting and len(self._under_way) < self._lanes.at_once:
            batch, self._waiting = self._waiting[: self._lanes.group], self._waiting[self._lanes.group :]
            self._sizes = (self._sizes[1], len(batch))
            let_go = self._clock.hold()
            written = self._write([change for change, _ in batch])
            self._under_way.append((batch, written, let_go))
            written.add_done_callback(self._written)

    def _write(self, changes: list[Change]) -> _Written:
        """Call the store here and now: one with a thread of its own begins while the loop goes on."""
        try:
            return asyncio.ensure_future(self._store.commit(changes))
        except Exception as error:
            failed: _Written = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            return failed

    def _written(self, _: _Written) -> None:
        """Settle what is done, in the order in which it began."""
        while self._under_way and self._under_way[0][1].done():
            batch, written, let_go = self._under_way[0]
            let_go()
            if not written.cancelled() and isinstance(written.exception(), OutcomeUnknown):
                self._under_way[0] = batch, self._find_out([change for change, _ in batch]), let_go
                return
            try:
                self._settle(batch, _outcomes(written, len(batch)))
            finally:
                self._under_way.popleft()
        if self._waiting and not self._gathering:
            self._gather()

    def _find_out(self, changes: list[Change]) -> _Written:
        asked: _Written = asyncio.ensure_future(self._ask(changes))
        asked.add_done_callback(self._written)
        return asked

    async def _ask(self, changes: list[Change]) -> Sequence[Outcome | Rejected]:
        """Ask the store which of these it has kept; those that it cannot tell stay unknown."""
        found: Sequence[bool | None] = [None] * len(changes)
        for pause in _PAUSES_S:
            try:
                found = await self._store.find(changes)
                break
            except StoreUnavailable:
                await sleep(self._clock, pause)
        return [_found(one) for one in found]

    def _settle(self, batch: list[_HandedIn], outcomes: Sequence[Outcome | Rejected | Exception]) -> None:
        durable = [
            (change, outcome)
            for (change, _), outcome in zip(batch, outcomes, strict=True)
            if isinstance(outcome, Committed)
        ]
        if durable:
            self._announce(durable)
        for (_, reply), outcome in zip(batch, outcomes, strict=True):
            try:
                reply(outcome.error if isinstance(outcome, Rejected) else outcome)
            except Exception as error:
                _report("a caller failed to take an outcome", error)
        if durable:
            self._emit(_topics(durable))

    def _announce(self, durable: Sequence[Durable]) -> None:
        for listener in self._listeners:
            try:
                listener(durable)
            except Exception as error:  # a listener's fault must not make durable writes look lost
                _report("a commit listener failed", error)

    def _emit(self, topics: Iterable[str]) -> None:
        try:
            self._store.bus().emit(topics)
        except Exception as error:  # a wake-up is a hint: those who wait find the news within a poll interval
            _report("wake-ups were lost", error)


def _outcomes(written: _Written, count: int) -> Sequence[Outcome | Rejected | Exception]:
    """Return how the Changes of a transaction ended: if it failed, every caller must learn of it, whatever it is."""
    error: BaseException | None
    try:
        error = written.exception()
    except asyncio.CancelledError:
        error = StoreUnavailable("The engine was stopped; whether the last write was kept is not known.")
    if error is None:
        return written.result()
    return [error if isinstance(error, Exception) else StoreUnavailable(f"The store failed: {error!r}.")] * count


def _outcome(ended: asyncio.Task[Outcome]) -> Outcome | Exception:
    """Return how a Change ended whose task is over."""
    if ended.cancelled():
        return StoreUnavailable("The engine was stopped; whether the last write was kept is not known.")
    error = ended.exception()
    return ended.result() if error is None else error if isinstance(error, Exception) else StoreUnavailable(repr(error))


def _found(kept: bool | None) -> Outcome | Rejected:
    """Return how a Change ended that was looked for. What it appended, readers get from the store."""
    if kept:
        return Committed()
    if kept is None:
        return Rejected(OutcomeUnknown(_UNKNOWN, public_detail=_UNKNOWN))
    return Rejected(StoreUnavailable(_LOST, public_detail=_LOST))


def _report(what: str, error: Exception) -> None:
    asyncio.get_running_loop().call_exception_handler({"message": what, "exception": error})


def topics_of(change: Change) -> list[str]:
    """Return the topics a Change is news for: each stream it touches, and `ready` if its subject may be claimable.

    One may come twice.
    """
    write, posts, _ = change
    topics = [stream_topic(post.path) for post in posts]
    match write:
        case FamilyWrite(writes):
            topics += [stream_topic(one.path if isinstance(one, StreamDelete) else one.head.path) for one in writes]
        case SubjectWrite():
            topics += [stream_topic(append.path) for append in write.appends]
            # Without a queue nobody may claim it, but whoever holds it hears that it is paused or has been ended.
            subject = write.subject
            if subject.ready or (subject.queue is not None and subject.wake_at is not None):
                topics.append(READY)
        case SubjectDelete(streams=paths):
            topics += [stream_topic(path) for path in paths]
        case RowsWrite():
            pass  # its readers get the same rows as before
    return topics


def _topics(durable: Iterable[Durable]) -> Iterator[str]:
    """Find topics when a bus asks for them, which one that nobody listens to does not; some may come twice."""
    for change, _ in durable:
        yield from topics_of(change)
