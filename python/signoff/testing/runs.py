"""A run in a test: awaited, and looked at from every side."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import orjson

from signoff.errors import StreamNotFound
from signoff.paths import run_path
from signoff.service.act import VERBS
from signoff.streams import offset
from signoff.streams.state import RowMap, fold
from signoff.testing.board import SeenRequest
from signoff.testing.history import save_history
from signoff.testing.stage import Stage, declared_verb
from signoff.workflow import codec
from signoff.workflow.entry import DecidedBy
from signoff.workflow.run.status import ENDED

_TEST = DecidedBy("operator", "test")


class TestRun:
    """A run, as `TestEngine.start` returns it.

    What looks at it waits first until all has happened that can happen now.

    Attributes:
        id: its id.
    """

    __test__ = False  # it is no test, whatever pytest makes of its name

    def __init__(self, stage: Stage, run_id: str) -> None:
        self.id = run_id
        self._stage = stage

    def __repr__(self) -> str:
        """Return what it is called."""
        return f"TestRun({self.id!r})"

    async def result(self) -> Any:
        """Wait for its end, while time jumps, and return what it gave, as plain JSON.

        Raises:
            FailedRun, CancelledRun: it ended without a result; `extra["error"]` tells why.
            Stuck: it waits for what does not come, or is blocked; says what there is instead.
        """
        await self._until(ENDED)
        outcome = await self._stage.services.outcomes.get(self.id, operator=True)
        return outcome.output

    async def reaches(self, *statuses: str) -> dict[str, Any]:
        """Wait until it has one of these statuses, while time jumps, and return its row.

        Raises:
            Stuck: it does not come to that.
        """
        return await self._until(statuses)

    async def asks(self, request: str) -> SeenRequest:
        """Wait until it asks for something, while time jumps, and return the request as it then is.

        Args:
            request: its name, or its key.

        Raises:
            Stuck: it does not ask.
        """

        async def look() -> SeenRequest | None:
            mine = (one for one in self._stage.board.pending() if one.run_id == self.id and one.called(request))
            found = next(mine, None)
            if found is None:
                await self._stage.check_lives(self.id)
            return found

        return await self._stage.time.until(look, self._situation)

    async def until_asked(self) -> list[SeenRequest]:
        """Wait until it asks for anything, while time jumps, and return what is pending; nothing if it has ended.

        Raises:
            Stuck: it neither asks nor ends.

        Example:
            >>> while requests := await run.until_asked():
            ...     await boss.answers(requests[0], action="approve")
        """

        async def look() -> list[SeenRequest] | None:
            pending = [SeenRequest(row) for row in await self._stage.services.inputs.pending(self.id)]
            if pending or (await self._stage.services.runs.get(self.id))["status"] in ENDED:
                return pending
            await self._stage.check_lives(self.id)
            return None

        return await self._stage.time.until(look, self._situation)

    async def row(self) -> dict[str, Any]:
        """Return its row, as browsers see it."""
        await self._stage.time.settled()
        return await self._stage.services.runs.get(self.id)

    async def rows(self, row_type: str | None = None) -> list[dict[str, Any]]:
        """Return the rows of its stream, as browsers see them.

        Args:
            row_type: only of this type: `run`, `step`, `input`, or one of your own.
        """
        await self._stage.time.settled()
        rows: RowMap = {}
        token = offset.START
        while True:
            try:
                chunk = await self._stage.services.streams.read(run_path(self.id), token)
            except StreamNotFound:
                return []
            fold(orjson.loads(chunk.body), rows)
            if chunk.up_to_date:
                return [row for (kind, _), row in rows.items() if row_type in {None, kind}]
            token = offset.encode(chunk.end)

    async def pending(self) -> list[SeenRequest]:
        """Return the requests of its that are pending, without waiting for a step that takes real time."""
        await self._stage.time.settled()
        return [SeenRequest(row) for row in await self._stage.services.inputs.pending(self.id)]

    async def journal(self, *types: str) -> list[dict[str, Any]]:
        """Return its journal, oldest entry first.

        Args:
            types: only entries of these, e.g. `step.completed`.
        """
        await self._stage.time.settled()
        entries = await self._stage.services.runs.history(self.id)
        return [entry for entry in entries if not types or entry["type"] in types]

    async def save(self, path: str | Path) -> None:
        """Save its history for `replay` and `replay_folder`, as `signoff show RUN --history --json` prints it."""
        save_history(path, self.id, await self.journal())

    async def do(self, verb: str, **body: Any) -> Any:
        """Do to it what operators may, e.g. `cancel`; return the reply.

        Args:
            verb: one of the verbs on runs.
            body: what it takes, e.g. `reason`.

        Raises:
            ValueError: there is no such verb.
            SignoffError: what the verb refuses with.
        """
        checked = declared_verb(VERBS, verb, "runs").shape.read(body)
        return await self._stage.services.runs.act(verb, self.id, _TEST, **checked)

    async def send(self, topic: str, payload: Any = None, *, id: str | None = None) -> None:  # noqa: A002
        """Send it an event.

        Args:
            payload: plain JSON, or what can be shown as such.
            id: a new one if None; one that was used before is a retry.

        Raises:
            SignoffError: what `service.events.Events.send` refuses with.
        """
        event_id = id or self._stage.new_submission_id()
        await self._stage.services.events.send(self.id, topic, id=event_id, payload=codec.public_json(payload))

    async def _until(self, statuses: Collection[str]) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            row = await self._stage.services.runs.get(self.id)
            if row["status"] in statuses:
                return row
            await self._stage.check_lives(self.id)
            return None

        return await self._stage.time.until(look, self._situation)

    async def _situation(self) -> str:
        return await self._stage.situation_of(self.id)
