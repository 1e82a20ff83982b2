"""Write the AI SDK's UI message chunks to an output, so that `useChat` reads a run as it reads any chat.

One output is one message: `createDurableChatTransport` (@durable-streams/aisdk-transport) reads it from its beginning
to its closing. What an earlier attempt of the step has shown stays shown: a further attempt writes what goes beyond it,
and where it says something else, the older text is named as replaced.
"""

from __future__ import annotations

from typing import Any, Final, Literal, Self

from signoff.workflow.step.current import current_step
from signoff.workflow.step.output import Output

UI_MESSAGE: Final = "ui-message"
"""The format of outputs that hold chunks."""

_Voice = Literal["text", "reasoning"]


def message(name: str, *, message_id: str | None = None, keep_open: bool = False) -> UIMessage:
    """Return a message to write to the output `name`, in an async step.

    Args:
        name: of the output.
        message_id: what the browser's message shall be called; None: the SDK draws one.
        keep_open: the message goes on after this step: with a request (`announce`), or in another step.

    Example:
        >>> async def model(prompt: str) -> str:
        ...     async with aisdk.message("chat") as chat:
        ...         async for token in stream(prompt):
        ...             await chat.text(token)
    """
    return UIMessage(current_step().output(name, format=UI_MESSAGE, keep_open=keep_open), message_id, keep_open)


class _Passage:
    """A text, or a reasoning, that is being written.

    Attributes:
        id: in the chunks.
        said: what this attempt has said in it.
        ahead: what an earlier attempt has shown beyond that.
        closed: an earlier attempt has shown its end.
    """

    def __init__(self, kind: _Voice, id_: str, ahead: str = "", *, closed: bool = False) -> None:
        self.kind = kind
        self.id = id_
        self.said = ""
        self.ahead = ahead
        self.closed = closed


class UIMessage:
    """A message of a chat, as one attempt of a step writes it.

    Args:
        output: of the format `ui-message`.
        message_id: of the message; None: the SDK draws one.
        keep_open: do not end the message with this block.
    """

    def __init__(self, output: Output, message_id: str | None = None, keep_open: bool = False) -> None:
        self.output = output
        self._message_id = message_id
        self._keep_open = keep_open
        self._shown: list[dict[str, Any]] = []
        self._number = 0
        self._part: _Passage | None = None
        self._finished = False
        self._prefix = ""

    async def __aenter__(self) -> Self:
        step = current_step()
        self._prefix = f"{step.name}:{step.n}/"
        await self.output.__aenter__()
        self._shown = await self.output.shown()
        if not any(chunk.get("type") == "start" for chunk in self._shown):
            start = {"type": "start"} if self._message_id is None else {"type": "start", "messageId": self._message_id}
            await self.output.write(start)
        if not self.output.again:
            await self.output.write({"type": "start-step"})
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            await self._end_part()
            await self._replace_the_rest()
            if not self._keep_open:
                await self.finish()
        await self.output.__aexit__(kind, error, trace)

    async def text(self, delta: str) -> None:
        """Say more."""
        await self._say("text", delta)

    async def reasoning(self, delta: str) -> None:
        """Show more of what leads to it."""
        await self._say("reasoning", delta)

    async def tool_input(self, name: str, arguments: Any, *, tool_call_id: str) -> None:
        """Show that a tool is called.

        Args:
            name: of the tool.
            arguments: of the call, any JSON.
            tool_call_id: the same in each attempt; else a further attempt shows another call.
        """
        chunk = {"type": "tool-input-available", "toolCallId": tool_call_id, "toolName": name, "input": arguments}
        await self.chunk(chunk)

    async def tool_output(self, tool_call_id: str, result: Any) -> None:
        """Show what a call came to."""
        await self.chunk({"type": "tool-output-available", "toolCallId": tool_call_id, "output": result})

    async def tool_denied(self, tool_call_id: str) -> None:
        """Show that a call was not allowed."""
        await self.chunk({"type": "tool-output-denied", "toolCallId": tool_call_id})

    async def chunk(self, chunk: dict[str, Any]) -> None:
        """Write any other chunk, unless it was shown already."""
        await self._end_part()
        if chunk in self._shown:
            self._shown.remove(chunk)
            return
        await self.output.write(chunk)

    async def finish(self) -> None:
        """End the message and close the output."""
        if self._finished:
            return
        self._finished = True
        await self._end_part()
        for kind in ("finish-step", "finish"):
            await self.chunk({"type": kind})
        await self.output.close()

    # -- what is shown already -------------------------------------------------------------------------------------

    async def _say(self, kind: _Voice, delta: str) -> None:
        if not delta:
            return
        part = self._part
        if part is None or part.kind != kind:
            await self._end_part()
            part = await self._begin_part(kind)
        known = min(len(delta), len(part.ahead))
        if part.ahead[:known] != delta[:known] or (part.closed and known < len(delta)):
            part = await self._replace(part)
            known = 0
        part.ahead = part.ahead[known:]
        part.said += delta
        if known < len(delta):
            await self.output.write({"type": f"{kind}-delta", "id": part.id, "delta": delta[known:]})

    async def _begin_part(self, kind: _Voice) -> _Passage:
        self._number += 1
        versions = self._versions(self._number)
        if versions and versions[-1].kind == kind:
            part = versions[-1]
        else:
            part = _Passage(kind, f"{self._prefix}{self._number}.{len(versions)}")
            await self.output.write({"type": f"{kind}-start", "id": part.id})
        self._part = part
        return part

    async def _end_part(self) -> None:
        part = self._part
        if part is None:
            return
        if part.ahead:
            part = await self._replace(part)
        self._part = None
        if not part.closed:
            await self.output.write({"type": f"{part.kind}-end", "id": part.id})

    async def _replace(self, old: _Passage) -> _Passage:
        """Begin a part anew that an earlier attempt has shown otherwise."""
        await self._retract(old)
        new = _Passage(old.kind, f"{self._prefix}{self._number}.{len(self._versions(self._number))}")
        await self.output.write({"type": f"{new.kind}-start", "id": new.id})
        if old.said:
            await self.output.write({"type": f"{new.kind}-delta", "id": new.id, "delta": old.said})
        new.said = old.said
        self._part = new
        return new

    async def _retract(self, old: _Passage) -> None:
        if not old.closed:
            await self.output.write({"type": f"{old.kind}-end", "id": old.id})
        replaced = {"kind": old.kind, "text": old.said + old.ahead}
        await self.output.write({"type": "data-signoff-replaced", "id": old.id, "data": replaced})

    async def _replace_the_rest(self) -> None:
        """Name what only an earlier attempt has said."""
        number = self._number + 1
        while versions := self._versions(number):
            await self._retract(versions[-1])
            number += 1

    def _versions(self, number: int) -> list[_Passage]:
        """Return the parts that earlier attempts have shown in this place."""
        found: dict[str, _Passage] = {}
        for chunk in self._shown:
            kind, _, what = str(chunk.get("type")).rpartition("-")
            id_ = chunk.get("id")
            if kind not in {"text", "reasoning"} or not str(id_).startswith(f"{self._prefix}{number}."):
                continue
            if what == "start":
                found[str(id_)] = _Passage("text" if kind == "text" else "reasoning", str(id_))
            elif what == "delta":
                found[str(id_)].ahead += chunk["delta"]
            else:
                found[str(id_)].closed = True
        return list(found.values())
