"""Claim, renew and release, inside a transaction of the writer thread; and when a claim could find work."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from signoff.stores.base import RunRecord
from signoff.stores.compare import NOT_CLAIMABLE, due_at
from signoff.stores.sqlite.marks import Marks
from signoff.stores.sqlite.records import run_record
from signoff.stores.sqlite.statements import Statements

SQL = Statements("lease.sql")


@dataclass(frozen=True, slots=True)
class Claim:
    """Take leases on runs that are due."""

    owner: str
    now: int
    lease_ms: int
    limit: int
    workflows: Collection[str] | None

    def run(self, connection: sqlite3.Connection, marks: Marks) -> list[RunRecord]:
        """Return the records of the runs taken, with their new epochs, oldest due first."""
        due: list[tuple[int, int]] = []
        for workflow in _names(connection, self.workflows):
            due += connection.execute(SQL["ready_runs"], (workflow, self.limit))
            due += connection.execute(SQL["timed_runs"], (workflow, self.now, self.limit))
        numbers = [number for _, number in sorted(due)] + self._far(connection)
        until = self.now + self.lease_ms
        lease = (self.owner, self.owner, until, self.lease_ms, until, until)
        claimed = []
        for number in numbers[: max(self.limit, 0)]:
            [row] = connection.execute(SQL["take_lease"], (*lease, number)).fetchall()
            record = run_record(row)
            if entry := marks.runs.get(record.run_id):
                entry.epoch, entry.lease_owner, entry.lost = record.epoch, self.owner, record.lost
                entry.lease_until = entry.due_at = entry.due_since = until
            claimed.append(record)
        return claimed

    def _far(self, connection: sqlite3.Connection) -> list[int]:
        far = connection.execute(SQL["far_leases"], (self.now,))
        return [number for workflow, number in far if self.workflows is None or workflow in self.workflows]


@dataclass(frozen=True, slots=True)
class Renew:
    """Extend leases, and the time of the record that goes along."""

    owner: str
    runs: Mapping[str, int]
    until: int
    along: tuple[str, str] | None = None

    def run(self, connection: sqlite3.Connection, marks: Marks) -> set[str]:
        """Return the ids of runs whose lease is lost, given up or ended with the run."""
        lost = set()
        if self.along is not None:
            connection.execute(SQL["put_due"], (self.until, *self.along))
        for run_id, epoch in self.runs.items():
            held = connection.execute(SQL["held_lease"], (run_id, self.owner, epoch)).fetchone()
            if held is None or held[1] in NOT_CLAIMABLE:
                lost.add(run_id)
            else:
                _put(connection, marks, run_id, held, owner=self.owner, until=self.until)
        return lost


@dataclass(frozen=True, slots=True)
class Release:
    """Give leases up."""

    owner: str
    runs: Mapping[str, int]

    def run(self, connection: sqlite3.Connection, marks: Marks) -> None:
        """Leave alone what is no longer ours; the others are ready: their owner may have been within a step."""
        for run_id, epoch in self.runs.items():
            held = connection.execute(SQL["held_lease"], (run_id, self.owner, epoch)).fetchone()
            if held is not None:
                connection.execute(SQL["make_ready"], (held[0],))
                _put(connection, marks, run_id, (*held[:2], True, *held[3:]))


LeaseWork = Claim | Renew | Release


def _put(
    connection: sqlite3.Connection,
    marks: Marks,
    run_id: str,
    held: tuple[int, str, int, int | None, int],
    *,
    owner: str | None = None,
    until: int | None = None,
) -> None:
    number, status, ready, wake_at, updated_at = held
    due = due_at(status, bool(ready), wake_at, until)
    since = due or updated_at
    connection.execute(SQL["put_lease"], (owner, until, due, since, number))
    if entry := marks.runs.get(run_id):
        entry.lease_owner, entry.lease_until, entry.due_at, entry.due_since = owner, until, due, since


def next_due(connection: sqlite3.Connection, workflows: Collection[str] | None) -> int | None:
    """Return the earliest time (ms) at which a claim could find a run: 0 if one is ready now, None if none."""
    found = [connection.execute(SQL["next_due"], (name,)).fetchone()[0] for name in _names(connection, workflows)]
    return min((due for due in found if due is not None), default=None)


def unclaimed(connection: sqlite3.Connection, known: Collection[str], before: int, limit: int) -> list[str]:
    """Return ids of runs that a claim could have found since `before` (ms), of workflows that are not `known`."""
    found: list[str] = []
    for name in _names(connection, None):
        if name not in known and len(found) < limit:
            rows = connection.execute(SQL["unclaimed_runs"], (name, before, before, limit - len(found)))
            found += [run_id for (run_id,) in rows]
    return found


def _names(connection: sqlite3.Connection, workflows: Collection[str] | None) -> list[str]:
    if workflows is not None:
        return list(dict.fromkeys(workflows))
    return [name for (name,) in connection.execute(SQL["due_workflows"])]
