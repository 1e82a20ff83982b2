"""A request for input and the run that asks it, as they stand, for what is kept beside a run."""

from __future__ import annotations

from signoff.errors import InputNotFound, RunNotFound
from signoff.service.kinds import PartKind, run_name
from signoff.stores.base import PartsWanted, WorkflowStore
from signoff.workflow.input.state import InputState


async def asked_of(store: WorkflowStore, run_id: str, key: str) -> tuple[int, InputState]:
    """Return when a run began, in milliseconds, and a request of it.

    Raises:
        RunNotFound, InputNotFound: nobody asked this.
    """
    stored = await store.load(run_name(run_id), PartsWanted(PartKind.INPUT, key))
    if stored is None:
        raise RunNotFound(f"There is no run {run_id[:140]!r}.")
    if not stored.parts:
        raise InputNotFound(f"The run {run_id!r} has no request {key[:140]!r}.")
    return stored.subject.sort, InputState.loads(stored.parts[0].state)
