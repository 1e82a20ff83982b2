"""The task that tells targets of what happens to requests: at least once, in order for each request.

Every process with the means for a target may tell it; the one that has written itself into the target's record does,
for as long as it says there. Each of its writes is decided on the version it read, so one that was overtaken notices by
its next write, and what it had told without writing that down is told again, under the same id.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from signoff.clock import Clock, sleep
from signoff.errors import BadRequest, Conflict409, NotFound, SignoffError
from signoff.outages import OutageLog
from signoff.paths import NOTIFICATIONS
from signoff.service.notify.target import MOST_WAITING, NotifyTarget, TargetKind
from signoff.service.notify.targets import NotifyTargets
from signoff.stores.base import WorkflowStore
from signoff.stores.bus import stream_topic
from signoff.stores.change import Change, RowsWrite, new_mark
from signoff.streams.compaction import RowChanges
from signoff.workflow.notice import RequestEvent, RunDeleted

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 10.0
"""Seconds a target has to take an event."""

LEASE_MS: Final = 30_000
POLL_S: Final = 2.0
"""Seconds between two looks when nobody hints at news."""

APART_S: Final = 0.05
"""Seconds between two looks, whatever comes: a store that is busy with requests is not made busier by each."""

AT_ONCE: Final = 16
"""Events, each of another request, under way to one target at a time."""

AGAIN_AT_ONCE: Final = 8
"""Of these, such as have failed before: receivers that hang for some requests leave the others room."""

CLOSE_S: Final = 1.0
"""Seconds that what is under way gets when the process ends in peace; what takes longer is told again by another."""

RELEASE_S: Final = 2.0
"""Seconds that a target's record gets then, to say how far it was told and that another may go on."""

READ_BYTES: Final = 64 * 1024

KEPT: Final = 100_000
"""Events a stream of notifications keeps for targets that nobody tells; what is older goes."""

DROP: Final = 1_000
"""Events that are dropped at once, at least."""


class Messenger(Protocol):
    """A way to tell targets of one kind."""

    def reaches(self, target: NotifyTarget) -> bool:
        """Tell whether this process can tell this target at all."""
        ...

    def each(self, target: NotifyTarget, event: RequestEvent) -> Sequence[RequestEvent]:
        """Return what to tell a target of an event, each apart: one for each person, or nothing."""
        ...

    async def tell(self, target: NotifyTarget, event: RequestEvent) -> str | None:
        """Tell a target of an event; return why it did not take it, without secrets, or None: it did."""
        ...


class Notifier:
    """The teller of what happens to requests, for those targets that this process has the means for.

    Args:
        messengers: by the kind of the targets they reach.
        own: targets that are made here, by their ids: what this process alone knows how to tell.
        chance: random numbers in [0, 1).
    """

    def __init__(
        self,
        store: WorkflowStore,
        targets: NotifyTargets,
        clock: Clock,
        messengers: Mapping[TargetKind, Messenger],
        *,
        own: Mapping[str, TargetKind] | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._targets = targets
        self._clock = clock
        self._messengers = messengers
        self._own = dict(own or {})
        self._chance = chance
        self._name = secrets.token_hex(8)
        self._news = asyncio.Event()
        self._closing = asyncio.Event()
        self._telling: dict[str, asyncio.Task[None]] = {}
        self._hearing: set[_Telling] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to tell, in the background."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="signoff-notifier")

    async def close(self) -> None:
        """Stop; what is still under way after `CLOSE_S` is told again by whoever comes next, at once."""
        self._closing.set()
        if self._telling:
            await asyncio.wait(self._telling.values(), timeout=CLOSE_S + RELEASE_S)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        bus = self._store.bus()
        interests = [bus.subscribe(stream_topic(path), self._hear) for path in NOTIFICATIONS]
        outage = OutageLog(log, "cannot look after notifications")
        try:
            while True:
                try:
                    await self._announce()
                    await self._look()
                    outage.over()
                except SignoffError as error:
                    outage.failed(error)
                await self._pause()
        finally:
            for interest in interests:
                interest.close()
            for task in self._telling.values():
                task.cancel()
            await asyncio.gather(*self._telling.values(), return_exceptions=True)

    def _hear(self) -> None:
        """Have the streams looked at, also by each telling that is under way."""
        self._news.set()
        for telling in self._hearing:
            telling.news.set()

    async def _pause(self) -> None:
        """Wait for news, or a while; call it right after a look."""
        loop = asyncio.get_running_loop()
        looked_at = loop.time()
        woken = asyncio.ensure_future(self._news.wait())
        slept = asyncio.ensure_future(sleep(self._clock, POLL_S, idle=True))
        try:
            await asyncio.wait((woken, slept), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in (woken, slept):
                one.cancel()
            await asyncio.gather(woken, slept, return_exceptions=True)
        await asyncio.sleep(max(0.0, looked_at + APART_S - loop.time()))
        self._news.clear()

    async def _announce(self) -> None:
        """Make the targets that are of this process, once."""
        while self._own:
            id_, kind = next(iter(self._own.items()))
            try:
                await self._targets.add(id_, kind)
            except Conflict409:  # it is there, by an earlier start or another process
                found, _ = await self._targets.load(id_)
                if found.kind != kind:
                    log.warning("notifications: %s is another target already; nobody is told by this one", id_)
            except BadRequest as error:
                log.warning("notifications to %s: %s", id_, error.detail)
            del self._own[id_]

    async def _look(self) -> None:
        """Tell whoever has something to be told, and drop what everybody was told."""
        tails, now = await self._targets.tails(), self._clock.now_ms()
        records = await self._targets.records()
        for target, _ in records:
            if target.id in self._telling or target.paused or not self._reaches(target) or self._closing.is_set():
                continue
            due = target.next_at()
            behind = any(tail > target.cursors.get(path, 0) for path, tail in tails.items())
            if (behind or (due is not None and due <= now)) and not self._held(target):
                task = asyncio.get_running_loop().create_task(self._tell(target.id), name="signoff-notify")
                self._telling[target.id] = task
                task.add_done_callback(self._told)
        await self._trim(tails, [target for target, _ in records])

    def _told(self, ended: asyncio.Task[None]) -> None:
        self._telling = {id_: task for id_, task in self._telling.items() if task is not ended}
        self._news.set()

    def _held(self, target: NotifyTarget) -> bool:
        """Tell whether another process tells it; a lease far ahead was reckoned by a clock that has been set back."""
        now = self._clock.now_ms()
        return target.holder != self._name and now < target.until <= now + 2 * LEASE_MS

    def _reaches(self, target: NotifyTarget) -> bool:
        messenger = self._messengers.get(target.kind)
        return messenger is not None and messenger.reaches(target)

    async def _tell(self, id_: str) -> None:
        """Tell one target until there is nothing more to do at present, or somebody else has written its record."""
        try:
            target, subject = await self._targets.load(id_)
            if self._held(target):
                return  # another process was faster since we looked
            telling = _Telling(self._targets, self._clock, self._messengers[target.kind], self._chance, self._closing)
            self._hearing.add(telling)
            try:
                await telling.run(target, subject.version, self._name)
            finally:
                self._hearing.discard(telling)
        except NotFound:
            pass
        except SignoffError as error:
            log.warning("notifications to %s: %s", id_, error.detail)

    async def _trim(self, tails: Mapping[str, int], targets: Iterable[NotifyTarget]) -> None:
        cursors = [target.cursors for target in targets]
        for path, tail in tails.items():
            told = min((one.get(path, 0) for one in cursors), default=tail)
            base = max(told, tail - KEPT)
            state = None if base < DROP else await self._store.load_stream(path)
            if state is None or state.head.deleted or state.head.refs or base - state.head.base < DROP:
                continue
            head = state.head
            nothing = RowChanges(clear=False, gone=(), rows=(), at=base)
            write = RowsWrite(path, head.incarnation, head.rows_at, nothing, base, head.refs)
            await self._store.commit([Change(write, mark=new_mark())])


class _Telling:
    """One target's telling, by the process that holds it.

    Operators write the record too. Then it is read anew, and what has happened since is noted in it.

    Attributes:
        news: set by whoever hears that there may be some.
    """

    def __init__(
        self,
        targets: NotifyTargets,
        clock: Clock,
        messenger: Messenger,
        chance: Callable[[], float],
        closing: asyncio.Event,
    ) -> None:
        self.news = asyncio.Event()
        self._targets = targets
        self._clock = clock
        self._messenger = messenger
        self._chance = chance
        self._closing = closing
        self._looked_at = 0.0
        self._under_way: dict[asyncio.Task[str | None], RequestEvent] = {}
        self._unwritten: list[tuple[RequestEvent, str | None]] = []

    async def run(self, target: NotifyTarget, version: int, holder: str) -> None:
        """Tell until there is nothing to do, somebody else holds the target, or this process ends.

        Raises:
            NotFound: it was removed.
        """
        target.holder = holder
        try:
            while True:
                self.news.clear()
                self._looked_at = asyncio.get_running_loop().time()
                if self._closing.is_set():
                    await self._cut(target)
                stopping = target.paused or self._closing.is_set()
                more = not stopping and await self._read(target)
                begin = [] if stopping else self._next(target)
                over = not (begin or more or self._under_way)
                target.holder, target.until = ("", 0) if over else (holder, self._clock.now_ms() + LEASE_MS)
                written = await self._targets.put(target, version)
                if written is None:
                    target, subject = await self._targets.load(target.id)
                    version = subject.version
                    if target.holder != holder:
                        return
                    for event, why in self._unwritten:
                        self._note(target, event, why)
                    continue
                version = written
                self._unwritten = []
                if over:
                    return
                for event in begin:
                    task = asyncio.get_running_loop().create_task(self._one(target, event), name="signoff-notify-one")
                    self._under_way[task] = event
                await self._ended(target)
        finally:
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _read(self, target: NotifyTarget) -> bool:
        """Take events from the streams, as long as there is room; tell whether any came."""
        more = False
        tails = await self._targets.tails() if target.backlog < MOST_WAITING else {}
        for path, tail in tails.items():
            at = target.cursors.get(path, 0)
            if at >= tail or target.backlog >= MOST_WAITING:
                continue
            events, end = await self._targets.read(path, at, READ_BYTES)
            at, more = end - len(events), True
            for event in events:
                if target.backlog >= MOST_WAITING:
                    break
                at += 1
                if isinstance(event, RunDeleted):
                    target.take((event,))
                elif target.wants(event):
                    target.take(self._messenger.each(target, event))
            target.cursors[path] = at
        return more

    def _next(self, target: NotifyTarget) -> list[RequestEvent]:
        """Return the events to tell now, each the first that waits its turn."""
        now, begun = self._clock.now_ms(), {target.queue_of(event) for event in self._under_way.values()}
        again = sum(name in target.waiting and target.waiting[name].attempts > 0 for name in begun)
        found: list[RequestEvent] = []
        for name, waiting in target.waiting.items():
            if len(begun) + len(found) >= AT_ONCE:
                break
            if name in begun or waiting.next_at > now or (waiting.attempts and again >= AGAIN_AT_ONCE):
                continue
            again += waiting.attempts > 0
            found.append(waiting.events[0])
        return found

    async def _one(self, target: NotifyTarget, event: RequestEvent) -> str | None:
        """Tell one event within its time."""
        telling = asyncio.ensure_future(self._messenger.tell(target, event))
        try:
            done, _ = await asyncio.wait({telling}, timeout=TIMEOUT_S)
            return telling.result() if done else f"it did not take it within {TIMEOUT_S:g} s"
        except Exception as error:  # whatever a receiver's code or library raises is a reason to try again
            return f"{type(error).__name__}: {str(error)[:200]}"
        finally:
            telling.cancel()

    async def _ended(self, target: NotifyTarget) -> None:
        """Wait for some of what is under way, for news there is room for, or for a close; note what has ended."""
        if not self._under_way:
            return
        wakes: list[asyncio.Task[Any]] = [asyncio.ensure_future(self._closing.wait())]
        if not target.paused and target.backlog < MOST_WAITING and len(self._under_way) < AT_ONCE:
            wakes.append(asyncio.ensure_future(self._heard()))
        try:
            await asyncio.wait([*self._under_way, *wakes], timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in wakes:
                one.cancel()
            await asyncio.gather(*wakes, return_exceptions=True)
        self._note_ended(target)

    async def _heard(self) -> None:
        """Wait for news, and until it is time for another look."""
        await self.news.wait()
        await asyncio.sleep(max(0.0, self._looked_at + APART_S - asyncio.get_running_loop().time()))

    async def _cut(self, target: NotifyTarget) -> None:
        """Give what is under way a little longer, note how it went, and give the rest up: another tells that again."""
        if not self._under_way:
            return
        _, late = await asyncio.wait(self._under_way, timeout=CLOSE_S)
        self._note_ended(target)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        self._under_way.clear()

    def _note_ended(self, target: NotifyTarget) -> None:
        for task in [task for task in self._under_way if task.done()]:
            event, why = self._under_way.pop(task), task.result()
            self._unwritten.append((event, why))
            if self._note(target, event, why):
                log.warning("notifications to %s: %s was given up: %s", target.id, event.id, why)

    def _note(self, target: NotifyTarget, event: RequestEvent, why: str | None) -> bool:
        """Note how it went; True: the event is given up."""
        if why is None:
            target.told(event)
            return False
        return target.not_told(event, why, self._clock.now_ms(), self._chance())
