"""Start, look at and list runs, and do to them what operators may."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

from signoff.clock import Clock
from signoff.errors import InvalidInput, UnknownWorkflow, UnsupportedValue, WorkflowError
from signoff.names import check_name, check_texts, is_name
from signoff.service.act import OPEN_INPUTS, VERBS, Actor, loaded, not_found, read_journal, unreadable
from signoff.service.commit import GroupCommitter
from signoff.service.kinds import RunFilter, run_name
from signoff.service.run_change import RunChange, RunSnapshot
from signoff.service.workers import Workers
from signoff.stores.base import Page, WorkflowStore
from signoff.stores.change import Conflict, Subject
from signoff.workflow import codec, journal
from signoff.workflow.decision import AlreadyDone
from signoff.workflow.definition import App
from signoff.workflow.entry import PYTHON, DecidedBy
from signoff.workflow.failure import error_of
from signoff.workflow.run import decide
from signoff.workflow.run.decide import Started
from signoff.workflow.run.entries import RunStarted
from signoff.workflow.run.undo import RunRow
from signoff.workflow.view import RunFold, View


class Runs:
    """The runs: started, looked at and listed, and what operators may do to them.

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
        self._actor = Actor(store, committer, clock, workers)
        self._workflows = workflows
        self._app = app

    def before_delete(self, clear: Callable[[str], Awaitable[None]]) -> None:
        """Have this done before a run is deleted, given its id."""
        self._actor.before_delete.append(clear)

    def before_fork(self, copy: Callable[[str, str], Awaitable[None]]) -> None:
        """Have this done before a run is forked, given its id and that of the fork."""
        self._actor.before_fork = copy

    async def start(
        self,
        workflow: str,
        input: Any = None,  # noqa: A002 - the field's name
        *,
        run_id: str | None = None,
        tags: Sequence[str] = (),
        start_at: int | None = None,
        version: str = "1",
        by: DecidedBy | None = None,
    ) -> Started:
        """Start a run, or find the one that has this id, workflow and input.

        Args:
            workflow: the workflow's name; it need not be known to this process.
            input: plain JSON.
            run_id: chosen by the caller for idempotency; a random one if None.
            tags: for listings.
            start_at: milliseconds before which the run does not begin.
            by: who starts it; None: nobody who is known.

        Raises:
            InvalidName: the workflow's name or the run id is malformed.
            UnknownWorkflow: only certain workflows may be started here, and this is not one of them.
            RunConflict: the id is taken by another workflow or another input.
            InvalidInput: the workflow's code is at hand, and the input does not fit; `extra["errors"]` tells where.
        """
        self._check_workflow(check_name(workflow, "workflow name"))
        check_texts(tags, "`tags` of a run", 'tags=["eu"]')
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
            by=by,
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

    async def starter_of(self, run_id: str) -> str | None:
        """Return the principal of whoever started a run; None: no person did, or there is no such run."""
        stored = await self._store.load(run_name(run_id)) if is_name(run_id) else None
        row = None if stored is None else RunFold.loads(stored.subject.state).row
        return None if row is None else row["started_by"]

    async def get(self, run_id: str) -> RunRow:
        """Return the run row.

        Raises:
            RunNotFound: there is no such run.
        """
        return RunFold.loads((await self.record(run_id)).state).row

    async def list(self, where: RunFilter, limit: int = 50, cursor: str | None = None) -> Page[RunRow]:
        """List run rows, newest first.

        Raises:
            BadRequest: the cursor is malformed.
        """
        page = await self._store.list_subjects(where.listing, limit=limit, cursor=cursor)
        return Page(tuple(RunFold.loads(record.state).row for record in page.items), page.cursor)

    async def act(self, verb: str, run_id: str, by: DecidedBy, via: str | None = None, /, **body: Any) -> Any:
        """Do to a run what operators and others may; return the reply, mostly the run row.

        Args:
            verb: one of `VERBS`, e.g. `cancel`.
            by: who does it.
            via: what proves who that is, for the evidence: `token:{jti}`; None: nothing that has a name.
            body: what the verb takes, e.g. `reason`; checked before.

        Raises:
            RunNotFound: there is no such run.
            Whatever the verb refuses with.

        Example:
            >>> await runs.act("terminate", "claim-1", DecidedBy("operator", "local"), reason="a duplicate")
        """
        return await self._actor.do(VERBS[verb], run_id, body, by, via)

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
            JournalUnreadable: it has entries of a newer release.
        """
        await self.record(run_id)
        try:
            entries, _ = await read_journal(self._store, run_id, 0)
        except WorkflowError as error:
            raise unreadable(run_id, error) from error
        return [journal.to_json(entry) for entry in entries]
