"""Claim, renew and release, inside a transaction of the writer thread; and what is due."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from signoff.stores.change import Name, Subject
from signoff.stores.compare import due_at
from signoff.stores.sqlite.cache import WriterCache
from signoff.stores.sqlite.read_streams import many, snapshot
from signoff.stores.sqlite.rows import subject
from signoff.stores.sqlite.statements import Statements

SQL: Final = Statements("lease.sql")


@dataclass(frozen=True, slots=True)
class Claim:
    """Leases to take on subjects that are due."""

    owner: str
    queues: Collection[str]
    now: int
    lease_ms: int
    limit: int

    def run(self, connection: sqlite3.Connection, cache: WriterCache) -> list[Subject]:
        """Return the records of the subjects taken, with their new epochs, oldest due first."""
        numbers = _due(connection, self.queues, self.now, self.limit) + self._far(connection)
        until = self.now + self.lease_ms
        lease = (self.owner, self.owner, until, self.lease_ms, until, until)
        claimed = []
        for number in numbers[: max(self.limit, 0)]:
            [row] = connection.execute(SQL["take_lease"], (*lease, number)).fetchall()
            record = subject(row)
            if cached := cache.subjects.get(record.name):
                cached.epoch, cached.lease_owner, cached.lost = record.epoch, self.owner, record.lost
                cached.lease_until = cached.due_at = cached.due_since = until
            claimed.append(record)
        return claimed

    def _far(self, connection: sqlite3.Connection) -> list[int]:
        far = connection.execute(SQL["far_leases"], (self.now,))
        return [number for queue, number in far if queue in self.queues]


@dataclass(frozen=True, slots=True)
class Renew:
    """Leases to extend, and the subject that wakes when they end."""

    owner: str
    leases: Mapping[Name, int]
    until: int
    along: Name | None = None

    def run(self, connection: sqlite3.Connection, cache: WriterCache) -> set[Name]:
        """Return the names of subjects whose lease is lost, given up or ended with their work."""
        lost = set()
        if self.along is not None:
            _wake(connection, cache, self.along, self.until)
        for name, epoch in self.leases.items():
            held = connection.execute(SQL["held_lease"], (*name, self.owner, epoch)).fetchone()
            if held is None or held[1] is None:
                lost.add(name)
            else:
                _put(connection, cache, name, held, owner=self.owner, until=self.until)
        return lost


@dataclass(frozen=True, slots=True)
class Release:
    """Leases to give up."""

    owner: str
    leases: Mapping[Name, int]

    def run(self, connection: sqlite3.Connection, cache: WriterCache) -> None:
        """Leave alone what is no longer ours; the others are ready: their owner may have been within a step."""
        for name, epoch in self.leases.items():
            held = connection.execute(SQL["held_lease"], (*name, self.owner, epoch)).fetchone()
            if held is not None:
                connection.execute(SQL["make_ready"], (held[0],))
                _put(connection, cache, name, (*held[:2], True, *held[3:]))


LeaseWork = Claim | Renew | Release


def _put(
    connection: sqlite3.Connection,
    cache: WriterCache,
    name: Name,
    held: tuple[int, str | None, int, int | None, int],
    *,
    owner: str | None = None,
    until: int | None = None,
) -> None:
    number, queue, ready, wake_at, updated_at = held
    due = due_at(queue, bool(ready), wake_at, until)
    since = due or updated_at
    connection.execute(SQL["put_lease"], (owner, until, due, since, number))
    if cached := cache.subjects.get(name):
        cached.lease_owner, cached.lease_until, cached.due_at, cached.due_since = owner, until, due, since


def _wake(connection: sqlite3.Connection, cache: WriterCache, name: Name, at: int) -> None:
    """Have a subject wake at a time, if there is one; its version stays."""
    found = connection.execute(SQL["waking"], name).fetchone()
    if found is None:
        return
    number, queue, ready, lease_until = found
    due = due_at(queue, bool(ready), at, lease_until)
    since = due or at
    connection.execute(SQL["put_wake"], (at, due, since, number))
    if cached := cache.subjects.get(name):
        cached.due_at, cached.due_since = due, since


def due(connection: sqlite3.Connection, queue: str, now: int, limit: int) -> list[Subject]:
    """Return subjects of a queue that are due at `now`, the earliest first."""
    with snapshot(connection):
        numbers = _due(connection, [queue], now, limit)[: max(limit, 0)]
        rows = {row[-1]: row for row in many(connection, "subjects_by_id", numbers)}
    return [subject(rows[number]) for number in numbers]


def _due(connection: sqlite3.Connection, queues: Collection[str], now: int, limit: int) -> list[int]:
    """Return the numbers of subjects that are due, the oldest first: `limit` of them, and more that come later."""
    found: list[tuple[int, int]] = []
    for queue in dict.fromkeys(queues):
        found += connection.execute(SQL["ready_subjects"], (queue, limit))
        found += connection.execute(SQL["timed_subjects"], (queue, now, limit))
    return [number for _, number in sorted(found)]


def next_due(connection: sqlite3.Connection, queues: Collection[str]) -> int | None:
    """Return the earliest time (ms) at which a claim could find a subject: 0 if one is ready now, None if none."""
    found = [connection.execute(SQL["next_due"], (name,)).fetchone()[0] for name in dict.fromkeys(queues)]
    return min((due for due in found if due is not None), default=None)


def due_by_queue(connection: sqlite3.Connection) -> tuple[tuple[str, int], ...]:
    """Return for each queue that has something due at any time the earliest of them (ms; 0: one is ready)."""
    return tuple((name, connection.execute(SQL["next_due"], (name,)).fetchone()[0]) for name in _queues(connection))


def unclaimed(
    connection: sqlite3.Connection, kind: str, queues: Collection[str], before: int, limit: int
) -> list[Name]:
    """Return subjects of a kind that a claim could have found since `before` (ms), of any other queue than these."""
    found: list[Name] = []
    for queue in _queues(connection):
        if queue not in queues and len(found) < limit:
            rows = connection.execute(SQL["unclaimed_subjects"], (queue, before, before, kind, limit - len(found)))
            found += [Name(*row) for row in rows]
    return found


def _queues(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute(SQL["due_queues"])]
