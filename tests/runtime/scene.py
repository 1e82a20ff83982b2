"""A stage for engine tests: an app, an engine on a real store, workers, and people who answer."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from signoff import App
from signoff.clock import Clock, JumpingClock
from signoff.runtime.worker import Worker
from signoff.service.engine import Engine
from signoff.service.verdicts import WAIT_S
from signoff.stores.open import open_store
from signoff.testing.timeline import hold_while_asked
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.decide import Accepted, Who
from signoff.workflow.input.submission import AnswerRequest

_numbers = itertools.count()
ENDED = {"completed", "failed", "cancelled"}


def person(name: str = "alice", *groups: str) -> Who:
    """Return somebody who may answer what is asked of them or their groups."""
    principals = frozenset({f"user:{name}", *(f"group:{group}" for group in groups or ("finance",))})
    return Who(principals=principals, by=DecidedBy("person", f"user:{name}"), operator=False)


class Scene:
    """One engine and what a test does with it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def start(self, workflow: str, input: Any = None, **options: Any) -> str:  # noqa: A002
        """Start a run and return its id."""
        return str((await self.engine.runs.start(workflow, input, **options)).run["id"])

    async def reaches(self, run_id: str, statuses: Iterable[str] | str) -> dict[str, Any]:
        """Wait until the run has one of these statuses and return its row."""
        wanted = {statuses} if isinstance(statuses, str) else set(statuses)
        async with asyncio.timeout(30):
            woken = asyncio.Event()
            subscription = self.engine.store.bus().subscribe(f"stream:runs/{run_id}", woken.set)
            try:
                while True:
                    woken.clear()
                    row = await self.engine.runs.get(run_id)
                    if row["status"] in wanted:
                        return row
                    if row["status"] in ENDED:
                        raise AssertionError(f"the run ended otherwise: {row}")
                    await woken.wait()
            finally:
                subscription.close()

    async def asks(self, run_id: str, key: str) -> dict[str, Any]:
        """Wait until the run asks this and return the row."""
        async with asyncio.timeout(30):
            woken = asyncio.Event()
            subscription = self.engine.store.bus().subscribe(f"stream:runs/{run_id}", woken.set)
            try:
                while True:
                    woken.clear()
                    for row in await self.engine.inputs.pending(run_id):
                        if row["id"] == key:
                            return row
                    await woken.wait()
            finally:
                subscription.close()

    async def pending(self, run_id: str, key: str) -> dict[str, Any]:
        """Wait until people can answer this, whatever a policy was asked before, and return the row."""
        async with asyncio.timeout(30):
            while (row := await self.asks(run_id, key))["status"] != "pending":
                await asyncio.sleep(0)
        return row

    async def answer(
        self,
        row: dict[str, Any],
        value: Any,
        *,
        who: Who | None = None,
        submission: str | None = None,
        action: str | None = None,
        seen: str | None = None,
        wait_s: float = WAIT_S,
    ) -> Accepted:
        """Answer a request as it was seen in `row`."""
        request = AnswerRequest(
            submission or f"s{next(_numbers)}", action or row["actions"][0], value, seen or row["revised"]
        )
        return await self.engine.inputs.answer(row["run_id"], row["id"], request, who or person(), wait_s=wait_s)

    async def entries(self, run_id: str, *types: str) -> list[dict[str, Any]]:
        """Return the journal, or only entries of these types."""
        history = await self.engine.runs.history(run_id)
        return [entry for entry in history if not types or entry["type"] in types]

    async def placed(self) -> None:
        """Have inboxes and listings hold all that is committed; on some stores that is soon after, not at once."""
        while await self.engine.store.place():
            pass


@asynccontextmanager
async def scene(url: str, clock: Clock | None = None) -> AsyncIterator[Scene]:
    """Open an engine without a worker."""
    store = open_store(url)
    if isinstance(clock, JumpingClock):
        hold_while_asked(store, clock)
    engine = await Engine.open(store, clock)
    try:
        yield Scene(engine)
    finally:
        await engine.close()


@asynccontextmanager
async def working(app: App, on: Scene, **options: Any) -> AsyncIterator[Worker]:
    """Run a worker for the time of the block."""
    worker = Worker(app, on.engine, **options)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        await worker.drain(timeout_s=5)
        await task


@asynccontextmanager
async def stage(app: App, url: str, **options: Any) -> AsyncIterator[Scene]:
    """Open an engine with one worker."""
    async with scene(url) as on, working(app, on, **options):
        yield on
