"""Answer, look at and list requests for input: the person's half of a run."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

import orjson

from signoff.clock import Clock
from signoff.errors import InputNotFound, PayloadTooLarge, RunNotFound
from signoff.service.change import decided, loaded_run
from signoff.service.commit import GroupCommitter
from signoff.stores.base import Conflict, LedgerKey, Page, WorkflowStore
from signoff.stores.base import RunState as Found
from signoff.workflow.decision import AlreadyDone, AppendEntries, Loaded
from signoff.workflow.input import decide
from signoff.workflow.input.decide import Accepted, Who
from signoff.workflow.input.state import InputState
from signoff.workflow.input.submission import AnswerRequest

_SMALL = 16 << 10
"""Bytes of schema and answer together that are judged at once, on the event loop (well under 10 ms)."""

JUDGING_S = 5
"""Seconds after which an answer that is still being judged is refused."""

_JUDGES = 2
"""How many large answers are judged at a time."""


class Inputs:
    """Answer, look at and list requests for input."""

    def __init__(self, store: WorkflowStore, committer: GroupCommitter, clock: Clock) -> None:
        self._store = store
        self._committer = committer
        self._clock = clock
        self._judging = asyncio.Semaphore(_JUDGES)

    async def answer(self, run_id: str, key: str, request: AnswerRequest, who: Who) -> Accepted:
        """Decide a request for input, exactly once; durable before this returns.

        Args:
            run_id: the run that asked.
            key: `name:n` of the request.
            request: the submission.
            who: the person, or the operator, that answers.

        Raises:
            RunNotFound, InputNotFound: nobody asked this.
            NotInAudience: this person was not asked.
            SubmissionReused: the submission id was used for another answer.
            Stale, AlreadyDecided, Expired, Withdrawn: the request is no longer what the person saw; `row` tells.
            InvalidAnswer: the value does not match the schema; nothing was recorded.
            PayloadTooLarge: it could not be judged in time; nothing was recorded.
        """
        async with self._committer.turn(run_id):
            while True:
                found = await self._load(run_id, key, LedgerKey(decide.SCOPE, request.submission_id))
                loaded = loaded_run(found)
                decision = await self._decide(loaded, key, request, who)
                if isinstance(decision, AlreadyDone):
                    return decision.reply
                change, accepted = decided(found.record, loaded.view, decision)
                if isinstance(await self._committer.commit(change), Conflict):
                    continue
                if decision.refusal is not None:
                    raise decision.refusal(loaded.view)
                return accepted

    async def _decide(
        self, loaded: Loaded, key: str, request: AnswerRequest, who: Who
    ) -> AppendEntries[Accepted] | AlreadyDone[Accepted]:
        """Decide on an answer; judge a large one in a thread, so that nobody else waits for it."""
        now = self._clock.now_ms()
        row = loaded.view.inputs[key].row
        if len(orjson.dumps([row["schema"], request.value])) <= _SMALL:
            return decide.answer(loaded, key, request, who, now)
        async with self._judging:
            try:
                async with asyncio.timeout(JUDGING_S):
                    return await asyncio.to_thread(decide.answer, loaded, key, request, who, now)
            except TimeoutError:
                raise PayloadTooLarge(
                    f"The answer could not be checked within {JUDGING_S} s; it was not recorded and the request is "
                    "still open. Send less.",
                    row=row,
                ) from None

    async def _load(self, run_id: str, key: str, ledger: LedgerKey | None = None) -> Found:
        loaded = await self._store.load_run(run_id, inputs=key, ledger=ledger)
        if loaded is None:
            raise RunNotFound(f"There is no run {run_id[:140]!r}.")
        if not loaded.inputs:
            raise InputNotFound(f"The run {run_id!r} has no request {key[:140]!r}.")
        return loaded

    async def get(self, run_id: str, key: str) -> dict[str, Any]:
        """Return one request's row.

        Raises:
            RunNotFound, InputNotFound: nobody asked this.
        """
        loaded = await self._load(run_id, key)
        return InputState.loads(loaded.inputs[0].state).row

    async def pending(self, run_id: str) -> list[dict[str, Any]]:
        """Return the rows of a run's pending requests.

        Raises:
            RunNotFound: there is no such run.
        """
        loaded = await self._store.load_run(run_id, inputs="pending")
        if loaded is None:
            raise RunNotFound(f"There is no run {run_id[:140]!r}.")
        return [InputState.loads(record.state).row for record in loaded.inputs]

    async def list(
        self,
        *,
        audience: Collection[str] | None = None,
        status: str | None = "pending",
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[dict[str, Any]]:
        """List requests asked of any of `audience` (None: of anybody), newest first.

        Raises:
            BadRequest: the cursor is malformed.
        """
        page = await self._store.list_inputs(audience=audience, status=status, limit=limit, cursor=cursor)
        return Page(tuple(InputState.loads(record.state).row for record in page.items), page.cursor)
