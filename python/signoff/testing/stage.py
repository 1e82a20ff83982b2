"""What a test engine is made of: an engine over a store, its time, its worker, and what goes wrong."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from signoff.clock import sleep
from signoff.errors import Forbidden, OutcomeUnknown
from signoff.service.engine import Engine
from signoff.service.inputs import REQUEST_VERBS
from signoff.service.kinds import RunFilter
from signoff.testing.board import RequestBoard, SeenRequest
from signoff.testing.faults import Crash, Delay, Faults, LostReply
from signoff.testing.lives import WorkerLives
from signoff.testing.timeline import Stuck, Timeline
from signoff.workflow.input.attachment import Attachment
from signoff.workflow.input.decide import Accepted, Who
from signoff.workflow.input.submission import AnswerRequest
from signoff.workflow.run.status import ENDED, OPEN
from signoff.workflow.verb import OPERATOR

T = TypeVar("T")

_MOST: Final = 20
"""Of how many runs a test is told what they wait for."""


@dataclass(slots=True)
class Stage:
    """All that a test's engine, runs and people share.

    Attributes:
        services: the engine.
        time: what it goes by.
        board: what people are asked.
        faults: what goes wrong.
        lives: the worker, which may die.
    """

    services: Engine
    time: Timeline
    board: RequestBoard
    faults: Faults
    lives: WorkerLives
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def new_submission_id(self) -> str:
        """Return an id that no submission has had."""
        return f"submission-{next(self._numbers)}"

    async def answer(self, request: SeenRequest, submission: AnswerRequest, who: Who) -> Accepted:
        """Answer a request as HTTP does, unless there is a fault."""
        fault = self.faults.of_answer()
        match fault:
            case Delay(ms):
                await sleep(self.time.clock, ms / 1000)
            case LostReply(written=False):
                raise OutcomeUnknown("The answer was lost on its way: the test wanted it so.")
            case Crash(after=False):
                self.lives.kill()
        accepted = await self.services.inputs.answer(request.run_id, request.key, submission, who)
        match fault:
            case LostReply():
                raise OutcomeUnknown("The reply to this answer was lost: the test wanted it so.")
            case Crash(after=True):
                self.lives.kill()
        return accepted

    async def attach(self, request: SeenRequest, data: bytes, who: Who, *, name: str, type_: str) -> Attachment:
        """Send a file for a request; return what an answer refers to it by."""

        async def body() -> AsyncIterator[bytes]:
            yield data

        number = f"file-{self.new_submission_id()}"
        reference, _ = await self.services.files.upload(
            request.run_id, request.key, number, body(), who, name=name, type_=type_, size=len(data)
        )
        return Attachment(**reference)

    async def do(self, verb: str, request: SeenRequest, body: Mapping[str, Any], who: Who) -> dict[str, Any]:
        """Do something else about a request as HTTP does; return its row.

        Raises:
            ValueError: there is no such verb.
            Forbidden: only an operator may do it.
            SignoffError: what the verb refuses with.
        """
        declared = declared_verb(REQUEST_VERBS, verb, "requests for input")
        if declared.grant == OPERATOR and not who.operator:
            raise Forbidden(f"Only an operator may {verb} a request for input; nothing was recorded.")
        checked = declared.shape.read({"asked_at": request.asked_at, **body})
        return await self.services.inputs.act(verb, request.run_id, request.key, checked, who)

    async def check_lives(self, run_id: str | None) -> None:
        """Raise if nothing can come of a run any more; None: of all that are open.

        Raises:
            Stuck: it is blocked, or has ended; or all are blocked.
        """
        if run_id is not None:
            status = (await self.services.runs.get(run_id))["status"]
            if status == "blocked" or status in ENDED:
                raise Stuck(await self.situation_of(run_id))
            return
        page = await self.services.runs.list(RunFilter(statuses=OPEN), limit=_MOST)
        if page.items and all(row["status"] == "blocked" for row in page.items):
            raise Stuck(await self.situation())

    async def situation(self) -> str:
        """Say what all runs that have not ended wait for."""
        page = await self.services.runs.list(RunFilter(statuses=OPEN), limit=_MOST)
        if not page.items:
            return "no run is under way."
        return " ".join([await self.situation_of(row["id"]) for row in page.items])

    async def situation_of(self, run_id: str) -> str:
        """Say what a run waits for."""
        row = await self.services.runs.get(run_id)
        said = f"The run {run_id} of {row['workflow']} is {row['status']}"
        match row["status"]:
            case "waiting":
                pending = await self.services.inputs.pending(run_id)
                asked = [f"{one['id']} (asked of {', '.join(one['audience'])})" for one in pending]
                return f"{said} for {', '.join(asked)}." if asked else f"{said} for an event."
            case "blocked":
                entries = await self.services.runs.history(run_id)
                blocked = next(entry for entry in reversed(entries) if entry["type"] == "run.blocked")
                return f"{said}: {blocked['error']['message']}"
        return f"{said}."


def declared_verb(verbs: Mapping[str, T], name: str, of: str) -> T:
    """Return a verb by its name.

    Raises:
        ValueError: there is none.
    """
    if name not in verbs:
        raise ValueError(f"There is no verb {name!r} on {of}; there are: {', '.join(sorted(verbs))}.")
    return verbs[name]
