"""How a run ended: its output for those who may see it, or what happened instead."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from signoff.errors import CancelledRun, FailedRun
from signoff.paths import run_path
from signoff.service.act import read_journal
from signoff.service.run_change import RunSnapshot
from signoff.service.runs import Runs
from signoff.service.streams.channel import Reader
from signoff.service.streams.hub import Hub
from signoff.stores.base import WorkflowStore
from signoff.workflow import codec
from signoff.workflow.run.entries import RunCompleted, RunFailed
from signoff.workflow.run.status import ENDED
from signoff.workflow.view import RunFold, View

_OF_RUN: Final = b'"type":"run"'
"""What a message has that is of the row `run`; rows of steps say nothing of how the run stands."""


async def _run_changes(reader: Reader, position: int, deadline: float) -> None:
    """Wait until there may be another row `run` after a position, or the time of the loop has come."""
    channel, loop = reader.channel, asyncio.get_running_loop()
    while await reader.wait(position, deadline - loop.time()) and not (channel.ended or channel.closed):
        frames = channel.after(position)
        if frames is None or any(_OF_RUN in frame.batch.data for frame in frames):
            return
        position = channel.tail


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How far a run is.

    Attributes:
        run: the run row.
        shown: `output` may be told: the run is completed, and the caller may see what it gave.
        output: what it gave, as plain JSON.
    """

    run: dict[str, Any]
    shown: bool = False
    output: Any = None


class Outcomes:
    """The ends of runs: awaited, and told."""

    def __init__(self, store: WorkflowStore, hub: Hub, runs: Runs) -> None:
        self._store = store
        self._hub = hub
        self._runs = runs

    async def get(self, run_id: str, *, wait_s: float = 0, operator: bool = False) -> RunOutcome:
        """Return how far a run is, once it has ended or the time is over.

        Args:
            run_id: the run.
            wait_s: how long to wait for its end, in seconds.
            operator: also tell an output that is not exposed, and errors that are not meant for people.

        Raises:
            RunNotFound: there is no such run.
            FailedRun, CancelledRun: it ended without a result; `error` tells why, `run` is its row.
        """
        row = await self._ended(run_id, wait_s)
        match row["status"]:
            case "completed":
                return await self._completed(row, operator=operator)
            case "failed":
                error = await self._error(row, operator=operator)
                said = error["code"] if error["message"] is None else f"{error['code']}: {error['message']}"
                raise FailedRun(f"The run {run_id!r} has failed ({said}).", run=row, error=error)
            case "cancelled":
                how = "terminated" if row["error"] and row["error"]["code"] == "terminated" else "cancelled"
                raise CancelledRun(f"The run {run_id!r} was {how} before it had a result.", run=row, error=row["error"])
        return RunOutcome(row)

    async def _ended(self, run_id: str, wait_s: float) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        with self._hub.watch(run_path(run_id)) as reader:
            while True:
                record = await self._runs.record(run_id)
                row = RunFold.loads(record.state).row
                if row["status"] in ENDED or loop.time() >= deadline or reader.channel.ended:
                    return row
                stream = await self._store.load_stream(run_path(run_id))
                if stream is not None:
                    reader.channel.observe(stream.head)
                await _run_changes(reader, RunSnapshot(record, View()).public_tail, deadline)

    async def _completed(self, row: dict[str, Any], *, operator: bool) -> RunOutcome:
        if "output" in row:
            return RunOutcome(row, shown=True, output=row["output"])
        if not operator:
            return RunOutcome(row)
        last = await self._last(row["id"])
        return RunOutcome(row, shown=True, output=codec.shown(last.output) if isinstance(last, RunCompleted) else None)

    async def _error(self, row: dict[str, Any], *, operator: bool) -> dict[str, Any]:
        last = await self._last(row["id"]) if operator else None
        if isinstance(last, RunFailed):
            return {"code": last.error.code, "message": last.error.message, "type": last.error.type}
        error: dict[str, Any] = row["error"]
        return error

    async def _last(self, run_id: str) -> object:
        """Return the journal's last entry that ends the run."""
        tail = RunSnapshot(await self._runs.record(run_id), View()).journal_tail
        entries, _ = await read_journal(self._store, run_id, max(tail - 1, 0))
        return next((entry for entry in reversed(entries) if isinstance(entry, RunCompleted | RunFailed)), None)
