"""Answer, look at and list requests for input: the person's half of a run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Any, Final

import orjson

from signoff.clock import Clock, held
from signoff.errors import InputNotFound, PayloadTooLarge
from signoff.service.act import OPEN_INPUTS, Actor, LoadMore, not_found
from signoff.service.commit import GroupCommitter
from signoff.service.drafts import Drafts
from signoff.service.files import Files
from signoff.service.kinds import PartKind, inputs_listing, ledger_name, run_name
from signoff.service.streams.hub import Hub
from signoff.service.verdicts import WAIT_S, Verdicts
from signoff.stores.base import Page, PartsWanted, WorkflowStore
from signoff.workflow.decision import Decision, Loaded
from signoff.workflow.denial.decide import watched
from signoff.workflow.input import decide
from signoff.workflow.input.choices import schema_for
from signoff.workflow.input.decide import SCOPE, Accepted, Who
from signoff.workflow.input.state import InputState
from signoff.workflow.input.submission import AnswerRequest, EncodedAnswer, FileFaults
from signoff.workflow.input.uploaded import file_faults, references_in
from signoff.workflow.input.verb import RequestDecision, decide_on
from signoff.workflow.nouns import request_verbs
from signoff.workflow.verb import Body

REQUEST_VERBS: Final = request_verbs()
"""What may be done to a request for input, beside answering it, by name."""

_SMALL: Final = 16 << 10
"""Bytes of schema and answer together that are judged at once, on the event loop (well under 10 ms)."""

JUDGING_S: Final = 5
"""Seconds after which an answer that is still being judged is refused."""

_JUDGES: Final = 2
"""How many large answers are judged at a time."""


class Inputs:
    """The requests for input: answered, looked at and listed.

    Attributes:
        drafts: what people have filled in and not sent.
    """

    def __init__(self, store: WorkflowStore, committer: GroupCommitter, clock: Clock, hub: Hub, files: Files) -> None:
        self.drafts = Drafts(store, committer, clock)
        self._files = files
        self._store = store
        self._verdicts = Verdicts(store, hub)
        self._actor = Actor(store, committer, clock)
        self._judging = asyncio.Semaphore(_JUDGES)
        self._clock = clock

    async def answer(
        self, run_id: str, key: str, request: AnswerRequest, who: Who, *, wait_s: float = WAIT_S
    ) -> Accepted:
        """Decide a request for input, exactly once; durable before this returns.

        If the workflow's own code judges the answer, this waits for the verdict. When the time is over, `validating` of
        what is returned is true: the answer is recorded and judged all the same, and the row tells what comes of it.

        Args:
            run_id: the run that asked.
            key: `name:n` of the request.
            request: the submission.
            who: the person, or the operator, that answers.
            wait_s: how long to wait for a verdict, in seconds.

        Raises:
            RunNotFound, InputNotFound: nobody asked this.
            NotInAudience: this person was not asked.
            SubmissionReused: the submission id was used for another answer.
            Stale, AlreadyDecided, Expired, Withdrawn: the request is no longer what the person saw; `row` tells.
            ClaimedByOther, NotClaimed: somebody else works on it, or somebody has to first; `row` tells.
            BeingValidated: another answer is being judged; nothing was recorded.
            InvalidAnswer: the value does not match the schema, or was refused; the request is still open.
            NotValidated: the code that judges it came to no verdict; nothing was recorded.
            PayloadTooLarge: it could not be judged in time; nothing was recorded.
        """

        known = {key}
        files: FileFaults | None = None
        if next(references_in(request.value), None) is not None:
            found = await self._files.of_answer(run_id, key, request.value, who)

            def files(row: dict[str, Any], schema: Any) -> list[dict[str, str]]:
                return file_faults(row, schema, request.value, who.by, found)

        def decided(run: Loaded, now: int) -> Decision[Accepted] | Awaitable[Decision[Accepted]] | LoadMore:
            state = run.view.inputs.get(key)
            if state is None:
                return decide.answer(run, key, request, who, now)
            if (more := _apart(state, known)) is not None:
                return more
            encoded = EncodedAnswer.of(key, request, who)
            decided = partial(decide.answer, run, key, request, who, now, encoded=encoded, files=files)
            judge = partial(watched, decided, run, key, who, now, request=request)
            room = _SMALL - encoded.size
            if run.size <= room or len(orjson.dumps(schema_for(state.row, request.action))) <= room:
                return judge()
            return self._judged(judge, state.row)

        wanted = PartsWanted(PartKind.INPUT, key)
        accepted = await self._actor.act(run_id, decided, wanted, ledger=(SCOPE, request.submission_id))
        if accepted.validating and wait_s > 0:
            digest = EncodedAnswer.of(key, request, who).digest
            accepted = await self._verdicts.outcome(accepted, request, who, digest, wait_s=wait_s)
        if not accepted.validating and accepted.outcome == "accepted":
            await self.drafts.decided(run_id, key)
        return accepted

    async def act(self, verb: str, run_id: str, key: str, body: Body, who: Who) -> dict[str, Any]:
        """Do to a request what is declared in `workflow.*.act`; return its row, durable.

        Args:
            verb: its name, e.g. `withdraw`.
            run_id: the run that asked.
            key: `name:n` of the request.
            body: as the verb's `shape` has checked it.
            who: who does it.

        Raises:
            RunNotFound, InputNotFound: nobody asked this.
            Whatever the verb's `refusals` says; with what was written of it (`workflow.denial`).
        """
        declared = REQUEST_VERBS[verb]
        known = {key}
        recalled: list[tuple[str, str] | None] = []

        def decided(run: Loaded, now: int) -> RequestDecision | LoadMore:
            state = run.view.inputs.get(key)
            if state is not None and (more := _apart(state, known)) is not None:
                return more
            if state is not None and declared.recalled is not None and not recalled:
                recalled.append(declared.recalled(state))
                if recalled[0] is not None:
                    return LoadMore((PartsWanted(*ledger_name(*recalled[0])),))
            decided = partial(decide_on, declared, run, key, now, body=body, who=who)
            return watched(decided, run, key, who, now, act=verb)

        return await self._actor.act(run_id, decided, PartsWanted(PartKind.INPUT, key))

    async def _judged(self, judge: Callable[[], Decision[Accepted]], row: dict[str, Any]) -> Decision[Accepted]:
        """Judge a large answer in a thread, so that nobody else waits for it."""
        async with self._judging:
            try:
                with held(self._clock):
                    async with asyncio.timeout(JUDGING_S):
                        return await asyncio.to_thread(judge)
            except TimeoutError:
                raise PayloadTooLarge(
                    f"The answer could not be checked within {JUDGING_S} s; it was not recorded and the request is "
                    "still open. Send less.",
                    row=row,
                ) from None

    async def get(self, run_id: str, key: str) -> dict[str, Any]:
        """Return one request's row.

        Raises:
            RunNotFound, InputNotFound: nobody asked this.
        """
        return (await self.found(run_id, key))[1]

    async def found(self, run_id: str, key: str) -> tuple[int, dict[str, Any]]:
        """Return when the run began, in milliseconds, and one request's row.

        Raises:
            RunNotFound, InputNotFound: nobody asked this.
        """
        stored = await self._store.load(run_name(run_id), PartsWanted(PartKind.INPUT, key))
        if stored is None:
            raise not_found(run_id)
        if not stored.parts:
            raise InputNotFound(f"The run {run_id!r} has no request {key[:140]!r}.")
        return stored.subject.sort, InputState.loads(stored.parts[0].state).row

    async def pending(self, run_id: str) -> list[dict[str, Any]]:
        """Return the rows of a run's pending requests.

        Raises:
            RunNotFound: there is no such run.
        """
        stored = await self._store.load(run_name(run_id), OPEN_INPUTS)
        if stored is None:
            raise not_found(run_id)
        return [InputState.loads(part.state).row for part in stored.parts]

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
        page = await self._store.list_parts(inputs_listing(audience, status), limit=limit, cursor=cursor)
        return Page(tuple(InputState.loads(found.part.state).row for found in page.items), page.cursor)


def _apart(state: InputState, known: set[str]) -> LoadMore | None:
    """Return the wish for those that must not be decided by the same people: they are told in the same commit.

    Args:
        state: the request that may be decided.
        known: what has been loaded or asked for; added to.
    """
    apart = [other for other in state.policy.get("apart", ()) if other not in known]
    known.update(apart)
    return LoadMore(tuple(PartsWanted(PartKind.INPUT, other) for other in apart)) if apart else None
