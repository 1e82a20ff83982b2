"""A worker that can die: as by `kill -9`, at any of its commits, with another that takes over at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from signoff.errors import OutcomeUnknown, StoreUnavailable
from signoff.runtime.local import LocalRunPort
from signoff.runtime.port import (
    AppendOutcome,
    ClaimedRun,
    JournalAppend,
    JournalPart,
    JournalReply,
    Listening,
    OutputAppend,
    Parking,
    RunLease,
    StepTransaction,
)
from signoff.runtime.worker import Worker
from signoff.service.engine import Engine
from signoff.service.kinds import run_name
from signoff.testing.faults import Crash, Delay, Fault, Faults, LostReply
from signoff.workflow.approval.remember import Grant
from signoff.workflow.definition import App
from signoff.workflow.entry import Entry
from signoff.workflow.step.entries import StepCompleted
from signoff.workflow.step.output import OutputSession

_LOST: Final = "The reply of this commit was lost: the test wanted it so."
_DEAD: Final = "This worker is dead."


class MortalPort:
    """The port of a worker that may die (`RunPort` says what each method does): then nothing it does has an effect.

    Args:
        port: the port of one that lives.
        faults: what becomes of its commits.
        died: called once it is dead.
    """

    def __init__(self, port: LocalRunPort, faults: Faults, died: Callable[[], None]) -> None:
        self.clock = port.clock
        self.dead = False
        self.claimed: dict[str, int] = {}
        self._orphans: set[str] = set()  # runs that the last one had, and that have not gone on since
        self._port = port
        self._faults = faults
        self._died = died

    def die(self) -> None:
        """Have no effect any more."""
        if not self.dead:
            self.dead = True
            self._died()

    def _check(self) -> None:
        if self.dead:
            raise StoreUnavailable(_DEAD)

    def _fault(self, run_id: str, at: int, entries: Sequence[Entry]) -> Fault | None:
        fault = self._faults.of_commit(run_id, at, entries, spare=bool(self._orphans))
        if fault is None and entries:
            self._orphans.discard(run_id)
        return fault

    async def find_grant(self, run_id: str, key: str) -> Grant | None:
        """Return a remembered approval."""
        self._check()
        return await self._port.find_grant(run_id, key)

    # -- commits ---------------------------------------------------------------------------------------------------

    def append(self, request: JournalAppend, reply: JournalReply) -> None:
        """Add to a journal, unless there is a fault."""
        if self.dead:
            return
        fault = self._fault(request.lease.run_id, request.at, request.entries)
        loop = asyncio.get_running_loop()
        match fault:
            case Crash(after=False):
                self.die()
            case Crash():
                self._port.append(request, lambda _: self.die())
            case LostReply(written=False):
                loop.call_soon(self._reply, reply, OutcomeUnknown(_LOST))
            case LostReply():
                self._port.append(request, lambda _: self._reply(reply, OutcomeUnknown(_LOST)))
            case Delay(ms):
                self.clock.call_later(ms / 1000, partial(self._append_now, request, reply))
            case None:
                self._append_now(request, reply)

    def _append_now(self, request: JournalAppend, reply: JournalReply) -> None:
        if not self.dead:
            self._port.append(request, partial(self._reply, reply))

    def _reply(self, reply: JournalReply, outcome: AppendOutcome | Exception) -> None:
        if not self.dead:
            reply(outcome)

    async def park(self, lease: RunLease, how: Parking) -> AppendOutcome:
        """Give a run up, unless there is a fault."""
        self._check()
        fault = self._fault(lease.run_id, -1, how.results)
        await self._before(fault)
        outcome = await self._port.park(lease, how)
        self._after(fault)
        return outcome

    async def begin_output(
        self, lease: RunLease, name: str, content_type: str, step: str, attempt: int, *, resumed: bool = False
    ) -> OutputSession | None:
        """Let an attempt write to an output."""
        self._check()
        return await self._port.begin_output(lease, name, content_type, step, attempt, resumed=resumed)

    async def append_output(self, append: OutputAppend) -> bool:
        """Append to an output."""
        self._check()
        return await self._port.append_output(append)

    async def read_output(self, session: OutputSession) -> bytes:
        """Return what an output holds."""
        self._check()
        return await self._port.read_output(session)

    async def read_file(self, run_id: str, file: str) -> bytes:
        """Return the bytes of a file."""
        self._check()
        return await self._port.read_file(run_id, file)

    @asynccontextmanager
    async def transaction(self, lease: RunLease) -> AsyncIterator[StepTransaction]:
        """Begin a transaction, whose commit may meet a fault."""
        self._check()
        async with self._port.transaction(lease) as transaction:
            yield _MortalTransaction(self, lease.run_id, transaction)

    async def complete(self, run_id: str, transaction: StepTransaction, result: StepCompleted) -> bool:
        """Commit a step's transaction, unless there is a fault."""
        self._check()
        fault = self._fault(run_id, -1, [result])
        await self._before(fault)
        kept = await transaction.complete(result)
        self._after(fault)
        return kept

    async def _before(self, fault: Fault | None) -> None:
        match fault:
            case Crash(after=False):
                self.die()
                self._check()
            case LostReply(written=False):
                raise OutcomeUnknown(_LOST)
            case Delay(ms):
                over = asyncio.Event()
                self.clock.call_later(ms / 1000, over.set)
                await over.wait()
                self._check()

    def _after(self, fault: Fault | None) -> None:
        match fault:
            case Crash(after=True):
                self.die()
            case LostReply(written=True):
                raise OutcomeUnknown(_LOST)
        self._check()

    # -- the rest --------------------------------------------------------------------------------------------------

    async def claim(self, owner: str, workflows: Collection[str], *, lease_ms: int, limit: int) -> Sequence[ClaimedRun]:
        """Lease runs."""
        self._check()
        runs = await self._port.claim(owner, workflows, lease_ms=lease_ms, limit=limit)
        self.claimed.update(run.lease for run in runs)
        self._orphans |= {run.lease.run_id for run in runs if run.lost}
        self._check()
        return runs

    async def next_due(self, workflows: Collection[str]) -> int | None:
        """Return when there is something to claim."""
        self._check()
        return await self._port.next_due(workflows)

    def listen(self, hear: Callable[[], None]) -> Listening:
        """Hear of work and news."""
        return self._port.listen(hear)

    async def grown(self, positions: Mapping[str, int]) -> Collection[str]:
        """Return the runs whose journals have grown."""
        self._check()
        return await self._port.grown(positions)

    async def try_other_code(self, workflow: str, fingerprint: str) -> int:
        """Hand runs that are stuck to other code."""
        self._check()
        return await self._port.try_other_code(workflow, fingerprint)

    async def load(self, lease: RunLease, since: int) -> JournalPart | None:
        """Return what the journal has from a position on."""
        self._check()
        return await self._port.load(lease, since)

    async def renew(self, owner: str, leases: Collection[RunLease], lease_ms: int) -> Collection[RunLease]:
        """Extend leases."""
        self._check()
        return await self._port.renew(owner, leases, lease_ms)

    async def release(self, owner: str, leases: Collection[RunLease]) -> None:
        """Give leases up."""
        self._check()
        await self._port.release(owner, leases)

    def announce(self, owner: str, workflows: Collection[str], lease_ms: int) -> None:
        """Announce which workflows this worker knows."""
        self._port.announce(owner, workflows, lease_ms)

    async def leave(self, owner: str) -> None:
        """Take the announcement back, unless it is too late for that."""
        if not self.dead:
            await self._port.leave(owner)


class _MortalTransaction:
    """The transaction of a step, whose worker may die."""

    def __init__(self, port: MortalPort, run_id: str, transaction: StepTransaction) -> None:
        self._port = port
        self._run_id = run_id
        self._transaction = transaction

    @property
    def native(self) -> Any:
        return self._transaction.native

    async def execute(self, statement: str, *values: Any) -> int:
        return await self._transaction.execute(statement, *values)

    async def fetch(self, statement: str, *values: Any) -> Sequence[Mapping[str, Any]]:
        return await self._transaction.fetch(statement, *values)

    async def complete(self, result: StepCompleted) -> bool:
        return await self._port.complete(self._run_id, self._transaction, result)


class WorkerLives:
    """The workers of a test, one after the other: when one dies, the next takes over what it held.

    Args:
        app: the workflows.
        engine: the opened services.
        faults: what becomes of commits.
        options: of each worker, see `Worker`.

    Attributes:
        deaths: how many have died.
    """

    def __init__(self, app: App, engine: Engine, faults: Faults, options: Mapping[str, Any]) -> None:
        self.deaths = 0
        self._app = app
        self._engine = engine
        self._faults = faults
        self._options = options
        self._closing = False
        self._burials: set[asyncio.Task[None]] = set()
        self._begin()

    def _begin(self) -> None:
        self._port = MortalPort(LocalRunPort(self._engine), self._faults, self._replace)
        self._worker = Worker(self._app, self._port, **self._options)
        self._working = asyncio.get_running_loop().create_task(self._worker.run(), name="signoff-test-worker")

    def kill(self) -> None:
        """Have the worker die here and now."""
        self._port.die()

    def _replace(self) -> None:
        self.deaths += not self._closing
        burial = self._bury(self._worker.owner, self._port, self._working, self._engine.clock.hold())
        task = asyncio.get_running_loop().create_task(burial)
        self._burials.add(task)
        task.add_done_callback(self._burials.discard)

    async def _bury(
        self, owner: str, port: MortalPort, working: asyncio.Task[None], let_go: Callable[[], object]
    ) -> None:
        """Begin the next life, once the last one has come to nothing; what that held can be claimed at once."""
        try:
            working.cancel()
            await asyncio.wait([working])
            if not self._closing:
                held = {run_name(run_id): epoch for run_id, epoch in port.claimed.items()}
                await self._engine.store.renew(owner, held, until=self._engine.clock.now_ms())
                self._begin()
        finally:
            let_go()

    async def close(self) -> None:
        """End the last life, and wait for all of them; what a worker has died of by itself is raised."""
        self._closing = True
        working = self._working
        self.kill()
        while self._burials:
            await asyncio.wait(list(self._burials))
        if not working.cancelled() and (error := working.exception()) is not None:
            raise error
