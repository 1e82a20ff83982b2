"""Start, look at and list runs, and do to them what operators may."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from typing import Any

from signoff.clock import Clock
from signoff.errors import InvalidInput, UnknownWorkflow, UnsupportedValue
from signoff.names import check_name
from signoff.service.act import OPEN_INPUTS, Actor, loaded, not_found, read_journal, whole_view
from signoff.service.commit import GroupCommitter
from signoff.service.kinds import RunFilter, run_name
from signoff.service.run_change import RunChange, RunSnapshot
from signoff.service.workers import Workers
from signoff.stores.base import Page, WorkflowStore
from signoff.stores.change import Conflict, Subject
from signoff.workflow import codec, journal
from signoff.workflow.decision import AlreadyDone, AppendEntries, Loaded
from signoff.workflow.definition import App
from signoff.workflow.entry import PYTHON, DecidedBy
from signoff.workflow.failure import error_of
from signoff.workflow.run import decide
from signoff.workflow.run.decide import Row, Started
from signoff.workflow.run.entries import RunStarted
from signoff.workflow.run.status import FINAL
from signoff.workflow.view import RunFold, View


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
        self._actor = Actor(store, committer, clock)
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
        input_error = self._input_error(started)
        if input_error is None:
            return await self._actor.begin(run_id, lambda run: decide.start(run, started))
        stored = await self._store.load(run_name(run_id))
        decision = decide.start(None if stored is None else loaded(stored), started, input_error)
        assert isinstance(decision, AlreadyDone), "what does not fit is not started"
        return decision.reply

    def _check_workflow(self, name: str) -> None:
        if self._workflows is not None and name not in self._workflows:
            known = ", ".join(sorted(self._workflows)) or "none"
            raise UnknownWorkflow(f"There is no workflow {name!r} here; nothing was started. Known: {known}.")

    def _input_error(self, started: RunStarted) -> InvalidInput | None:
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

    async def record(self, run_id: str) -> Subject:
        """Load a run's record.

        Raises:
            RunNotFound: there is no such run.
        """
        stored = await self._store.load(run_name(run_id))
        if stored is None:
            raise not_found(run_id)
        return stored.subject

    async def get(self, run_id: str) -> Row:
        """Return the run row.

        Raises:
            RunNotFound: there is no such run.
        """
        return RunFold.loads((await self.record(run_id)).state).row

    async def list(self, where: RunFilter, limit: int = 50, cursor: str | None = None) -> Page[Row]:
        """List run rows, newest first.

        Raises:
            BadRequest: the cursor is malformed.
        """
        page = await self._store.list_subjects(where.listing, limit=limit, cursor=cursor)
        return Page(tuple(RunFold.loads(record.state).row for record in page.items), page.cursor)

    async def cancel(self, run_id: str, reason: str | None, by: DecidedBy) -> Row:
        """Ask a run to stop; its cleanup code still runs. Asking again changes nothing.

        A run that is blocked because no worker knows its workflow is ended: nobody could run its cleanup.

        Raises:
            RunNotFound: there is no such run.
            RunClosed: the run has ended.
        """

        async def decided(run: Loaded, now: int) -> AppendEntries[Row] | AlreadyDone[Row]:
            forsaken = decide.blocked_unknown(run) and run.run.row["workflow"] not in await self._workers.known()
            return decide.cancel(run, reason, by, now, forsaken=forsaken)

        return await self._actor.act(run_id, decided, OPEN_INPUTS)

    async def terminate(self, run_id: str, reason: str | None, by: DecidedBy) -> Row:
        """End a run now, without running its code; return its row.

        Its requests are withdrawn, its waits and timers gone, its streams closed. A worker that holds it can write
        nothing more; steps under way may still have their effect on the world. Also ends a failed run for good.

        Raises:
            RunNotFound: there is no such run.
            RunClosed: it is completed or cancelled.
        """
        return await self._actor.act(run_id, lambda run, now: decide.terminate(run, reason, by, now), OPEN_INPUTS)

    async def retry(self, run_id: str, by: DecidedBy) -> Row:
        """Have a blocked or failed run tried again, with the code that there is.

        A blocked one goes on as it is, and is blocked again if the code is no better. A failed one goes on where it
        failed: the attempts of the step it failed by begin anew, or the code is run again from its last turn.

        Raises:
            RunNotFound: there is no such run.
            RunClosed: it is completed or cancelled.
            NotBlocked: it is neither blocked nor failed; nothing was changed.
        """
        return await self._actor.act(
            run_id, lambda run, now: decide.retry(run, by, now), whole=lambda run: run.status == "failed"
        )

    async def rewind(
        self, run_id: str, to: str, by: DecidedBy, *, after: bool = False, reason: str | None = None
    ) -> Row:
        """Undo what a run has done from a command on, and have it go on from there with the code that there is.

        The journal keeps all of it. Requests that are undone are taken back, those that are kept are asked again. A
        worker that holds the run lets go of it; steps under way may still have their effect on the world.

        Args:
            run_id: the run.
            to: the id of the command, e.g. `pay:1`.
            by: who asks.
            after: keep the command, and how it ended.
            reason: for people.

        Raises:
            RunNotFound: there is no such run.
            RunClosed: it is completed or cancelled; fork it.
            UnknownCommand: it has not asked for this, or that is undone already; nothing was changed.
        """
        return await self._actor.act(
            run_id,
            lambda run, now: decide.rewind(run, to, by, now, after=after, reason=reason),
            whole=lambda run: run.status not in FINAL,
        )

    async def fork(
        self, run_id: str, by: DecidedBy, *, new_id: str | None = None, to: str | None = None, after: bool = False
    ) -> Started:
        """Start a run that shares the beginning of another one's journal, and goes on from there on its own.

        Args:
            run_id: the other run; it may have ended, and is left as it is.
            by: who asks.
            new_id: of the new run, for idempotency; a random one if None.
            to: the id of the first command that is not shared; None: all is, but the end and what the code asked for
                last.
            after: share the command, and how it ended.

        Raises:
            RunNotFound: there is no such run.
            InvalidName: the new id is malformed.
            UnknownCommand: the other run has not asked for this.
            RunConflict: the new id is taken by a run that is not this fork.
        """
        new_id = check_name(new_id, "run id") if new_id is not None else secrets.token_hex(10)
        subject = await self.record(run_id)
        source = Loaded(await whole_view(self._store, subject))
        now = self._clock.now_ms()
        return await self._actor.begin(
            new_id, lambda taken: decide.fork(source, taken, new_id, by, now, to=to, after=after)
        )

    async def forsake(self, run_id: str) -> bool:
        """Block a run that no living worker knows, or end it if it was asked to stop; tell whether it was written to.

        That nobody knows it is for the caller to find out. What somebody holds or has ended meanwhile is left alone.
        """
        return await self._actor.act(run_id, decide.forsake, OPEN_INPUTS)

    async def try_other_code(self, workflow: str, fingerprint: str) -> int:
        """Hand runs of a workflow that are blocked, because code got stuck in them, to other code; return how many.

        Args:
            workflow: its name.
            fingerprint: of the code there is now; runs that were stuck in that are left alone.
        """
        tried, cursor = 0, None
        while True:
            where = RunFilter(workflow=workflow, statuses=("blocked",))
            page = await self._store.list_subjects(where.listing, limit=200, cursor=cursor)
            for record in page.items:
                fold = RunFold.loads(record.state)
                if not record.ready and fold.stuck and fingerprint not in fold.stuck:
                    before = RunSnapshot(record, View(run=fold))
                    write = RunChange(before, [], ready=True, wake_at=record.wake_at)
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
