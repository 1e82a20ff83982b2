"""What the laws are written with: how a store is made, and short ways to say what is committed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from signoff.stores.base import (
    Change,
    Committed,
    EngineAppend,
    Outcome,
    Rejected,
    RunRecord,
    RunWrite,
    WorkflowStore,
)
from signoff.streams import json_mode
from signoff.streams.stream import JSON, Head, ProducerMark, Write

Scenario = Callable[[WorkflowStore], Awaitable[None]]


class Laws:
    """Be a group of laws about a store."""

    def new_store(self, folder: Path) -> WorkflowStore:
        """Make a store whose data, if it outlives the process, is in `folder`: always the same data for one folder."""
        raise NotImplementedError

    def hold(self, folder: Path, scenario: Scenario) -> None:
        """Play a scenario on an open store."""

        async def play() -> None:
            store = self.new_store(folder)
            await store.open()
            try:
                await scenario(store)
            finally:
                await store.close()

        asyncio.run(play())


def record(run_id: str = "r1", **members: Any) -> RunRecord:
    """Make a run's record; a running one of workflow `expense` unless said otherwise."""
    values: dict[str, Any] = {
        "workflow": "expense",
        "status": "running",
        "created_at": 1_000,
        "updated_at": 1_000,
        "journal_tail": 1,
        "public_tail": 1,
        "ready": False,
        "wake_at": None,
        "tags": (),
        "state": b"{}",
    }
    return RunRecord(run_id, **(values | members))


def start(run_id: str = "r1", **members: Any) -> Change:
    """Start a run: its first entry, its first row, its record."""
    return Change(
        run=RunWrite(record(run_id, **members), expect=None),
        appends=(
            EngineAppend(f"runs/{run_id}/journal", b'{"type":"run.started"}', 1, at=0),
            EngineAppend(f"runs/{run_id}", b'{"type":"run"}', 1, at=0),
        ),
    )


def advance(run_id: str, tail: int, *, epoch: int | None = None, release: bool = False, **members: Any) -> Change:
    """Append one entry and one row to a run whose journal has `tail` entries."""
    members = {"journal_tail": tail + 1, "public_tail": tail + 1, "updated_at": 1_000 + tail} | members
    return Change(
        run=RunWrite(record(run_id, **members), expect=tail, epoch=epoch, release=release),
        appends=(
            EngineAppend(f"runs/{run_id}/journal", b'{"n":%d}' % tail, 1, at=tail),
            EngineAppend(f"runs/{run_id}", b'{"row":%d}' % tail, 1, at=tail),
        ),
    )


def blind(path: str, *messages: bytes, close: bool = False) -> Change:
    """Append messages wherever the tail is."""
    return Change(appends=(EngineAppend(path, b",".join(messages), len(messages), close=close),))


def head(path: str = "notes", **members: Any) -> Head:
    """Make the head of an application's stream, as it is after its creation."""
    values: dict[str, Any] = {"incarnation": "i1", "version": 1, "tail": 0, "content_type": JSON, "created_at": 5}
    return Head.of(path, **(values | members))


def write(head: Head, data: bytes = b"", producer: ProducerMark | None = None) -> Change:
    """Write to an application's stream."""
    start = head.tail - len(json_mode.split(data) if head.json else data)
    return Change(streams=(Write(head, head.version - 1, start, data, producer),))


async def commit(store: WorkflowStore, change: Change) -> Outcome | Rejected:
    """Commit one Change."""
    [outcome] = await store.commit([change])
    return outcome


async def done(store: WorkflowStore, *changes: Change) -> list[Committed]:
    """Commit Changes, one commit each, that must succeed."""
    outcomes = []
    for change in changes:
        outcome = await commit(store, change)
        assert isinstance(outcome, Committed), outcome
        outcomes.append(outcome)
    return outcomes


async def text(store: WorkflowStore, path: str, start: int = 0) -> bytes:
    """Read a JSON stream as one comma-joined text."""
    found = await store.read(path, start, 1 << 30)
    assert found is not None, f"no stream {path}"
    return b",".join(batch.data for batch in found[1])
