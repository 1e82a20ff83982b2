"""What was signed and is good no longer: tokens by their id or their person, signed links by theirs.

Each revocation is a record of its own. Every process holds all of them in memory, and looks for new ones each second;
so to ask costs nothing, and what one server revokes is refused by every other within two seconds. A revocation is kept
until what it revokes has ended by itself.

Keys: `jti:{id}` one token, `sub:{person}` a person's tokens, `link:{id}` one link.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from typing import Final

import orjson

from signoff.clock import Clock, sleep
from signoff.outages import OutageLog
from signoff.service.commit import GroupCommitter
from signoff.service.kinds import Kind, forget_record, free_record, put_record
from signoff.stores.base import Listing, WorkflowStore
from signoff.stores.change import Conflict, Name, Subject

log = logging.getLogger(__name__)

EVERY_S: Final = 1.0
"""Seconds between two looks for what other processes have revoked."""

_OVERLAP_MS: Final = 300_000
"""Milliseconds that clocks of processes may disagree, together with how long a commit may take."""

_PAGE: Final = 1_000
_FORGET_EVERY: Final = 60


@dataclass(frozen=True, slots=True)
class Revocation:
    """What is revoked under one key.

    Attributes:
        before: seconds since the epoch; what was issued later is good. None: all of it is revoked.
        until: seconds since the epoch, after which what is revoked has ended by itself; None: never.
    """

    before: float | None
    until: float | None


class Revocations:
    """The revocations of a deployment, as this process knows them.

    Args:
        store: where they are.
        committer: writes them.
        clock: says when they were written, and when they end.

    Example:
        >>> await revocations.revoke("link:l1", until=1_900_000_000)
        >>> revocations.revoked("link:l1", None)
        True
    """

    def __init__(self, store: WorkflowStore, committer: GroupCommitter, clock: Clock) -> None:
        self._store = store
        self._committer = committer
        self._clock = clock
        self._known: dict[str, Revocation] = {}
        self._told: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Learn what is revoked, and look for more from now on, until `close`.

        Raises:
            StoreError: the store does not say.
        """
        await self.look(everything=True)
        self._task = asyncio.get_running_loop().create_task(self._run(), name="signoff-revocations")

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def on_revoked(self, told: Callable[[], None]) -> None:
        """Have somebody told whenever something more is revoked, by whichever process."""
        self._told.append(told)

    def revoked(self, key: str, issued_at: float | None) -> bool:
        """Tell whether something is revoked; costs one look into a dictionary.

        Args:
            key: e.g. `link:l1`.
            issued_at: seconds since the epoch; None: not known, and then any revocation holds.
        """
        found = self._known.get(key)
        if found is None:
            return False
        return found.before is None or issued_at is None or issued_at <= found.before

    async def revoke(self, key: str, until: float | None, *, before: float | None = None) -> None:
        """Revoke something; durable, known here at once and everywhere within two seconds.

        What was revoked already stays so: of two revocations of one key that which takes more holds.

        Args:
            key: e.g. `link:l1`.
            until: seconds since the epoch after which it has ended by itself; None: it has no end.
            before: seconds since the epoch; what was issued later stays good. None: all of it is revoked.

        Raises:
            StoreUnavailable: it may be revoked, or not; revoking again does no harm.
        """
        name = Name(Kind.REVOCATION, key)
        while True:
            stored = await self._store.load(name)
            held = None if stored is None else stored.subject
            expect = 0 if held is None else held.version
            wider = _wider(Revocation(before, until), None if held is None else _read(held))
            due = None if wider.until is None else int(wider.until * 1000)
            state = orjson.dumps({"before": wider.before, "until": wider.until})
            record = free_record(Kind.REVOCATION, key, state, expect=expect, due_at=due)
            record = replace(record, sort=self._clock.now_ms())
            if not isinstance(await self._committer.commit(put_record(record, expect)), Conflict):
                self._learn({key: wider})
                return

    async def look(self, *, everything: bool = False) -> None:
        """Learn what others have revoked since the last look.

        Args:
            everything: also what was revoked before.

        Raises:
            StoreError: the store does not say; what is known stays known.
        """
        after = None if everything else self._clock.now_ms() - _OVERLAP_MS
        found: dict[str, Revocation] = {}
        cursor = None
        while True:
            listing = Listing(Kind.REVOCATION, after=after)
            page = await self._store.list_subjects(listing, limit=_PAGE, cursor=cursor)
            found |= {record.name.id: _read(record) for record in page.items}
            cursor = page.cursor
            if cursor is None:
                break
        self._learn(found)

    async def forget(self) -> int:
        """Delete the revocations of what has ended by itself; return how many."""
        now = self._clock.now_ms()
        self._known = {key: one for key, one in self._known.items() if _ends_ms(one) > now}
        due = await self._store.due(Kind.REVOCATION.agenda, now=now, limit=_PAGE)
        for record in due:
            await self._committer.commit(forget_record(record))
        return len(due)

    def _learn(self, found: dict[str, Revocation]) -> None:
        now = self._clock.now_ms()
        new = {key: _wider(one, self._known.get(key)) for key, one in found.items()}
        new = {key: one for key, one in new.items() if self._known.get(key) != one and _ends_ms(one) > now}
        if new:
            self._known |= new
            for told in self._told:
                told()

    async def _run(self) -> None:
        outage = OutageLog(log, "what other servers revoke is not seen here")
        looks, missed = 0, False
        while True:
            await sleep(self._clock, EVERY_S, idle=True)
            looks += 1
            try:
                await self.look(everything=missed)
                if looks % _FORGET_EVERY == 0:
                    await self.forget()
                missed = False
                outage.over()
            except Exception as error:  # whatever it is: nobody else would look
                missed = True
                outage.failed(error)


def _read(record: Subject) -> Revocation:
    state = orjson.loads(record.state)
    return Revocation(state["before"], state["until"])


def _ends_ms(one: Revocation) -> float:
    return inf if one.until is None else one.until * 1000


def _wider(one: Revocation, other: Revocation | None) -> Revocation:
    """Return what revokes all that either does."""
    if other is None:
        return one
    before = None if one.before is None or other.before is None else max(one.before, other.before)
    until = None if one.until is None or other.until is None else max(one.until, other.until)
    return Revocation(before, until)
