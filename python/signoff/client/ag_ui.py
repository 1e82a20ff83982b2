"""Runs for pages that speak AG-UI, the Agent-User Interaction protocol 1.0: `pip install 'signoff[ag-ui]'`.

What a page posts starts a run or answers one; what that writes comes back as text, its requests as interrupts, each of
the very state that was shown. The requests stand in every inbox as well: who is first decides.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
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
        asked: what was posted. The same again does nothing twice, and tells a page that lost its connection the rest.
        output: the name of the output whose text the page is to show; it may hold chunks of the AI SDK.
        input_of: makes the input of the workflow, of what was posted without what the page has of this very run.

    Example:
        >>> told = (encoder.encode(event) async for event in events(client, "agent", asked))
        >>> return StreamingResponse(told, media_type=encoder.get_content_type())
    """
    yield core.RunStartedEvent(thread_id=asked.thread_id, run_id=asked.run_id, protocol_version="1.0")
    mine = [one for one in asked.messages if one.id.rpartition("/")[0] == asked.run_id]
    asked = asked.model_copy(update={"messages": [one for one in asked.messages if one not in mine]})
    try:
        offset, known = "-1", set[str]()
        for entry in asked.resume or ():
            run, key, offset = await _answer(client, asked.run_id, entry)
            known.add(key)
        if not asked.resume:
            run = (await client.start(workflow, input_of(asked), run_id=asked.run_id))["run"]["id"]
        conversation = _Conversation(client, asked, run, f"runs/{run}/out/{output}", offset)
        async for event in conversation.events(known, _texts(mine)):
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


def _schema(row: dict[str, Any]) -> dict[str, Any]:
    """Return what an answer is to be like; for a tool also as AG-UI has it, with `editedArgs` where people may edit."""
    ours = {"action": {"enum": row["actions"]}, "value": row["schema"]}
    if not row.get("tool"):
        return {"type": "object", "properties": ours, "required": ["action"]}
    theirs = {"approved": {"type": "boolean"}, "reason": {"type": "string"}}
    if "edit" in row["actions"]:
        theirs["editedArgs"] = row["choices"]["edit"]["schema"]
    either = [{"required": ["action"]}, {"required": ["approved"]}]
    return {"type": "object", "properties": ours | theirs, "anyOf": either}


def _texts(messages: Iterable[core.Message]) -> dict[str, str]:
    """Return the texts of messages, and the arguments of their tool calls, by their ids."""
    said = [one for one in messages if one.role == "assistant"]
    calls = {call.id: call.function.arguments for one in said for call in one.tool_calls or ()}
    return {one.id: one.content or "" for one in said} | calls


class _Conversation:
    """One run of AG-UI: what the workflow's run does, from where a page has seen it up to where it waits or ends."""

    def __init__(self, client: SignoffClient, asked: core.RunAgentInput, run: str, output: str, offset: str) -> None:
        self._client, self._asked, self._run, self._output = client, asked, run, output
        self._offsets = {f"runs/{run}": "-1", output: offset}
        self._rows: dict[tuple[str, str], dict[str, Any]] = {}
        self._writing, self._said, self._had = "", 0, dict[str, str]()
        self._rests = False  # it has ended, or waits for people and nothing else goes on

    async def events(self, known: set[str], had: dict[str, str]) -> AsyncIterator[core.BaseEvent]:
        """Yield what the run does as events of AG-UI.

        Args:
            known: requests whose tool calls the page has been told of.
            had: texts that it has of this run, by their ids: it adds whatever comes to them.
        """
        self._had = had
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
                if rest := self._rest(self._writing, text):
                    yield core.TextMessageContentEvent(message_id=self._writing, delta=rest)

    def _rest(self, id_: str, text: str) -> str:
        """Return what the page does not have of a text that goes on with this."""
        had = self._had.get(id_, "")
        self._had[id_] = had[len(text) :]
        return text[len(had) :]

    def _call(self, id_: str, tool: str, arguments: str) -> Iterator[core.BaseEvent]:
        """Yield the events of a tool call of the last message, unless an earlier run has sent them."""
        if _texts(self._asked.messages).get(id_) != arguments:
            parent = f"{self._asked.run_id}/{self._said}"
            yield core.ToolCallStartEvent(tool_call_id=id_, tool_call_name=tool, parent_message_id=parent)
            if rest := self._rest(id_, arguments):
                yield core.ToolCallArgsEvent(tool_call_id=id_, delta=rest)
            yield core.ToolCallEndEvent(tool_call_id=id_)

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
                    for event in self._call(call, row["tool"]["name"], orjson.dumps(row["show"]).decode()):
                        yield event
            finished["outcome"] = core.RunFinishedInterruptOutcome(interrupts=interrupts)
        yield core.RunFinishedEvent(**finished)

    def _interrupt(self, row: dict[str, Any]) -> core.Interrupt:
        shown = [self._run, row["id"], row["asked_at"], row["revised"], self._offsets[self._output]]
        tool = row.get("tool")
        return core.Interrupt(
            id=orjson.dumps(shown).hex(),
            reason="tool_call" if tool else "input_required",
            message=row["title"],
            tool_call_id=(tool["call_id"] or f"{self._run}/{row['id']}") if tool else None,
            response_schema=_schema(row),
            expires_at=row["deadline"],
            metadata={"signoff": row},
        )
