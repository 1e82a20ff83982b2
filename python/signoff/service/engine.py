"""Put the services together over one store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

from signoff.clock import Clock, SystemClock
from signoff.errors import SignoffError
from signoff.service.audit import Audit
from signoff.service.commit import GroupCommitter
from signoff.service.copying import check_complete
from signoff.service.doctor import Doctor
from signoff.service.events import Events
from signoff.service.files import Files
from signoff.service.forsaken import Forsaken
from signoff.service.grants import Grants
from signoff.service.inputs import Inputs
from signoff.service.notify.targets import NotifyTargets
from signoff.service.outcomes import Outcomes
from signoff.service.output_lengths import MOST_BYTES
from signoff.service.outputs import Outputs
from signoff.service.placing import Placer
from signoff.service.prune import Pruner
from signoff.service.revocations import Revocations
from signoff.service.runs import Runs
from signoff.service.streams.compaction import Compactor
from signoff.service.streams.hub import Hub
from signoff.service.streams.streams import StreamService
from signoff.service.streams.sweeper import Sweeper
from signoff.service.workers import Workers
from signoff.stores.base import WorkflowStore
from signoff.workflow.definition import App


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything that a server, a worker or a command can do with a store.

    Example:
        >>> engine = await Engine.open(open_store("sqlite:///claims.db"))
        >>> started = await engine.runs.start("expense", {"amount": 120})
        >>> await engine.close()
    """

    store: WorkflowStore
    clock: Clock
    committer: GroupCommitter
    compactor: Compactor
    placer: Placer
    hub: Hub
    streams: StreamService
    runs: Runs
    inputs: Inputs
    files: Files
    grants: Grants
    events: Events
    workers: Workers
    forsaken: Forsaken
    outcomes: Outcomes
    outputs: Outputs
    doctor: Doctor
    audit: Audit
    pruner: Pruner
    revocations: Revocations
    targets: NotifyTargets
    _ends: list[Callable[[], Awaitable[None]]] = field(default_factory=list, repr=False)

    @classmethod
    async def open(
        cls,
        store: WorkflowStore,
        clock: Clock | None = None,
        *,
        workflows: Collection[str] | None = None,
        app: App | None = None,
        retention_ms: int | None = None,
        output_bytes: int = MOST_BYTES,
    ) -> Engine:
        """Open the store and the services over it.

        Args:
            store: not opened yet.
            clock: the system's if None.
            workflows: the only ones that may be started here, for a process that has them all; None: any.
            app: the code at hand: runs of its workflows are started only with an input that fits.
            retention_ms: delete runs in the background that ended so long ago; None: they are kept.
            output_bytes: how long an output of a run may become that is written through this engine.

        Raises:
            StoreUnavailable: the store cannot be reached.
            SchemaTooNew: the store was written by a newer version.
            StoreError: a copy into the store is not finished.
        """
        clock = clock or SystemClock()
        await store.open()
        try:
            await check_complete(store)
        except SignoffError:
            await store.close()
            raise
        hub = Hub(store, clock)
        compactor = Compactor(store)
        placer = Placer(store, clock)
        committer = GroupCommitter(store, hub.committed, compactor.committed, placer.committed, clock=clock)
        placer.start()
        streams = StreamService(store, committer, hub, clock, compactor)
        sweeper = Sweeper(store, streams)
        sweeper.start()
        workers = Workers(store, committer, clock)
        runs = Runs(store, committer, clock, workers, workflows=workflows, app=app)
        forsaken = Forsaken(store, runs, workers, clock)
        forsaken.start()
        pruner = Pruner(store, committer, clock)
        targets = NotifyTargets(store, committer)
        outputs = Outputs(store, streams, committer, clock, output_bytes)
        outputs.start((runs, pruner))
        files = Files(store, streams, committer, clock)
        files.lives.start(runs, (runs, pruner))
        engine = cls(
            store=store,
            clock=clock,
            committer=committer,
            compactor=compactor,
            placer=placer,
            hub=hub,
            streams=streams,
            runs=runs,
            inputs=Inputs(store, committer, clock, hub, files),
            files=files,
            grants=Grants(store, clock),
            events=Events(store, committer, clock),
            workers=workers,
            forsaken=forsaken,
            outcomes=Outcomes(store, hub, runs),
            doctor=Doctor(store, committer, clock, workers, targets),
            outputs=outputs,
            pruner=pruner,
            revocations=Revocations(store, committer, clock),
            audit=Audit(store, committer, clock),
            targets=targets,
        )
        engine.inputs.drafts.start()
        engine.before_close(engine.inputs.drafts.close)
        for part in (outputs, files.lives, sweeper, workers, forsaken, engine.pruner, engine.revocations):
            engine.before_close(part.close)
        if retention_ms is not None:
            engine.pruner.retain(retention_ms)
        try:
            await engine.revocations.start()
        except SignoffError:
            await engine.close()
            raise
        return engine

    def before_close(self, end: Callable[[], Awaitable[None]]) -> None:
        """Have something that lives over this engine ended before the engine is; the last one first."""
        self._ends.append(end)

    async def close(self) -> None:
        """End live readers and what else lives over this engine, finish commits under way and close the store."""
        await self.hub.close()
        while self._ends:
            await self._ends.pop()()
        await self.committer.close()
        await self.placer.close()
        await self.compactor.close()
        await self.store.close()
