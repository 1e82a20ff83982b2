"""Entries written to a run as a worker would, without one."""

from __future__ import annotations

from signoff.service.act import OPEN_INPUTS, view_of
from signoff.service.kinds import run_name
from signoff.service.run_change import RunChange, RunSnapshot
from signoff.stores.change import Committed
from signoff.workflow.entry import Entry
from tests.runtime.scene import Scene


async def write(on: Scene, run_id: str, *entries: Entry) -> None:
    """Append entries to a run's journal."""
    stored = await on.engine.store.load(run_name(run_id), OPEN_INPUTS)
    assert stored is not None
    written = RunChange(RunSnapshot(stored.subject, view_of(stored)), entries, ready=False, wake_at=None)
    assert isinstance(await on.engine.committer.commit(written.change), Committed)
