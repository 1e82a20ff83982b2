"""What a test engine is made of: an engine over a store, its time, its worker, and what goes wrong."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from signoff.errors import OutcomeUnknown
from signoff.service.engine import Engine
from signoff.service.kinds import RunFilter
from signoff.testing.board import RequestBoard, SeenRequest
from signoff.testing.faults import Delay, Faults, LostReply
from signoff.testing.lives import WorkerLives
from signoff.testing.timeline import Timeline
from signoff.workflow.input.decide import Accepted, Who
from signoff.workflow.input.submission import AnswerRequest
from signoff.workflow.run.status import OPEN


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
                await self.time.advance(self.time.clock.now_ms() + ms)
            case LostReply(written=False):
                raise OutcomeUnknown("The answer was lost on its way: the test wanted it so.")
        accepted = await self.services.inputs.answer(request.run_id, request.key, submission, who)
        if isinstance(fault, LostReply):
            raise OutcomeUnknown("The reply to this answer was lost: the test wanted it so.")
        return accepted

    async def do(self, verb: str, request: SeenRequest, body: Mapping[str, Any], who: Who) -> Any:
        """Do something else about a request as HTTP does."""
        return await self.services.inputs.do(verb, request.run_id, request.key, body, who)

    async def situation(self) -> str:
        """Say what all runs that have not ended wait for."""
        page = await self.services.runs.list(RunFilter(statuses=OPEN), limit=20)
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
