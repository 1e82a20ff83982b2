"""Start, look at, list, cancel, terminate and retry runs: load → decide → commit."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from signoff.clock import Clock
from signoff.errors import (
    InvalidInput,
    NotBlocked,
    RunClosed,
    RunConflict,
    RunNotFound,
    UnknownWorkflow,
    UnsupportedValue,
    WorkflowError,
)
from signoff.names import check_name
from signoff.service.change import RunState, Write, journal_path
from signoff.service.commit import GroupCommitter
from signoff.service.workers import Workers
from signoff.stores.base import TERMINAL, Conflict, Page, RunFilter, RunRecord, WorkflowStore
from signoff.stores.base import RunState as Loaded
from signoff.streams import offset
from signoff.workflow import codec, journal
from signoff.workflow.definition import App
from signoff.workflow.failure import error_of
from signoff.workflow.inputs import InputState
from signoff.workflow.journal import (
    PYTHON,
    CancelRequested,
    DecidedBy,
    Entry,
    Error,
    RunBlocked,
    RunRetried,
    RunStarted,
    RunTerminated,
)
from signoff.workflow.projection import RunFold, View, refold

CLOSED = TERMINAL | {"failed"}
"""Statuses in which a run takes no answer, event or cancel."""


@dataclass(frozen=True, slots=True)
class Started:
    """Tell about a started run.

    Attributes:
        run: the run row.
        created: False if the run existed already with the same workflow and input.
        offset: position in the run's stream from which `run` is visible.
    """

    run: dict[str, Any]
    created: bool
    offset: str


class Runs:
    """Start, look at, list, cancel and terminate runs.

    Args:
        workers: tells which workflows can be run by somebody.
        workflows: the only ones that may be started; None: any, their workers may be elsewhere.
        app: the code that is at hand: what is started of it must have an input that fits.
    """

    def __init__(
        self,
        store: WorkflowStore,
        committer: GroupCommitter,
        clock: Clock,
        workers: Workers | None = None,
        *,
        workflows: Collection[str] | None = None,
        app: App | None = None,
    ) -> None:
        self._store = store
        self._committer = committer
        self._clock = clock
        self._workers = workers or Workers(store, committer, clock)
        self._workflows = workflows
        self._app = app

    async def start(
        self,
        workflow: str,
        input: Any = None,  # noqa: A002 - the field's name
        *,
        run_id: str | None = None,
        tags: Sequence[str] = (),
        start_at: int | None = None,
        version: str = "1",
    ) -> Started:
        """Start a run, or find the one that has this id, workflow and input.

        Args:
            workflow: the workflow's name; it need not be known to this process.
            input: plain JSON.
            run_id: chosen by the caller for idempotency; a random one if None.
            tags: for listings.
            start_at: milliseconds before which the run does not begin.

        Raises:
            InvalidName: the workflow's name or the run id is malformed.
            UnknownWorkflow: only certain workflows may be started here, and this is not one of them.
            RunConflict: the id is taken by another workflow or another input.
            InvalidInput: the workflow's code is at hand, and the input does not fit; `extra["errors"]` tells where.
        """
        self._check_workflow(check_name(workflow, "workflow name"))
        run_id = check_name(run_id, "run id") if run_id is not None else secrets.token_hex(10)
        started = RunStarted(
            at=self._clock.now_ms(),
            run_id=run_id,
            workflow=workflow,
            version=version,
            input=codec.encode(input),
            seed=secrets.token_hex(16),
            digest=codec.digest([workflow, input]),
            tags=tuple(tags),
            start_at=start_at,
            python=PYTHON,
        )
        unfit = self._unfit(started)
        if unfit is not None:
            if await self._store.load_run(run_id) is not None:  # it was started when the code was another
                return await self._existing(started)
            raise unfit
        state = RunState(None, View())
        write = Write(state, [started], ready=start_at is None, wake_at=start_at)
        outcome = await self._committer.commit(write.change)
        if isinstance(outcome, Conflict):
            return await self._existing(started)
        assert state.view.run is not None
        return Started(state.view.run.row, True, offset.encode(write.record.public_tail))

    def _check_workflow(self, name: str) -> None:
        if self._workflows is not None and name not in self._workflows:
            known = ", ".join(sorted(self._workflows)) or "none"
            raise UnknownWorkflow(f"There is no workflow {name!r} here; nothing was started. Known: {known}.")

    def _unfit(self, started: RunStarted) -> InvalidInput | None:
        definition = None if self._app is None else self._app.find(started.workflow)
        if definition is None:
            return None
        try:
            definition.arguments(started.input)
        except Exception as error:  # reading a type may run anybody's code
            errors = error.extra.get("errors", []) if isinstance(error, UnsupportedValue) else []
            said = [f"{fault['pointer'] or '/'} {fault['message']}" for fault in errors] or [error_of(error).message]
            why = "; ".join(said)[:1_000]
            what = f"The input does not fit the workflow {started.workflow!r}: {why}. Nothing was started."
            return InvalidInput(what, errors=errors or [{"pointer": "", "message": said[0] or "cannot be read"}])
        return None

    async def _existing(self, started: RunStarted) -> Started:
        record = await self.record(started.run_id)
        fold = RunFold.loads(record.state)
        if fold.digest != started.digest:
            raise RunConflict(
                f"The run id {started.run_id!r} is taken by a run of another workflow or with another input; "
                "nothing was started. Use another id, or the same workflow and input to get the existing run."
            )
        return Started(fold.row, False, offset.encode(record.public_tail))

    async def record(self, run_id: str) -> RunRecord:
        """Load a run's index entry.

        Raises:
            RunNotFound: there is no such run.
        """
        state = await self._store.load_run(run_id)
        if state is None:
            raise RunNotFound(f"There is no run {run_id[:140]!r}.")
        return state.record

    async def get(self, run_id: str) -> dict[str, Any]:
        """Return the run row.

        Raises:
            RunNotFound: there is no such run.
        """
        return RunFold.loads((await self.record(run_id)).state).row

    async def list(self, where: RunFilter, limit: int = 50, cursor: str | None = None) -> Page[dict[str, Any]]:
        """List run rows, newest first.

        Raises:
            BadRequest: the cursor is malformed.
        """
        page = await self._store.list_runs(where, limit=limit, cursor=cursor)
        return Page(tuple(RunFold.loads(record.state).row for record in page.items), page.cursor)

    async def cancel(self, run_id: str, reason: str | None, by: DecidedBy) -> dict[str, Any]:
        """Ask a run to stop; its cleanup code still runs. Asking again changes nothing.

        A run that is blocked because no worker knows its workflow is ended: nobody could run its cleanup.

        Raises:
            RunNotFound: there is no such run.
            RunClosed: the run has ended.
        """
        async with self._committer.turn(run_id):
            while True:
                loaded = await self._open(run_id, CLOSED, "cancel")
                fold = RunFold.loads(loaded.record.state)
                forsaken = await self._nobody_comes(fold)
                if fold.cancel_requested and not forsaken:
                    return fold.row
                at = max(self._clock.now_ms(), fold.last_at)
                entries: list[Entry] = [] if fold.cancel_requested else [CancelRequested(at, reason, by)]
                if forsaken:
                    entries.append(RunTerminated(at, reason, by))
                row = await self._write(loaded, entries, ends=forsaken)
                if row is not None:
                    return row

    async def _nobody_comes(self, fold: RunFold) -> bool:
        """Tell whether a run is known to be one that no worker can run, not even its cleanup."""
        if fold.row["status"] != "blocked" or fold.row["error"]["code"] != UnknownWorkflow.code:
            return False
        return fold.row["workflow"] not in await self._workers.known()

    async def terminate(self, run_id: str, reason: str | None, by: DecidedBy) -> dict[str, Any]:
        """End a run now, without running its code; return its row.

        Its requests are withdrawn, its waits and timers gone, its streams closed. A worker that holds it can write
        nothing more; steps under way may still have their effect on the world. Also ends a failed run for good.

        Raises:
            RunNotFound: there is no such run.
            RunClosed: it is completed or cancelled.
        """
        async with self._committer.turn(run_id):
            while True:
                loaded = await self._open(run_id, TERMINAL, "terminate")
                last_at = RunFold.loads(loaded.record.state).last_at
                entry = RunTerminated(at=max(self._clock.now_ms(), last_at), reason=reason, by=by)
                row = await self._write(loaded, [entry], ends=True)
                if row is not None:
                    return row

    async def forsake(self, run_id: str) -> bool:
        """Block a run that no living worker knows, or end it if it was asked to stop; tell whether it was written to.

        That nobody knows it is for the caller to find out. What somebody holds or has ended meanwhile is left alone.
        """
        async with self._committer.turn(run_id):
            loaded = await self._store.load_run(run_id, inputs="pending")
            now = self._clock.now_ms()
            if loaded is None or loaded.record.status in CLOSED or (loaded.record.lease_until or 0) > now:
                return False
            fold = RunFold.loads(loaded.record.state)
            at = max(now, fold.last_at)
            if fold.cancel_requested:
                gone = RunTerminated(at=at, reason=_NOBODY, by=DecidedBy("policy"))
                return await self._write(loaded, [gone], ends=True) is not None
            what = f"No worker that is running knows the workflow {fold.row['workflow']!r}. Start one that does."
            known = fold.row["status"] == "blocked"
            blocked = [] if known else [RunBlocked(at=at, error=Error(UnknownWorkflow.code, what))]
            # Due, so that a worker that comes finds it at once; not ready, so that it is not found here again.
            return await self._write(loaded, blocked, ready=False, wake_at=now) is not None

    async def _open(self, run_id: str, closed: Collection[str], verb: str) -> Loaded:
        loaded = await self._store.load_run(run_id, inputs="pending")
        if loaded is None:
            raise RunNotFound(f"There is no run {run_id[:140]!r}.")
        if loaded.record.status in closed:
            raise RunClosed(
                f"The run {run_id!r} is already {loaded.record.status}; there is nothing to {verb}.",
                run=RunFold.loads(loaded.record.state).row,
            )
        return loaded

    async def _write(
        self,
        loaded: Loaded,
        entries: Sequence[Entry],
        *,
        ends: bool = False,
        ready: bool = True,
        wake_at: int | None = None,
    ) -> dict[str, Any] | None:
        """Commit entries on top of what was loaded; return the run row, or None if somebody was faster."""
        record = loaded.record
        state = RunState(record, await self._view(loaded) if ends else _pending(loaded))
        if not ends and wake_at is None:
            wake_at = record.wake_at
        # A run that ends is `ready` too: nobody can claim it, but the worker that may hold it is woken to let go.
        write = Write(state, entries, ready=ready, wake_at=wake_at, release=ends)
        if isinstance(await self._committer.commit(write.change), Conflict):
            return None
        assert state.view.run is not None
        return state.view.run.row

    async def _view(self, loaded: Loaded) -> View:
        """Return a run's rows as far as its end concerns them: with its open steps, if it has any."""
        view = _pending(loaded)
        if view.run is None or not view.run.steps:
            return view
        whole = View()
        try:
            entries, _ = await read_journal(self._store, loaded.record.run_id, 0)
            refold(whole, entries[: loaded.record.journal_tail])
        except WorkflowError:  # an entry of a newer version: the run ends all the same
            return view
        return whole

    async def retry(self, run_id: str, by: DecidedBy) -> dict[str, Any]:
        """Have a blocked run tried again, with the code that there is; it is blocked again if that is no better.

        Raises:
            RunNotFound: there is no such run.
            NotBlocked: the run is not blocked; nothing was changed.
        """
        async with self._committer.turn(run_id):
            while True:
                record = await self.record(run_id)
                fold = RunFold.loads(record.state)
                if record.status != "blocked":
                    raise NotBlocked(
                        f"The run {run_id!r} is {record.status}, and only a blocked one can be tried again; nothing "
                        "was changed.",
                        run=fold.row,
                    )
                entry = RunRetried(at=max(self._clock.now_ms(), fold.last_at), by=by)
                state = RunState(record, View(run=fold))
                write = Write(state, [entry], ready=True, wake_at=record.wake_at)
                if not isinstance(await self._committer.commit(write.change), Conflict):
                    assert state.view.run is not None
                    return state.view.run.row

    async def try_other_code(self, workflow: str, fingerprint: str) -> int:
        """Hand runs of a workflow that are blocked, because code got stuck in them, to other code; return how many.

        Args:
            workflow: its name.
            fingerprint: of the code there is now; runs that were stuck in that are left alone.
        """
        tried, cursor = 0, None
        while True:
            where = RunFilter(workflow=workflow, statuses=("blocked",))
            page = await self._store.list_runs(where, limit=200, cursor=cursor)
            for record in page.items:
                fold = RunFold.loads(record.state)
                if not record.ready and fold.stuck and fingerprint not in fold.stuck:
                    write = Write(RunState(record, View(run=fold)), [], ready=True, wake_at=record.wake_at)
                    tried += not isinstance(await self._committer.commit(write.change), Conflict)
            cursor = page.cursor
            if cursor is None:
                return tried

    async def history(self, run_id: str) -> Sequence[dict[str, Any]]:
        """Return the whole journal as JSON entries, oldest first.

        Raises:
            RunNotFound: there is no such run.
        """
        await self.record(run_id)
        entries, _ = await read_journal(self._store, run_id, 0)
        return [journal.to_json(entry) for entry in entries]


def _pending(loaded: Loaded) -> View:
    inputs = {record.key: InputState.loads(record.state) for record in loaded.inputs}
    return View(run=RunFold.loads(loaded.record.state), inputs=inputs)


_NOBODY = "no worker that is running knows the workflow, so its cleanup could not run"

_FIRST = 64 << 10
_CHUNK = 4 << 20
"""Bytes of a journal that are read at once: few at first, which spares short ones a hop to a thread of the store."""


async def read_journal(store: WorkflowStore, run_id: str, start: int) -> tuple[list[journal.Entry], int]:
    """Read a run's entries from position `start` to the tail of this moment; return them and the tail."""
    entries: list[journal.Entry] = []
    position, most = start, _FIRST
    while True:
        found = await store.read(journal_path(run_id), position, most)
        most = _CHUNK
        if found is None:
            return entries, position
        head, batches = found
        for batch in batches:
            skip = position - batch.start
            entries += journal.loads(batch.data)[skip:]
            position = batch.end
        if position >= head.tail or not batches:
            return entries, position
