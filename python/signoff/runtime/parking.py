"""Let go of a run that cannot go on now, and say why in its journal."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from signoff.errors import StoreError
from signoff.runtime.report import report
from signoff.service.act import read_journal
from signoff.service.engine import Engine
from signoff.service.kinds import run_name
from signoff.service.run_change import RunChange, RunSnapshot
from signoff.stores.change import Committed, Outcome
from signoff.workflow import failure
from signoff.workflow.entry import Entry
from signoff.workflow.frames import traceback_of
from signoff.workflow.projection import refold
from signoff.workflow.run.entries import RunBlocked
from signoff.workflow.step.entries import StepCompleted, StepFailed
from signoff.workflow.view import RunFold, View

log = logging.getLogger("signoff.runtime")

Result = StepCompleted | StepFailed

BLOCKED_RETRY_MS = 10_000
"""How often a blocked run is tried again, in case the right code has been deployed."""

STUCK_RETRY_MS = 600_000
"""How often to look whether a run that was stuck has come to other code. A worker that starts looks by itself."""

MOST_LOST = 3
"""How many workers a run may cost, one after the other and without an entry in between, before it is blocked."""


@dataclass(frozen=True, slots=True)
class Parking:
    """How to leave a run.

    Attributes:
        until: when to look at it again, in milliseconds.
        reason: why it is blocked; None: it just waits.
        results: of steps, which have happened and must not be lost with the machine that took them.
        begins: it waits for its beginning, and a cancellation does not.
    """

    until: int
    reason: RunBlocked | None = None
    results: Sequence[Result] = ()
    begins: bool = False


async def park(engine: Engine, run_id: str, epoch: int, how: Parking) -> Outcome:
    """Write on top of what is committed, since the machine's own view may be beyond it, and give the lease up."""
    now = engine.clock.now_ms()
    if how.results:
        try:
            state = await _with_steps(engine, run_id)
            entries = _entries(state.view, how, now)
            write = _write(state, entries, epoch, how)
            return await _commit(engine, run_id, write, entries)
        except (StoreError, AssertionError):
            raise
        except Exception:
            log.exception("run %s: the results of its last steps cannot be written; they will run again", run_id)
            how = replace(how, results=())
    loaded = await engine.store.load(run_name(run_id))
    assert loaded is not None, "a claimed run exists"
    view = View(run=RunFold.loads(loaded.subject.state))
    entries = _entries(view, how, now)
    return await _commit(engine, run_id, _write(RunSnapshot(loaded.subject, view), entries, epoch, how), entries)


async def _commit(engine: Engine, run_id: str, write: RunChange, entries: Sequence[Entry]) -> Outcome:
    outcome = await engine.committer.commit(write.change)
    if isinstance(outcome, Committed):
        report(run_id, entries)
        for entry in entries:
            if isinstance(entry, RunBlocked):
                log.error("run %s is blocked\n%s", run_id, traceback_of(entry.error))
    return outcome


async def _with_steps(engine: Engine, run_id: str) -> RunSnapshot:
    """Return the run with what the index does not have: the rows of its open steps."""
    loaded = await engine.store.load(run_name(run_id))
    assert loaded is not None, "a claimed run exists"
    written, _ = await read_journal(engine.store, run_id, 0)
    run = RunSnapshot(loaded.subject, View())
    refold(run.view, written[: run.journal_tail])
    return run


def _entries(view: View, how: Parking, now_ms: int) -> list[Entry]:
    fold = view.run
    assert fold is not None
    now = max(now_ms, fold.last_at)
    entries: list[Entry] = [*wanted(how.results, view, now)]
    reason = how.reason
    if reason is None:
        return entries
    known = (
        fold.row["status"] == "blocked"
        and fold.blocked == failure.reason(reason.error)
        and (reason.fingerprint is None or reason.fingerprint in fold.stuck)
    )
    return entries if known else [*entries, replace(reason, at=now)]


def wanted(results: Sequence[Result], view: View, now_ms: int) -> list[Result]:
    """Return those of some steps' results that the journal does not have yet, as they are to be written now."""
    assert view.run is not None
    now = max(now_ms, view.run.last_at)
    found: list[Result] = []
    for result in results:
        row = view.steps.get(result.id)
        if row is not None and (row["status"] == "running" or row["attempt"] < result.attempt):
            found.append(replace(result, at=max(result.at, now)))
    return found


def _write(before: RunSnapshot, entries: list[Entry], epoch: int, how: Parking) -> RunChange:
    assert before.view.run is not None
    return RunChange(
        before,
        entries,
        ready=how.begins and before.view.run.cancel_requested,
        wake_at=how.until,
        epoch=epoch,
        release=True,
    )
