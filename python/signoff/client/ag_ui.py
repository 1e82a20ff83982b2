"""Runs for pages that speak AG-UI, the Agent-User Interaction protocol 1.0: `pip install 'signoff[ag-ui]'`.

What a page posts starts a run or answers one; what that writes comes back as text, its requests as interrupts, each of
the very state that was shown. The requests stand in every inbox as well: who is first decides.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

import orjson

try:
    from ag_ui import core
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"signoff.client.ag_ui needs {missing.name!r}. Install it: pip install 'signoff[ag-ui]'", name=missing.name
    ) from missing

from signoff.client.client import SignoffClient
from signoff.client.streams import StreamBatch
from signoff.errors import AlreadyDecided, BadRequest, Expired, SignoffError, Stale, StreamNotFound, Withdrawn


def last_text(asked: core.RunAgentInput) -> str:
    """Return the text of the last message of a user: what a workflow is given unless said otherwise."""
    last = next((one.content for one in reversed(asked.messages) if one.role == "user"), "")
    return last if isinstance(last, str) else "".join(part.text for part in last if part.type == "text")


async def events(
    client: SignoffClient,
    workflow: str,
    asked: core.RunAgentInput,
    *,
    output: str = "tokens",
    input_of: Callable[[core.RunAgentInput], Any] = last_text,
) -> AsyncIterator[core.BaseEvent]:
    """Start a run, or answer one, and tell what it does until it waits for people or has ended.

    Args:
        client: acts as whoever posted this: hand their token on.
        workflow: what is started.
        asked: what was posted. The same again does nothing twice.
        output: the name of the output whose text the page is to show; it may hold chunks of the AI SDK.
        input_of: makes the input of the workflow.

    Example:
        >>> told = (encoder.encode(event) async for event in events(client, "agent", asked))
        >>> return StreamingResponse(told, media_type=encoder.get_content_type())
    """
    yield core.RunStartedEvent(thread_id=asked.thread_id, run_id=asked.run_id, protocol_version="1.0")
    try:
        offset, known = "-1", set[str]()
        for entry in asked.resume or ():
            run, key, offset = await _answer(client, asked.run_id, entry)
            known.add(key)
        if not asked.resume:
            run = (await client.start(workflow, input_of(asked), run_id=asked.run_id))["run"]["id"]
        async for event in _Conversation(client, asked, run, f"runs/{run}/out/{output}", offset).events(known):
            yield event
    except SignoffError as error:
        yield core.RunErrorEvent(message=error.detail or error.title, code=error.code)


async def _answer(client: SignoffClient, ag_ui_run: str, entry: core.ResumeEntry) -> tuple[str, str, str]:
    """Answer a request; one that is given up is left to others, and one that was overtaken is shown as it is now."""
    try:
        run, key, asked_at, revised, offset = map(str, orjson.loads(bytes.fromhex(entry.interrupt_id)))
    except (ValueError, TypeError) as error:
        raise BadRequest("This interrupt is none of this server's. Nothing was recorded.") from error
    if entry.status == "resolved":
        submission = hashlib.sha256(f"{ag_ui_run}\n{entry.interrupt_id}".encode()).hexdigest()[:40]
        said = {"submission_id": submission, **_decision(entry.payload)}
        with suppress(Stale, AlreadyDecided, Expired, Withdrawn):
            await client.answer(run, key, **said, seen_offset=revised, asked_at=asked_at)
    return run, key, offset


def _decision(payload: Any) -> dict[str, Any]:
    """Read an answer as the interrupt's schema has it, or as tool approvals of AG-UI do."""
    match payload:
        case {"action": str(action)}:
            return {"action": action, "value": payload.get("value")}
        case {"approved": True, "editedArgs": dict(edited)}:
            return {"action": "edit", "value": edited}
        case {"approved": bool(yes)}:
            return {"action": "approve" if yes else "reject", "value": None if yes else payload.get("reason")}
    raise BadRequest('Answer with {"action", "value"}, or {"approved", "editedArgs", "reason"}. Nothing was recorded.')


class _Conversation:
    """One run of AG-UI: what the workflow's run does, from where a page has seen it up to where it waits or ends."""

    def __init__(self, client: SignoffClient, asked: core.RunAgentInput, run: str, output: str, offset: str) -> None:
        self._client, self._asked, self._run, self._output = client, asked, run, output
        self._offsets = {f"runs/{run}": "-1", output: offset}
        self._rows: dict[tuple[str, str], dict[str, Any]] = {}
        self._writing, self._said = "", 0
        self._rests = False  # it has ended, or waits for people and nothing else goes on

    async def events(self, known: set[str]) -> AsyncIterator[core.BaseEvent]:
        """Yield what the run does as events of AG-UI, without the tool calls of requests that are `known`."""
        queue: asyncio.Queue[tuple[str, StreamBatch | SignoffError]] = asyncio.Queue()
        tasks = [asyncio.create_task(self._read(queue, path)) for path in self._offsets]
        try:
            while not self._rests:
                path, batch = await queue.get()
                if isinstance(batch, SignoffError):
                    raise batch
                for event in self._took(path, batch):
                    yield event
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(StreamNotFound):  # what was written before it rests, and has not come yet
            async for batch in self._client.tail(self._output, offset=self._offsets[self._output], follow=False):
                for event in self._took(self._output, batch):
                    yield event
        if self._writing:
            yield core.TextMessageEndEvent(message_id=self._writing)
        async for event in self._end(known):
            yield event

    async def _read(self, queue: asyncio.Queue[tuple[str, StreamBatch | SignoffError]], path: str) -> None:
        while True:
            try:
                async for batch in self._client.tail(path, offset=self._offsets[path]):
                    await queue.put((path, batch))
                break
            except SignoffError as error:
                if path != self._output or not isinstance(error, StreamNotFound):
                    await queue.put((path, error))
                    break
                await asyncio.sleep(0.2)  # an output is there once a step has made it

    def _took(self, path: str, batch: StreamBatch) -> Iterator[core.BaseEvent]:
        """Take what a stream has brought; what another attempt of a step says anew is another message."""
        self._offsets[path] = batch.offset
        if path != self._output:
            self._rows |= {(one["type"], one["key"]): one["value"] for one in batch.messages if "value" in one}
            status = self._rows["run", self._run]["status"]
            waits = status == "waiting" and bool(self._pending())
            self._rests = batch.up_to_date and (waits or status in {"completed", "failed", "cancelled", "blocked"})
            return
        for one in batch.messages:
            chunk = one if isinstance(one, dict) else {"type": "text-delta", "delta": one}
            if self._writing and ("signoff" in chunk or chunk.get("type") == "data-signoff-attempt"):
                yield core.TextMessageEndEvent(message_id=self._writing)
                self._writing = ""
            elif chunk.get("type") == "text-delta" and isinstance(text := chunk.get("delta"), str):
                if not self._writing:
                    self._said += 1
                    self._writing = f"{self._asked.run_id}/{self._said}"
                    yield core.TextMessageStartEvent(message_id=self._writing, role="assistant")
                yield core.TextMessageContentEvent(message_id=self._writing, delta=text)

    def _pending(self) -> list[dict[str, Any]]:
        return [row for (kind, _), row in self._rows.items() if kind == "input" and row["status"] == "pending"]

    async def _end(self, known: set[str]) -> AsyncIterator[core.BaseEvent]:
        run = self._rows["run", self._run]
        if run["status"] in {"failed", "blocked"}:
            why = run.get("error") or {}
            yield core.RunErrorEvent(message=why.get("message") or "It failed or is stuck.", code=why.get("code"))
            return
        finished: dict[str, Any] = {"thread_id": self._asked.thread_id, "run_id": self._asked.run_id}
        if run["status"] == "completed":
            finished["result"] = (await self._client.outcome(self._run)).get("output")
        elif run["status"] == "cancelled":
            finished["outcome"] = core.RunFinishedCancelledOutcome()
        else:
            interrupts = [self._interrupt(row) for row in self._pending()]
            for row, one in zip(self._pending(), interrupts, strict=True):
                if (call := one.tool_call_id) is not None and row["id"] not in known:
                    yield core.ToolCallStartEvent(tool_call_id=call, tool_call_name=row["tool"]["name"])
                    yield core.ToolCallArgsEvent(tool_call_id=call, delta=orjson.dumps(row["show"]).decode())
                    yield core.ToolCallEndEvent(tool_call_id=call)
            finished["outcome"] = core.RunFinishedInterruptOutcome(interrupts=interrupts)
        yield core.RunFinishedEvent(**finished)

    def _interrupt(self, row: dict[str, Any]) -> core.Interrupt:
        shown = [self._run, row["id"], row["asked_at"], row["revised"], self._offsets[self._output]]
        tool = row.get("tool")
        answer = {"action": {"enum": row["actions"]}, "value": row["schema"]}
        return core.Interrupt(
            id=orjson.dumps(shown).hex(),
            reason="tool_call" if tool else "input_required",
            message=row["title"],
            tool_call_id=(tool["call_id"] or f"{self._run}/{row['id']}") if tool else None,
            response_schema={"type": "object", "properties": answer, "required": ["action"]},
            expires_at=row["deadline"],
            metadata={"signoff": row},
        )
