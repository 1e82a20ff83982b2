"""Turn journal entries and what they project to into one Change: the single way a run is ever written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from signoff.paths import inbox_path, journal_path, listing_path, run_path
from signoff.stores.base import (
    Change,
    EngineAppend,
    InputRecord,
    LedgerEntry,
    RunRecord,
    RunWrite,
    WaitWrite,
)
from signoff.stores.base import RunState as Found
from signoff.workflow import journal
from signoff.workflow.decision import AppendEntries, Loaded, Remembered
from signoff.workflow.entry import Entry
from signoff.workflow.input.state import InputState
from signoff.workflow.projection import project
from signoff.workflow.view import Delta, RunFold, View

R = TypeVar("R")


class RunState:
    """Hold a run as it is about to be written: its record (None before its first commit) and the projection's view.

    The view may be partial: a service that answers one input has only the run and that input.
    """

    __slots__ = ("record", "view")

    def __init__(self, record: RunRecord | None, view: View) -> None:
        self.record = record
        self.view = view

    @property
    def journal_tail(self) -> int:
        """Return the number of entries the run's journal has."""
        return self.record.journal_tail if self.record else 0

    @property
    def public_tail(self) -> int:
        """Return the number of rows the run's public stream has."""
        return self.record.public_tail if self.record else 0


class Write:
    """Prepare one atomic write to a run: entries, the rows they project to, and the index as it will be.

    Args:
        before: the run as loaded; its view is moved forward by the entries.
        entries: what to append to the journal; may be empty when only the index changes.
        ready: whether a worker has something to digest afterwards.
        wake_at: milliseconds of the next thing due by time, or None.
        epoch: the lease epoch, for a worker's write.
        release: give the lease up.

    Attributes:
        change: what to commit.
        record: the run's record once it is committed.
        delta: the projected rows.
    """

    __slots__ = ("change", "delta", "record")

    def __init__(
        self,
        before: RunState,
        entries: Sequence[Entry],
        *,
        ready: bool,
        wake_at: int | None,
        epoch: int | None = None,
        release: bool = False,
    ) -> None:
        self.delta = project(before.view, entries, before.public_tail)
        fold = before.view.run
        assert fold is not None, "the first entry of a run is run.started"
        run_id = fold.row["id"]
        self.record = _record(before, fold, len(entries), len(self.delta.public), ready=ready, wake_at=wake_at)
        self.change = Change(
            run=RunWrite(
                self.record,
                expect=before.record.journal_tail if before.record else None,
                epoch=epoch,
                release=release,
            ),
            appends=tuple(_appends(before, run_id, fold.row["workflow"], entries, self.delta)),
            inputs=tuple(_input_record(state) for state in self.delta.inputs.values()),
            waits=tuple(
                WaitWrite(run_id, wait_id, topic, key, remove) for wait_id, topic, key, remove in self.delta.waits
            ),
        )

    def with_ledger(self, entry: LedgerEntry) -> Change:
        """Return the change, remembering a client's id with it."""
        return self.change._replace(ledger=(entry,))


def loaded_run(found: Found) -> Loaded:
    """Return a run as decisions are made on it, of what a store found."""
    record = found.record
    inputs = {one.key: InputState.loads(one.state) for one in found.inputs}
    ledger = found.ledger
    return Loaded(
        View(run=RunFold.loads(record.state), inputs=inputs),
        public_tail=record.public_tail,
        wake_at=record.wake_at,
        leased_until=record.lease_until,
        remembered=None if ledger is None else Remembered(ledger.digest, ledger.outcome),
    )


def decided(record: RunRecord | None, view: View, decision: AppendEntries[R]) -> tuple[Change, R]:
    """Return what to commit for a decision, and the reply once that is done.

    Args:
        record: the run as loaded, None if there is none yet.
        view: its rows; they are moved forward.
        decision: what is to be written.
    """
    state = RunState(record, view)
    write = Write(state, decision.entries, ready=decision.ready, wake_at=decision.wake_at, release=decision.ends)
    reply = decision.reply(view, write.record.public_tail)
    remember = decision.remember
    if remember is None:
        return write.change, reply
    run_id = write.record.run_id
    entry = LedgerEntry(run_id, remember.scope, remember.id, remember.digest, remember.dumps(reply))
    return write.with_ledger(entry), reply


def _record(before: RunState, fold: RunFold, entries: int, rows: int, *, ready: bool, wake_at: int | None) -> RunRecord:
    old = before.record
    return RunRecord(
        run_id=fold.row["id"],
        workflow=fold.row["workflow"],
        status=fold.row["status"],
        created_at=old.created_at if old else fold.last_at,
        updated_at=fold.last_at,
        journal_tail=before.journal_tail + entries,
        public_tail=before.public_tail + rows,
        ready=ready,
        wake_at=wake_at,
        tags=tuple(fold.row["tags"]),
        state=fold.dumps(),
        epoch=old.epoch if old else 0,
        lease_owner=old.lease_owner if old else None,
        lease_until=old.lease_until if old else None,
    )


def _appends(
    before: RunState, run_id: str, workflow: str, entries: Sequence[Entry], delta: Delta
) -> list[EngineAppend]:
    appends = []
    if entries or delta.close:
        appends.append(
            EngineAppend(
                journal_path(run_id), journal.dumps(entries), len(entries), at=before.journal_tail, close=delta.close
            )
        )
    if delta.public or delta.close:
        appends.append(
            EngineAppend(
                run_path(run_id),
                b",".join(delta.public),
                len(delta.public),
                at=before.public_tail,
                close=delta.close,
            )
        )
    inboxes: dict[str, list[bytes]] = {}
    for principal, row in delta.inboxes:
        inboxes.setdefault(principal, []).append(row)
    appends += [EngineAppend(inbox_path(who), b",".join(rows), len(rows)) for who, rows in inboxes.items()]
    if delta.listing:
        appends.append(EngineAppend(listing_path(workflow), b",".join(delta.listing), len(delta.listing)))
    return appends


def _input_record(state: InputState) -> InputRecord:
    row = state.row
    return InputRecord(
        run_id=row["run_id"],
        key=row["id"],
        status=row["status"],
        audience=tuple(state.to),
        created_at=state.asked_ms,
        deadline=state.deadline_ms,
        state=state.dumps(),
    )
